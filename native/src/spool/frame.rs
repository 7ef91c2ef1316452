//! One record in a segment: the bytes around it, and how they are checked.

use crc32fast::hash;

/// First bytes of every frame. 0xFF never occurs in UTF-8, so no record can hold a false start.
pub(super) const MAGIC: [u8; 4] = *b"\xffEAR";
/// Bytes of a frame before its payload.
pub(super) const OVERHEAD: usize = 20;
/// Longest record, in bytes. Longer ones are refused, and a longer length is damage.
pub const MAX_RECORD: usize = 16 << 20;

/// A whole frame at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub number: u64,
    pub crc: u32,
    /// Bytes of the payload, which begins at [`OVERHEAD`].
    pub length: usize,
}

impl Frame {
    /// Bytes of the whole frame.
    pub fn size(&self) -> usize {
        OVERHEAD + self.length
    }
}

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Whole(Frame),
    /// So many bytes are needed to tell.
    Short(usize),
    Damaged,
}

/// Reads the frame at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some((header, _)) = bytes.split_first_chunk::<OVERHEAD>() else {
        return Parsed::Short(OVERHEAD);
    };
    let [m0, m1, m2, m3, c0, c1, c2, c3, l0, l1, l2, l3, number @ ..] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if [m0, m1, m2, m3] != MAGIC || length > MAX_RECORD {
        return Parsed::Damaged;
    }
    let Some(checked) = bytes.get(8..OVERHEAD + length) else {
        return Parsed::Short(OVERHEAD + length);
    };
    let crc = u32::from_le_bytes([c0, c1, c2, c3]);
    if hash(checked) != crc {
        return Parsed::Damaged;
    }
    Parsed::Whole(Frame {
        number: u64::from_le_bytes(number),
        crc,
        length,
    })
}

/// Appends the frame of record `number` to `buffer`. The payload holds at most [`MAX_RECORD`] bytes.
pub(super) fn put(buffer: &mut Vec<u8>, number: u64, payload: &[u8]) {
    let start = buffer.len();
    buffer.reserve(OVERHEAD + payload.len());
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(payload);
    let crc = hash(&buffer[start + 8..]);
    buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, 7, payload);
        bytes
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = framed(b"{}");
        let Parsed::Whole(frame) = parse(&bytes) else {
            panic!("{bytes:?}")
        };
        assert_eq!(
            (frame.number, frame.length, frame.size()),
            (7, 2, bytes.len())
        );
        assert_eq!(&bytes[OVERHEAD..], b"{}");
    }

    #[test]
    fn every_prefix_is_short_and_says_what_it_needs() {
        let bytes = framed(b"{\"a\":1}");
        for cut in 0..bytes.len() {
            let need = if cut < OVERHEAD {
                OVERHEAD
            } else {
                bytes.len()
            };
            assert_eq!(parse(&bytes[..cut]), Parsed::Short(need));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = framed(b"{\"a\":1}");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&damaged), Parsed::Whole(_)), "bit {bit}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_damage_and_asks_for_nothing() {
        let mut bytes = framed(b"{}");
        bytes[8..12].copy_from_slice(&(MAX_RECORD as u32 + 1).to_le_bytes());
        assert_eq!(parse(&bytes), Parsed::Damaged);
    }
}
