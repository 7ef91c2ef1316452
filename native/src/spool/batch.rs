//! Consecutive records on their way to the intake.

use std::ops::Range;

use uuid::Uuid;

use super::gzip::{Gzip, decompress};
use crate::error::Result;

/// Consecutive records of the queue, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    id: Uuid,
    span: Range<u64>,
    entries: Vec<Entry>,
    body: Vec<u8>,
    size: usize,
}

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub number: u64,
    pub crc: u32,
    /// Where its line ends in the text, line feed included.
    pub end: usize,
}

impl Batch {
    /// The batch of all records left in `span`, whose lines are `text`.
    ///
    /// Its id says what it holds, not only where it stood: were a number given to another record
    /// after a crash, the intake must not take the new record for a duplicate of the old.
    pub(super) fn new(
        queue: Uuid,
        span: Range<u64>,
        entries: Vec<Entry>,
        text: &[u8],
        gzip: &mut Gzip,
    ) -> Result<Self> {
        let mut name = Vec::with_capacity(16 + 4 * entries.len());
        name.extend_from_slice(&span.start.to_le_bytes());
        name.extend_from_slice(&span.end.to_le_bytes());
        for entry in &entries {
            name.extend_from_slice(&entry.crc.to_le_bytes());
        }
        let id = Uuid::new_v5(&queue, &name);
        Ok(Self {
            id,
            span,
            entries,
            body: gzip.compress(text)?,
            size: text.len(),
        })
    }

    /// The batch cut after half of its records; `None` for a single record.
    pub(super) fn halves(&self, queue: Uuid, gzip: &mut Gzip) -> Result<Option<(Self, Self)>> {
        let middle = self.entries.len() / 2;
        let (left, right) = self.entries.split_at(middle);
        let (Some(&Entry { end: cut, .. }), Some(&Entry { number, .. })) =
            (left.last(), right.first())
        else {
            return Ok(None);
        };
        let text = self.text()?;
        let right = right
            .iter()
            .map(|entry| Entry {
                end: entry.end - cut,
                ..*entry
            })
            .collect();
        Ok(Some((
            Self::new(
                queue,
                self.span.start..number,
                left.to_vec(),
                &text[..cut],
                gzip,
            )?,
            Self::new(queue, number..self.span.end, right, &text[cut..], gzip)?,
        )))
    }

    /// The records as lines.
    pub(super) fn text(&self) -> Result<Vec<u8>> {
        decompress(&self.body, self.size)
    }

    /// UUID of exactly these records: the same after a restart of the agent.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How many records, at least 1.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The records, one a line ended by LF, gzip-compressed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Bytes of the body before compression.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Record numbers that are settled with it: those of its records, and of damaged ones between.
    pub fn span(&self) -> Range<u64> {
        self.span.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Uuid = Uuid::from_u128(1);

    fn batch(numbers: &[u64]) -> Batch {
        let mut text = Vec::new();
        let mut entries = Vec::new();
        for &number in numbers {
            text.extend_from_slice(format!("{{\"n\":{number}}}\n").as_bytes());
            entries.push(Entry {
                number,
                crc: number as u32,
                end: text.len(),
            });
        }
        let span = numbers[0]..numbers[numbers.len() - 1] + 1;
        Batch::new(QUEUE, span, entries, &text, &mut Gzip::new()).unwrap()
    }

    #[test]
    fn the_id_follows_from_queue_place_and_content() {
        let one = batch(&[4, 5]);
        assert_eq!(one.id(), batch(&[4, 5]).id());
        assert_ne!(one.id(), batch(&[5, 6]).id());
        let mut other = one.entries.clone();
        other[0].crc += 1;
        let text = one.text().unwrap();
        let other = Batch::new(QUEUE, one.span(), other, &text, &mut Gzip::new()).unwrap();
        assert_ne!(one.id(), other.id());
    }

    #[test]
    fn halves_are_the_whole_and_always_the_same() {
        let whole = batch(&[4, 5, 8, 9, 10]);
        let (left, right) = whole.halves(QUEUE, &mut Gzip::new()).unwrap().unwrap();
        assert_eq!((left.count(), left.span()), (2, 4..8));
        assert_eq!((right.count(), right.span()), (3, 8..11));
        let text = [left.text().unwrap(), right.text().unwrap()].concat();
        assert_eq!(text, whole.text().unwrap());
        assert_eq!(
            left,
            whole.halves(QUEUE, &mut Gzip::new()).unwrap().unwrap().0
        );
        assert_eq!(
            right.halves(QUEUE, &mut Gzip::new()).unwrap().unwrap().1,
            batch(&[9, 10])
        );
    }

    #[test]
    fn a_single_record_has_no_halves() {
        assert_eq!(batch(&[4]).halves(QUEUE, &mut Gzip::new()).unwrap(), None);
    }
}
