//! A place in a chunk that moves on as it is read.

use super::Malformed;

/// Reads little-endian numbers. Positions are those of the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    chunk: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    /// From `at` to `end`, or to the end of the chunk if that comes first.
    pub fn new(chunk: &'a [u8], at: usize, end: usize) -> Self {
        let end = end.min(chunk.len());
        Self {
            chunk,
            at: at.min(end),
            end,
        }
    }

    /// Where it is.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Where it ends.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        if count > self.end - self.at {
            return Err(Malformed("it ends too early"));
        }
        let begin = self.at;
        self.at += count;
        Ok(&self.chunk[begin..self.at])
    }

    /// A number of one byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// A number of four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        let array = |bytes: &[u8]| [bytes[0], bytes[1], bytes[2], bytes[3]];
        self.take(4).map(|bytes| u32::from_le_bytes(array(bytes)))
    }

    /// Text of UTF-16, behind a number of its characters.
    pub fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let count = self.u16()?;
        self.take(2 * usize::from(count))
    }
}
