//! What the source reads, as events: pure but for the questions to the host, so that a recording of
//! both is played back the same.
//!
//! Calls come as records of rules, the birth and end of processes from the kernel's process events.
//! The two are merged by time. A record takes a thread of the kernel to arrive, so process events
//! wait for the records of the same moment, [`PATIENCE`] at most.

use std::collections::VecDeque;
use std::net::SocketAddr;

use lru::LruCache;

use super::connector::Change;
use super::host::Host;
use super::join::{Group, Joiner};
use super::tasks::{Task, Tasks};
use super::{call, login, tell};
use crate::event::{Action, Content, Event, Exit, Fork, ProcessKey, Stage};

/// Nanoseconds that a process event waits for the records of its moment.
pub const PATIENCE: u64 = 100_000_000;

/// Nanoseconds during which a process's datagrams to the same peer are not told again, as by the
/// kernel programs, but not counted.
const PEER_WINDOW: u64 = 10_000_000_000;

/// Peers that are remembered.
const MAX_PEERS: usize = 4096;

/// When a process event happened, nanoseconds: since the boot, and since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// `CLOCK_BOOTTIME`.
    pub boot: u64,
    /// `CLOCK_REALTIME`.
    pub wall: u64,
}

/// What was read and is not told yet.
pub struct Digest {
    joiner: Joiner,
    tasks: Tasks,
    found: Vec<Found>,
    /// Process events that wait: since which time of the boot, and the event.
    waiting: VecDeque<(u64, Event)>,
    peers: LruCache<(ProcessKey, SocketAddr), u64>,
}

/// What the records of an event tell.
enum Found {
    Login(Box<Event>),
    Call(Group),
}

impl Digest {
    /// Nothing was read. The process `muted` and those it starts are not told of; 0 if all are.
    pub fn new(muted: u32) -> Self {
        Self {
            joiner: Joiner::default(),
            tasks: Tasks::new(muted),
            found: Vec::new(),
            waiting: VecDeque::new(),
            peers: LruCache::unbounded(),
        }
    }

    /// A process was there before everything else.
    pub fn snapshot(&mut self, event: &Event) {
        if let Action::Snapshot(exec) = &event.action {
            self.tasks
                .snapshot(event, exec.parent.map(|parent| parent.pid));
        }
    }

    /// Takes a record in.
    pub fn record(&mut self, kind: u16, text: &[u8]) {
        if let 1300..1400 = kind {
            self.found
                .extend(self.joiner.add(kind, text).map(Found::Call));
        } else {
            let login = login::decode(kind, text);
            self.found
                .extend(login.map(|event| Found::Login(Box::new(event))));
        }
    }

    /// How many records since the last call came too late to be told.
    pub fn take_late(&mut self) -> u64 {
        self.joiner.take_late()
    }

    /// Takes a process event in, at a time of the boot.
    pub fn process_event(&mut self, change: Change, time: Time, now: u64, host: &mut Host) {
        let event = process_event(&mut self.tasks, change, time, host);
        self.waiting.extend(event.map(|event| (now, event)));
    }

    /// Hands over what is ripe at a time of the boot; all of it at the `end`.
    pub fn turn(&mut self, now: u64, end: bool, host: &mut Host, sink: &mut dyn FnMut(Event)) {
        while let Some(group) = self.joiner.overdue(now, end) {
            self.found.push(Found::Call(group));
        }
        let mut found = std::mem::take(&mut self.found);
        for found in found.drain(..) {
            match found {
                Found::Login(event) => self.hand_over(*event, sink),
                Found::Call(group) => {
                    self.call(&group, host, sink);
                    self.joiner.recycle(group);
                }
            }
        }
        // Its memory serves again.
        self.found = found;
        self.release(
            |_, since| end || now.saturating_sub(since) >= PATIENCE,
            sink,
        );
    }

