//! What events mean together: each is told with what those before have told of its process, its file
//! and its key.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::Malformed;
use super::host::Host;
use super::names::Names;
use super::payload::Payload;
use super::processes::{Process, Processes, Program};
use super::raw::{Header, since_epoch};
use super::schema;
use super::show;
use super::starts::Starts;
use super::template::{Provider, Template};
use super::templates::{
    DNS, FILE_CLASS, KERNEL_FILE, KERNEL_NETWORK, KERNEL_PROCESS, KERNEL_REGISTRY, PROCESS_CLASS,
};
use crate::event::{Event, Findings, LogRecord, Pairs, ProcessKey, Role};

/// Bytes that names and short values take in most records, and facts that most have.
const ROOM: usize = 256;
const FACTS: usize = 16;

/// Layouts that are learnt at most.
const MAX_LAYOUTS: usize = 256;

/// Types of what is attached to an event.
const RELATED_ACTIVITY: u16 = 1;
const SID: u16 = 2;

/// An event that has been read.
pub(super) struct Seen<'a> {
    pub(super) header: &'a Header,
    pub(super) provider: &'static Provider,
    pub(super) payload: Payload<'a>,
}

/// The record of an event, if it is told.
pub(super) type Told = Option<Box<LogRecord>>;

/// What is done with events, one row each. Those without a row are told as they are.
struct Row {
    provider: &'static Provider,
    ids: &'static [u16],
    act: fn(&mut Teller, &Seen) -> Told,
}

const ROWS: &[Row] = &[
    row(&KERNEL_FILE, &[10], Teller::file_named),
    row(&KERNEL_FILE, &[12], Teller::file_opened),
    row(&KERNEL_FILE, &[11], Teller::file_forgotten),
    row(&KERNEL_FILE, &[14], Teller::file_closed),
    row(&KERNEL_FILE, &[17], Teller::file_times_set),
    row(&KERNEL_FILE, &[27], Teller::file_renamed),
    row(&KERNEL_FILE, &[26, 28, 30], Teller::file_changed),
    row(&KERNEL_REGISTRY, &[1, 2], Teller::key_opened),
    row(&KERNEL_REGISTRY, &[13], Teller::key_closed),
    row(&KERNEL_REGISTRY, &[3], Teller::key_changed),
    row(&KERNEL_REGISTRY, &[5, 6], Teller::value_changed),
    row(&KERNEL_NETWORK, &[12, 28], Teller::connected),
    row(&KERNEL_NETWORK, &[15, 31], Teller::accepted),
    row(&KERNEL_NETWORK, &[13, 29], Teller::disconnected),
    row(&KERNEL_PROCESS, &[1, 15], Teller::process_there),
    row(&KERNEL_PROCESS, &[2], Teller::process_ended),
    row(&KERNEL_PROCESS, &[3], Teller::thread_started),
    row(&KERNEL_PROCESS, &[5], Teller::image_loaded),
    row(&PROCESS_CLASS, &[1, 3], Teller::classic_there),
    row(&PROCESS_CLASS, &[2, 4], Teller::classic_ended),
    row(&FILE_CLASS, &[0, 32, 36], Teller::file_listed),
    row(&FILE_CLASS, &[35], Teller::file_unlisted),
    row(&DNS, &[3006, 3008], Teller::resolved),
];

const fn row(
    provider: &'static Provider,
    ids: &'static [u16],
    act: fn(&mut Teller, &Seen) -> Told,
) -> Row {
    Row { provider, ids, act }
}

/// How the facts about a process are called.
pub(super) struct Called {
    pub(super) pid: &'static str,
    pub(super) thread: &'static str,
    image: &'static str,
    command_line: &'static str,
    pub(super) arguments: &'static str,
    parent: &'static str,
    role: Role,
}

pub(super) const ACTOR: Called = Called {
    pid: "ProcessId",
    thread: "ThreadId",
    image: "Image",
    command_line: "CommandLine",
    arguments: "Arguments",
    parent: "ParentProcessId",
    role: Role::Actor,
};
pub(super) const SOURCE: Called = Called {
    pid: "SourceProcessId",
    thread: "SourceThreadId",
    image: "SourceImage",
    command_line: "SourceCommandLine",
    arguments: "SourceArguments",
    parent: "SourceParentProcessId",
    role: Role::Source,
};
pub(super) const TARGET: Called = Called {
    pid: "TargetProcessId",
    thread: "TargetThreadId",
    image: "TargetImage",
    command_line: "TargetCommandLine",
    arguments: "TargetArguments",
    parent: "TargetParentProcessId",
    role: Role::Target,
};

