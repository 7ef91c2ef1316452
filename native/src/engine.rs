//! From an event to the records it causes: who acted is looked up, then all is written as ECS.

use std::path::PathBuf;
use std::sync::Arc;

use crate::counters::{Counter, Counters};
use crate::ecs::catalogue::{self, Kind};
use crate::ecs::{Act, Encoder};
use crate::enrich::guid::Identity;
#[cfg(target_os = "linux")]
pub use crate::enrich::processes::Found;
use crate::enrich::processes::Processes;
use crate::enrich::users::Users;
use crate::event::{Action, Event, LogRecord, Loss, ProcessKey};
use crate::filter::Rules;
use crate::filter::drops::Verdict;
use crate::filter::facts::Facts;

/// What an engine has to know about the agent and its host.
#[derive(Clone, Debug)]
pub struct Context {
    /// The agent's id, 64 hexadecimal digits.
    pub agent_id: String,
    /// The boot during which the events happen, or happened.
    pub boot_id: [u8; 16],
    /// JSON members that every record has, without the outer braces: `"agent":{…},"host":{…}`.
    pub envelope: Vec<u8>,
    /// Where proc and etc are found.
    pub root: PathBuf,
    /// The events happen now and below `root`, so that /proc there may be asked about processes.
    pub live: bool,
}

/// Turns events into records. It keeps the state that this needs, all of it bounded.
#[derive(Debug)]
pub struct Engine {
    processes: Processes,
    users: Users,
    encoder: Encoder,
    rules: Arc<Rules>,
    counters: Arc<Counters>,
}

impl Engine {
    /// An engine that knows no process yet.
    pub fn new(context: Context, counters: Arc<Counters>) -> Self {
        let Context {
            agent_id,
            boot_id,
            envelope,
            root,
            live,
        } = context;
        let users = Users::new(&root);
        let identity = Identity::new(&agent_id, boot_id);
        let processes = Processes::new(identity, live.then_some(root), counters.clone());
        Self {
            processes,
            users,
            encoder: Encoder::new(envelope),
            rules: Arc::default(),
            counters,
        }
    }

    /// Changes the members that every record has.
    pub fn set_envelope(&mut self, envelope: Vec<u8>) {
        self.encoder.set_envelope(envelope);
    }

    /// Changes the rules, of which there are none at first.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
    }

    /// The rules now.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Takes one event in and hands the records it causes to `emit`, without line feeds.
    ///
    /// Counts what was captured, what a rule drops, and what was coalesced into the event before it
    /// came here. `sequence` gives the number of the next record.
    pub fn feed(
        &mut self,
        event: &Event,
        sequence: &mut dyn FnMut() -> u64,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        if let Action::Logged(record) = &event.action {
            return self.log(event, record, sequence, emit);
        }
        self.processes.tidy(event.time);
        if event.process.start == ProcessKey::UNKNOWN_START {
            let process = self.processes.find(event.process.pid);
            if process != event.process {
                let known = Event {
                    process,
                    ..event.clone()
                };
                return self.feed(&known, sequence, emit);
            }
        }
        match &event.action {
            Action::Fork(fork) => self.processes.fork(event.process, fork.child),
            Action::Snapshot(exec) => self.processes.snapshot(event.process, exec),
            Action::Exec(exec) | Action::Known(exec) => self.processes.exec(event.process, exec),
            // The kernel may tell an end twice, when the last two threads end at once.
            Action::Exit(_) if self.processes.has_exited(event.process) => return,
            // It is the kernel's business, and nobody was told of their start.
            Action::Exit(_) if self.processes.is_kernel_thread(event.process) => {
                self.processes.exit(event.process, event.time);
                return;
            }
            _ => {}
        }
        let kinds = [
            catalogue::kind(&event.action),
            catalogue::second_kind(&event.action),
        ];
        for kind in kinds.into_iter().flatten() {
            self.report(kind, event, sequence, emit);
        }
        if let Action::Exit(_) = event.action {
            self.processes.exit(event.process, event.time);
        }
    }

    /// The processes that there are now, if they may be asked for.
    #[cfg(target_os = "linux")]
    pub fn look(&self) -> Option<Found> {
        self.processes.look()
    }

    /// Brings the process table up to date with what was found, once everything that had happened
    /// until then was fed. Hands the records of the programs that were missed to `emit`.
    #[cfg(target_os = "linux")]
    pub fn mend(
        &mut self,
        found: &Found,
        sequence: &mut dyn FnMut() -> u64,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        for event in self.processes.mend(found) {
            self.report(&catalogue::PROCESS_CREATED, &event, sequence, emit);
        }
    }

    /// Hands the record of a loss to `emit`. Counts nothing.
    pub fn loss(
        &mut self,
        loss: &Loss,
        sequence: &mut dyn FnMut() -> u64,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        emit(self.encoder.loss(loss, sequence()));
    }

    /// Tells a record of an event log, which says itself who did what.
    fn log(
        &mut self,
        event: &Event,
        record: &LogRecord,
        sequence: &mut dyn FnMut() -> u64,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        self.counters.add(Counter::Captured, 1);
        let drops = &self.rules.drops;
        let identity = self.processes.identity();
        let (time, content) = (event.time, &event.content);
        if !drops.is_empty()
            && let Some(rule) = drops.ask(self.encoder.log(time, record, content, identity, 0))
        {
            drops.count(rule, 1);
            self.counters.add(Counter::Filtered, 1);
            return;
        }
        let sequence = sequence();
        emit(self.encoder.log(time, record, content, identity, sequence));
    }

    fn report(
        &mut self,
        kind: &'static Kind,
        event: &Event,
        sequence: &mut dyn FnMut() -> u64,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        if self.users.refresh(event.time) {
            self.encoder.forget_users();
        }
        let occurrences = event.repeat.map_or(1, |repeat| repeat.count.max(1));
        self.counters.add(Counter::Captured, occurrences);
        let Self {
            processes,
            users,
            encoder,
            rules,
            counters,
        } = self;
        let target = event.action.target().map(|target| {
            let process = processes.get(target.process);
            Encoder::target(target.process, process)
        });
        let process = processes.get(event.process);
        let facts = Facts {
            kind,
            event,
            process,
            users,
        };
        let verdict = rules.drops.judge(&facts);
        let tags = match verdict {
            Verdict::Drop(_) => Vec::new(),
            Verdict::Keep | Verdict::Ask => rules.watches.tags(&facts),
        };
        let mut act = Act {
            kind,
            event,
            target: target.as_ref(),
            users,
            tags: &tags,
            sequence: 0,
            inferred: process.inferred,
        };
        let dropped_by = match verdict {
            Verdict::Keep => None,
            Verdict::Drop(rule) => Some(rule),
            // Its number is only known once it is kept.
            Verdict::Ask => rules.drops.ask(encoder.act(&act, process)),
        };
        if let Some(rule) = dropped_by {
            rules.drops.count(rule, occurrences);
            counters.add(Counter::Filtered, occurrences);
            return;
        }
        counters.add(Counter::Coalesced, occurrences - 1);
        act.sequence = sequence();
        emit(encoder.act(&act, process));
    }
}
