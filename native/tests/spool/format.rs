//! The format read a second time, from its description alone and without regard for speed.

use std::path::Path;

/// A whole frame: its place in the file, the record's number, and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub place: std::ops::Range<usize>,
    pub number: u64,
    pub payload: Vec<u8>,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn frame_at(bytes: &[u8], at: usize) -> Option<Frame> {
    let end = at + 20 + u32_at(bytes, at + 8)? as usize;
    let is_whole = bytes.get(at..at + 4)? == b"\xffEAR"
        && crc32fast::hash(bytes.get(at + 8..end)?) == u32_at(bytes, at + 4)?;
    let payload = bytes.get(at + 20..end)?.to_vec();
    is_whole.then_some(Frame {
        place: at..end,
        number: u64_at(bytes, at + 12)?,
        payload,
    })
}

/// Every whole frame of a segment.
pub fn frames(segment: &Path) -> Vec<Frame> {
    let bytes = std::fs::read(segment).unwrap();
    let mut frames = Vec::new();
    let mut at = 36;
    while at < bytes.len() {
        match frame_at(&bytes, at) {
            Some(frame) => {
                at = frame.place.end;
                frames.push(frame);
            }
            None => at += 1,
        }
    }
    frames
}

/// Whether a segment has a whole header.
pub fn has_header(segment: &Path) -> bool {
    let bytes = std::fs::read(segment).unwrap();
    bytes.starts_with(b"\xffEAS\x01\0\0\0")
        && bytes.len() >= 36
        && u64_at(&bytes, 24) == Some(first_of(segment))
        && u32_at(&bytes, 32) == Some(crc32fast::hash(&bytes[..32]))
}

/// The number a segment's name says is its first.
pub fn first_of(segment: &Path) -> u64 {
    u64::from_str_radix(segment.file_stem().unwrap().to_str().unwrap(), 16).unwrap()
}

/// What a cursor file says, but for times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub acked: u64,
    pub head_end: u64,
    pub in_flight_end: u64,
    pub oldest: u64,
    pub untold: u64,
    pub told: u64,
    pub teller: u64,
}

/// What the newer slot says; `None` if no slot is whole.
pub fn cursor(file: &Path) -> Option<Cursor> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let slot = |at: usize| {
        let slot = bytes.get(at..at + 108)?;
        let is_whole = slot[..8] == *b"\xffEAC\x02\0\0\0"
            && crc32fast::hash(&slot[..104]) == u32_at(slot, 104)?;
        let cursor = Cursor {
            acked: u64_at(slot, 32)?,
            head_end: u64_at(slot, 40)?,
            in_flight_end: u64_at(slot, 48)?,
            oldest: u64_at(slot, 56)?,
            untold: u64_at(slot, 64)?,
            told: u64_at(slot, 80)?,
            teller: u64_at(slot, 96)?,
        };
        is_whole.then_some((u64_at(slot, 24)?, cursor))
    };
    [slot(0), slot(4096)]
        .into_iter()
        .flatten()
        .max()
        .map(|(_, cursor)| cursor)
}

#[test]
fn the_files_are_as_described() {
    use crate::help::*;
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..5);
    spool.ack(&take(&spool, 2).unwrap());
    let batch = take(&spool, 2).unwrap();
    spool.split(&batch).unwrap();
    let segment = root.path().join("0000000000000000.seg");
    let found = frames(&segment);
    assert_eq!(
        Vec::from_iter(found.iter().map(|frame| frame.number)),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(found[4].payload, record(4).as_bytes());
    assert_eq!(found[4].place.end as u64, segment.metadata().unwrap().len());
    let expected = Cursor {
        acked: 2,
        head_end: 3,
        in_flight_end: 4,
        ..Cursor::default()
    };
    assert_eq!(cursor(&root.path().join("cursor")), Some(expected));
    assert!(has_header(&segment));
}

#[test]
fn the_cursor_holds_evictions_as_described() {
    use crate::help::*;
    let root = folder();
    let spool = open(small(root.path(), 5000));
    write(&spool, 0..310);
    let evicted = count(&spool, endpoint_agent_native::counters::Counter::Evicted);
    let on_disk = || cursor(&root.path().join("cursor")).unwrap();
    assert_eq!((on_disk().untold, on_disk().told), (evicted, 0));
    let told = spool.untold_evictions().unwrap();
    assert!(spool.tell_evictions(b"{}", told));
    assert_eq!((on_disk().untold, on_disk().told), (0, evicted));
    assert_eq!(on_disk().teller, 310);
}
