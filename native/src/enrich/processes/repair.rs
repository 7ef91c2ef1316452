//! Brings the table up to date after some of the life of processes was missed.

use std::collections::HashSet;

use super::{Ancestor, Process, Processes};
use crate::capture::ebpf::decode::NANOSECONDS_PER_TICK;
use crate::counters::Counter;
use crate::event::{Action, Event, Exec, ProcessKey};
use crate::host::{clock, procfs};

/// The processes that /proc showed.
#[derive(Debug)]
pub struct Found {
    processes: Vec<Event>,
    /// When the reading began, in the unit of [`ProcessKey::start`] and since the epoch.
    began: (u64, u64),
}

impl Processes {
    /// The processes that there are now, if /proc may be asked.
    pub fn look(&self) -> Option<Found> {
        let root = self.live.as_ref()?;
        let boot = clock::boot_time();
        Some(Found {
            began: (boot / NANOSECONDS_PER_TICK, clock::read().wall(boot)),
            processes: procfs::snapshot(root).collect(),
        })
    }

    /// Learns what was missed, and returns the programs whose begin was. Those that were there
    /// before and are not any more are forgotten like those whose end was seen.
    pub fn mend(&mut self, found: &Found) -> Vec<Event> {
        let alive: HashSet<ProcessKey> = found.processes.iter().map(|it| it.process).collect();
        let (before, now) = found.began;
        for (key, process) in &mut self.table {
            if key.start < before && !process.exited && !process.is_gone && !alive.contains(key) {
                process.is_gone = true;
                self.exited.push_back((now, *key));
            }
        }
        let mut own = HashSet::from([std::process::id()]);
        let mut missed = Vec::new();
        for event in &found.processes {
            // Parents come before their children. What the agent starts is not reported.
            if parent(event).is_some_and(|parent| own.contains(&parent)) {
                own.insert(event.process.pid);
            } else {
                missed.extend(self.learn_missed(event));
            }
        }
        missed
    }

    /// The start of its program, if that was missed. One that runs what its parent does was only
    /// born.
    fn learn_missed(&mut self, event: &Event) -> Option<Event> {
        let Action::Snapshot(exec) = &event.action else {
            return None;
        };
        let known = self.table.peek(&event.process);
        if known.is_some_and(|process| process.exited || !process.runs_another(exec)) {
            return None;
        }
        self.learn(event.process, exec);
        self.counters.add(Counter::Inferred, 1);
        let process = self.entry(event.process);
        process.inferred = true;
        let inherited = process.parent().and_then(Ancestor::program);
        let is_born = inherited.is_some_and(|program| *program.executable == *exec.executable);
        (!is_born && !exec.executable.is_empty()).then(|| Event {
            action: Action::Exec(exec.clone()),
            ..event.clone()
        })
    }
}

fn parent(event: &Event) -> Option<u32> {
    match &event.action {
        Action::Snapshot(exec) => exec.parent.map(|parent| parent.pid),
        _ => None,
    }
}

impl Process {
    /// What /proc shows is another program than what is known. Arguments are not compared: a
    /// process may change its own.
    fn runs_another(&self, exec: &Exec) -> bool {
        self.program()
            .is_none_or(|program| *program.executable != *exec.executable)
    }
}
