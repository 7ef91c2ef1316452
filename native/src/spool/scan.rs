//! Reading the frames of one segment in order, over whatever damage lies between them.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;

use super::disk::Positioned;
use super::frame::{self, Frame, Parsed};
use super::segment;

/// Bytes read at a time, unless a frame is longer.
const CHUNK: usize = 256 << 10;

/// A moving window over the whole frames of a segment. Places are offsets in its file.
///
/// The file is not kept, for an open file keeps its room on the disk after it was removed.
#[derive(Debug)]
pub(super) struct Scan {
    /// The next byte to look at.
    next: u64,
    /// Where reading has to stop.
    limit: u64,
    window: Vec<u8>,
    /// Where the window's first byte is.
    window_start: u64,
    damaged: u64,
}

impl Scan {
    /// Stands behind the header. See [`Scan::extend`] for where it stops.
    pub fn new() -> Self {
        let start = segment::HEADER as u64;
        let window = Vec::new();
        Self {
            next: start,
            limit: start,
            window,
            window_start: start,
            damaged: 0,
        }
    }

    /// Lets the scan go on to `limit`.
    pub fn extend(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// The next whole frame of `file` whose number is in `numbers`, not yet stepped over.
    ///
    /// Lower numbers are stepped over in silence. Everything else in the way, higher numbers
    /// among it, is damage: the scan goes on at the next magic. `None` at the limit.
    pub fn find(&mut self, file: &File, numbers: Range<u64>) -> Option<Frame> {
        while self.next < self.limit {
            match frame::parse(self.ahead()) {
                Parsed::Whole(frame) if numbers.contains(&frame.number) => return Some(frame),
                Parsed::Whole(frame) if frame.number < numbers.start => self.step_over(&frame),
                Parsed::Short(needed) if self.fill(file, needed) => {}
                Parsed::Whole(_) | Parsed::Short(_) | Parsed::Damaged => self.resynchronise(file),
            }
        }
        None
    }

    /// The payload of the frame just found.
    pub fn payload(&self, frame: &Frame) -> &[u8] {
        &self.ahead()[frame::OVERHEAD..frame.size()]
    }

    /// Goes behind the frame just found.
    pub fn step_over(&mut self, frame: &Frame) {
        self.next += frame.size() as u64;
    }

    /// The next byte to look at.
    pub fn offset(&self) -> u64 {
        self.next
    }

    /// Bytes of damage passed since the last call.
    pub fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    /// Gives back the memory that one long frame may have taken.
    pub fn shrink(&mut self) {
        if self.window.capacity() > 2 * CHUNK {
            self.discard_behind();
            self.window.shrink_to(2 * CHUNK);
        }
    }

    /// The bytes from the next one on that are in memory.
    fn ahead(&self) -> &[u8] {
        self.window
            .get((self.next - self.window_start) as usize..)
            .unwrap_or_default()
    }

    fn discard_behind(&mut self) {
        let behind = (self.next - self.window_start) as usize;
        self.window.drain(..behind.min(self.window.len()));
        self.window_start = self.next;
    }

    /// Makes `needed` bytes ready. False when the limit or the disk does not allow it.
    fn fill(&mut self, file: &File, needed: usize) -> bool {
        if self.next + needed as u64 > self.limit {
            return false;
        }
        self.discard_behind();
        let have = self.window.len();
        let rest = (self.limit - self.next) as usize;
        self.window.resize(needed.max(CHUNK).min(rest), 0);
        let start = self.next + have as u64;
        let read = read_up_to(file, &mut self.window[have..], start);
        self.window.truncate(have + read);
        if self.window.len() < needed {
            // What cannot be read is given up, or one bad sector would hold up the queue.
            self.skip(rest);
        }
        self.next < self.limit
    }

    fn resynchronise(&mut self, file: &File) {
        const LENGTH: usize = frame::MAGIC.len();
        self.skip(1);
        while self.ahead().len() >= LENGTH || self.fill(file, LENGTH) {
            let ahead = self.ahead();
            match ahead
                .windows(LENGTH)
                .position(|bytes| bytes == frame::MAGIC)
            {
                Some(distance) => return self.skip(distance),
                None => self.skip(ahead.len() - (LENGTH - 1)),
            }
        }
        self.skip(LENGTH);
    }

    /// Passes over damage, up to the limit.
    fn skip(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.limit - self.next);
        self.next += bytes;
        self.damaged += bytes;
    }
}

