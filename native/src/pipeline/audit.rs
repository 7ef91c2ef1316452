//! Losses of the queue, which counts them itself, seen from outside.

use crate::counters::{Counter, Counters};
use crate::event::Loss;
use crate::spool::Evicted;

/// What was lost on a full disk, and what is found damaged.
pub(super) fn watched(now: u64) -> [Watched; 2] {
    let watch = |counter, cause, when_quiet| Watched {
        counter,
        cause,
        when_quiet,
        told: 0,
        seen: 0,
        since: now,
    };
    [
        watch(Counter::LostQueue, UNWRITTEN, true),
        watch(Counter::Damaged, DAMAGED, false),
    ]
}

const UNWRITTEN: &str = "the queue could not be written";
const DAMAGED: &str = "the queue's files were damaged";
const FULL: &str = "the queue was full";

/// Every counter of the queue's losses, and its cause.
pub(super) const CAUSES: [(Counter, &str); 3] = [
    (Counter::LostQueue, UNWRITTEN),
    (Counter::Damaged, DAMAGED),
    (Counter::Evicted, FULL),
];

/// A loss of the queue.
pub(super) fn loss(cause: &'static str, count: u64, from: u64, to: u64) -> Loss {
    Loss {
        what: "record",
        count,
        cause,
        place: "queue",
        from,
        to,
    }
}

/// The loss of evicted records.
pub(super) fn eviction(evicted: Evicted, now: u64) -> Loss {
    loss(FULL, evicted.count, evicted.since, now)
}

/// A counter whose growth is told in loss records.
#[derive(Debug)]
pub(super) struct Watched {
    counter: Counter,
    cause: &'static str,
    /// Told only when it has stopped growing: a record about a full disk needs room itself.
    when_quiet: bool,
    /// Told in loss records so far.
    told: u64,
    /// Seen at the last look, and when all of it was told last.
    seen: u64,
    since: u64,
}

impl Watched {
    /// What is to be told now; the `last` look waits for nothing.
    pub fn look(&mut self, counters: &Counters, now: u64, last: bool) -> Option<Loss> {
        let value = counters.get(self.counter);
        let is_quiet = std::mem::replace(&mut self.seen, value) == value;
        if value == self.told {
            self.since = now;
            return None;
        }
        (is_quiet || last || !self.when_quiet)
            .then(|| loss(self.cause, value - self.told, self.since, now))
    }

    /// The queue has the record of this loss.
    pub fn tell(&mut self, loss: &Loss) {
        self.told += loss.count;
        self.since = loss.to;
    }
}
