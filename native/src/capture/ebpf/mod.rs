//! Kernel events through eBPF: two rings, read in the order of time.

pub mod decode;
mod load;
mod probe;
mod repeats;
pub mod wire;

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use aya::maps::{HashMap, MapData, PerCpuArray, RingBuf};
use zerocopy::FromBytes;

use self::decode::Clock;
use self::repeats::Repeats;
use self::wire::{Header, Tally, flag, kind};
use super::recording::Recorder;
use super::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Action, Event, Loss};
use crate::host::{clock, procfs};

/// How long repeats of a write-open are folded into one event.
const REPEAT_WINDOW: Duration = Duration::from_secs(1);

/// How many records are handed over before the caller gets its turn.
const STRIDE: usize = 8192;

/// What the source is told when it is opened.
#[derive(Debug, Default)]
pub struct Settings {
    /// Neither report this process nor its descendants.
    pub mute: bool,
    /// A new file that receives the raw records.
    pub record: Option<PathBuf>,
    /// The boot's id, for the recording.
    pub boot_id: [u8; 16],
    /// Where /proc is found.
    pub root: PathBuf,
}

/// The kernel programs and what they send.
pub struct Ebpf {
    /// Dropping them ends the capture; the maps outlive the programs.
    links: Vec<load::Link>,
    critical: RingBuf<MapData>,
    bulk: RingBuf<MapData>,
    waker: Waker,
    repeats: Repeats,
    losses: Losses,
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
        let recorder = match &settings.record {
            Some(path) => Some(Recorder::create(path, settings.boot_id)?),
            None => None,
        };
        let window = REPEAT_WINDOW.as_nanos() as u64;
        let mut loaded = load::load(load::Settings {
            muted_pid: if settings.mute { std::process::id() } else { 0 },
            repeat_window: window,
        })?;
        let critical = RingBuf::try_from(loaded.take_map("critical")?).map_err(map_error)?;
        let bulk = RingBuf::try_from(loaded.take_map("bulk")?).map_err(map_error)?;
        let tallies = PerCpuArray::try_from(loaded.take_map("tallies")?).map_err(map_error)?;
        let repeats = HashMap::try_from(loaded.take_map("repeats")?).map_err(map_error)?;
        Ok(Self {
            waker: Waker::new(&[critical.as_raw_fd(), bulk.as_raw_fd()])?,
            links: loaded.links,
            critical,
            bulk,
            repeats: Repeats::new(repeats, window),
            losses: Losses::new(tallies),
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

    /// Hands over what the rings hold, oldest first, at most `STRIDE` records.
    ///
    /// An exec and the files its process opened travel on different rings; merging them by time
    /// keeps every act with the program that did it.
    fn read_rings(&mut self, sink: &mut dyn FnMut(Event)) {
        let mut handler = Handler {
            clock: self.clock,
            recorder: &mut self.recorder,
            repeats: &mut self.repeats,
            losses: &mut self.losses,
            sink,
        };
        let mut critical = peek(&mut self.critical);
        let mut bulk = peek(&mut self.bulk);
        for _ in 0..STRIDE {
            let critical_first = match (critical, bulk) {
                (Some(one), Some(other)) => one <= other,
                (None, None) => break,
                (one, _) => one.is_some(),
            };
            let (ring, head) = if critical_first {
                (&mut self.critical, &mut critical)
            } else {
                (&mut self.bulk, &mut bulk)
            };
            if let Some(item) = ring.next() {
                handler.handle(&item);
            }
            *head = peek(ring);
        }
        self.more = critical.is_some() || bulk.is_some();
    }
}

impl Source for Ebpf {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        if !self.snapshot_taken {
            self.snapshot(sink);
            self.snapshot_taken = true;
        } else if !self.more {
            self.waker.wait(timeout);
        }
        self.clock = clock::read();
        self.read_rings(sink);
        self.repeats.settle(clock::boot_time(), self.clock, sink);
        self.notices
            .extend(self.recorder.as_mut().and_then(Recorder::flush));
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        self.links.clear();
        // A program that was running when its hook went away ends within its own microseconds.
        std::thread::sleep(Duration::from_millis(20));
        loop {
            self.read_rings(sink);
            if !self.more {
                break;
            }
        }
        self.repeats.finish(self.clock, sink);
        self.notices
            .extend(self.recorder.as_mut().and_then(Recorder::flush));
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.take(self.clock)
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
    recorder: &'a mut Option<Recorder>,
    repeats: &'a mut Repeats,
    losses: &'a mut Losses,
    sink: &'a mut dyn FnMut(Event),
}

impl Handler<'_> {
    fn handle(&mut self, record: &[u8]) {
        if let Some(recorder) = self.recorder {
            recorder.write(record, self.clock);
        }
        match decode::decode(record, self.clock) {
            Ok(event) => {
                self.track(record, &event);
                (self.sink)(event);
            }
            Err(_) => self.losses.malformed += 1,
        }
    }

    /// Remembers an opened file whose repeats the kernel counts from now on.
    fn track(&mut self, record: &[u8], event: &Event) {
        if !matches!(event.action, Action::File(_)) {
            return;
        }
        let Ok((open, _)) = wire::Open::read_from_prefix(record) else {
            return;
        };
        let header = open.header;
        if header.kind == kind::OPEN && header.flags & flag::TRACKED != 0 {
            let key = wire::RepeatKey {
                inode: open.inode,
                start: header.start,
                device: open.device,
                generation: open.generation,
                pid: header.pid,
                reserved: 0,
            };
            self.repeats
                .track(key, event, header.time, self.clock, self.sink);
        }
    }
}

/// The time of a ring's oldest record, which stays there: only a dropped item is consumed.
fn peek(ring: &mut RingBuf<MapData>) -> Option<u64> {
    let item = ring.next()?;
    let time = Header::read_from_prefix(&item).map_or(0, |(header, _)| header.time);
    std::mem::forget(item);
    Some(time)
}

fn complaint(hook: &Hook) -> Option<String> {
    (hook.state == HookState::Failed)
        .then(|| format!("{} is not watched: {}", hook.name, hook.reason))
}

fn map_error(why: impl std::fmt::Display) -> Error {
    Error::Unsupported {
        missing: format!("the maps of the eBPF programs cannot be used: {why}"),
        remedy: "use a kernel of 5.17 or later".into(),
    }
}

/// Sleeps until a ring has filled to its mark.
///
/// Edge-triggered: a ring that merely holds something does not end the sleep.
struct Waker(std::os::fd::OwnedFd);

impl Waker {
    fn new(rings: &[libc::c_int]) -> Result<Self> {
        use std::os::fd::FromRawFd;

        let failed = |_: ()| map_error(std::io::Error::last_os_error());
        // SAFETY: no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(failed(()));
        }
        // SAFETY: the descriptor was just made and nobody else has it.
        let waker = Self(unsafe { std::os::fd::OwnedFd::from_raw_fd(epoll) });
        for &ring in rings {
            let events = (libc::EPOLLIN | libc::EPOLLET).cast_unsigned();
            let mut event = libc::epoll_event { events, u64: 0 };
            // SAFETY: `event` lives through the call, which copies it.
            if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, ring, &raw mut event) } < 0 {
                return Err(failed(()));
            }
        }
        Ok(waker)
    }

    /// Ends early on any signal, which does no harm.
    fn wait(&self, timeout: Duration) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let milliseconds = timeout.as_millis().try_into().unwrap_or(libc::c_int::MAX);
        // SAFETY: there is room for the one event that is asked for.
        unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, milliseconds) };
    }
}

