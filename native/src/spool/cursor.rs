//! The cursor file: how far the intake has taken the queue, in two slots written in turn.

use std::fs::File;
use std::sync::Arc;

use uuid::Uuid;

use super::disk::Positioned;
use super::evictions::{Evicted, Evictions};
use super::folder::Folder;
use super::segment::NUMBERS_END;
use crate::error::{Error, Result};

/// Name of the file.
pub(super) const NAME: &str = "cursor";

/// The last four bytes are the format's version.
const MAGIC: [u8; 8] = *b"\xffEAC\x02\0\0\0";
/// Bytes of a slot before its checksum.
const SLOT: usize = 104;
/// The slots lie in different blocks, so that no torn block can take both.
const OFFSETS: [u64; 2] = [0, 4096];

/// Where the queue stands. All are record numbers, and the first three do not descend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Every record below is settled: delivered, rejected, evicted or found damaged.
    pub acked: u64,
    /// The batch to be settled next is `acked..head_end`; empty when none is in flight.
    pub head_end: u64,
    /// All that is in flight is `acked..in_flight_end`: the head, and what was split from it.
    pub in_flight_end: u64,
    /// Every record below was removed from the files on purpose.
    pub oldest: u64,
}

/// The open cursor file.
#[derive(Debug)]
pub(super) struct Cursor {
    file: Arc<File>,
    queue: Uuid,
    generation: u64,
    last: Option<(Mark, Evictions)>,
    is_synced: bool,
}

/// What a cursor file says of the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub queue: Uuid,
    pub generation: u64,
    pub mark: Mark,
    pub evictions: Evictions,
}

impl Cursor {
    /// Opens the file, made when missing, and reads the newer of its whole slots.
    pub fn open(folder: &Folder) -> Result<(File, Option<Saved>)> {
        let file = folder
            .open_or_create(NAME)
            .map_err(Error::io("cannot open", folder.path(NAME)))?;
        let slots = OFFSETS.map(|offset| read(&file, offset));
        for (offset, _) in OFFSETS
            .iter()
            .zip(&slots)
            .filter(|(_, slot)| slot.is_none())
        {
            // Takes the slot's room on the disk now: later there may be none.
            let _ = file.write_all_at(&[0; SLOT + 4], *offset);
        }
        let saved = slots
            .into_iter()
            .flatten()
            .max_by_key(|saved| saved.generation);
        Ok((file, saved))
    }

    /// The cursor of `queue`, continuing from what its file said.
    pub fn new(file: File, queue: Uuid, saved: Option<Saved>) -> Self {
        let generation = saved.map_or(0, |saved| saved.generation);
        Self {
            file: Arc::new(file),
            queue,
            generation,
            last: None,
            is_synced: true,
        }
    }

    /// The queue's id.
    pub fn queue(&self) -> Uuid {
        self.queue
    }

    /// The file, if it has to be synced for what was stored to last.
    pub fn take_unsynced(&mut self) -> Option<Arc<File>> {
        (!std::mem::replace(&mut self.is_synced, true)).then(|| self.file.clone())
    }

    /// Writes both over the older slot, unless they are there already.
    ///
    /// A failure leaves the other slot in force, and the next store tries again: until then a
    /// crash repeats a batch, which delivery at least once allows.
    pub fn store(&mut self, mark: Mark, evictions: Evictions) {
        if self.last == Some((mark, evictions)) {
            return;
        }
        let generation = self.generation + 1;
        let slot = encode(&Saved {
            queue: self.queue,
            generation,
            mark,
            evictions,
        });
        let offset = OFFSETS[(generation % 2) as usize];
        if self.file.write_all_at(&slot, offset).is_ok() {
            self.generation = generation;
            self.last = Some((mark, evictions));
            self.is_synced = false;
        }
    }
}

