//! Opens a queue whose files hold arbitrary bytes. Whatever they hold, the queue opens or says why
//! not, its sums hold, what it is given then comes out again, and it closes in good order.
//!
//! Checksums are beyond a fuzzer's guessing, so most files are built of its bytes with the
//! checksums put right.
#![no_main]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use endpoint_agent_native::counters::{Counter, Counters};
use endpoint_agent_native::spool::{Limits, Settings, Spool};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() {
        memory.into()
    } else {
        std::env::temp_dir()
    };
    let root = tempfile::tempdir_in(root).expect("a folder can be made");
    let mut input = Input(bytes);
    while !input.0.is_empty() {
        write_file(root.path(), &mut input);
    }
    let Some(spool) = open(root.path()) else {
        return;
    };
    drain(&spool);
    assert!(spool.write(b"{}"), "there is room");
    assert_eq!(drain(&spool), [3], "and a line feed");
    drop(spool);
    let spool = open(root.path()).expect("what was closed opens");
    let counters = spool.counters();
    let untold = counters.get(Counter::Evicted);
    assert_eq!(
        counters.get(Counter::Recovered),
        untold,
        "the queue is empty"
    );
});

/// The fuzzer's bytes, eaten from the front; zeros behind their end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// A number below 2^24.
    fn number(&mut self) -> u64 {
        self.bytes(3)
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}

fn write_file(root: &Path, input: &mut Input) {
    let kind = input.byte();
    let first = u64::from(input.byte());
    let segment = root.join(format!("{first:016x}.seg"));
    let (path, bytes) = match kind % 4 {
        0 => {
            let count = input.byte().into();
            (segment, input.bytes(count).to_vec())
        }
        1 => {
            let count = input.byte().into();
            (root.join("cursor"), input.bytes(count).to_vec())
        }
        2 => (segment, frames(first, input)),
        _ => (root.join("cursor"), cursor(input)),
    };
    std::fs::write(path, bytes).expect("there is room");
}

/// A segment of a few frames with right checksums and, mostly, right numbers.
fn frames(first: u64, input: &mut Input) -> Vec<u8> {
    let mut bytes = b"\xffEAS\x01\0\0\0sixteen bytes id".to_vec();
    bytes.extend(first.to_le_bytes());
    seal(&mut bytes);
    for index in 0..input.byte() % 16 {
        let shape = input.byte();
        let number = if shape & 1 == 0 {
            first + u64::from(index)
        } else {
            input.number()
        };
        let count = usize::from(input.byte() % 32);
        let payload = input.bytes(count);
        let mut checked = (payload.len() as u32).to_le_bytes().to_vec();
        checked.extend(number.to_le_bytes());
        checked.extend(payload);
        bytes.extend(b"\xffEAR");
        bytes.extend(crc32fast::hash(&checked).to_le_bytes());
        bytes.extend(checked);
        if shape & 2 != 0 {
            let count = usize::from(input.byte() % 32);
            bytes.extend(input.bytes(count));
        }
    }
    if input.byte() & 1 == 1 {
        let cut = input.number() as usize % bytes.len();
        bytes.truncate(cut);
    }
    bytes
}

/// A cursor whose slots have right checksums and any numbers.
fn cursor(input: &mut Input) -> Vec<u8> {
    let mut bytes = Vec::new();
    for start in [0, 4096] {
        bytes.resize(start, 0);
        let mut slot = b"\xffEAC\x02\0\0\0sixteen bytes id".to_vec();
        for _ in 0..10 {
            slot.extend(input.number().to_le_bytes());
        }
        seal(&mut slot);
        bytes.extend(slot);
    }
    bytes
}

fn seal(bytes: &mut Vec<u8>) {
    bytes.extend(crc32fast::hash(bytes).to_le_bytes());
}

fn open(root: &Path) -> Option<Spool> {
    let settings = Settings {
        segment_bytes: 500,
        ..Settings::new(root, 4000, Duration::from_secs(3600))
    };
    Spool::open(settings, Arc::new(Counters::default())).ok()
}

/// Takes and acknowledges everything; the size of each batch.
fn drain(spool: &Spool) -> Vec<usize> {
    let limits = Limits {
        enough: 3,
        max_records: 3,
        max_bytes: 1000,
        max_wait: Duration::ZERO,
    };
    let mut sizes = Vec::new();
    assert_balance(spool);
    while let Some(batch) = spool
        .next_batch(&limits, Duration::ZERO)
        .expect("it can be read")
    {
        assert_balance(spool);
        assert!(batch.count() > 0 && batch.size() >= batch.count());
        assert!(spool.ack(&batch));
        assert_balance(spool);
        sizes.push(batch.size());
    }
    assert_eq!((spool.queued(), spool.queued_bytes()), (0, 0));
    sizes
}

fn assert_balance(spool: &Spool) {
    use Counter::*;
    let counters = spool.counters();
    let of = |names: &[Counter]| names.iter().map(|&name| counters.get(name)).sum::<u64>();
    let gone = of(&[Delivered, Evicted, Rejected, Damaged]);
    assert_eq!(
        of(&[Recovered, Spooled]),
        gone + spool.queued(),
        "{counters:?}"
    );
}
