//! Chunks: 64 KiB of a file of the event log, with the records, names and templates in them.

use super::Malformed;
use super::binxml::Reader;
use super::value::nanoseconds;
use crate::event::Event;

/// Bytes of a chunk.
pub const SIZE: usize = 1 << 16;
/// Bytes of its head.
const HEAD: usize = 512;
const MAGIC: &[u8; 8] = b"ElfChnk\0";

const RECORD_MAGIC: &[u8; 4] = b"\x2a\x2a\0\0";
/// Bytes of a record before its BinXML, and behind it.
const RECORD_HEAD: usize = 24;
const RECORD_TAIL: usize = 4;
/// Records begin at multiples of this.
const ALIGNMENT: usize = 8;

/// A chunk that has a head.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a>(&'a [u8]);

/// What begins a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// A chunk, whose first record has this number.
    Chunk(u64),
    /// Zeros, as where there was no chunk yet.
    Empty,
    /// Something else.
    Damaged,
}

impl Begin {
    /// Looks at the first bytes of a chunk, which are at least 32 where it is whole.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes.strip_prefix(MAGIC) {
            Some(rest) => number(rest, 16).map_or(Begin::Damaged, Begin::Chunk),
            None if bytes.iter().all(|&byte| byte == 0) => Begin::Empty,
            None => Begin::Damaged,
        }
    }
}

impl<'a> Chunk<'a> {
    /// Bytes that begin with a chunk's head. They may be fewer than a chunk has.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(&bytes[..bytes.len().min(SIZE)])
    }

    /// Its records are those that were written, as their checksum says.
    pub fn is_intact(&self) -> bool {
        let sum = self.0.get(52..56).map(|it| [it[0], it[1], it[2], it[3]]);
        let records = self.0.get(HEAD..self.end()).unwrap_or_default();
        sum.is_some_and(|sum| u32::from_le_bytes(sum) == crc32fast::hash(records))
    }

    /// Where the records end: where the head says, or with the chunk.
    fn end(&self) -> usize {
        let told = self.0.get(48..52).map_or(0, |it| {
            u32::from_le_bytes([it[0], it[1], it[2], it[3]]) as usize
        });
        if told >= HEAD {
            told.min(self.0.len())
        } else {
            self.0.len()
        }
    }

    /// Hands over its records. Returns how many cannot be read, where at least one stands for what
    /// lies between two that can.
    pub fn read(&self, reader: &mut Reader, sink: &mut dyn FnMut(Event)) -> u64 {
        let end = self.end();
        let mut damaged = 0;
        let mut at = HEAD;
        while at + RECORD_HEAD + RECORD_TAIL <= end {
            let Some(size) = self.size_of(at, end) else {
                if self.0[at..end].iter().all(|&byte| byte == 0) {
                    break;
                }
                damaged += 1;
                let mut rest = (at + ALIGNMENT..end).step_by(ALIGNMENT);
                at = rest
                    .find(|&at| self.size_of(at, end).is_some())
                    .unwrap_or(end);
                continue;
            };
            match self.record(at, size, reader) {
                Ok(event) => sink(event),
                Err(Malformed(_)) => damaged += 1,
            }
            at += size;
        }
        damaged
    }

    /// Bytes of the record at a place, which has them before and behind it. None: it is no record.
    fn size_of(&self, at: usize, end: usize) -> Option<usize> {
        let bytes = &self.0[at..end];
        let size: [u8; 4] = *bytes.strip_prefix(RECORD_MAGIC)?.first_chunk()?;
        let whole = u32::from_le_bytes(size) as usize;
        let is_whole =
            whole >= RECORD_HEAD + RECORD_TAIL && bytes.get(whole - RECORD_TAIL..whole)? == size;
        is_whole.then_some(whole)
    }

    fn record(&self, at: usize, size: usize, reader: &mut Reader) -> Result<Event, Malformed> {
        let read = reader.read(self.0, at + RECORD_HEAD, at + size - RECORD_TAIL);
        let (mut record, time) = reader.builder.take();
        read?;
        if record.number == 0 {
            record.number = number(&self.0[at..], 8).unwrap_or_default();
        }
        let written = || nanoseconds(number(&self.0[at..], 16).unwrap_or_default());
        Ok(record.into_event(time.unwrap_or_else(written)))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|it| u64::from_le_bytes(*it))
}