fn encode(saved: &Saved) -> [u8; SLOT + 4] {
    let mut bytes = [0; SLOT + 4];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(saved.queue.as_bytes());
    let (mark, evictions) = (saved.mark, saved.evictions);
    let numbers = [
        saved.generation,
        mark.acked,
        mark.head_end,
        mark.in_flight_end,
        mark.oldest,
        evictions.untold.count,
        evictions.untold.since,
        evictions.told.count,
        evictions.told.since,
        evictions.teller,
    ];
    for (place, number) in bytes[24..SLOT].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[..SLOT]);
    bytes[SLOT..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn read(file: &File, offset: u64) -> Option<Saved> {
    let mut bytes = [0; SLOT + 4];
    file.read_exact_at(&mut bytes, offset).ok()?;
    decode(&bytes)
}

fn decode(bytes: &[u8; SLOT + 4]) -> Option<Saved> {
    let crc = crc32fast::hash(&bytes[..SLOT]).to_le_bytes();
    if bytes[..8] != MAGIC || bytes[SLOT..] != crc {
        return None;
    }
    let (queue, numbers) = bytes[8..SLOT].split_first_chunk()?;
    let (numbers, _) = numbers.as_chunks::<8>();
    let &numbers: &[[u8; 8]; 10] = numbers.as_array()?;
    let [
        generation,
        acked,
        head_end,
        in_flight_end,
        oldest,
        rest @ ..,
    ] = numbers.map(u64::from_le_bytes);
    let [untold, untold_since, told, told_since, teller] = rest;
    let evicted = |count, since| Evicted { count, since };
    let saved = Saved {
        queue: Uuid::from_bytes(*queue),
        generation,
        mark: Mark {
            acked,
            head_end,
            in_flight_end,
            oldest,
        },
        evictions: Evictions {
            untold: evicted(untold, untold_since),
            told: evicted(told, told_since),
            teller,
        },
    };
    let limited = [generation, in_flight_end, oldest, untold, told, teller];
    let is_sound = acked <= head_end
        && head_end <= in_flight_end
        && limited.iter().all(|&number| number < NUMBERS_END);
    is_sound.then_some(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Uuid = Uuid::from_u128(7);

    fn mark(acked: u64) -> Mark {
        Mark {
            acked,
            head_end: acked + 2,
            in_flight_end: acked + 3,
            oldest: 1,
        }
    }

    /// So many untold, and one told.
    fn evictions(untold: u64) -> Evictions {
        Evictions {
            untold: Evicted {
                count: untold,
                since: 1,
            },
            told: Evicted { count: 1, since: 2 },
            teller: 4,
        }
    }

    /// A folder whose cursor was stored twice: slot 1 holds `mark(5)`, slot 0 `mark(8)`.
    fn stored_twice() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        let (file, saved) = Cursor::open(&folder).unwrap();
        assert_eq!(saved, None);
        let mut cursor = Cursor::new(file, QUEUE, saved);
        cursor.store(mark(5), evictions(0));
        cursor.store(mark(8), evictions(3));
        assert!(cursor.take_unsynced().is_some());
        cursor.store(mark(8), evictions(3));
        assert!(cursor.take_unsynced().is_none(), "it is there already");
        (root, folder)
    }

    fn reopened(folder: &Folder) -> Option<Mark> {
        let (_, saved) = Cursor::open(folder).unwrap();
        assert!(saved.is_none_or(|saved| saved.queue == QUEUE));
        saved.map(|saved| saved.mark)
    }

    fn overwrite(folder: &Folder, offset: u64) {
        folder
            .open_existing(NAME)
            .unwrap()
            .write_all_at(&[0x5A; 8], offset)
            .unwrap();
    }

    #[test]
    fn the_newer_slot_is_in_force() {
        let (_root, folder) = stored_twice();
        assert_eq!(reopened(&folder), Some(mark(8)));
        let (_, saved) = Cursor::open(&folder).unwrap();
        assert_eq!(saved.unwrap().evictions, evictions(3));
    }

    #[test]
    fn evictions_alone_are_a_change_to_store() {
        let (_root, folder) = stored_twice();
        let (file, saved) = Cursor::open(&folder).unwrap();
        let mut cursor = Cursor::new(file, QUEUE, saved);
        cursor.store(mark(8), evictions(3));
        cursor.store(mark(8), evictions(4));
        let (_, saved) = Cursor::open(&folder).unwrap();
        assert_eq!(saved.unwrap().evictions, evictions(4));
    }

    #[test]
    fn a_torn_slot_leaves_the_other_in_force() {
        let (_root, folder) = stored_twice();
        overwrite(&folder, OFFSETS[0] + 30);
        assert_eq!(reopened(&folder), Some(mark(5)));
        overwrite(&folder, OFFSETS[1] + 50);
        assert_eq!(reopened(&folder), None);
    }

    #[test]
    fn storing_goes_on_over_the_older_slot_after_a_reopening() {
        let (_root, folder) = stored_twice();
        let (file, saved) = Cursor::open(&folder).unwrap();
        Cursor::new(file, QUEUE, saved).store(mark(11), evictions(3));
        assert_eq!(reopened(&folder), Some(mark(11)));
        overwrite(&folder, OFFSETS[1]);
        assert_eq!(reopened(&folder), Some(mark(8)));
    }

    #[test]
    fn numbers_that_cannot_be_are_no_mark() {
        let numbers = |untold, teller| Evictions {
            teller,
            ..evictions(untold)
        };
        let is_refused = |mark, evictions| {
            let saved = Saved {
                queue: QUEUE,
                generation: 1,
                mark,
                evictions,
            };
            decode(&encode(&saved)).is_none()
        };
        assert!(!is_refused(mark(5), evictions(3)));
        assert!(is_refused(mark(5), numbers(NUMBERS_END, 4)));
        assert!(is_refused(mark(5), numbers(3, NUMBERS_END)));
        for mark in [
            Mark {
                acked: 9,
                ..mark(5)
            },
            Mark {
                head_end: 9,
                ..mark(5)
            },
            Mark {
                in_flight_end: NUMBERS_END,
                ..mark(5)
            },
            Mark {
                oldest: u64::MAX,
                ..mark(5)
            },
        ] {
            assert!(is_refused(mark, evictions(0)));
        }
    }
}
