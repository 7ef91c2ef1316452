//! The segments, and the buffer of records on their way into the newest of them.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::Settings;
use super::disk::Positioned;
use super::folder::Folder;
use super::{frame, segment};

/// The buffer is written when it holds so many bytes.
const BUFFER: usize = 256 << 10;

/// A segment by what the queue has to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Number of its first record.
    pub first: u64,
    /// Its size, header included.
    pub bytes: u64,
}

/// The record numbers of a segment and where its frames end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub first: u64,
    pub end: u64,
    pub bytes: u64,
}

/// What is not yet known to be on the disk itself.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// Segments with new data, by their first record.
    segments: Vec<(u64, Arc<File>)>,
    /// The folder, when it has new or removed names.
    names: Option<Arc<Folder>>,
}

/// All segments, oldest first. The numbers of each go up to the first of the next.
#[derive(Debug)]
pub(super) struct Log {
    folder: Arc<Folder>,
    queue: Uuid,
    max_bytes: u64,
    segment_bytes: u64,
    segments: VecDeque<Segment>,
    /// The newest segment's file while records may still go there.
    active: Option<Arc<File>>,
    /// Number of the next record to be written.
    next: u64,
    /// Frames of the records `next..next + buffered`.
    buffer: Vec<u8>,
    buffered: u64,
    unsynced: Unsynced,
}

impl Log {
    /// A log of the given segments, whose records end before `next`. Records may still go to the
    /// newest when its file is given as `active`.
    pub fn new(
        folder: Arc<Folder>,
        queue: Uuid,
        settings: &Settings,
        segments: VecDeque<Segment>,
        active: Option<File>,
        next: u64,
    ) -> Self {
        Self {
            folder,
            queue,
            max_bytes: settings.max_bytes,
            segment_bytes: settings.segment_bytes,
            segments,
            active: active.map(Arc::new),
            next,
            buffer: Vec::new(),
            buffered: 0,
            unsynced: Unsynced::default(),
        }
    }

