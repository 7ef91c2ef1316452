//! Repairs the process table after records of the life of processes were lost.
//!
//! In two steps, a second apart: /proc is read, and compared with the table once the records from
//! before that have come. So nothing is taken for missed that is only under way.

use std::time::{Duration, Instant};

use crate::engine::{Engine, Found};
use crate::event::Loss;

/// Time between two readings of /proc.
const PAUSE: Duration = Duration::from_secs(5);
/// Kinds of records that the table is made of; the audit source cannot tell what a lost one was of.
const LIFE: [&str; 5] = ["fork", "exec", "exit", "process event", "record"];

/// What is to be done.
#[derive(Debug, Default)]
pub struct Repair {
    is_wanted: bool,
    looked: Option<Instant>,
    found: Option<Found>,
}

impl Repair {
    /// Something was lost.
    pub fn note(&mut self, loss: &Loss) {
        self.is_wanted |= LIFE.contains(&loss.what);
    }

    /// Does the next step, if there is one.
    pub fn step(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        sequence: &mut dyn FnMut() -> u64,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        if let Some(found) = self.found.take() {
            engine.mend(&found, sequence, emit);
        }
        let is_due = self.looked.is_none_or(|looked| now - looked >= PAUSE);
        if self.is_wanted && is_due {
            self.is_wanted = false;
            self.looked = Some(now);
            self.found = engine.look();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_is_made_of_is_repaired_whoever_lost_it() {
        for (what, is_wanted) in [
            ("exec", true),
            ("process event", true),
            ("record", true),
            ("file", false),
        ] {
            let mut repair = Repair::default();
            repair.note(&Loss {
                what,
                count: 1,
                cause: "backlog or socket full",
                place: "kernel audit",
                from: 1,
                to: 2,
            });
            assert_eq!(repair.is_wanted, is_wanted, "{what}");
        }
    }
}
