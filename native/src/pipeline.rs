//! Source → enrichment → ECS → queue, on one thread with a stop flag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::capture::{Hook, Progress, Source};
use crate::counters::{Counter, Counters};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{Event, Loss};
use crate::host::clock;
use crate::spool::Spool;

/// How long an event may wait in a ring: the reader comes by at least this often.
const PATIENCE: Duration = Duration::from_millis(25);

/// How often losses are looked for.
const AUDIT_INTERVAL: Duration = Duration::from_secs(1);

/// Something for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The pipeline has ended because of it.
    pub fatal: bool,
    /// What happened.
    pub message: String,
}

/// A running pipeline, or one that is about to run.
pub struct Pipeline {
    shared: Arc<Shared>,
    coverage: Vec<Hook>,
    worker: Option<Worker>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and its owner tell each other.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    finished: AtomicBool,
    ready: Mutex<bool>,
    became_ready: Condvar,
    envelope: Mutex<Option<Vec<u8>>>,
    notices: Mutex<Vec<Notice>>,
}

impl Pipeline {
    /// Puts a source, an engine and a queue together; `patient` makes the source wait for room in
    /// the queue, as a recording can and a kernel cannot.
    pub fn new(source: Box<dyn Source>, engine: Engine, spool: Arc<Spool>, patient: bool) -> Self {
        let shared = Arc::new(Shared::default());
        let coverage = source.coverage();
        let counters = spool.counters();
        let audit = Audit::new(counters.clone());
        let worker = Worker {
            source,
            engine,
            spool,
            counters,
            patient,
            audit,
            shared: shared.clone(),
        };
        Self {
            shared,
            coverage,
            worker: Some(worker),
            thread: None,
        }
    }

    /// Starts the thread. A second call does nothing.
    pub fn start(&mut self) -> Result<()> {
        let Some(worker) = self.worker.take() else {
            return Ok(());
        };
        let thread = std::thread::Builder::new().name("pipeline".into());
        let thread = thread.spawn(move || worker.run());
        self.thread = Some(thread.map_err(Error::io("cannot start a thread for", "the pipeline"))?);
        Ok(())
    }

    /// Waits until the processes that were there are known and new events flow.
    pub fn ready(&self, timeout: Duration) -> bool {
        let ready = lock(&self.shared.ready);
        let waited = self
            .shared
            .became_ready
            .wait_timeout_while(ready, timeout, |ready| !*ready);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The source has ended, or the thread has failed.
    pub fn finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// Replaces the members common to all events.
    pub fn set_envelope(&self, envelope: Vec<u8>) {
        *lock(&self.shared.envelope) = Some(envelope);
    }

    /// What the source looks at.
    pub fn coverage(&self) -> &[Hook] {
        &self.coverage
    }

    /// Lines for the log since the last call.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *lock(&self.shared.notices))
    }