/// Why an event is not told, though it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is not what it has to be.
    Malformed(Malformed),
    /// Nobody knows how it is laid out.
    Unknown,
}

impl From<Malformed> for Trouble {
    fn from(malformed: Malformed) -> Self {
        Trouble::Malformed(malformed)
    }
}

/// Makes records of events.
#[derive(Debug, Default)]
pub struct Teller {
    /// What the host was asked.
    pub host: Host,
    pub(super) processes: Processes,
    pub(super) files: Names,
    pub(super) keys: Names,
    pub(super) starts: Starts,
    /// The kernel's provider tells of processes.
    pub(super) knows_ends: bool,
    /// What Windows has said of events that the tables do not have.
    layouts: HashMap<([u8; 16], u16, u8), Option<&'static Template>>,
}

impl Teller {
    /// Takes one event in. `attached`: what the header's flags announce, by its type.
    pub fn take<'a>(
        &mut self,
        header: &Header,
        attached: impl Iterator<Item = (u16, &'a [u8])>,
        data: &[u8],
        sink: &mut dyn FnMut(Event),
    ) -> Result<(), Trouble> {
        self.settle(header.time, sink);
        let provider = header.known_provider().ok_or(Trouble::Unknown)?;
        let known = provider.template(header.id, header.version);
        let Some(template) = known.or_else(|| self.learnt(header)) else {
            // Events that nothing is known of are not asked for, and may still come.
            return if provider.has(header.id) {
                Err(Trouble::Unknown)
            } else {
                Ok(())
            };
        };
        let seen = Seen {
            header,
            provider,
            payload: Payload::new(template, data, header.pointer)?,
        };
        let mut rows = ROWS.iter();
        let row =
            rows.find(|row| std::ptr::eq(row.provider, provider) && row.ids.contains(&header.id));
        let record = match row {
            Some(row) => (row.act)(self, &seen),
            None => Some(self.told(&seen, header.process, Some(header.thread))),
        };
        if let Some(mut record) = record {
            attach(&mut record, attached);
            sink(record.into_event(since_epoch(header.time)));
        }
        Ok(())
    }

    /// An event is wanted, and nobody has said yet how this version of it is laid out.
    pub fn lacks_layout(&self, header: &Header) -> bool {
        self.layouts.len() < MAX_LAYOUTS
            && header.known_provider().is_some_and(|provider| {
                provider.has(header.id) && provider.template(header.id, header.version).is_none()
            })
            && !self.layouts.contains_key(&header.version_key())
    }

    /// Windows says this of such an event (`TRACE_EVENT_INFO`), or nothing. Whether it can be read now.
    pub fn learn_layout(&mut self, header: &Header, info: Option<&[u8]>) -> bool {
        let template = info
            .and_then(schema::fields)
            .map(|fields| schema::template(header.id, header.version, fields));
        self.layouts.insert(header.version_key(), template);
        template.is_some()
    }

