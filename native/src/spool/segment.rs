//! A segment's name and header.

use uuid::Uuid;

use crate::error::{Error, Result};

/// Bytes of the header.
pub(super) const HEADER: usize = 36;
/// Record numbers stay below, so that no sum of them overflows.
pub(super) const NUMBERS_END: u64 = 1 << 63;

const MAGIC: [u8; 4] = *b"\xffEAS";
const VERSION: u32 = 1;

/// The file name of the segment whose first record is `first`.
pub(super) fn name(first: u64) -> String {
    format!("{first:016x}.seg")
}

/// The first record number of the segment called `name`; `None` for the name of anything else.
pub(super) fn first_of(name_: &str) -> Option<u64> {
    let first = u64::from_str_radix(name_.strip_suffix(".seg")?, 16).ok()?;
    (first < NUMBERS_END && name(first) == name_).then_some(first)
}

/// The header of the segment whose first record is `first`.
pub(super) fn header(queue: Uuid, first: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..24].copy_from_slice(queue.as_bytes());
    bytes[24..32].copy_from_slice(&first.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..32]);
    bytes[32..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The queue that a segment belongs to; `None` when its header is damaged.
///
/// Fails for a header in good order but of another version of the format.
pub(super) fn queue_of(bytes: &[u8; HEADER], first: u64) -> Result<Option<Uuid>> {
    let [m0, m1, m2, m3, v0, v1, v2, v3, rest @ ..] = *bytes;
    let crc = crc32fast::hash(&bytes[..32]);
    if [m0, m1, m2, m3] != MAGIC || bytes[32..] != crc.to_le_bytes() {
        return Ok(None);
    }
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if version != VERSION {
        return Err(Error::Spool(format!(
            "{} has format version {version}, and this agent reads version {VERSION}; deliver the \
             queue with the agent that wrote it, or move the file away",
            name(first)
        )));
    }
    if rest[16..24] != first.to_le_bytes() {
        return Ok(None);
    }
    let mut queue = [0; 16];
    queue.copy_from_slice(&rest[..16]);
    Ok(Some(Uuid::from_bytes(queue)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_like_numbers_and_read_back() {
        assert_eq!(name(255), "00000000000000ff.seg");
        assert_eq!(first_of("00000000000000ff.seg"), Some(255));
    }

    #[test]
    fn names_of_others_are_no_segments() {
        for other in [
            "ff.seg",
            "00000000000000FF.seg",
            "+0000000000000ff.seg",
            "ffffffffffffffff.seg",
            "x",
        ] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_header_names_its_queue_and_first_record() {
        let queue = Uuid::from_u128(7);
        let bytes = header(queue, 9);
        assert_eq!(queue_of(&bytes, 9).unwrap(), Some(queue));
        assert_eq!(queue_of(&bytes, 8).unwrap(), None, "a renamed segment");
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_damage() {
        for bit in 0..HEADER * 8 {
            let mut bytes = header(Uuid::from_u128(7), 9);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(queue_of(&bytes, 9).unwrap(), None, "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_an_error_with_a_remedy() {
        let mut bytes = header(Uuid::nil(), 0);
        bytes[4] = 2;
        let crc = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&crc.to_le_bytes());
        let error = queue_of(&bytes, 0).unwrap_err().to_string();
        assert!(
            error.contains("version 2") && error.contains("move the file away"),
            "{error}"
        );
    }
}