    /// Number of the next record to be written; all below are in the files or were.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Number of the oldest record in the files; [`Log::next`] when they hold none.
    pub fn oldest(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.next, |segment| segment.first)
    }

    /// Whether more than half of what all segments may hold is taken.
    pub fn is_half_full(&self) -> bool {
        self.bytes() > self.max_bytes / 2
    }

    /// Size of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Records in the buffer.
    pub fn buffered(&self) -> u64 {
        self.buffered
    }

    /// The folder of the files.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Whether a record of `length` bytes can be queued at all.
    pub fn accepts(&self, length: usize) -> bool {
        let size = (segment::HEADER + frame::OVERHEAD + length) as u64;
        length <= frame::MAX_RECORD && size <= self.max_bytes
    }

    /// Whether the newest segment, with what is buffered for it, is too full for a record of
    /// `length` bytes. A segment takes at least one.
    pub fn is_full_for(&self, length: usize) -> bool {
        let used = self.active_bytes() + self.buffer.len() as u64;
        let size = (frame::OVERHEAD + length) as u64;
        used > segment::HEADER as u64 && used + size > self.segment_bytes
    }

    /// Ends the newest segment; the next write begins another.
    pub fn seal(&mut self) {
        self.active = None;
    }

    /// Buffers a record that [`Log::accepts`]. True when the buffer should now be written.
    pub fn push(&mut self, record: &[u8]) -> bool {
        frame::put(&mut self.buffer, self.next + self.buffered, record);
        self.buffered += 1;
        self.buffer.len() >= BUFFER
    }

    /// The number that the log has to begin with for the buffer to be written within the size
    /// limit.
    pub fn oldest_with_room(&self) -> u64 {
        let header = match self.active {
            Some(_) => 0,
            None => segment::HEADER,
        };
        let mut bytes = self.bytes() + (header + self.buffer.len()) as u64;
        let mut oldest = self.oldest();
        for (index, segment) in self.segments.iter().enumerate() {
            if bytes <= self.max_bytes {
                break;
            }
            bytes -= segment.bytes;
            oldest = self.end_of(index);
        }
        oldest
    }

    /// Writes the buffer whole or not at all, and empties it in either case.
    pub fn write(&mut self) -> io::Result<()> {
        let written = self.write_buffer();
        if written.is_ok() {
            self.next += self.buffered;
        }
        self.buffered = 0;
        self.buffer.clear();
        self.buffer.shrink_to(2 * BUFFER);
        written
    }

    /// Removes the segments that hold no record of number `keep` or above.
    pub fn remove_below(&mut self, keep: u64) {
        while !self.segments.is_empty() && self.end_of(0) <= keep {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        let Some(segment) = self.segments.pop_front() else {
            return;
        };
        if self.segments.is_empty() {
            self.active = None;
        }
        // A file that stays is found again at the next start, below the cursor, and removed then.
        let _ = self.folder.remove(&segment::name(segment.first));
        // An open file keeps its room on the disk.
        self.unsynced
            .segments
            .retain(|(first, _)| *first != segment.first);
        self.unsynced.names = Some(self.folder.clone());
    }

    /// The segment that record `number` is in; `None` when there is none.
    pub fn extent_of(&self, number: u64) -> Option<Extent> {
        let after = self
            .segments
            .partition_point(|segment| segment.first <= number);
        let index = after.checked_sub(1)?;
        let Segment { first, bytes } = *self.segments.get(index)?;
        let end = self.end_of(index);
        (number < end).then_some(Extent { first, end, bytes })
    }

    /// Opens the segment whose first record is `first`.
    pub fn open(&self, first: u64) -> io::Result<File> {
        self.folder.open_existing(&segment::name(first))
    }

    /// What has to be synced for all that was written to last.
    pub fn take_unsynced(&mut self) -> Unsynced {
        std::mem::take(&mut self.unsynced)
    }

    fn end_of(&self, index: usize) -> u64 {
        self.segments
            .get(index + 1)
            .map_or(self.next, |segment| segment.first)
    }

    fn active_bytes(&self) -> u64 {
        match (&self.active, self.segments.back()) {
            (Some(_), Some(segment)) => segment.bytes,
            _ => segment::HEADER as u64,
        }
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let file = match &self.active {
            Some(file) => file.clone(),
            None => self.begin_segment()?,
        };
        let Some(segment) = self.segments.back_mut() else {
            return Ok(());
        };
        let written = file.write_all_at(&self.buffer, segment.bytes);
        if written.is_ok() {
            segment.bytes += self.buffer.len() as u64;
            let first = segment.first;
            self.mark_unsynced(first, file);
        } else {
            self.undo_write(&file);
        }
        written
    }

    fn begin_segment(&mut self) -> io::Result<Arc<File>> {
        let first = self.next;
        let file = Arc::new(self.folder.create(&segment::name(first))?);
        self.segments.push_back(Segment {
            first,
            bytes: segment::HEADER as u64,
        });
        self.active = Some(file.clone());
        self.unsynced.names = Some(self.folder.clone());
        let written = file.write_all_at(&segment::header(self.queue, first), 0);
        if written.is_err() {
            self.undo_write(&file);
        }
        written.map(|()| file)
    }

    /// Takes back what a failed write left, and the segment with it when nothing else is in it.
    /// Should that fail too, the next write goes over it.
    fn undo_write(&mut self, file: &File) {
        let Some(segment) = self.segments.back() else {
            return;
        };
        if segment.bytes > segment::HEADER as u64 {
            let _ = file.set_len(segment.bytes);
        } else {
            let _ = self.folder.remove(&segment::name(segment.first));
            self.segments.pop_back();
            self.active = None;
        }
    }

    fn mark_unsynced(&mut self, first: u64, file: Arc<File>) {
        if self
            .unsynced
            .segments
            .last()
            .is_none_or(|(last, _)| *last != first)
        {
            self.unsynced.segments.push((first, file));
        }
    }
}

impl Unsynced {
    /// Syncs the data, then the names. Whether all of it is on the disk: what is not shows as damage
    /// when the data is read, and is counted there.
    pub fn sync(self) -> bool {
        let mut is_synced = true;
        for (_, file) in &self.segments {
            is_synced &= file.sync_data().is_ok();
        }
        if let Some(folder) = self.names {
            is_synced &= folder.sync().is_ok();
        }
        is_synced
    }
}
