//! One buffer of a file: its head, and the records behind it.

use super::super::payload::number;
use super::super::raw::{HEADER, Header};
use super::super::template::Provider;
use super::super::templates::{FILE_CLASS, PROCESS_CLASS};
use crate::capture::etw::Malformed;

/// Bytes of a `WMI_BUFFER_HEADER`.
pub const HEAD: usize = 72;

/// Flags of a buffer: its records are compressed; its processor has 16 bits.
const COMPRESSED: u16 = 0x40;
const LONG_PROCESSOR: u16 = 0x20;

/// Records begin at multiples of it.
const ALIGN: usize = 8;
/// Types of records that are told.
const SYSTEM_32: u8 = 0x01;
const COMPACT_64: u8 = 0x04;
const CLASSIC_32: u8 = 0x0a;
const PERFORMANCE_32: u8 = 0x10;
const PERFORMANCE_64: u8 = 0x11;
const EVENT_32: u8 = 0x12;
const EVENT_64: u8 = 0x13;
const CLASSIC_64: u8 = 0x14;
/// The bit that says that a record begins with its type.
const HAS_TYPE: u8 = 0x80;
/// What is attached stands behind the head of an event.
const HAS_ATTACHED: u16 = 1;

/// Groups of the kernel's logger, and the classes that they are.
const GROUPS: &[(u8, &Provider)] = &[(0x03, &PROCESS_CLASS), (0x04, &FILE_CLASS)];
/// The group of what is said about the session itself.
const SESSION: u8 = 0;

/// What the head of a buffer says.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Bytes from it to the next.
    pub size: usize,
    /// Bytes of it that are used, this head included.
    pub used: usize,
    /// Which one it is, of the whole session.
    pub sequence: u64,
    /// Whose it is.
    pub processor: u16,
    /// Its records cannot be read.
    pub is_compressed: bool,
}

impl Head {
    /// Reads one.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = bytes
            .get(..HEAD)
            .ok_or(Malformed("the head of a buffer is short"))?;
        let size = number(&bytes[..4]) as usize;
        // The first of the two is that of files; some writers leave it out.
        let used = match number(&bytes[48..52]) as usize {
            0 => number(&bytes[4..8]) as usize,
            used => used,
        };
        let flags = number(&bytes[52..54]) as u16;
        let processor = if flags & LONG_PROCESSOR == 0 { 1 } else { 2 };
        Ok(Self {
            size,
            used: used.clamp(HEAD, size.max(HEAD)),
            sequence: number(&bytes[24..32]),
            processor: number(&bytes[40..40 + processor]) as u16,
            is_compressed: flags & COMPRESSED != 0,
        })
    }
}

/// A record of a buffer.
#[derive(Debug)]
pub enum Record<'a> {
    /// An event, as Windows would hand it over, but for its time, which is that of the file's clock.
    Event(Header, Attached<'a>, &'a [u8]),
    /// Something about the session, whose first is the head of the file: its clock's time, whether its
    /// pointers have 8 bytes, and what is said.
    Session(u64, bool, &'a [u8]),
    /// An event of a kind or class that is not told.
    Other,
}

/// The next record at a place, and where the one after it begins; nothing at the end.
pub fn next(buffer: &[u8], at: usize) -> Result<Option<(Record<'_>, usize)>, Malformed> {
    let rest = buffer.get(at..).unwrap_or_default();
    let Some(&[low, high, kind, marks]) = rest.first_chunk() else {
        return Ok(None);
    };
    // What is not used is filled with ones, or never was written.
    if [low, high, kind, marks] == [0xff; 4] || [low, high, kind, marks] == [0; 4] {
        return Ok(None);
    }
    if marks & HAS_TYPE == 0 {
        return Err(Malformed("a record begins with something else"));
    }
    let first = usize::from(u16::from_le_bytes([low, high]));
    let has_size_behind = matches!(
        kind,
        SYSTEM_32..=COMPACT_64 | PERFORMANCE_32 | PERFORMANCE_64
    ) && marks & 0x40 != 0;
    let size = match rest.get(4..6) {
        Some(size) if has_size_behind => number(size) as usize,
        _ => first,
    };
    let whole = rest
        .get(..size)
        .filter(|whole| whole.len() >= ALIGN)
        .ok_or(Malformed("a record has an odd size"))?;
    let record = if marks & 0x40 == 0 {
        Record::Other
    } else {
        match kind {
            EVENT_32 | EVENT_64 => event(whole, kind == EVENT_32)?,
            CLASSIC_32 | CLASSIC_64 => classic(whole, kind == CLASSIC_32)?,
            _ if has_size_behind => kernels(whole, kind, first as u8)?,
            _ => Record::Other,
        }
    };
    Ok(Some((record, at + size.next_multiple_of(ALIGN))))
}

