//! Making batches of what is in the segments, without holding up those who write them.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use super::Limits;
use super::batch::{Batch, Entry};
use super::gzip::Gzip;
use super::log::Extent;
use super::scan::Scan;
use super::segment;
use super::state::SharedState;
use crate::error::{Error, Result};

/// Memory kept between two batches for the text of one, in bytes.
const TEXT_KEPT: usize = 512 << 10;

/// The one reader of a queue, and the memory it uses again and again.
#[derive(Debug)]
pub(super) struct Reader {
    /// The segment read last, by its first record, and how far it was read.
    place: (u64, Scan),
    text: Vec<u8>,
    pub gzip: Gzip,
}

/// What was found under some numbers.
#[derive(Debug)]
pub(super) struct Reading {
    /// The numbers dealt with.
    pub span: Range<u64>,
    /// Of these, the whole records.
    entries: Vec<Entry>,
    /// Of these, how many are not whole.
    pub damaged: u64,
    /// Bytes of damage passed.
    pub damaged_bytes: u64,
}

impl Reader {
    pub fn new() -> Self {
        Self {
            place: (0, Scan::new()),
            text: Vec::new(),
            gzip: Gzip::new(),
        }
    }

    /// Reads from the start of `span` as many records as `limits` allow, at least one if there is.
    pub fn read(
        &mut self,
        state: &SharedState,
        span: Range<u64>,
        limits: &Limits,
    ) -> Result<Reading> {
        let start = span.start;
        let mut reading = Reading {
            span: start..start,
            entries: Vec::new(),
            damaged: 0,
            damaged_bytes: 0,
        };
        self.text.clear();
        while reading.span.end < span.end {
            let Some((extent, file)) = reach(state, reading.span.end)? else {
                break;
            };
            if !self.read_segment(&extent, file, span.end, limits, &mut reading) {
                break;
            }
        }
        Ok(reading)
    }

    /// The batch of what was just read; `None` when no record was whole.
    pub fn batch(&mut self, queue: Uuid, reading: &mut Reading) -> Result<Option<Arc<Batch>>> {
        if reading.entries.is_empty() {
            return Ok(None);
        }
        let entries = std::mem::take(&mut reading.entries);
        let batch = Batch::new(
            queue,
            reading.span.clone(),
            entries,
            &self.text,
            &mut self.gzip,
        )?;
        self.shrink();
        Ok(Some(Arc::new(batch)))
    }

    /// Forgets its place, after a reading that came to nothing.
    pub fn reset(&mut self) {
        self.place = (0, Scan::new());
    }

    /// Reads a segment on, up to number `end`. False when the batch is full.
    fn read_segment(
        &mut self,
        extent: &Extent,
        file: Option<File>,
        end: u64,
        limits: &Limits,
        reading: &mut Reading,
    ) -> bool {
        let end = end.min(extent.end);
        let Some(file) = file else {
            reading.damaged_bytes += extent.bytes;
            reading.pass_to(end);
            return true;
        };
        if self.place.0 != extent.first {
            self.place = (extent.first, Scan::new());
        }
        let scan = &mut self.place.1;
        scan.extend(extent.bytes);
        while reading.span.end < end
            && let Some(frame) = scan.find(&file, reading.span.end..extent.end)
            && frame.number < end
        {
            if !reading.has_room(limits, self.text.len() + frame.length + 1) {
                return false;
            }
            self.text.extend_from_slice(scan.payload(&frame));
            self.text.push(b'\n');
            scan.step_over(&frame);
            reading.pass_to(frame.number);
            reading.take(Entry {
                number: frame.number,
                crc: frame.crc,
                end: self.text.len(),
            });
        }
        reading.damaged_bytes += scan.take_damaged();
        reading.pass_to(end);
        true
    }

    fn shrink(&mut self) {
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT);
        self.place.1.shrink();
    }
}

/// Opens the segment that record `number` is in: no file when it is missing, and nothing at all when
/// the record was evicted in the meantime.
fn reach(state: &SharedState, number: u64) -> Result<Option<(Extent, Option<File>)>> {
    // Opened under the lock, or the segment could be removed in between.
    let state = state.lock();
    let Some(extent) = state.log.extent_of(number) else {
        return Ok(None);
    };
    match state.log.open(extent.first) {
        Ok(file) => Ok(Some((extent, Some(file)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some((extent, None))),
        Err(error) => {
            let path = state.log.folder().path(&segment::name(extent.first));
            Err(Error::io("cannot open", path)(error))
        }
    }
}

impl Reading {
    /// Whether a batch whose text grows to `size` bytes by one more record is within the limits.
    fn has_room(&self, limits: &Limits, size: usize) -> bool {
        self.entries.is_empty()
            || (self.entries.len() < limits.max_records && size <= limits.max_bytes)
    }

    /// Gives up the numbers below `number`.
    fn pass_to(&mut self, number: u64) {
        self.damaged += number - self.span.end;
        self.span.end = number;
    }

    fn take(&mut self, entry: Entry) {
        self.span.end = entry.number + 1;
        self.entries.push(entry);
    }
}
