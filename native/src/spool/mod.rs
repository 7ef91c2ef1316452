//! The durable queue: records go in at one end, batches come out at the other, and what lies
//! between survives the process.
//!
//! # Files
//!
//! All in one folder of mode 0700, all of mode 0600, none of them a symbolic link:
//!
//! | name | holds |
//! |---|---|
//! | `lock` | nothing; the process that has the queue open holds a lock on it |
//! | `cursor` | how far the intake has taken the queue |
//! | `%016x.seg` | a segment: records in order, named by the number of the first |
//! | `quarantine.ndjson` | records the intake refused for good, at most 10 MB |
//!
//! Every record has a number, counted up from the first record of the queue and never reset.
//! Integers are little-endian, checksums are CRC-32 (IEEE).
//!
//! ```text
//! segment  = header frame*
//! header   = FF 'E' 'A' 'S', version u32 = 1, queue UUID, number of the first record u64,
//!            checksum u32 of all before
//! frame    = FF 'E' 'A' 'R', checksum u32 of all behind, length u32, number u64, payload
//! cursor   = slot at offset 0, slot at offset 4096
//! slot     = FF 'E' 'A' 'C', version u32 = 2, queue UUID, generation u64, acked u64,
//!            end of the head u64, end of all in flight u64, oldest u64,
//!            evictions untold u64, since u64, told u64, since u64, teller u64,
//!            checksum u32 of all before
//! ```
//!
//! # Invariants
//!
//! 1. The frames of a segment have consecutive numbers, and the next segment begins with the next
//!    number. So a hole in the numbers says exactly how many records damage has cost.
//! 2. Bytes are added to the newest segment only and never changed. A write that fails is taken
//!    back whole, and its numbers are given to the next records.
//! 3. The segments together hold at most `max_bytes`. The oldest is removed to make room, and any
//!    as soon as all its records are settled.
//! 4. A slot is written over the older of the two. The whole one with the higher generation is in
//!    force, and without any the queue begins at its oldest record.
//! 5. The end of a batch is in the cursor before the batch is handed out. So after a crash the
//!    same records are handed out as the same batch, and its id follows from the queue's id, the
//!    numbers and the checksums: the intake can tell that it has it. The head is the batch to be
//!    settled next; more is in flight only when a batch was split.
//! 6. Records below `acked` are settled: delivered, rejected, evicted or found damaged. Records
//!    below `oldest` were removed from the files on purpose, so any other hole is damage.
//! 7. A batch in flight is in memory: eviction of its records takes nothing from it, but a crash
//!    then makes them evicted.
//! 8. An eviction is in the cursor before its records go, as untold until a record, the teller,
//!    tells of it. Should that be evicted before it is settled, what it told is untold again.
//!    What a run leaves untold the next one counts as recovered and evicted. An eviction is told
//!    twice only when a crash comes between the writing of the teller and that of the cursor.
//!
//! # Damage
//!
//! A reader that finds no whole frame with a possible number goes on at the next magic. 0xFF
//! never occurs in UTF-8, so no payload holds one. At the next start the newest segment is cut
//! behind its last whole frame, a damaged header is written anew when whole frames follow it,
//! and a file without any is removed. All of it is counted in `damaged` and `damaged_bytes`.
//!
//! # Threads
//!
//! Writers hold the one lock of the queue for a copy into the buffer, or a `write` of it. Reading,
//! compressing and syncing happen without it. One thread takes batches; any may write.

mod arrivals;
mod batch;
mod cursor;
mod disk;
mod evictions;
mod folder;
mod frame;
mod gzip;
mod ledger;
mod log;
mod quarantine;
mod reader;
mod recovery;
mod scan;
mod segment;
mod settings;
mod state;
mod sync;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use batch::Batch;
#[cfg(windows)]
pub(crate) use disk::create_folder;
pub use evictions::Evicted;
pub use frame::MAX_RECORD;
pub use settings::{Limits, Settings};

use crate::counters::{Counter, Counters};
use crate::error::{Error, Result};
use reader::Reader;
use settings::LONGEST_WAIT;
use state::{Next, SharedState, State};
use sync::Syncer;

/// The durable queue. Dropping it closes it.
#[derive(Debug)]
pub struct Spool {
    shared: Arc<Shared>,
    reader: Mutex<Reader>,
    sequence: AtomicU64,
    syncer: Mutex<Option<Syncer>>,
}

/// What the queue shares with its syncing thread.
#[derive(Debug)]
struct Shared {
    state: SharedState,
    /// Signalled when a waiting `next_batch` should look again.
    arrived: Condvar,
    /// Each write syncs for itself.
    sync_always: bool,
    /// Held while syncing, so that who comes second leaves no earlier than the first.
    syncing: Mutex<()>,
    /// All records below this number are on the disk itself.
    synced: AtomicU64,
    /// A disk has failed to sync, and will not say any more what it lacks.
    is_unsure: AtomicBool,
}

