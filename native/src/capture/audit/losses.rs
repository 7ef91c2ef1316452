//! What the audit system and its sockets have lost.

use std::time::{Duration, Instant};

use super::loan::Loan;
use crate::event::Loss;
use crate::host::clock;

/// How often the kernel is asked what it has lost.
const INTERVAL: Duration = Duration::from_secs(60);

/// Counts since the last call.
pub struct Losses {
    records: u64,
    process_events: u64,
    /// What the kernel had lost at the last look, and when that was.
    known: u32,
    asked: Option<Instant>,
    since: u64,
}

impl Losses {
    /// Counts from now on.
    pub fn new(loan: &mut Loan) -> Self {
        Self {
            records: 0,
            process_events: 0,
            known: loan.status().map_or(0, |status| status.lost),
            asked: Some(Instant::now()),
            since: now(),
        }
    }

    /// Records did not fit into the socket.
    pub fn add(&mut self, records: u64) {
        self.records += records;
    }

    /// Process events did not fit into the socket.
    pub fn add_process_events(&mut self, count: u64) {
        self.process_events += count;
    }

    /// The next call asks the kernel, as it is the last.
    pub fn end(&mut self) {
        self.asked = None;
    }

    /// What was lost since the last call, of whatever kind. The kernel is asked once a minute.
    pub fn take(&mut self, loan: &mut Loan) -> Vec<Loss> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= INTERVAL) {
            self.asked = Some(Instant::now());
            if let Ok(status) = loan.status() {
                let known = std::mem::replace(&mut self.known, status.lost);
                self.records += u64::from(status.lost.wrapping_sub(known));
            }
        }
        let (from, to) = (self.since, now());
        self.since = to;
        let mut losses = Vec::new();
        for (what, count) in [
            ("record", std::mem::take(&mut self.records)),
            ("process event", std::mem::take(&mut self.process_events)),
        ] {
            if count > 0 {
                losses.push(Loss {
                    what,
                    count,
                    cause: "backlog or socket full",
                    place: "kernel audit",
                    from,
                    to,
                });
            }
        }
        losses
    }
}

fn now() -> u64 {
    clock::read().wall(clock::boot_time())
}
