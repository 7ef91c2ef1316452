//! Kernel events through eBPF: two rings, read in the order of time.

mod attach;
pub mod decode;
mod ia32;
mod load;
mod losses;
mod objects;
mod probe;
mod programs;
mod refusal;
mod repeats;
mod requests;
mod ring;
mod rings;
mod rules;
pub mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aya::maps::{Array, HashMap, PerCpuArray};
use zerocopy::FromBytes;

use self::decode::Clock;
use self::losses::Losses;
pub use self::programs::Tier;
use self::repeats::Repeats;
use self::requests::Requests;
use self::ring::Ring;
use self::rings::Rings;
use self::rules::KernelRules;
use self::wire::{Header, PeerKey, RepeatKey, flag, kind};
use super::gate::{self, Gate};
use super::recording::Recorder;
use super::{Hook, Progress, Source, complaint};
use crate::error::{Error, Result};
use crate::event::{Action, Event, Loss};
use crate::filter::Rules;
use crate::host::{clock, procfs};

/// How long repeats of an act are folded into one event.
const REPEAT_WINDOW: Duration = Duration::from_secs(1);

/// How long datagrams to one peer are folded into one event.
const PEER_WINDOW: Duration = Duration::from_secs(10);

/// How long an event may wait in a ring while the programs are detached.
const LAST_PATIENCE: Duration = Duration::from_millis(25);

/// How many records are handed over before the caller gets its turn.
const STRIDE: usize = 8192;

/// What the source is told when it is opened.
#[derive(Debug, Default)]
pub struct Settings {
    /// Neither report this process nor its descendants.
    pub mute: bool,
    /// Report questions and answers of DNS.
    pub dns: bool,
    /// The best tier that is tried.
    pub tier: Tier,
    /// A new file that receives the raw records.
    pub record: Option<PathBuf>,
    /// The boot's id, for the recording.
    pub boot_id: [u8; 16],
    /// Where /proc is found.
    pub root: PathBuf,
    /// The process of an agent that is to hand over: nothing is told until then.
    pub before: Option<u32>,
}

/// The kernel programs and what they send.
pub struct Ebpf {
    /// Dropping them ends the capture; the maps outlive the programs.
    links: Vec<attach::Link>,
    rings: Rings,
    repeats: Repeats<RepeatKey>,
    changes: Repeats<RepeatKey>,
    peers: Repeats<PeerKey>,
    requests: Requests,
    losses: Losses,
    rules: KernelRules,
    gate: Arc<Gate>,
    coverage: Vec<Hook>,
    clock: Clock,
    recorder: Option<Recorder>,
    root: PathBuf,
    /// The processes that were there have been handed over.
    snapshot_taken: bool,
    /// The last drain ended at its stride, not at the end of the rings.
    more: bool,
    notices: Vec<String>,
}

impl Ebpf {
    /// Loads the programs and starts to capture.
    pub fn open(settings: Settings) -> Result<Self> {
        let window = REPEAT_WINDOW.as_nanos() as u64;
        let peer_window = PEER_WINDOW.as_nanos() as u64;
        let mut loaded = load::load(load::Settings {
            muted_pid: if settings.mute { std::process::id() } else { 0 },
            repeat_window: window,
            peer_window,
            dns: settings.dns,
            tier: settings.tier,
            spares: probe::may_preempt(),
            before: settings.before,
        })?;
        let mut ring = |name| Ring::new(loaded.take_map(name)?).map_err(map_error);
        let rings = Rings::new(ring("critical")?, ring("bulk")?).map_err(map_error)?;
        let tallies = PerCpuArray::try_from(loaded.take_map("tallies")?).map_err(map_error)?;
        let repeats = HashMap::try_from(loaded.take_map("repeats")?).map_err(map_error)?;
        let changes = HashMap::try_from(loaded.take_map("changes")?).map_err(map_error)?;
        let peers = HashMap::try_from(loaded.take_map("peers")?).map_err(map_error)?;
        let gates = Array::try_from(loaded.take_map("gates")?).map_err(map_error)?;
        let rules = KernelRules::new(&mut loaded, &settings.root)?;
        // Last, as a source that cannot be opened must leave no file in the way of another.
        let recorder = match &settings.record {
            Some(path) => Some(Recorder::create(path, settings.boot_id)?),
            None => None,
        };
        Ok(Self {
            rings,
            rules,
            gate: Arc::new(Gate::new(gates, settings.before.is_some())),
            links: loaded.links,
            repeats: Repeats::new(repeats, window),
            changes: Repeats::new(changes, window),
            peers: Repeats::new(peers, peer_window),
            requests: Requests::new(),
            losses: Losses::new(tallies, loaded.running),
            notices: loaded.hooks.iter().filter_map(complaint).collect(),
            coverage: loaded.hooks,
            clock: clock::read(),
            recorder,
            root: settings.root,
            snapshot_taken: false,
            more: false,
        })
    }

