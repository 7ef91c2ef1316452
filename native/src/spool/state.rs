//! What the threads of a queue share: the log, the ledger and the cursor, kept in step.

use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::batch::Batch;
use super::cursor::Cursor;
use super::evictions::{Evicted, Evictions};
use super::ledger::Ledger;
use super::log::Log;
use super::reader::Reading;
use super::settings::{LONGEST_WAIT, Limits};
use crate::counters::{Counter, Counters};
use crate::host::wall::now;

/// The state behind its lock.
#[derive(Debug)]
pub(super) struct SharedState(Mutex<State>);

impl SharedState {
    pub fn new(state: State) -> Self {
        Self(Mutex::new(state))
    }

    /// Never held while reading, compressing or syncing.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub log: Log,
    pub ledger: Ledger,
    pub cursor: Cursor,
    evictions: Evictions,
    pub counters: Arc<Counters>,
    /// A call of `wake` that no `next_batch` has seen yet.
    pub woken: bool,
    /// Held until the queue is closed.
    pub lock: Option<File>,
    arrivals: Arrivals,
    /// The number that, when written, ends the wait of a `next_batch`.
    awaited: u64,
    /// Writes that the file system has refused.
    pub refused: u64,
}

/// What a `next_batch` does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read,
    GiveUp,
    Wait(Duration),
}

impl State {
    pub fn new(
        log: Log,
        ledger: Ledger,
        cursor: Cursor,
        evictions: Evictions,
        lock: File,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            log,
            ledger,
            cursor,
            evictions,
            counters,
            woken: false,
            lock: Some(lock),
            arrivals: Arrivals::default(),
            awaited: u64::MAX,
            refused: 0,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.lock.is_none()
    }

    /// Records written and not yet settled.
    pub fn queued(&self) -> u64 {
        self.ledger.queued(self.log.next())
    }

    /// Buffers a record. False, and counted as lost, when it cannot be queued, or was to be written
    /// at once and could not be.
    pub fn push(&mut self, record: &[u8]) -> bool {
        if self.is_closed() || !self.log.accepts(record.len()) {
            self.count_lost(1);
            return false;
        }
        if self.log.is_full_for(record.len()) {
            self.flush();
            self.log.seal();
        }
        !self.log.push(record) || self.flush()
    }

    /// Writes what is buffered. False, and counted as lost, when that fails.
    pub fn flush(&mut self) -> bool {
        let (first, count) = (self.log.next(), self.log.buffered());
        if count == 0 {
            return true;
        }
        self.make_room();
        if self.log.write().is_err() {
            self.refused += 1;
            self.count_lost(count);
            return false;
        }
        self.counters.add(Counter::Spooled, count);
        self.arrivals.note(first, Instant::now());
        true
    }

    /// Evictions that a record may now tell of.
    pub fn due(&self) -> Option<Evicted> {
        self.evictions.due(self.ledger.acked())
    }

    /// Notes that the newest record tells of these evictions.
    pub fn tell(&mut self, told: Evicted) {
        self.evictions.tell(told, self.log.next() - 1);
        self.store();
    }

    /// Whether a waiting `next_batch` should look again. Says so once.
    pub fn take_awaited(&mut self) -> bool {
        let awaited = self.woken || self.log.next() >= self.awaited;
        if awaited {
            self.awaited = u64::MAX;
        }
        awaited
    }

    /// What a `next_batch` does that may wait for a first record until `deadline`.
    pub fn next(&mut self, limits: &Limits, now: Instant, deadline: Instant) -> Next {
        let woken = std::mem::take(&mut self.woken);
        let position = self.ledger.position();
        let unread = self.log.next() - position;
        let (until, records) = if unread == 0 {
            (deadline, 1)
        } else if woken || self.ledger.is_resuming() {
            return Next::Read;
        } else {
            let arrival = self.arrivals.of(position);
            (
                arrival.map_or(now, |arrival| arrival + limits.max_wait.min(LONGEST_WAIT)),
                limits.enough.min(limits.max_records) as u64,
            )
        };
        if unread > 0 && (unread >= records || now >= until) {
            return Next::Read;
        }
        if woken || now >= until {
            return Next::GiveUp;
        }
        self.awaited = position + records;
        Next::Wait(until - now)
    }

    /// The numbers for the next batch; `None` while one is in flight.
    pub fn begin_reading(&mut self) -> Option<Range<u64>> {
        self.ledger.begin_reading(self.log.next())
    }

    /// Enters what was read, and the batch made of it.
    pub fn end_reading(&mut self, reading: &Reading, batch: Option<Arc<Batch>>) {
        self.ledger.end_reading(reading.span.end, batch);
        self.counters.add(Counter::Damaged, reading.damaged);
        self.counters
            .add(Counter::DamagedBytes, reading.damaged_bytes);
        self.evict_below(self.log.oldest());
    }

    /// Settles the head, if it is `batch`, and counts its records. False if it is another.
    pub fn settle(&mut self, batch: &Batch, counter: Counter) -> bool {
        if !self.is_head(batch) {
            return false;
        }
        self.ledger.settle_head();
        self.counters.add(counter, batch.count() as u64);
        self.store();
        true
    }

    /// Puts its halves in the place of the head, if it is `batch`. False if it is another.
    pub fn split(&mut self, batch: &Batch, left: Arc<Batch>, right: Arc<Batch>) -> bool {
        if !self.is_head(batch) {
            return false;
        }
        self.ledger.split_head(left, right);
        self.store();
        true
    }

    /// Whether `batch` is the one to be settled first.
    pub fn is_head(&self, batch: &Batch) -> bool {
        !self.is_closed()
            && self
                .ledger
                .head()
                .is_some_and(|head| head.id() == batch.id())
    }

    /// Writes the cursor, and removes what is settled from the files.
    pub fn store(&mut self) {
        self.store_from(self.log.oldest());
    }

    /// A closure that syncs all that was written to last, to be run without the lock. It tells
    /// below which number all records are then on the disk itself, if the disk says so.
    pub fn take_unsynced(&mut self) -> impl FnOnce() -> Option<u64> + use<> {
        let (log, cursor) = (self.log.take_unsynced(), self.cursor.take_unsynced());
        let end = self.log.next();
        move || {
            let is_synced = log.sync();
            if let Some(cursor) = cursor {
                // A failure leaves an older cursor: a batch is repeated after a power loss.
                let _ = cursor.sync_data();
            }
            is_synced.then_some(end)
        }
    }

    fn make_room(&mut self) {
        let oldest = self.log.oldest_with_room();
        if oldest != self.log.oldest() {
            self.evict_below(oldest);
        }
    }

    fn evict_below(&mut self, oldest: u64) {
        let gone = self.ledger.evict_below(oldest);
        self.counters.add(Counter::Evicted, gone.end - gone.start);
        self.evictions.evict(gone, now());
        self.store_from(oldest);
    }

    /// Writes the cursor of a log that begins with record `oldest`, and removes from the files what
    /// is below or settled: in this order, or a kill in between would make it look like damage.
    fn store_from(&mut self, oldest: u64) {
        if self.is_closed() {
            return;
        }
        let mut evictions = self.evictions;
        evictions.evict(self.ledger.evicted_by_a_crash(oldest), now());
        self.cursor.store(self.ledger.mark(oldest), evictions);
        self.log.remove_below(self.ledger.acked().max(oldest));
    }

    fn count_lost(&self, records: u64) {
        self.counters.add(Counter::Lost, records);
        self.counters.add(Counter::LostQueue, records);
    }
}