impl Spool {
    /// Opens or creates the queue, repairs it, and takes its lock.
    ///
    /// Fails when another process holds it, a file cannot be used, or a segment has another
    /// version of the format.
    pub fn open(settings: Settings, counters: Arc<Counters>) -> Result<Self> {
        let state = recovery::recover(&settings, counters)?;
        let synced = AtomicU64::new(state.log.next());
        let state = SharedState::new(state);
        let sync_always = settings.sync_interval.is_zero();
        let shared = Arc::new(Shared {
            state,
            arrived: Condvar::new(),
            sync_always,
            syncing: Mutex::new(()),
            synced,
            is_unsure: AtomicBool::new(false),
        });
        let syncer = match sync_always {
            true => None,
            false => Some(Syncer::start(shared.clone(), settings.sync_interval)?),
        };
        Ok(Self {
            shared,
            reader: Mutex::new(Reader::new()),
            sequence: AtomicU64::new(0),
            syncer: Mutex::new(syncer),
        })
    }

    /// A number for the `event.sequence` of the next record: 1, 2, … in a run of the agent.
    pub fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Buffers a record: one JSON object without line feed. It is counted as spooled when it has
    /// been written, and as lost when it could not be.
    ///
    /// False when it cannot be queued: it is longer than [`MAX_RECORD`] or than the queue, or the
    /// queue is closed.
    pub fn append(&self, record: &[u8]) -> bool {
        let mut state = self.shared.state.lock();
        let kept = state.push(record);
        self.shared.finish_write(state);
        kept
    }

