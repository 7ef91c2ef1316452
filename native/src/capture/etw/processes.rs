//! Who runs what, and who started it, as events have told.

use std::collections::VecDeque;
use std::sync::Arc;

use lru::LruCache;

use crate::event::ProcessKey;

/// Ancestors of a process that are remembered.
pub const MAX_ANCESTORS: usize = 5;

/// Processes that are known at most, and bytes of all their texts.
pub const MAX_PROCESSES: usize = 16_384;
#[allow(missing_docs)]
pub const MAX_BYTES: usize = 8 << 20;
/// 100 ns that a process stays known after its end, for events that come late.
const LINGER: u64 = 10 * 10_000_000;

/// What a process is.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Which one, once it is known when it was created.
    pub key: Option<ProcessKey>,
    /// What it runs.
    pub program: Arc<Program>,
    /// Number of the one that started it.
    pub parent: u32,
    /// That one, the one that started it, and so on, as far as they were known then.
    pub ancestors: Arc<[Ancestor]>,
    /// SID of its user, or nothing.
    pub user: Arc<str>,
    /// Its first thread is there.
    pub has_begun: bool,
    /// When it ended, 100 ns since 1601.
    pub ended: Option<u64>,
}

/// A process that started another, and what it ran then.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // as of a process
pub struct Ancestor {
    pub pid: u32,
    pub key: Option<ProcessKey>,
    pub program: Arc<Program>,
}

/// What a process runs; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Path of the file.
    pub image: String,
    #[allow(missing_docs)]
    pub command_line: String,
}

impl Process {
    /// The ancestors of what it starts, itself the first of them. `pid`: its number.
    pub fn heritage(&self, pid: u32) -> Arc<[Ancestor]> {
        let itself = Ancestor {
            pid,
            key: self.key,
            program: self.program.clone(),
        };
        let all = std::iter::once(itself).chain(self.ancestors.iter().cloned());
        all.take(MAX_ANCESTORS).collect()
    }

    fn size(&self) -> usize {
        // A program that several processes share is counted for each of them, since any may be the
        // last that keeps it.
        let ancestors = self.ancestors.iter().map(|it| it.program.size());
        self.program.size() + self.user.len() + ancestors.sum::<usize>()
    }
}

impl Program {
    fn size(&self) -> usize {
        self.image.len() + self.command_line.len()
    }
}

/// The table. Where it is full, the one that ended first is forgotten, then the one that was not asked for
/// longest.
#[derive(Debug)]
pub struct Processes {
    known: LruCache<u32, Process>,
    /// When which have ended, the first first; a number may be another's since.
    ended: VecDeque<(u64, u32)>,
    size: usize,
    forgotten: u64,
    /// When the last of what was told of any has happened.
    told_until: u64,
    /// What happened before that may be missing.
    lost_until: u64,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            known: LruCache::unbounded(),
            ended: VecDeque::new(),
            size: 0,
            forgotten: 0,
            told_until: 0,
            lost_until: 0,
        }
    }
}

impl Processes {
    /// The process that has a number at a time.
    pub fn get(&mut self, pid: u32, time: u64) -> Option<&Process> {
        let is_there =
            |process: &&Process| process.ended.is_none_or(|ended| time <= ended + LINGER);
        self.known.get(&pid).filter(is_there)
    }

    /// This process, if it has not been forgotten.
    pub fn find(&mut self, key: ProcessKey) -> Option<&Process> {
        let is_it = |process: &&Process| process.key == Some(key);
        self.known.get(&key.pid).filter(is_it)
    }

    /// The process that had a number at a time, for sure: it had not ended, or all is told of what happened
    /// until then and no other was the last to have it.
    pub fn held(&self, pid: u32, time: u64) -> Option<ProcessKey> {
        let process = self.known.peek(&pid)?;
        let key = process.key?;
        let told_until = self.told_until * u64::from(key.start > self.lost_until);
        let until = told_until.max(process.ended.unwrap_or_default());
        (key.start..=until).contains(&time).then_some(key)
    }

    /// Something was told that happened to a process then.
    pub fn told(&mut self, time: u64) {
        self.told_until = self.told_until.max(time);
    }

    /// Something that happened before then was not told.
    pub fn lost(&mut self, time: u64) {
        self.lost_until = time;
    }

    /// A process has a number now.
    pub fn learn(&mut self, pid: u32, process: Process) {
        self.size += process.size();
        if let Some(before) = self.known.put(pid, process) {
            self.size -= before.size();
        }
        while self.known.len() > MAX_PROCESSES || self.size > MAX_BYTES {
            if self.forget_ended() {
                continue;
            }
            let Some((_, process)) = self.known.pop_lru() else {
                return;
            };
            self.size -= process.size();
            self.forgotten += 1;
        }
    }