/// What did not get through, told apart by kind and cause.
struct Losses {
    tallies: PerCpuArray<MapData, Tally>,
    known: [(u64, u64); kind::NAMES.len()],
    malformed: u64,
    /// When the tallies were last read, nanoseconds since the epoch.
    since: u64,
}

impl Losses {
    fn new(tallies: PerCpuArray<MapData, Tally>) -> Self {
        let since = clock::read().wall(clock::boot_time());
        Self {
            tallies,
            known: Default::default(),
            malformed: 0,
            since,
        }
    }

    fn take(&mut self, clock: Clock) -> Vec<Loss> {
        let (from, to) = (self.since, clock.wall(clock::boot_time()));
        self.since = to;
        let mut losses = Vec::new();
        let mut lost = |what, count, cause, place| {
            if count > 0 {
                losses.push(Loss {
                    what,
                    count,
                    cause,
                    place,
                    from,
                    to,
                });
            }
        };
        for (number, what) in kind::NAMES.iter().enumerate() {
            let (ring, kernel) = self.read(number as u32);
            let (known_ring, known_kernel) =
                std::mem::replace(&mut self.known[number], (ring, kernel));
            lost(what, ring - known_ring, "ring full", "kernel ring");
            lost(what, kernel - known_kernel, "no buffer", "kernel program");
        }
        lost(
            "record",
            std::mem::take(&mut self.malformed),
            "malformed record",
            "decoder",
        );
        losses
    }

    /// Sums over the CPUs: lost to a full ring, lost in the programs. They only grow.
    fn read(&self, number: u32) -> (u64, u64) {
        let Ok(tallies) = self.tallies.get(&number, 0) else {
            return self.known[number as usize];
        };
        let sum = |field: fn(&Tally) -> u64| tallies.iter().map(field).sum();
        (sum(|tally| tally.lost_ring), sum(|tally| tally.lost_kernel))
    }
}