    /// The processes that were there before the first record.
    fn snapshot(&mut self, sink: &mut dyn FnMut(Event)) {
        for event in procfs::snapshot(&self.root) {
            if let (Some(recorder), Action::Snapshot(exec)) = (&mut self.recorder, &event.action) {
                recorder.write(
                    &decode::encode_snapshot(&event, exec, self.clock),
                    self.clock,
                );
            }
            sink(event);
        }
    }

    /// Hands over what the rings have, and the requests that have waited for too long at boot time
    /// `due`.
    fn read_rings(&mut self, due: u64, sink: &mut dyn FnMut(Event)) {
        let mut handler = Handler {
            clock: self.clock,
            from: self.gate.turn().from.boot,
            recorder: &mut self.recorder,
            repeats: &mut self.repeats,
            changes: &mut self.changes,
            peers: &mut self.peers,
            requests: &mut self.requests,
            losses: &mut self.losses,
            sink,
        };
        self.more = self.rings.read(STRIDE, |record| handler.sort(record));
        handler.tell_overdue(due);
    }
}

impl Source for Ebpf {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        if !self.snapshot_taken {
            self.snapshot(sink);
            self.snapshot_taken = true;
        } else if !self.more {
            self.rings.wait(timeout);
        }
        self.clock = clock::read();
        self.read_rings(clock::boot_time(), sink);
        self.repeats.settle(clock::boot_time(), self.clock, sink);
        self.changes.settle(clock::boot_time(), self.clock, sink);
        self.peers.settle(clock::boot_time(), self.clock, sink);
        self.notices
            .extend(self.recorder.as_mut().and_then(Recorder::flush));
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        // What happens until the last program is detached is told, too, so the rings are read
        // meanwhile. Where no thread can be had, the links go with the closure.
        let links = std::mem::take(&mut self.links);
        let thread = std::thread::Builder::new().name("detach".into());
        if let Ok(detaching) = thread.spawn(move || attach::detach(links)) {
            // Programs whose turn is over tell nothing more, and another agent waits for the queue.
            while !self.gate.is_over() && !detaching.is_finished() {
                self.drain(LAST_PATIENCE, sink)?;
            }
        }
        // A program that was running when its hook went away ends within its own microseconds.
        std::thread::sleep(Duration::from_millis(20));
        loop {
            self.read_rings(0, sink);
            if !self.more {
                break;
            }
        }
        // The last requests cannot wait.
        self.read_rings(u64::MAX, sink);
        self.repeats.finish(self.clock, sink);
        self.changes.finish(self.clock, sink);
        self.peers.finish(self.clock, sink);
        let reported = self.repeats.reported() + self.changes.reported() + self.peers.reported();
        self.losses.settle_repeats(reported);
        self.notices
            .extend(self.recorder.as_mut().and_then(Recorder::flush));
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.take(self.clock)
    }

    fn set_rules(&mut self, rules: &Arc<Rules>) -> u64 {
        self.rules.set(rules)
    }

    fn dropped(&mut self) -> u64 {
        self.rules.take()
    }

    fn gate(&self) -> Option<Arc<Gate>> {
        Some(self.gate.clone())
    }

    fn coverage(&self) -> Vec<Hook> {
        self.coverage.clone()
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

/// What is done with a record: recorded, decoded, handed over.
struct Handler<'a> {
    clock: Clock,
    /// Boot time of the first act that is told.
    from: u64,
    recorder: &'a mut Option<Recorder>,
    repeats: &'a mut Repeats<RepeatKey>,
    changes: &'a mut Repeats<RepeatKey>,
    peers: &'a mut Repeats<PeerKey>,
    requests: &'a mut Requests,
    losses: &'a mut Losses,
    sink: &'a mut dyn FnMut(Event),
}