    /// Ends the capture, queues what the source still holds, and waits for the thread.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // The thread catches its own panics; there is nothing to learn here.
            let _ = thread.join();
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A panic elsewhere leaves these plain values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    source: Box<dyn Source>,
    engine: Engine,
    spool: Arc<Spool>,
    counters: Arc<Counters>,
    patient: bool,
    audit: Audit,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self) {
        let work = std::panic::AssertUnwindSafe(|| self.work());
        let failure = match std::panic::catch_unwind(work) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the pipeline panicked; please report this with the log".into()),
        };
        if let Some(message) = failure {
            lock(&self.shared.notices).push(Notice {
                fatal: true,
                message,
            });
        }
        self.shared.finished.store(true, Ordering::Release);
    }

    fn work(&mut self) -> Result<()> {
        let mut audited = Instant::now();
        while !self.shared.stop.load(Ordering::Acquire) {
            if self.patient && self.spool.is_half_full() {
                std::thread::sleep(PATIENCE);
                continue;
            }
            let progress = self.step(|source, sink| source.drain(PATIENCE, sink))?;
            self.announce();
            if audited.elapsed() >= AUDIT_INTERVAL || progress == Progress::Ended {
                audited = Instant::now();
                self.housekeep(false);
            }
            if progress == Progress::Ended {
                return Ok(());
            }
        }
        self.step(|source, sink| source.finish(sink))?;
        self.housekeep(true);
        Ok(())
    }

    /// Lets the source give what it has, and writes all of it to the queue's file.
    fn step<T>(
        &mut self,
        give: impl FnOnce(&mut dyn Source, &mut dyn FnMut(Event)) -> Result<T>,
    ) -> Result<T> {
        let Self {
            source,
            engine,
            spool,
            ..
        } = self;
        let given = give(source.as_mut(), &mut |event| {
            engine.feed(&event, &mut || spool.next_sequence(), &mut |record| {
                spool.append(record);
            });
        });
        spool.flush();
        given
    }

    fn announce(&self) {
        let mut ready = lock(&self.shared.ready);
        if !*ready {
            *ready = true;
            self.shared.became_ready.notify_all();
        }
    }

    fn housekeep(&mut self, last: bool) {
        if let Some(envelope) = lock(&self.shared.envelope).take() {
            self.engine.set_envelope(envelope);
        }
        let warnings = self.source.notices().into_iter();
        lock(&self.shared.notices).extend(warnings.map(|message| Notice {
            fatal: false,
            message,
        }));
        let losses = self.source.losses();
        for loss in &losses {
            count(&self.counters, loss);
        }
        for loss in losses.into_iter().chain(self.audit.queue_losses(last)) {
            self.counters.add(Counter::Reported, 1);
            self.engine
                .loss(&loss, &mut || self.spool.next_sequence(), &mut |record| {
                    self.spool.append(record);
                });
        }
        self.spool.flush();
    }
}

/// What a source lost was captured, and lost.
fn count(counters: &Counters, loss: &Loss) {
    let cause = match loss.place {
        "kernel ring" => Counter::LostRing,
        "kernel program" => Counter::LostKernel,
        _ => Counter::LostDecode,
    };
    for counter in [Counter::Captured, Counter::Lost, cause] {
        counters.add(counter, loss.count);
    }
}

/// Losses of the queue, which counts them itself, seen from outside.
struct Audit {
    counters: Arc<Counters>,
    watched: [Watched; 3],
}

struct Watched {
    counter: Counter,
    cause: &'static str,
    /// Told in loss records so far.
    told: u64,
    /// Seen at the last look, and when that began to differ from what was told.
    seen: u64,
    since: u64,
}

impl Audit {
    fn new(counters: Arc<Counters>) -> Self {
        let watch = |counter, cause| Watched {
            counter,
            cause,
            told: 0,
            seen: 0,
            since: now(),
        };
        Self {
            counters,
            watched: [
                watch(Counter::LostQueue, "the queue could not be written"),
                watch(Counter::Evicted, "the queue was full"),
                watch(Counter::Damaged, "the queue's files were damaged"),
            ],
        }
    }

    /// Losses that have come to an end; all of them when this is the `last` look.
    ///
    /// A record about a full disk is written when there is room again, not while there is none.
    fn queue_losses(&mut self, last: bool) -> Vec<Loss> {
        let now = now();
        let counters = &self.counters;
        self.watched
            .iter_mut()
            .filter_map(|one| one.look(counters, now, last))
            .collect()
    }
}

impl Watched {
    fn look(&mut self, counters: &Counters, now: u64, last: bool) -> Option<Loss> {
        let value = counters.get(self.counter);
        let quiet = value == self.seen || last;
        self.seen = value;
        if value == self.told {
            self.since = now;
            return None;
        }
        if !quiet {
            return None;
        }
        let count = value - std::mem::replace(&mut self.told, value);
        let from = std::mem::replace(&mut self.since, now);
        Some(Loss {
            what: "record",
            count,
            cause: self.cause,
            place: "queue",
            from,
            to: now,
        })
    }
}

fn now() -> u64 {
    clock::read().wall(clock::boot_time())
}