    /// Buffers many records under one lock, as [`Spool::append`] does one.
    pub fn append_all<'a>(&self, records: impl IntoIterator<Item = &'a [u8]>) {
        let mut state = self.shared.state.lock();
        for record in records {
            state.push(record);
        }
        self.shared.finish_write(state);
    }

    /// Appends a record and flushes. False when it was not written.
    pub fn write(&self, record: &[u8]) -> bool {
        let mut state = self.shared.state.lock();
        let kept = state.push(record) && state.flush();
        self.shared.finish_write(state);
        kept
    }

    /// Writes what is buffered. False, and counted as lost, when that fails.
    pub fn flush(&self) -> bool {
        let mut state = self.shared.state.lock();
        let kept = state.flush();
        self.shared.finish_write(state);
        kept
    }

    /// Number of the next record to be written.
    pub fn position(&self) -> u64 {
        self.shared.state.lock().log.next()
    }

    /// Whether all records below this number are on the disk itself, or have left the queue.
    pub fn is_synced_to(&self, position: u64) -> bool {
        self.shared.synced.load(Ordering::Acquire) >= position
    }

    /// How many writes the file system has refused; what they held is counted as lost.
    pub fn refused(&self) -> u64 {
        self.shared.state.lock().refused
    }

    /// Brings what is written to the disk itself, without waiting for its time.
    pub fn sync(&self) {
        self.shared.sync();
    }

    /// Evictions that no record tells of. `None` also while the record that told of others is still
    /// in the queue: what it told is untold again should it be evicted.
    pub fn untold_evictions(&self) -> Option<Evicted> {
        self.shared.state.lock().due()
    }

    /// Appends the record that tells of `told`, and flushes. False when it was not written.
    pub fn tell_evictions(&self, record: &[u8], told: Evicted) -> bool {
        let mut state = self.shared.state.lock();
        let kept = state.push(record) && state.flush();
        if kept {
            state.tell(told);
        }
        self.shared.finish_write(state);
        kept
    }

    /// The oldest records not yet settled, the same ones until `ack` or `reject`.
    ///
    /// Waits up to `timeout` for a first record, then for a full batch as `limits` say. `None` if
    /// there was no record. Fails when the queue is closed or a segment cannot be opened.
    pub fn next_batch(&self, limits: &Limits, timeout: Duration) -> Result<Option<Arc<Batch>>> {
        let deadline = Instant::now() + timeout.min(LONGEST_WAIT);
        let mut state = self.shared.state.lock();
        loop {
            if state.is_closed() {
                return Err(Error::Spool("it is closed".to_owned()));
            }
            if let Some(head) = state.ledger.head() {
                return Ok(Some(head.clone()));
            }
            match state.next(limits, Instant::now(), deadline) {
                Next::GiveUp => return Ok(None),
                Next::Wait(time) => state = self.shared.wait(state, time),
                Next::Read => {
                    drop(state);
                    self.read_batch(limits)?;
                    state = self.shared.state.lock();
                }
            }
        }
    }

    /// Halves of a batch, oldest first, to be settled in this order. `None` when it holds a single
    /// record or is not at the queue's head.
    pub fn split(&self, batch: &Batch) -> Result<Option<(Arc<Batch>, Arc<Batch>)>> {
        let state = self.shared.state.lock();
        if !state.is_head(batch) {
            return Ok(None);
        }
        let queue = state.cursor.queue();
        drop(state);
        let halves = batch.halves(queue, &mut lock(&self.reader).gzip)?;
        let Some((left, right)) = halves else {
            return Ok(None);
        };
        let (left, right) = (Arc::new(left), Arc::new(right));
        let mut state = self.shared.state.lock();
        let is_split = state.split(batch, left.clone(), right.clone());
        self.shared.finish_write(state);
        Ok(is_split.then_some((left, right)))
    }

    /// The intake has the batch. False when it is not at the queue's head.
    pub fn ack(&self, batch: &Batch) -> bool {
        self.settle(batch, Counter::Delivered)
    }

    /// The intake refused the batch for good: it goes to the quarantine file. False when it is not
    /// at the queue's head.
    pub fn reject(&self, batch: &Batch) -> bool {
        let state = self.shared.state.lock();
        if !state.is_head(batch) {
            return false;
        }
        let folder = state.log.folder().clone();
        drop(state);
        if let Ok(lines) = batch.text() {
            quarantine::keep(&folder, &lines);
        }
        self.settle(batch, Counter::Rejected)
    }

    /// Ends the wait of a `next_batch` at once, of the next one if none is waiting: it returns
    /// what there is.
    pub fn wake(&self) {
        let mut state = self.shared.state.lock();
        state.woken = true;
        self.shared.finish_write(state);
    }

    /// Records written and not yet settled.
    pub fn queued(&self) -> u64 {
        self.shared.state.lock().queued()
    }

    /// Size of all segments, in bytes.
    pub fn queued_bytes(&self) -> u64 {
        self.shared.state.lock().log.bytes()
    }

    /// Whether a source that can wait should.
    pub fn is_half_full(&self) -> bool {
        self.shared.state.lock().log.is_half_full()
    }

    /// The counters the queue counts with.
    pub fn counters(&self) -> Arc<Counters> {
        self.shared.state.lock().counters.clone()
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        self.shared.state.lock().is_closed()
    }

    /// Writes, syncs and unlocks.
    pub fn close(&self) {
        let mut state = self.shared.state.lock();
        if state.is_closed() {
            return;
        }
        state.flush();
        state.store();
        let held = state.lock.take();
        drop(state);
        self.shared.arrived.notify_all();
        drop(lock(&self.syncer).take());
        self.shared.sync();
        if let Some(lock) = held {
            // Closing is not enough while a child process has yet to begin its own program.
            let _ = lock.unlock();
        }
    }

    fn settle(&self, batch: &Batch, counter: Counter) -> bool {
        let mut state = self.shared.state.lock();
        let settled = state.settle(batch, counter);
        self.shared.finish_write(state);
        settled
    }

    /// Reads a batch and puts it in flight, or finds that no record was whole.
    fn read_batch(&self, limits: &Limits) -> Result<()> {
        let mut reader = lock(&self.reader);
        let mut state = self.shared.state.lock();
        let mut limits = limits.clone();
        if state.ledger.is_resuming() {
            limits.max_records = usize::MAX;
        }
        let queue = state.cursor.queue();
        let Some(span) = state.begin_reading() else {
            return Ok(());
        };
        drop(state);
        let read = reader
            .read(&self.shared.state, span, &limits)
            .and_then(|mut reading| {
                let batch = reader.batch(queue, &mut reading)?;
                Ok((reading, batch))
            });
        let mut state = self.shared.state.lock();
        match read {
            Ok((reading, batch)) => state.end_reading(&reading, batch),
            Err(error) => {
                reader.reset();
                state.ledger.abandon_reading();
                return Err(error);
            }
        }
        self.shared.finish_write(state);
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Unlocks after a change: wakes who waits for it, and syncs it if each change is synced.
    fn finish_write(&self, mut state: MutexGuard<'_, State>) {
        if state.take_awaited() {
            self.arrived.notify_all();
        }
        drop(state);
        if self.sync_always {
            self.sync();
        }
    }

    /// Brings to the disk itself all that was written before.
    fn sync(&self) {
        let _turn = lock(&self.syncing);
        let sync = self.state.lock().take_unsynced();
        match sync() {
            Some(end) if !self.is_unsure.load(Ordering::Relaxed) => {
                self.synced.fetch_max(end, Ordering::Release);
            }
            Some(_) => {}
            None => self.is_unsure.store(true, Ordering::Relaxed),
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.arrived
            .wait_timeout(state, time)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