impl Handler<'_> {
    /// Handles a record, or the request that waited for it.
    fn sort(&mut self, record: &[u8]) {
        match wire::Header::read_from_prefix(record).map(|(header, _)| header.kind) {
            Ok(kind::REQUEST) => {
                for request in self.requests.hold(record) {
                    self.handle(&request);
                }
            }
            Ok(kind::ANSWER) => {
                if let Some(request) = self.requests.answer(record) {
                    self.handle(&request);
                }
            }
            _ => self.handle(record),
        }
    }

    fn tell_overdue(&mut self, now: u64) {
        while let Some(request) = self.requests.overdue(now) {
            self.handle(&request);
        }
    }

    fn handle(&mut self, record: &[u8]) {
        if let Some(recorder) = self.recorder {
            recorder.write(record, self.clock);
        }
        match decode::decode(record, self.clock) {
            Ok(event) if self.is_anothers(record) => {
                if let Some(known) = gate::untold(event) {
                    (self.sink)(known);
                }
            }
            Ok(event) => {
                self.before(record, &event);
                (self.sink)(event);
            }
            Err(_) => self.losses.malformed(),
        }
    }

    /// Whether the agent before tells it.
    fn is_anothers(&self, record: &[u8]) -> bool {
        self.from > 0
            && Header::read_from_prefix(record).is_ok_and(|(header, _)| header.time < self.from)
    }

    /// Settles what belongs to the program a process leaves, and remembers an act whose repeats the
    /// kernel counts from now on.
    fn before(&mut self, record: &[u8], event: &Event) {
        match event.action {
            Action::Exec(_) | Action::Exit(_) => {
                let pid = event.process.pid;
                self.repeats.leave(pid, self.clock, self.sink);
                self.changes.leave(pid, self.clock, self.sink);
                self.peers.leave(pid, self.clock, self.sink);
            }
            _ => self.track(record, event),
        }
    }

    fn track(&mut self, record: &[u8], event: &Event) {
        let Ok((header, _)) = Header::read_from_prefix(record) else {
            return;
        };
        if header.flags & flag::TRACKED == 0 {
            return;
        }
        let (time, clock) = (header.time, self.clock);
        match header.kind {
            kind::OPEN => {
                if let Ok((begin, _)) = wire::Repeatable::read_from_prefix(record) {
                    self.repeats.track(begin.key, event, time, clock, self.sink);
                }
            }
            kind::CONNECT_FAILURE | kind::LISTEN => {
                if let Ok((attempt, _)) = wire::Attempt::read_from_prefix(record) {
                    self.changes
                        .track(attempt.key, event, time, clock, self.sink);
                }
            }
            kind::DATAGRAM => {
                if let Ok((datagram, _)) = wire::Datagram::read_from_prefix(record) {
                    self.peers
                        .track(datagram.key, event, time, clock, self.sink);
                }
            }
            _ => {
                if let Ok((begin, _)) = wire::Repeatable::read_from_prefix(record) {
                    self.changes.track(begin.key, event, time, clock, self.sink);
                }
            }
        }
    }
}

fn map_error(why: impl std::fmt::Display) -> Error {
    Error::Unsupported {
        missing: format!("the maps of the eBPF programs cannot be used: {why}"),
        remedy: "use a kernel of 5.8 or later".into(),
    }
}
