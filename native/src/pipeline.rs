//! Source → enrichment → ECS → queue, on one thread with a stop flag.

mod audit;
mod episodes;
#[cfg(target_os = "linux")]
mod handing_over;
mod hold;
mod marks;
#[cfg(target_os = "linux")]
mod repair;
#[cfg(not(target_os = "linux"))]
#[path = "pipeline/no_repair.rs"]
mod repair;
#[cfg(target_os = "linux")]
pub mod stand_by;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::capture::{Hook, Progress, Source};
use crate::counters::{Counter, Counters};
use crate::engine::Engine;
use crate::enrich::hashes::Hashes;
use crate::error::{Error, Result};
use crate::event::{Event, Loss};
use crate::filter::Rules;
use crate::host::wall::now;
use crate::spool::Spool;
use audit::Watched;
use episodes::Episodes;
use hold::Hold;
use marks::Marks;
use repair::Repair;

/// How long an event may wait in a ring: the reader comes by this often while there are events, and
/// less and less often, up to the last, where it found none.
const PATIENCE: Duration = Duration::from_millis(25);
const LONG_PATIENCE: Duration = Duration::from_millis(100);

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
    #[cfg(target_os = "linux")]
    gate: Option<Arc<crate::capture::gate::Gate>>,
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
    rules: Mutex<Option<Arc<Rules>>>,
    coverage: Mutex<Vec<Hook>>,
    notices: Mutex<Vec<Notice>>,
}

impl Pipeline {
    /// Puts a source, an engine and a queue together; `patient` makes the source wait for room in
    /// the queue, as a recording can and a kernel cannot.
    pub fn new(source: Box<dyn Source>, engine: Engine, spool: Arc<Spool>, patient: bool) -> Self {
        let shared = Arc::new(Shared {
            coverage: Mutex::new(source.coverage()),
            ..Shared::default()
        });
        let counters = spool.counters();
        #[cfg(target_os = "linux")]
        let gate = source.gate();
        let worker = Worker {
            source,
            early: Vec::new(),
            hold: Hold::new(counters.clone()),
            marks: Marks::default(),
            engine,
            spool,
            counters,
            patient,
            watched: audit::watched(now()),
            episodes: Episodes::default(),
            repair: Repair::default(),
            shared: shared.clone(),
        };
        Self {
            shared,
            #[cfg(target_os = "linux")]
            gate,
            worker: Some(worker),
            thread: None,
        }
    }

