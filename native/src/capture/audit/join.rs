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

/// Nanoseconds that the rest of an event is waited for, by a clock that nobody sets.
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
    /// When its end was looked for first, in nanoseconds since the boot.
    looked: Option<u64>,
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
        self.looked = None;
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
    /// Number and time of those that were given without their end.
    given: VecDeque<(u32, u64)>,
    /// Records that came after their event was given.
    late: u64,
    /// Memory of events that are done with.
    spare: Vec<Group>,
}

impl Joiner {
    /// Takes a record in; the event that is whole now, or has waited long enough.
    pub fn add(&mut self, kind: u16, text: &[u8]) -> Option<Group> {
        let record = record::parse(kind, text)?;
        let of_event = |group: &Group| group.serial == record.serial && group.time == record.time;
        let place = self.open.iter().rposition(of_event);
        match (kind, place) {
            (kind::EOE, Some(place)) => self.open.remove(place),
            // A program is told of while the call still runs.
            (kind::SYSCALL | kind::BPF, None) => {
                let group = self.spare.pop().unwrap_or_default();
                self.open.push_back(group.begin(&record));
                (self.open.len() > MAX_OPEN)
                    .then(|| self.give_first())
                    .flatten()
            }
            (kind, Some(place)) if kind::TAKEN.contains(&kind) => {
                self.open[place].add(&record);
                None
            }
            (kind, None) if kind::TAKEN.contains(&kind) => {
                let is_late = self.given.contains(&(record.serial, record.time));
                self.late += u64::from(is_late);
                None
            }
            _ => None,
        }
    }

    /// The oldest event as it is.
    fn give_first(&mut self) -> Option<Group> {
        let group = self.open.pop_front()?;
        if self.given.len() == MAX_OPEN {
            self.given.pop_front();
        }
        self.given.push_back((group.serial, group.time));
        Some(group)
    }

    /// How many records since the last call came too late for their event.
    pub fn take_late(&mut self) -> u64 {
        std::mem::take(&mut self.late)
    }

    /// Takes back the memory of an event that is done with.
    pub fn recycle(&mut self, group: Group) {
        if self.spare.len() < MAX_OPEN && group.bytes.capacity() <= MAX_SPARE {
            self.spare.push(group);
        }
    }

    /// An event whose rest has not come in time, at a time of the boot; all of them one after the
    /// other at the `end`. The records' own times do not tell: the clock may be set.
    pub fn overdue(&mut self, now: u64, end: bool) -> Option<Group> {
        // The newest come last.
        for group in self.open.iter_mut().rev() {
            if group.looked.is_some() {
                break;
            }
            group.looked = Some(now);
        }
        let since = self.open.front()?.looked.unwrap_or(now);
        (end || now.saturating_sub(since) > PATIENCE)
            .then(|| self.give_first())
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
        assert!(joiner.overdue(0, true).is_none());
    }

    #[test]
    fn an_end_that_never_comes_is_not_waited_for_long() {
        let mut joiner = Joiner::default();
        add(&mut joiner, kind::SYSCALL, 1, "one");
        assert!(joiner.overdue(5, false).is_none());
        add(&mut joiner, kind::SYSCALL, 2, "two");
        assert!(joiner.overdue(5 + PATIENCE, false).is_none());
        assert_eq!(joiner.overdue(6 + PATIENCE, false).unwrap().serial, 1);
        assert!(joiner.overdue(6 + PATIENCE, false).is_none());
        assert_eq!(joiner.overdue(6 + PATIENCE, true).unwrap().serial, 2);
    }

    #[test]
    fn a_clock_that_is_set_cuts_no_event_in_two() {
        let mut joiner = Joiner::default();
        for (second, serial) in [(1000, 1), (10, 2), (5000, 3)] {
            joiner.add(kind::SYSCALL, &text(second, serial, "one"));
            assert!(joiner.overdue(serial.into(), false).is_none());
            joiner.add(kind::CWD, &text(second, serial, "cwd=\"/\""));
            let group = joiner.add(kind::EOE, &text(second, serial, "")).unwrap();
            assert_eq!(group.records().count(), 2);
        }
        assert_eq!(joiner.take_late(), 0);
    }

    #[test]
    fn records_that_come_too_late_are_counted() {
        let mut joiner = Joiner::default();
        add(&mut joiner, kind::SYSCALL, 1, "one");
        assert!(joiner.overdue(0, true).is_some());
        for kind in [kind::CWD, kind::PATH, 1327, kind::EOE] {
            assert!(add(&mut joiner, kind, 1, "x").is_none());
        }
        // Of an event whose begin nobody has seen.
        add(&mut joiner, kind::CWD, 2, "x");
        assert_eq!((joiner.take_late(), joiner.take_late()), (2, 0));
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