const SHORT: Malformed = Malformed("a record ends too early");

/// One with an `EVENT_HEADER`.
fn event(whole: &[u8], is_32: bool) -> Result<Record<'_>, Malformed> {
    let mut header = Header::read(whole)?;
    if is_32 {
        header.pointer = 4;
    }
    let mut rest = &whole[HEADER..];
    let attached = rest;
    let mut is_there = number(&whole[4..6]) as u16 & HAS_ATTACHED != 0;
    while is_there {
        let (_, _, after, has_next) = item(rest).ok_or(SHORT)?;
        rest = after;
        is_there = has_next;
    }
    let attached = Attached(&attached[..attached.len() - rest.len()]);
    Ok(Record::Event(header, attached, rest))
}

/// One with an `EVENT_TRACE_HEADER`, which is of a class.
fn classic(whole: &[u8], is_32: bool) -> Result<Record<'_>, Malformed> {
    const SIZE: usize = 48;
    let (head, data) = whole.split_at_checked(SIZE).ok_or(SHORT)?;
    let mut header = bare(head[4], number(&head[6..8]) as u8, is_32);
    header.provider.copy_from_slice(&head[24..40]);
    header.level = head[5];
    header.thread = number(&head[8..12]) as u32;
    header.process = number(&head[12..16]) as u32;
    header.time = number(&head[16..24]);
    Ok(Record::Event(header, Attached(&[]), data))
}

/// One of the kernel's logger, which has a group in place of a GUID. Those of the shortest heads do not
/// say whose they are.
fn kernels(whole: &[u8], kind: u8, version: u8) -> Result<Record<'_>, Malformed> {
    let is_short = matches!(kind, PERFORMANCE_32 | PERFORMANCE_64);
    let size = match kind {
        PERFORMANCE_32 | PERFORMANCE_64 => 16,
        SYSTEM_32 | 0x02 => 32,
        _ => 24,
    };
    let (head, data) = whole.split_at_checked(size).ok_or(SHORT)?;
    let is_32 = matches!(kind, SYSTEM_32 | 0x03 | PERFORMANCE_32);
    let mut header = bare(head[6], version, is_32);
    header.time = number(if is_short {
        &head[8..16]
    } else {
        &head[16..24]
    });
    if !is_short {
        header.thread = number(&head[8..12]) as u32;
        header.process = number(&head[12..16]) as u32;
    }
    if head[7] == SESSION {
        return Ok(Record::Session(header.time, !is_32, data));
    }
    let mut groups = GROUPS.iter();
    let Some((_, class)) = groups.find(|(group, _)| *group == head[7]) else {
        return Ok(Record::Other);
    };
    header.provider = class.guid;
    Ok(Record::Event(header, Attached(&[]), data))
}

/// The header of an event that has no `EVENT_HEADER`.
fn bare(opcode: u8, version: u8, is_32: bool) -> Header {
    Header {
        provider: [0; 16],
        id: opcode.into(),
        version,
        level: 0,
        opcode,
        task: 0,
        keywords: 0,
        process: 0,
        thread: 0,
        time: 0,
        activity: [0; 16],
        pointer: if is_32 { 4 } else { 8 },
    }
}

/// What is attached to an event of a file.
#[derive(Clone, Debug)]
pub struct Attached<'a>(&'a [u8]);

impl<'a> Iterator for Attached<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, bytes, rest, _) = item(self.0)?;
        self.0 = rest;
        Some((kind, bytes))
    }
}

/// The first thing that is attached: its type, its bytes, what is behind it, and whether that is another.
fn item(bytes: &[u8]) -> Option<(u16, &[u8], &[u8], bool)> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let size = number(&head[6..8]) as usize;
    let item = rest.get(..size)?;
    let after = rest.get(size.next_multiple_of(ALIGN)..).unwrap_or_default();
    Some((number(&head[2..4]) as u16, item, after, head[4] & 1 != 0))
}
