//! When records were queued, as finely as waiting for a fuller batch needs it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Records that arrive within this time of others count as arrived with them.
const GRAIN: Duration = Duration::from_millis(50);
/// Older arrivals are forgotten: their records have waited long enough.
const KEPT: usize = 256;

/// The arrival of the newest records.
#[derive(Debug, Default)]
pub(super) struct Arrivals(VecDeque<(u64, Instant)>);

impl Arrivals {
    /// Record `first` and those after it arrive at `now`.
    pub fn note(&mut self, first: u64, now: Instant) {
        if self
            .0
            .back()
            .is_some_and(|&(_, last)| now.saturating_duration_since(last) < GRAIN)
        {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((first, now));
    }

    /// When record `number` arrived, at most [`GRAIN`] early; `None` if that is long ago.
    pub fn of(&self, number: u64) -> Option<Instant> {
        let after = self.0.partition_point(|&(first, _)| first <= number);
        Some(self.0.get(after.checked_sub(1)?)?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_arrived_when_it_was_noted() {
        let mut arrivals = Arrivals::default();
        let start = Instant::now();
        arrivals.note(10, start);
        arrivals.note(20, start + GRAIN);
        let of = |number| arrivals.of(number).map(|instant| instant - start);
        assert_eq!(of(9), None, "before anything known");
        assert_eq!(of(10), Some(Duration::ZERO));
        assert_eq!(of(19), Some(Duration::ZERO));
        assert_eq!(of(500), Some(GRAIN));
    }

    #[test]
    fn close_arrivals_are_one_and_old_ones_are_forgotten() {
        let mut arrivals = Arrivals::default();
        let start = Instant::now();
        for number in 0..10 * KEPT as u64 {
            arrivals.note(number, start + GRAIN / 2 * number as u32);
        }
        assert_eq!(arrivals.0.len(), KEPT);
        assert_eq!(arrivals.of(0), None);
        assert_eq!(
            arrivals.of(10 * KEPT as u64 - 1),
            arrivals.of(10 * KEPT as u64 - 2)
        );
    }
}