    fn call(&mut self, group: &Group, host: &mut Host, sink: &mut dyn FnMut(Event)) {
        let Some(told) = call::decode(group) else {
            return;
        };
        let mut events = Vec::new();
        tell::tell(told, &mut self.tasks, host, &mut |event| events.push(event));
        for event in events {
            if !self.is_repeated(&event) {
                self.hand_over(event, sink);
            }
        }
    }

    /// Hands over an event, after those of processes that were before it.
    fn hand_over(&mut self, event: Event, sink: &mut dyn FnMut(Event)) {
        let time = event.time;
        self.release(|waiting, _| waiting.time <= time, sink);
        // The clock of records lags: an act may seem to be from before the birth of its process.
        let target = event.action.target().map(|target| target.process);
        let unborn = |key: &ProcessKey| self.tasks.is_unborn(*key);
        let both = [Some(event.process), target].map(|key| key.filter(unborn));
        let mut awaited = both.map(|key| key.map(|key| key.pid));
        self.release(
            |waiting, _| {
                let is_ripe = awaited != [None; 2];
                if let Action::Fork(Fork { child }) = &waiting.action {
                    awaited = awaited.map(|pid| pid.filter(|&pid| pid != child.pid));
                }
                is_ripe
            },
            sink,
        );
        sink(event);
    }

    /// Hands over process events as long as the first that waits is ripe.
    fn release(
        &mut self,
        mut is_ripe: impl FnMut(&Event, u64) -> bool,
        sink: &mut dyn FnMut(Event),
    ) {
        while let Some((since, event)) = self.waiting.front()
            && is_ripe(event, *since)
        {
            let Some((_, event)) = self.waiting.pop_front() else {
                return;
            };
            match &event.action {
                Action::Exit(_) => self.tasks.remove(event.process),
                Action::Fork(Fork { child }) => {
                    self.tasks
                        .update(child.pid, |task| task.unborn &= task.key != *child);
                }
                _ => {}
            }
            sink(event);
        }
    }

    /// A datagram to a peer that the process has sent one to.
    fn is_repeated(&mut self, event: &Event) -> bool {
        let Action::Connection(connection) = event.action else {
            return false;
        };
        if connection.stage != Stage::Datagram {
            return false;
        }
        let key = (event.process, connection.peer);
        if let Some(&before) = self.peers.get(&key)
            && event.time.saturating_sub(before) < PEER_WINDOW
        {
            return true;
        }
        self.peers.put(key, event.time);
        if self.peers.len() > MAX_PEERS {
            self.peers.pop_lru();
        }
        false
    }
}

/// A process event, unless its process is not to be reported. What `tasks` knows is of the time
/// when the event is read.
fn process_event(tasks: &mut Tasks, change: Change, time: Time, host: &mut Host) -> Option<Event> {
    let (task, action) = match change {
        Change::Fork { parent, child } => {
            let (parent, child) = tasks.fork(parent, child, time.boot, host)?;
            (parent, Action::Fork(Fork { child: child.key }))
        }
        Change::Exit { pid, status } => {
            let exit = Exit {
                code: (status >> 8) as u8,
                signal: (status & 0x7f) as u8,
            };
            (tasks.of(pid, host)?, Action::Exit(exit))
        }
        Change::Users {
            pid,
            real,
            effective,
        } => {
            tasks.update(pid, |task| {
                (task.credentials.uid, task.credentials.euid) = (real, effective);
            });
            return None;
        }
        Change::Groups {
            pid,
            real,
            effective,
        } => {
            tasks.update(pid, |task| {
                (task.credentials.gid, task.credentials.egid) = (real, effective);
            });
            return None;
        }
    };
    told(task, action, time.wall)
}

fn told(task: Task, action: Action, time: u64) -> Option<Event> {
    (!task.muted).then_some(Event {
        time,
        process: task.key,
        thread: task.key.pid,
        credentials: task.credentials,
        login: task.login,
        repeat: None,
        call: None,
        content: Content::Unasked,
        action,
    })
}
