//! Processes: they are there, start, make threads and end.

use std::sync::Arc;

use super::processes::{Process, Program};
use super::starts::Start;
use super::tell::{
    ACTOR, SOURCE, Seen, TARGET, Teller, Told, findings, push_number, push_process, record,
};
use crate::event::{Ancestor, Findings, LogRecord, ProcessKey};

impl Teller {
    /// Which process it is, if an event says when it was created.
    fn key(pid: u32, created: u64) -> Option<ProcessKey> {
        (created != 0).then_some(ProcessKey {
            pid,
            start: created,
        })
    }

    /// The kernel's provider tells of a process, one that starts or one that was there.
    pub(super) fn process_there(&mut self, seen: &Seen) -> Told {
        self.knows_ends = true;
        self.processes.told(seen.header.time);
        let payload = &seen.payload;
        let pid = payload.short("ProcessID");
        let process = Process {
            key: Self::key(pid, payload.number("CreateTime")),
            program: Arc::new(Program {
                image: self.host.path(payload.text("ImageName")),
                command_line: String::new(),
            }),
            parent: payload.short("ParentProcessID"),
            ..Process::default()
        };
        self.process_seen(seen, pid, process, false, seen.header.id == 1)
    }

    /// The classic logger does.
    pub(super) fn classic_there(&mut self, seen: &Seen) -> Told {
        let payload = &seen.payload;
        let pid = payload.short("ProcessId");
        let process = Process {
            program: Arc::new(Program {
                image: String::new(),
                command_line: payload.text("CommandLine"),
            }),
            parent: payload.short("ParentId"),
            user: payload.text("UserSID").into(),
            ..Process::default()
        };
        self.process_seen(seen, pid, process, true, seen.header.id == 1)
    }

    fn process_seen(
        &mut self,
        seen: &Seen,
        pid: u32,
        mut process: Process,
        is_classic: bool,
        is_new: bool,
    ) -> Told {
        let time = seen.header.time;
        let pid_of_parent = process.parent;
        // Of a process that was there, the number of its parent may be another's by now.
        let is_older = |parent: &&Process| match (parent.key, process.key) {
            (Some(parent), Some(child)) => parent.start <= child.start,
            _ => true,
        };
        if let Some(parent) = self.processes.get(pid_of_parent, time).filter(is_older) {
            process.ancestors = parent.heritage(pid_of_parent);
        }
        if !is_new {
            process.has_begun = true;
            let known = self.processes.get(pid, time).cloned();
            self.processes.learn(pid, merged(known, process));
            return None;
        }
        let start = Start {
            pid,
            process: process.clone(),
            is_classic,
            record: record(seen, &self.host, Findings::default()),
            time,
        };
        match self.starts.meet(start) {
            Some(start) => Some(self.start(start)),
            None => {
                self.processes.learn(pid, process);
                None
            }
        }
    }

    /// A process has started, and what is known of it is all that will be.
    pub(super) fn start(&mut self, start: Start) -> Box<LogRecord> {
        let Start {
            pid,
            mut process,
            mut record,
            time,
            ..
        } = start;
        // What has happened between the two.
        let known = self.processes.get(pid, time).cloned().unwrap_or_default();
        if known.key.is_none() || known.key == process.key {
            process.has_begun |= known.has_begun;
            process.ended = process.ended.or(known.ended);
        }
        let created = process.key.map_or(time, |key| key.start);
        let is_later = known.key.is_some_and(|key| key.start > created);
        let mut findings = findings();
        let lines = [
            (ACTOR.arguments, Some(process.program.clone())),
            (
                "ParentArguments",
                process.ancestors.first().map(|it| it.program.clone()),
            ),
        ];
        let ancestors = process.ancestors.iter().map(|it| Ancestor {
            pid: it.pid,
            key: it.key,
            executable: it.program.image.clone(),
        });
        findings.ancestors = ancestors.collect();
        push_number(&mut findings, ACTOR.pid, pid);
        push_process(&mut findings, &ACTOR, &process);
        self.add_user(&mut findings, &process.user);
        // The number may be another's by now, whose other half has come or is waited for still.
        if !is_later && !self.starts.waits(pid, time) {
            self.processes.learn(pid, process);
        }
        for (name, program) in lines {
            if let Some(program) = program {
                findings.facts.push(name, &program.command_line);
            }
        }
        record.findings = Some(Box::new(findings));
        record
    }

    pub(super) fn process_ended(&mut self, seen: &Seen) -> Told {
        self.knows_ends = true;
        self.processes.told(seen.header.time);
        let pid = seen.payload.short("ProcessID");
        if let Some(key) = Self::key(pid, seen.payload.number("CreateTime")) {
            self.processes.ascertain(key);
        }
        let told = self.told(seen, pid, None);
        self.processes.end(pid, seen.header.time);
        Some(told)
    }

    pub(super) fn classic_ended(&mut self, seen: &Seen) -> Told {
        let pid = seen.payload.short("ProcessId");
        // 4 is told of those that are there at the end of the session.
        if self.knows_ends || seen.header.id == 4 {
            return None;
        }
        let told = self.told(seen, pid, None);
        self.processes.end(pid, seen.header.time);
        Some(told)
    }

    /// The first thread of a process is made by its parent; others that are not its own are remote.
    pub(super) fn thread_started(&mut self, seen: &Seen) -> Told {
        let header = seen.header;
        self.processes.told(header.time);
        let pid = seen.payload.short("ProcessID");
        let parent = self.processes.get(pid, header.time);
        let parent = parent.map(|process| process.parent);
        let is_first = self.processes.begin(pid) && parent == Some(header.process);
        if pid == header.process || is_first {
            return None;
        }
        let mut told = self.told(seen, header.process, Some(header.thread));
        let mut findings = told.findings.take().unwrap_or_default();
        self.add_process(&mut findings, &SOURCE, header.process, header.time);
        push_number(&mut findings, SOURCE.thread, header.thread);
        self.add_process(&mut findings, &TARGET, pid, header.time);
        push_number(&mut findings, TARGET.thread, seen.payload.short("ThreadID"));
        if let Some(source) = self.processes.get(header.process, header.time) {
            for name in [ACTOR.arguments, SOURCE.arguments] {
                findings.facts.push(name, &source.program.command_line);
            }
        }
        told.findings = Some(findings);
        Some(told)
    }
}

/// What was known of a process that was there, and what another source knows.
fn merged(known: Option<Process>, more: Process) -> Process {
    let Some(known) = known else {
        return more;
    };
    let is_other = known.key.is_some() && more.key.is_some() && known.key != more.key;
    if is_other {
        return more;
    }
    let first = |one: &str, other: &str| if one.is_empty() { other } else { one }.to_owned();
    let (new, old) = (&more.program, &known.program);
    Process {
        key: more.key.or(known.key),
        program: Arc::new(Program {
            image: first(&new.image, &old.image),
            command_line: first(&new.command_line, &old.command_line),
        }),
        ancestors: if more.ancestors.is_empty() {
            known.ancestors
        } else {
            more.ancestors
        },
        user: first(&more.user, &known.user).into(),
        ..more
    }
}