    /// Has events wait for the content of their files.
    #[must_use]
    pub fn hashing(mut self, hashes: Option<Hashes>) -> Self {
        if let Some(worker) = &mut self.worker {
            worker.hold.hashing(hashes);
        }
        self
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

    /// Replaces the rules, within a second.
    pub fn set_rules(&self, rules: Arc<Rules>) {
        *lock(&self.shared.rules) = Some(rules);
    }

    /// What the source looks at.
    pub fn coverage(&self) -> Vec<Hook> {
        lock(&self.shared.coverage).clone()
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
    /// What it has given before there was a queue.
    early: Vec<Event>,
    hold: Hold,
    marks: Marks,
    engine: Engine,
    spool: Arc<Spool>,
    counters: Arc<Counters>,
    patient: bool,
    watched: [Watched; 2],
    episodes: Episodes,
    repair: Repair,
    shared: Arc<Shared>,
}

impl Worker {
    /// Works until the end, and accounts for what is then still held even when the work failed.
    fn run(mut self) {
        let worked = guarded(|| self.work());
        let finished = guarded(|| self.step(true, |source, sink| source.finish(sink)));
        let accounted = guarded(|| {
            self.housekeep(true);
            self.marks.finish(self.source.as_mut(), &self.spool);
            Ok(())
        });
        let failure = worked.and(finished).and(accounted);
        if let Err(message) = failure {
            self.notify(true, [message]);
        }
        self.shared.finished.store(true, Ordering::Release);
    }

    fn work(&mut self) -> Result<()> {
        self.set_rules(self.engine.rules().clone());
        let early = std::mem::take(&mut self.early);
        self.step(false, |_, sink| {
            early.into_iter().for_each(sink);
            Ok(())
        })?;
        let mut audited = Instant::now();
        let mut patience = PATIENCE;
        while !self.shared.stop.load(Ordering::Acquire) {
            if self.patient && self.spool.is_half_full() || self.marks.is_waiting() {
                std::thread::sleep(PATIENCE);
            } else {
                let mut found = false;
                let progress = self.step(false, |source, sink| {
                    source.drain(patience, &mut |event| {
                        found = true;
                        sink(event);
                    })
                })?;
                patience = if found || !self.hold.is_empty() {
                    PATIENCE
                } else {
                    LONG_PATIENCE.min(2 * patience)
                };
                self.announce();
                if progress == Progress::Ended {
                    return Ok(());
                }
                if self.hold.is_empty() {
                    self.marks.step(self.source.as_mut(), &self.spool);
                }
            }
            if audited.elapsed() >= AUDIT_INTERVAL {
                audited = Instant::now();
                self.housekeep(false);
            }
        }
        Ok(())
    }

    /// Lets the source give what it has, and writes all of it to the queue's file but what waits
    /// for the content of a file; in the `last` step that too.
    fn step<T>(
        &mut self,
        last: bool,
        give: impl FnOnce(&mut dyn Source, &mut dyn FnMut(Event)) -> Result<T>,
    ) -> Result<T> {
        let Self {
            source,
            hold,
            engine,
            spool,
            ..
        } = self;
        let mut feed = |event: &Event| {
            engine.feed(event, &mut || spool.next_sequence(), &mut |record| {
                spool.append(record);
            });
        };
        let given = give(source.as_mut(), &mut |event| hold.push(event, &mut feed));
        if last {
            hold.finish(&mut feed);
        } else {
            hold.settle(&mut feed);
        }
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

    fn notify(&self, fatal: bool, messages: impl IntoIterator<Item = String>) {
        let notices = messages
            .into_iter()
            .map(|message| Notice { fatal, message });
        lock(&self.shared.notices).extend(notices);
    }

    fn housekeep(&mut self, last: bool) {
        if let Some(envelope) = lock(&self.shared.envelope).take() {
            self.engine.set_envelope(envelope);
        }
        let dropped = self.source.dropped();
        self.filtered(dropped);
        let rules = lock(&self.shared.rules).take();
        if let Some(rules) = rules {
            self.set_rules(rules);
        }
        let warnings = self.source.notices();
        self.notify(false, warnings);
        if let Some(coverage) = self.source.new_coverage() {
            *lock(&self.shared.coverage) = coverage;
        }
        for loss in self.source.losses() {
            count(&self.counters, &loss);
            self.episodes.add(&loss, Instant::now());
            self.repair.note(&loss);
            self.tell(&loss, Spool::write);
        }
        if !last {
            self.mend();
        }
        self.audit(last);
        self.log_losses(last);
    }

    fn set_rules(&mut self, rules: Arc<Rules>) {
        let dropped = self.source.set_rules(&rules);
        self.filtered(dropped);
        self.engine.set_rules(rules);
    }

    /// What the source has dropped was captured, and filtered.
    fn filtered(&self, occurrences: u64) {
        for counter in [Counter::Captured, Counter::Filtered] {
            self.counters.add(counter, occurrences);
        }
    }

    /// Makes up for what was lost of the life of processes.
    fn mend(&mut self) {
        let Self {
            repair,
            engine,
            spool,
            ..
        } = self;
        let mut sequence = || spool.next_sequence();
        repair.step(engine, Instant::now(), &mut sequence, &mut |record| {
            spool.append(record);
        });
        spool.flush();
    }

    /// Tells what the queue has lost.
    fn audit(&mut self, last: bool) {
        let now = now();
        if let Some(evicted) = self.spool.untold_evictions() {
            self.tell(&audit::eviction(evicted, now), |spool, record| {
                spool.tell_evictions(record, evicted)
            });
        }
        for index in 0..self.watched.len() {
            if let Some(loss) = self.watched[index].look(&self.counters, now, last)
                && self.tell(&loss, Spool::write)
            {
                self.watched[index].tell(&loss);
            }
        }
    }

    /// Writes the record of a loss. False when the queue could not take it.
    fn tell(&mut self, loss: &Loss, write: impl Fn(&Spool, &[u8]) -> bool) -> bool {
        let Self { engine, spool, .. } = self;
        let mut is_written = false;
        self.counters.add(Counter::Reported, 1);
        engine.loss(loss, &mut || spool.next_sequence(), &mut |record| {
            is_written = write(spool, record);
        });
        is_written
    }

    fn log_losses(&mut self, last: bool) {
        let now = Instant::now();
        for (counter, cause) in audit::CAUSES {
            let total = self.counters.get(counter);
            self.episodes.reach(&audit::loss(cause, total, 0, 0), now);
        }
        if last {
            self.notify(false, self.episodes.summary());
        } else {
            let lines = self.episodes.lines(now);
            self.notify(false, lines);
        }
    }
}

/// What `work` fails with, a panic included.
fn guarded(work: impl FnOnce() -> Result<()>) -> std::result::Result<(), String> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the pipeline panicked; please report this with the log".into()),
    }
}

/// What Windows' sessions of event tracing had no room for.
const FULL: [&str; 3] = ["buffers full", "queue full", "read too slowly"];

/// What a source lost was captured, and lost.
fn count(counters: &Counters, loss: &Loss) {
    let cause = match loss.place {
        "tracing session" if FULL.contains(&loss.cause) => Counter::LostKernel,
        "kernel ring" => Counter::LostRing,
        "kernel program" | "kernel audit" | "full event log" => Counter::LostKernel,
        "kernel shedding" => Counter::LostShed,
        _ => Counter::LostDecode,
    };
    for counter in [Counter::Captured, Counter::Lost, cause] {
        counters.add(counter, loss.count);
    }
}

#[cfg(test)]
mod tests;