    /// Forgets the process that ended first; false if there is none.
    fn forget_ended(&mut self) -> bool {
        while let Some((time, pid)) = self.ended.pop_front() {
            let is_it = |process: &Process| process.ended == Some(time);
            if self.known.peek(&pid).is_some_and(is_it)
                && let Some(process) = self.known.pop(&pid)
            {
                self.size -= process.size();
                return true;
            }
        }
        false
    }

    /// The first thread of a process is there; whether it was not before.
    pub fn begin(&mut self, pid: u32) -> bool {
        let process = self.known.get_mut(&pid);
        process.is_some_and(|process| !std::mem::replace(&mut process.has_begun, true))
    }

    /// The process that ends with a number is this one: what was known of another is not of it.
    pub fn ascertain(&mut self, key: ProcessKey) {
        match self.known.peek_mut(&key.pid) {
            Some(process) if process.key.is_none_or(|known| known == key) => {
                process.key = Some(key);
            }
            _ => self.learn(
                key.pid,
                Process {
                    key: Some(key),
                    ..Process::default()
                },
            ),
        }
    }

    /// A process ends.
    pub fn end(&mut self, pid: u32, time: u64) {
        if let Some(process) = self.known.peek_mut(&pid) {
            process.ended = Some(time);
            self.ended.push_back((time, pid));
        }
        if self.ended.len() > MAX_PROCESSES {
            self.forget_ended();
        }
    }

    /// How many were forgotten for want of room, before they ended, since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{LINGER, MAX_ANCESTORS, MAX_BYTES, MAX_PROCESSES, Process, Processes, Program};
    use crate::event::ProcessKey;

    fn running(image: &str) -> Process {
        Process {
            program: Arc::new(Program {
                image: image.into(),
                ..Program::default()
            }),
            ..Process::default()
        }
    }

    #[test]
    fn a_process_is_known_until_its_number_is_anothers() {
        let mut table = Processes::default();
        table.learn(4, running("a"));
        table.end(4, 100);
        assert_eq!(table.get(4, 100 + LINGER).unwrap().program.image, "a");
        assert!(table.get(4, 101 + LINGER).is_none());
        table.learn(4, running("b"));
        assert_eq!(table.get(4, u64::MAX).unwrap().program.image, "b");
        assert!(table.begin(4));
        assert!(!table.begin(4));
        assert!(!table.begin(5));
    }

    #[test]
    fn ends_are_remembered_for_so_many() {
        let mut table = Processes::default();
        for time in 0..2 * MAX_PROCESSES as u64 {
            // Two numbers that are others' again and again, one of which is in use.
            let pid = (time % 2) as u32;
            table.learn(pid, running("x"));
            table.end(pid, time);
        }
        table.learn(1, running("y"));
        assert!(table.ended.len() <= MAX_PROCESSES);
        while table.forget_ended() {}
        assert!(table.get(0, 0).is_none());
        assert_eq!(table.get(1, 0).unwrap().program.image, "y");
        assert_eq!(table.size, 1);
    }

    #[test]
    fn an_end_is_that_of_the_process_that_it_names() {
        let mut table = Processes::default();
        let key = |start| ProcessKey { pid: 4, start };
        table.learn(4, running("a"));
        table.ascertain(key(7));
        let known = table.get(4, 9).unwrap();
        assert_eq!((&*known.program.image, known.key), ("a", Some(key(7))));
        // The end of that one and the start of this were missed.
        table.ascertain(key(8));
        let known = table.get(4, 9).unwrap();
        assert_eq!((&*known.program.image, known.key), ("", Some(key(8))));
    }

    #[test]
    fn children_have_what_their_parents_had_and_these() {
        let mut process = running("0");
        for pid in 1..9 {
            let ancestors = process.heritage(pid);
            process = running(&pid.to_string());
            process.ancestors = ancestors;
        }
        let pids: Vec<_> = process.ancestors.iter().map(|it| it.pid).collect();
        assert_eq!(pids, [8, 7, 6, 5, 4]);
        assert_eq!(process.ancestors[0].program.image, "7");
        assert_eq!(process.size(), 1 + MAX_ANCESTORS);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut table = Processes::default();
        for pid in 0..MAX_PROCESSES as u32 + 2 {
            table.learn(pid, running("x"));
        }
        assert_eq!(table.take_forgotten(), 2);
        // Of those that are known, the first is one that ended, though it was asked for last.
        table.end(9, 7);
        table.get(9, 7).unwrap();
        table.learn(0, running("x"));
        assert!(table.get(9, 7).is_none());
        assert!(table.get(2, 7).is_some());
        assert_eq!(table.take_forgotten(), 0);
        for pid in 0..5 {
            table.learn(pid, running(&"y".repeat(MAX_BYTES / 3)));
            assert!(table.size <= MAX_BYTES);
        }
        table.learn(9, running(&"z".repeat(MAX_BYTES + 1)));
        assert_eq!((table.size, table.known.len()), (0, 0));
    }
}
