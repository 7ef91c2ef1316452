//! The start of a process is told twice: by the kernel's provider, which knows its file and when it was
//! created, and by the classic logger, which knows its command line and user. The two come by
//! different sessions, in any order; here they meet.

use std::collections::VecDeque;

use super::processes::{Process, Program};
use crate::event::LogRecord;

/// 100 ns that one waits for the other, and how many wait at most.
pub const PATIENCE: u64 = 10_000_000;
#[allow(missing_docs)]
pub const MAX_WAITING: usize = 1_024;

/// 100 ns by which no session is behind the other: the clock was set back, and none is to wait until then.
const SET_BACK: u64 = 60 * PATIENCE;

/// One of the two, or both.
#[derive(Debug)]
pub struct Start {
    /// Number of the process.
    pub pid: u32,
    /// What was told of it.
    pub process: Process,
    /// It was told by the classic logger.
    pub is_classic: bool,
    /// The record that tells it.
    pub record: Box<LogRecord>,
    /// When it was told, 100 ns since 1601.
    pub time: u64,
}

/// Those that wait for their other half, oldest first.
#[derive(Debug, Default)]
pub struct Starts {
    waiting: VecDeque<Start>,
}

impl Starts {
    /// Takes one half. Gives the whole, if the other is there.
    pub fn meet(&mut self, start: Start) -> Option<Start> {
        let is_other = |other: &Start| {
            other.pid == start.pid
                && other.is_classic != start.is_classic
                && other.time.abs_diff(start.time) <= PATIENCE
        };
        match self.waiting.iter().position(is_other) {
            Some(at) => Some(whole(self.waiting.remove(at)?, start)),
            None => {
                self.waiting.push_back(start);
                None
            }
        }
    }

    /// One of a process with this number waits that was told after then.
    pub fn waits(&self, pid: u32, after: u64) -> bool {
        let is_it = |start: &Start| start.pid == pid && start.time > after;
        self.waiting.iter().any(is_it)
    }

    /// One whose other half has not come, and will not be waited for.
    pub fn overdue(&mut self, now: u64) -> Option<Start> {
        let oldest = self.waiting.front()?;
        let is_late = oldest.time.saturating_add(PATIENCE) < now;
        let was_set_back = oldest.time > now.saturating_add(SET_BACK);
        if is_late || was_set_back || self.waiting.len() > MAX_WAITING {
            return self.waiting.pop_front();
        }
        None
    }
}

/// The record of the classic logger, which the original agent tells, and what both know.
fn whole(one: Start, other: Start) -> Start {
    let (classic, kernels) = if one.is_classic {
        (one, other)
    } else {
        (other, one)
    };
    Start {
        process: Process {
            program: Program {
                image: kernels.process.program.image.clone(),
                command_line: classic.process.program.command_line.clone(),
            }
            .into(),
            user: classic.process.user,
            has_begun: classic.process.has_begun || kernels.process.has_begun,
            ..kernels.process
        },
        ..classic
    }
}
