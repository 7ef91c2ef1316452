//! Records of one event put together. The kernel writes them one after the other, those of several
//! processors in between, and ends them with an EOE.

use std::collections::VecDeque;
use std::ops::Range;

use super::record::{self, Record};

/// Types of records (`linux/audit.h`).
pub mod kind {
    /// The call, who made it, and what it returned; the first of its event.
    pub const SYSCALL: u16 = 1300;
    /// Arguments of `socketcall`.
    pub const SOCKETCALL: u16 = 1304;
    /// A name that the call used.
    pub const PATH: u16 = 1302;
    /// An address that the call used.
    pub const SOCKADDR: u16 = 1306;
    /// The working directory.
    pub const CWD: u16 = 1307;
    /// Arguments of a new program.
    pub const EXECVE: u16 = 1309;
    /// A process that the call was about.
    pub const OBJ_PID: u16 = 1318;
    /// The end of the event.
    pub const EOE: u16 = 1320;
    /// The capabilities that the process has now.
    pub const CAPSET: u16 = 1322;
    /// The name of a module.
    pub const KERN_MODULE: u16 = 1330;
    /// The number of a program.
    pub const BPF: u16 = 1334;
    /// What `openat2` was told.
    pub const OPENAT2: u16 = 1337;

    /// All that is taken in.
    pub const TAKEN: [u16; 11] = [
        SYSCALL,
        PATH,
        CWD,
        EXECVE,
        SOCKADDR,
        SOCKETCALL,
        OBJ_PID,
        CAPSET,
        KERN_MODULE,
        BPF,
        OPENAT2,
    ];
}

/// Events whose end has not come; beyond it the oldest is taken as it is.
const MAX_OPEN: usize = 64;

/// Bytes of one event; the arguments of a program alone may have 2 MiB, written as digits.
const MAX_BYTES: usize = 1 << 17;

/// Bytes of memory that are kept for another event.
const MAX_SPARE: usize = 1 << 13;

/// Nanoseconds that the rest of an event is waited for.
const PATIENCE: u64 = 2_000_000_000;

/// The records of one event.
#[derive(Debug, Default)]
pub struct Group {
    /// The event's number.
    pub serial: u32,
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// Records were left out, as there were too many bytes.
    pub truncated: bool,
    bytes: Vec<u8>,
    parts: Vec<(u16, Range<usize>)>,
}

impl Group {
    /// The records in their order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.parts.iter().map(|(kind, range)| Record {
            kind: *kind,
            time: self.time,
            serial: self.serial,
            body: &self.bytes[range.clone()],
        })
    }

    /// The first record of a type.
    pub fn first(&self, kind: u16) -> Option<Record<'_>> {
        self.records().find(|record| record.kind == kind)
    }

    /// Of an event that begins with this record; `self` has served another one.
    fn begin(mut self, record: &Record) -> Self {
        self.bytes.clear();
        self.parts.clear();
        (self.serial, self.time) = (record.serial, record.time);
        self.truncated = false;
        self.add(record);
        self
    }

    fn add(&mut self, record: &Record) {
        if self.bytes.len() + record.body.len() > MAX_BYTES {
            self.truncated = true;
            return;
        }
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(record.body);
        self.parts.push((record.kind, begin..self.bytes.len()));
    }
}

/// The events whose end has not come.
#[derive(Debug, Default)]
pub struct Joiner {
    open: VecDeque<Group>,
    newest: u64,
    /// Memory of events that are done with.
    spare: Vec<Group>,
}

impl Joiner {
    /// Takes a record in; the event that is whole now, or has waited long enough.
    pub fn add(&mut self, kind: u16, text: &[u8]) -> Option<Group> {
        let record = record::parse(kind, text)?;
        self.newest = self.newest.max(record.time);
        let of_event = |group: &Group| group.serial == record.serial && group.time == record.time;
        let place = self.open.iter().rposition(of_event);
        match (kind, place) {
            (kind::EOE, Some(place)) => self.open.remove(place),
            // A program is told of while the call still runs.
            (kind::SYSCALL | kind::BPF, None) => {
                let group = self.spare.pop().unwrap_or_default();
                self.open.push_back(group.begin(&record));
                (self.open.len() > MAX_OPEN)
                    .then(|| self.open.pop_front())
                    .flatten()
            }
            (kind, Some(place)) if kind::TAKEN.contains(&kind) => {
                self.open[place].add(&record);
                None
            }
            _ => None,
        }
    }

    /// Takes back the memory of an event that is done with.
    pub fn recycle(&mut self, group: Group) {
        if self.spare.len() < MAX_OPEN && group.bytes.capacity() <= MAX_SPARE {
            self.spare.push(group);
        }
    }

    /// An event whose rest has not come in time; all of them one after the other at the `end`.
    pub fn overdue(&mut self, end: bool) -> Option<Group> {
        let first = self.open.front()?;
        (end || self.newest.saturating_sub(first.time) > PATIENCE)
            .then(|| self.open.pop_front())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(second: u64, serial: u32, body: &str) -> Vec<u8> {
        format!("audit({second}.000:{serial}): {body}").into()
    }

    fn add(joiner: &mut Joiner, kind: u16, serial: u32, body: &str) -> Option<Group> {
        joiner.add(kind, &text(1, serial, body))
    }

    #[test]
    fn joins_what_comes_mixed() {
        let mut joiner = Joiner::default();
        assert!(add(&mut joiner, kind::SYSCALL, 1, "one").is_none());
        assert!(add(&mut joiner, kind::SYSCALL, 2, "two").is_none());
        assert!(add(&mut joiner, kind::CWD, 1, "cwd=\"/\"").is_none());
        assert!(add(&mut joiner, 1327, 1, "proctitle=41").is_none());
        assert!(add(&mut joiner, kind::EOE, 2, "").is_some());
        let group = add(&mut joiner, kind::EOE, 1, "").unwrap();
        let bodies: Vec<_> = group.records().map(|record| record.body.to_vec()).collect();
        assert_eq!(bodies, [b" one".to_vec(), b" cwd=\"/\"".to_vec()]);
        assert!(add(&mut joiner, kind::EOE, 1, "").is_none());
        assert!(joiner.overdue(true).is_none());
    }

    #[test]
    fn an_end_that_never_comes_is_not_waited_for_long() {
        let mut joiner = Joiner::default();
        add(&mut joiner, kind::SYSCALL, 1, "one");
        joiner.add(kind::SYSCALL, &text(3, 2, "two"));
        assert!(joiner.overdue(false).is_none());
        joiner.add(kind::SYSCALL, &text(4, 3, "three"));
        assert_eq!(joiner.overdue(false).unwrap().serial, 1);
        assert!(joiner.overdue(false).is_none());
        assert_eq!(joiner.overdue(true).unwrap().serial, 2);
    }

    #[test]
    fn is_bounded() {
        let mut joiner = Joiner::default();
        let early: Vec<_> = (0..100)
            .filter_map(|serial| add(&mut joiner, kind::SYSCALL, serial, "x"))
            .collect();
        assert_eq!(early.len(), 100 - MAX_OPEN);
        assert_eq!(joiner.open.len(), MAX_OPEN);
        let long = "a".repeat(8000);
        for _ in 0..100 {
            add(&mut joiner, kind::EXECVE, 99, &long);
        }
        let group = add(&mut joiner, kind::EOE, 99, "").unwrap();
        assert!(group.truncated && group.bytes.len() <= MAX_BYTES);
    }
}