/// Fills `bytes` from `offset` on as far as the file and the disk allow; how many are filled.
fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> usize {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const ALL: Range<u64> = 0..u64::MAX;

    /// A file of a header's worth of zeros and then `body`, and a scan of it all.
    fn scan(body: &[u8]) -> (File, Scan) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[0; segment::HEADER]).unwrap();
        file.write_all(body).unwrap();
        let mut scan = Scan::new();
        scan.extend((segment::HEADER + body.len()) as u64);
        (file, scan)
    }

    fn frames(numbers: Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        numbers.for_each(|number| frame::put(&mut bytes, number, format!("{number}").as_bytes()));
        bytes
    }

    fn found(file: &File, scan: &mut Scan, numbers: Range<u64>) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some(frame) = scan.find(file, numbers.clone()) {
            assert_eq!(scan.payload(&frame), format!("{}", frame.number).as_bytes());
            scan.step_over(&frame);
            found.push(frame.number);
        }
        found
    }

    #[test]
    fn whole_frames_come_in_order_and_lower_numbers_not_at_all() {
        let (file, mut scan) = scan(&frames(10..20));
        assert_eq!(found(&file, &mut scan, 15..20), [15, 16, 17, 18, 19]);
        assert_eq!(scan.take_damaged(), 0);
    }

    #[test]
    fn every_single_flipped_byte_costs_its_frame_alone() {
        let whole = frames(0..3);
        let size = whole.len() / 3;
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            let (file, mut scan) = scan(&bytes);
            let expected: Vec<u64> = (0..3).filter(|&n| n as usize != place / size).collect();
            assert_eq!(found(&file, &mut scan, ALL), expected, "byte {place}");
            assert_eq!(scan.take_damaged(), size as u64, "byte {place}");
        }
    }

    #[test]
    fn garbage_longer_than_the_window_is_passed_and_counted() {
        let garbage = vec![0x0F; CHUNK + 1000];
        let (file, mut scan) = scan(&[&frames(0..1)[..], &garbage, &frames(1..2)].concat());
        assert_eq!(found(&file, &mut scan, ALL), [0, 1]);
        assert_eq!(scan.take_damaged(), garbage.len() as u64);
    }

    #[test]
    fn a_frame_that_begins_at_the_windows_very_end_is_found() {
        for over in 1..frame::MAGIC.len() {
            let garbage = vec![0x0F; CHUNK - over];
            let (file, mut scan) = scan(&[&garbage[..], &frames(0..1)].concat());
            assert_eq!(found(&file, &mut scan, ALL), [0]);
            assert_eq!(scan.take_damaged(), garbage.len() as u64);
        }
    }

    #[test]
    fn a_record_longer_than_the_window_is_read_and_its_memory_given_back() {
        let mut bytes = Vec::new();
        frame::put(&mut bytes, 0, &vec![b'x'; 3 * CHUNK]);
        let (file, mut scan) = scan(&bytes);
        let frame = scan.find(&file, ALL).unwrap();
        assert_eq!(scan.payload(&frame), vec![b'x'; 3 * CHUNK]);
        scan.step_over(&frame);
        scan.shrink();
        assert!(scan.window.capacity() <= 2 * CHUNK);
    }

    #[test]
    fn a_higher_number_than_can_be_is_damage() {
        let (file, mut scan) = scan(&[frames(0..1), frames(90..91), frames(1..2)].concat());
        assert_eq!(found(&file, &mut scan, 0..5), [0, 1]);
        assert_eq!(scan.take_damaged(), frames(90..91).len() as u64);
    }

    #[test]
    fn the_scan_stops_at_its_limit_and_goes_on_when_that_moves() {
        let bytes = frames(0..4);
        let half = (segment::HEADER + bytes.len() / 2) as u64;
        let (file, mut scan) = scan(&bytes);
        scan.limit = half;
        assert_eq!(found(&file, &mut scan, ALL), [0, 1]);
        scan.extend(half + bytes.len() as u64 / 2);
        assert_eq!(found(&file, &mut scan, ALL), [2, 3]);
    }

    #[test]
    fn a_file_shorter_than_promised_is_damage_to_its_limit() {
        let bytes = frames(0..1);
        let (file, mut scan) = scan(&bytes);
        scan.extend(scan.limit + 100);
        assert_eq!(found(&file, &mut scan, ALL), [0]);
        assert_eq!(scan.take_damaged(), 100);
    }
}
