//! Which record numbers are settled, handed out, and still to be read. Pure arithmetic.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::batch::Batch;
use super::cursor::Mark;

/// Numbers below `acked` are settled, those up to `position` are in flight, the rest is unread.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Next number to be read.
    position: u64,
    /// Handed out and not yet settled, oldest first: one batch, or the parts of one.
    in_flight: VecDeque<Arc<Batch>>,
    /// End of the batch that was in flight when the last run ended.
    resume_end: u64,
    reading: bool,
}

impl Ledger {
    /// Nothing in flight, but the records up to `resume_end` are to be handed out as one batch.
    pub fn new(position: u64, resume_end: u64) -> Self {
        Self {
            position,
            in_flight: VecDeque::new(),
            resume_end,
            reading: false,
        }
    }

    /// Next number to be read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Every number below is settled.
    pub fn acked(&self) -> u64 {
        self.head().map_or(self.position, |head| head.span().start)
    }

    /// Records in flight or unread, where `next` is the first not yet written.
    pub fn queued(&self, next: u64) -> u64 {
        let in_flight: usize = self.in_flight.iter().map(|batch| batch.count()).sum();
        in_flight as u64 + (next - self.position)
    }

    /// The batch to be settled first.
    pub fn head(&self) -> Option<&Arc<Batch>> {
        self.in_flight.front()
    }

    /// Whether the next batch was in flight when the last run ended.
    pub fn is_resuming(&self) -> bool {
        self.position < self.resume_end
    }

    /// Claims the numbers for the next batch, where `next` is the first not yet written. `None`
    /// while a batch is in flight.
    pub fn begin_reading(&mut self, next: u64) -> Option<Range<u64>> {
        if !self.in_flight.is_empty() {
            return None;
        }
        self.reading = true;
        Some(
            self.position..if self.is_resuming() {
                self.resume_end
            } else {
                next
            },
        )
    }

    /// Gives the claim back: nothing was read.
    pub fn abandon_reading(&mut self) {
        self.reading = false;
    }

    /// Numbers below `end` were read, and whole records among them are in `batch`.
    pub fn end_reading(&mut self, end: u64, batch: Option<Arc<Batch>>) {
        self.reading = false;
        self.position = end;
        self.in_flight.extend(batch);
    }

    /// Settles the head.
    pub fn settle_head(&mut self) {
        self.in_flight.pop_front();
    }

    /// Puts the parts of the head in its place.
    pub fn split_head(&mut self, left: Arc<Batch>, right: Arc<Batch>) {
        self.in_flight.pop_front();
        self.in_flight.push_front(right);
        self.in_flight.push_front(left);
    }

    /// Passes over unread numbers below `oldest`, and returns them. What is being read is passed
    /// over later: it may yet be saved.
    pub fn evict_below(&mut self, oldest: u64) -> Range<u64> {
        let start = self.position;
        if !self.reading {
            self.position = start.max(oldest);
        }
        start..self.position
    }

    /// The numbers below `oldest` that a crash now would leave evicted and not passed over, those
    /// aside that the mark has in flight.
    pub fn evicted_by_a_crash(&self, oldest: u64) -> Range<u64> {
        let start = self.position.max(self.resume_end);
        start..oldest.max(start)
    }

    /// What the cursor file has to say, where `oldest` is the first number in the files.
    pub fn mark(&self, oldest: u64) -> Mark {
        let acked = self.acked();
        let end = |batch: Option<&Arc<Batch>>| {
            batch.map_or(self.resume_end.max(acked), |batch| batch.span().end)
        };
        let (head, last) = (self.in_flight.front(), self.in_flight.back());
        Mark {
            acked,
            head_end: end(head),
            in_flight_end: end(last),
            oldest,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::batch::Entry;
    use super::super::gzip::Gzip;
    use super::*;

    fn batch(span: Range<u64>) -> Arc<Batch> {
        let entries: Vec<Entry> = span
            .clone()
            .map(|number| Entry {
                number,
                crc: 0,
                end: 0,
            })
            .collect();
        Arc::new(Batch::new(Uuid::nil(), span, entries, b"", &mut Gzip::new()).unwrap())
    }

    fn mark(acked: u64, head_end: u64, in_flight_end: u64) -> Mark {
        Mark {
            acked,
            head_end,
            in_flight_end,
            oldest: 5,
        }
    }

    #[test]
    fn records_move_from_unread_to_in_flight_to_settled() {
        let mut ledger = Ledger::new(10, 0);
        assert_eq!(ledger.begin_reading(30), Some(10..30));
        ledger.end_reading(20, Some(batch(10..20)));
        assert_eq!(
            (ledger.acked(), ledger.position(), ledger.queued(30)),
            (10, 20, 20)
        );
        assert_eq!(ledger.mark(5), mark(10, 20, 20));
        assert_eq!(ledger.begin_reading(30), None);
        ledger.settle_head();
        assert_eq!((ledger.acked(), ledger.queued(30)), (20, 10));
        assert_eq!(ledger.mark(5), mark(20, 20, 20));
    }

    #[test]
    fn eviction_spares_what_is_in_flight() {
        let mut ledger = Ledger::new(10, 0);
        ledger.begin_reading(30);
        ledger.end_reading(20, Some(batch(10..20)));
        assert_eq!(ledger.evict_below(15), 20..20);
        assert_eq!(ledger.evict_below(25), 20..25);
        assert_eq!(
            (ledger.acked(), ledger.position(), ledger.queued(30)),
            (10, 25, 15)
        );
        ledger.settle_head();
        assert_eq!((ledger.acked(), ledger.queued(30)), (25, 5));
    }

    #[test]
    fn eviction_waits_for_a_reading_to_end() {
        let mut ledger = Ledger::new(10, 0);
        ledger.begin_reading(30);
        assert_eq!(ledger.evict_below(25), 10..10);
        assert_eq!(ledger.evicted_by_a_crash(25), 10..25);
        ledger.end_reading(20, Some(batch(10..20)));
        assert_eq!(ledger.evict_below(25), 20..25);
        assert!(ledger.evicted_by_a_crash(25).is_empty());
    }

    #[test]
    fn the_batch_in_flight_at_the_end_of_a_run_is_claimed_whole() {
        let mut ledger = Ledger::new(10, 17);
        assert_eq!(ledger.mark(5), mark(10, 17, 17));
        assert_eq!(ledger.begin_reading(30), Some(10..17));
        ledger.end_reading(17, Some(batch(10..17)));
        ledger.settle_head();
        assert!(!ledger.is_resuming());
        assert_eq!(ledger.begin_reading(30), Some(17..30));
    }

    #[test]
    fn parts_of_a_batch_are_settled_one_after_the_other() {
        let mut ledger = Ledger::new(10, 0);
        ledger.begin_reading(20);
        ledger.end_reading(20, Some(batch(10..20)));
        ledger.split_head(batch(10..15), batch(15..20));
        assert_eq!(ledger.mark(5), mark(10, 15, 20));
        ledger.settle_head();
        assert_eq!(ledger.mark(5), mark(15, 20, 20));
        assert_eq!(ledger.queued(20), 5);
    }
}
