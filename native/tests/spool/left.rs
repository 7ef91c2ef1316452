//! What a crash leaves of a queue, read from its files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use crate::format;
use crate::help::segments;
use crate::model::Slot;

/// What the files hold.
pub struct Left {
    pub cursor: Option<format::Cursor>,
    /// The first number that any segment can hold.
    pub first: u64,
    pub whole: BTreeMap<u64, Vec<u8>>,
    /// The newest segment ends in something else than a whole frame.
    pub is_torn: bool,
}

impl Left {
    pub fn read(directory: &Path) -> Self {
        let mut left = Self {
            cursor: format::cursor(&directory.join("cursor")),
            first: u64::MAX,
            whole: BTreeMap::new(),
            is_torn: false,
        };
        for segment in segments(directory) {
            let frames = format::frames(&segment);
            if frames.is_empty() && !format::has_header(&segment) {
                left.is_torn = true;
                continue;
            }
            let end = frames.last().map_or(36, |frame| frame.place.end);
            left.is_torn = segment.metadata().unwrap().len() > end as u64;
            left.first = left.first.min(format::first_of(&segment));
            left.whole.extend(
                frames
                    .into_iter()
                    .map(|frame| (frame.number, frame.payload)),
            );
        }
        left
    }

    /// The first number that has to be delivered.
    pub fn position(&self) -> u64 {
        let cursor = self.cursor.unwrap_or_default();
        let settled = cursor.acked.max(cursor.oldest);
        if self.first == u64::MAX {
            settled
        } else {
            settled.max(self.first)
        }
    }

    /// Whether a batch that was in flight is still there as it was.
    pub fn holds(&self, span: &Range<u64>, slots: &[Slot]) -> bool {
        self.cursor
            .is_some_and(|cursor| (cursor.acked..cursor.head_end) == *span)
            && self.position() == span.start
            && slots
                .iter()
                .all(|(number, record)| self.whole.get(number) == record.as_ref())
    }
}
