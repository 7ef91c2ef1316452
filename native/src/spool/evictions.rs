//! Which evictions the queue's user has been told of. Pure arithmetic.

use std::ops::Range;

/// Records that were evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// How many.
    pub count: u64,
    /// Not before, nanoseconds since the epoch.
    pub since: u64,
}

impl Evicted {
    fn add(&mut self, more: Self) {
        let since = match (self.count, more.count) {
            (_, 0) => self.since,
            (0, _) => more.since,
            _ => self.since.min(more.since),
        };
        let count = self.count.saturating_add(more.count);
        *self = Self { count, since };
    }
}

/// Evictions that are untold, or told by a record that is not settled yet.
///
/// One such record at a time: were it evicted, what it told would be untold again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evictions {
    /// Told by no record.
    pub untold: Evicted,
    /// Told by the record of number `teller`.
    pub told: Evicted,
    /// Means nothing while nothing is told.
    pub teller: u64,
}

impl Evictions {
    /// The records `gone` are evicted, at `now`.
    pub fn evict(&mut self, gone: Range<u64>, now: u64) {
        self.untold.add(Evicted {
            count: gone.end.saturating_sub(gone.start),
            since: now,
        });
        if gone.contains(&self.teller) {
            self.take_back();
        }
    }

    /// What a record may tell now that all numbers below `acked` are settled.
    pub fn due(&self, acked: u64) -> Option<Evicted> {
        let is_waiting = self.told.count > 0 && self.teller >= acked;
        (self.untold.count > 0 && !is_waiting).then_some(self.untold)
    }

    /// The record `teller` has told of `told`.
    pub fn tell(&mut self, told: Evicted, teller: u64) {
        self.untold.count = self.untold.count.saturating_sub(told.count);
        (self.told, self.teller) = (told, teller);
    }

    /// What is left of them after a crash, where the records `lost` were not settled and are no
    /// longer there, nor any from `next` on.
    pub fn recover(&mut self, lost: Range<u64>, next: u64) {
        if lost.contains(&self.teller) || self.teller >= next {
            self.take_back();
        }
    }

    fn take_back(&mut self) {
        self.untold.add(std::mem::take(&mut self.told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn evicted(count: u64, since: u64) -> Evicted {
        Evicted { count, since }
    }

    /// Three evicted, and told by record 10.
    fn told() -> Evictions {
        let mut evictions = Evictions::default();
        evictions.evict(0..3, 100);
        assert_eq!(evictions.due(3), Some(evicted(3, 100)));
        evictions.tell(evicted(3, 100), 10);
        assert_eq!(evictions.due(3), None);
        evictions
    }

    #[test]
    fn further_evictions_wait_until_the_teller_is_settled() {
        let mut evictions = told();
        evictions.evict(3..8, 200);
        assert_eq!(evictions.due(10), None);
        assert_eq!(evictions.due(11), Some(evicted(5, 200)));
    }

    #[test]
    fn what_an_evicted_teller_told_is_untold_again() {
        let mut evictions = told();
        evictions.evict(3..20, 200);
        assert_eq!(evictions.due(20), Some(evicted(20, 100)));
    }

    #[test]
    fn evictions_while_a_teller_is_written_stay_untold() {
        let mut evictions = Evictions::default();
        evictions.evict(0..3, 100);
        let told = evictions.due(3).unwrap();
        evictions.evict(3..5, 200);
        evictions.tell(told, 10);
        assert_eq!(evictions.due(11), Some(evicted(2, 100)));
    }

    #[test]
    fn a_teller_lost_in_a_crash_has_told_nothing() {
        for (lost, next, is_lost) in [
            (3..11, 50, true),
            (3..10, 50, false),
            (11..20, 50, false),
            (3..5, 10, true),
        ] {
            let mut evictions = told();
            evictions.recover(lost, next);
            assert_eq!(evictions.due(3).is_some(), is_lost);
        }
    }

    #[test]
    fn counts_of_a_hostile_cursor_do_not_overflow() {
        let mut evictions = told();
        evictions.untold.count = u64::MAX;
        evictions.evict(3..20, 200);
        assert_eq!(evictions.untold.count, u64::MAX);
    }
}
