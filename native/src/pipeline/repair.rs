//! Repairs the process table after records of the life of processes were lost.
//!
//! In two steps, a second apart: /proc is read, and compared with the table once the records from
//! before that have come. So nothing is taken for missed that is only under way.

use std::time::{Duration, Instant};

use crate::engine::{Engine, Found};
use crate::event::Loss;

/// Time between two readings of /proc.
const PAUSE: Duration = Duration::from_secs(5);
/// Kinds of records that the table is made of.
const LIFE: [&str; 3] = ["fork", "exec", "exit"];

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
