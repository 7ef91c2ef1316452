//! Who runs what, and who started it, as events have told.

use std::sync::Arc;

use lru::LruCache;

use crate::event::ProcessKey;

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
    /// That one, as far as it was known then.
    pub parent_key: Option<ProcessKey>,
    #[allow(missing_docs)]
    pub parent_program: Option<Arc<Program>>,
    /// SID of its user, or nothing.
    pub user: Arc<str>,
    /// Its first thread is there.
    pub has_begun: bool,
    /// When it ended, 100 ns since 1601.
    pub ended: Option<u64>,
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
    fn size(&self) -> usize {
        // A program that several processes share is counted for the first of them.
        self.program.image.len() + self.program.command_line.len() + self.user.len()
    }
}

/// The table. Where it is full, the one that was not asked for longest is forgotten.
#[derive(Debug)]
pub struct Processes {
    known: LruCache<u32, Process>,
    size: usize,
    forgotten: u64,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            known: LruCache::unbounded(),
            size: 0,
            forgotten: 0,
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

    /// A process has a number now.
    pub fn learn(&mut self, pid: u32, process: Process) {
        self.size += process.size();
        if let Some(before) = self.known.put(pid, process) {
            self.size -= before.size();
        }
        while self.known.len() > MAX_PROCESSES || self.size > MAX_BYTES {
            let Some((_, process)) = self.known.pop_lru() else {
                return;
            };
            self.size -= process.size();
            self.forgotten += 1;
        }
    }

    /// The first thread of a process is there; whether it was not before.
    pub fn begin(&mut self, pid: u32) -> bool {
        let process = self.known.get_mut(&pid);
        process.is_some_and(|process| !std::mem::replace(&mut process.has_begun, true))
    }

    /// A process ends.
    pub fn end(&mut self, pid: u32, time: u64) {
        if let Some(process) = self.known.peek_mut(&pid) {
            process.ended = Some(time);
        }
    }

    /// How many were forgotten for want of room since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{LINGER, MAX_BYTES, MAX_PROCESSES, Process, Processes, Program};

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
    fn the_table_is_bounded() {
        let mut table = Processes::default();
        for pid in 0..MAX_PROCESSES as u32 + 2 {
            table.learn(pid, running("x"));
        }
        assert_eq!(table.take_forgotten(), 2);
        for pid in 0..5 {
            table.learn(pid, running(&"y".repeat(MAX_BYTES / 3)));
            assert!(table.size <= MAX_BYTES);
        }
        table.learn(9, running(&"z".repeat(MAX_BYTES + 1)));
        assert_eq!((table.size, table.known.len()), (0, 0));
    }
}