    fn learnt(&self, header: &Header) -> Option<&'static Template> {
        // Mostly there are none.
        if self.layouts.is_empty() {
            return None;
        }
        *self.layouts.get(&header.version_key())?
    }

    /// Nothing comes any more: what still waits is told.
    pub fn end(&mut self, sink: &mut dyn FnMut(Event)) {
        self.settle(u64::MAX, sink);
    }

    /// Names and processes that were forgotten for want of room since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        self.files.take_forgotten() + self.keys.take_forgotten() + self.processes.take_forgotten()
    }

    /// Tells the starts whose other half will not be waited for.
    pub fn settle(&mut self, now: u64, sink: &mut dyn FnMut(Event)) {
        while let Some(start) = self.starts.overdue(now) {
            let time = start.time;
            let record = self.start(start);
            sink(record.into_event(since_epoch(time)));
        }
    }

    /// The record of an event that a process has caused.
    pub(super) fn told(&mut self, seen: &Seen, pid: u32, thread: Option<u32>) -> Box<LogRecord> {
        let mut findings = findings();
        self.add_process(&mut findings, &ACTOR, pid, seen.header.time);
        if let Some(thread) = thread {
            push_number(&mut findings, ACTOR.thread, thread);
        }
        record(seen, &self.host, findings)
    }

    /// Adds what is known of a process.
    pub(super) fn add_process(
        &mut self,
        findings: &mut Findings,
        names: &Called,
        pid: u32,
        time: u64,
    ) {
        push_number(findings, names.pid, pid);
        let Some(process) = self.processes.get(pid, time) else {
            return;
        };
        push_process(findings, names, process);
        if names.role == Role::Actor {
            let user = process.user.clone();
            self.add_user(findings, &user);
        }
    }

    pub(super) fn add_user(&mut self, findings: &mut Findings, sid: &str) {
        if let Some(account) = self.host.account(sid) {
            findings.facts.push("User", account);
        }
        findings.facts.push("UserSid", sid);
    }

    fn resolved(&mut self, seen: &Seen) -> Told {
        Some(self.told(seen, seen.header.process, Some(seen.header.thread)))
    }
}

/// Findings with room for what most have.
pub(super) fn findings() -> Findings {
    Findings {
        facts: Pairs::with_room(FACTS, 2 * ROOM),
        ..Findings::default()
    }
}

/// The record of an event.
pub(super) fn record(seen: &Seen, host: &Host, findings: Findings) -> Box<LogRecord> {
    let Seen {
        header,
        provider,
        payload,
    } = seen;
    let mut record = Box::new(LogRecord {
        provider: Cow::Borrowed(provider.name),
        provider_guid: Cow::Borrowed(provider.shown_guid),
        id: header.id.into(),
        version: header.version,
        level: header.level,
        task: header.task,
        opcode: header.opcode,
        keywords: header.keywords,
        process: header.process,
        thread: header.thread,
        computer: host.name.clone(),
        is_traced: true,
        findings: Some(Box::new(findings)),
        ..LogRecord::default()
    });
    if header.activity != [0; 16] {
        record.activity = show::guid(header.activity);
    }
    let fields = payload.fields();
    record.data = Pairs::with_room(fields.size_hint().0, ROOM + 2 * payload.len());
    for (field, bytes) in fields {
        record
            .data
            .write(field.name, |text| show::value(text, field.kind, bytes));
    }
    record
}

fn attach<'a>(record: &mut LogRecord, attached: impl Iterator<Item = (u16, &'a [u8])>) {
    for (kind, bytes) in attached {
        match (kind, <[u8; 16]>::try_from(bytes)) {
            (RELATED_ACTIVITY, Ok(guid)) => record.related_activity = show::guid(guid),
            (SID, _) => show::sid(&mut record.user, bytes),
            _ => {}
        }
    }
}

/// Adds what a process runs, and who started it.
pub(super) fn push_process(findings: &mut Findings, names: &Called, process: &Process) {
    let facts = &mut findings.facts;
    facts.push(names.image, &process.program.image);
    facts.push(names.command_line, &process.program.command_line);
    findings.processes[names.role as usize] = process.key;
    push_number(findings, names.parent, process.parent);
    if names.role == Role::Actor
        && let Some(parent) = process.ancestors.first()
    {
        push_parent(findings, parent.key, &parent.program);
    }
}

/// Adds who started the process that did it.
pub(super) fn push_parent(findings: &mut Findings, key: Option<ProcessKey>, program: &Program) {
    let line = &program.command_line;
    findings.facts.push("ParentImage", &program.image);
    findings.facts.push("ParentCommandLine", line);
    findings.processes[Role::Parent as usize] = key;
}

/// Adds what is known of an event as a number.
pub(super) fn push_number(findings: &mut Findings, name: &str, number: u32) {
    let mut digits = itoa::Buffer::new();
    findings.facts.push(name, digits.format(number));
}

/// Adds what is known of an event.
pub(super) fn push_fact(record: &mut LogRecord, name: &str, value: &str) {
    if let Some(findings) = &mut record.findings {
        findings.facts.push(name, value);
    }
}
