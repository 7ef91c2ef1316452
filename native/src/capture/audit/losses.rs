//! What the audit system and its sockets have lost.

use std::time::{Duration, Instant};

use super::loan::Loan;
use crate::event::Loss;
use crate::host::clock;

/// How often the kernel is asked what it has lost.
const INTERVAL: Duration = Duration::from_secs(60);

/// Why something was lost.
const FULL: &str = "backlog or socket full";
const LATE: &str = "came after its event was told";

/// Counts since the last call.
pub struct Losses {
    records: u64,
    late: u64,
    process_events: u64,
    since: u64,
    /// What the kernel had lost at the last look, and when that was.
    known: u32,
    asked: Option<Instant>,
    looked: u64,
}

impl Losses {
    /// Counts from now on.
    pub fn new(loan: &mut Loan) -> Self {
        Self {
            records: 0,
            late: 0,
            process_events: 0,
            since: now(),
            known: loan.status().map_or(0, |status| status.lost),
            asked: Some(Instant::now()),
            looked: now(),
        }
    }

    /// Records did not fit into the socket.
    pub fn add(&mut self, records: u64) {
        self.records += records;
    }

    /// Records came after the event that they belong to was told.
    pub fn add_late(&mut self, records: u64) {
        self.late += records;
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
        let to = now();
        let mut losses = Vec::new();
        let mut add = |what, count, cause, from| {
            if count > 0 {
                losses.push(Loss {
                    what,
                    count,
                    cause,
                    place: "kernel audit",
                    from,
                    to,
                });
            }
        };
        if self.asked.is_none_or(|asked| asked.elapsed() >= INTERVAL) {
            self.asked = Some(Instant::now());
            if let Ok(status) = loan.status() {
                let known = std::mem::replace(&mut self.known, status.lost);
                let looked = std::mem::replace(&mut self.looked, to);
                add(
                    "record",
                    status.lost.wrapping_sub(known).into(),
                    FULL,
                    looked,
                );
            }
        }
        let since = std::mem::replace(&mut self.since, to);
        add("record", std::mem::take(&mut self.records), FULL, since);
        add("record", std::mem::take(&mut self.late), LATE, since);
        let process_events = std::mem::take(&mut self.process_events);
        add("process event", process_events, FULL, since);
        losses
    }
}

fn now() -> u64 {
    clock::read().wall(clock::boot_time())
}
