//! A queue to test, what it delivers, and the sum that always holds.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use endpoint_agent_native::counters::{Counter, Counters};
use endpoint_agent_native::spool::{Batch, Limits, Settings, Spool};
use tempfile::TempDir;

/// No thread syncs on its own while a test runs.
const NEVER: Duration = Duration::from_secs(3600);

/// A folder in memory where the host has one, so that syncs cost nothing.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
    .unwrap()
}

pub fn settings(directory: &Path) -> Settings {
    Settings::new(directory, 10_000_000, NEVER)
}

/// A queue of segments of 1,000 bytes.
pub fn small(directory: &Path, max_bytes: u64) -> Settings {
    Settings {
        max_bytes,
        segment_bytes: 1000,
        ..settings(directory)
    }
}

pub fn open(settings: Settings) -> Spool {
    Spool::open(settings, Arc::new(Counters::default())).unwrap()
}

pub fn limits(max_records: usize) -> Limits {
    Limits {
        enough: max_records,
        max_records,
        max_bytes: 10 << 20,
        max_wait: Duration::ZERO,
    }
}

/// The record `n`: no other is like it.
pub fn record(n: u64) -> String {
    format!("{{\"n\":{n}}}")
}

/// Writes the records of these numbers.
pub fn write(spool: &Spool, numbers: std::ops::Range<u64>) {
    for n in numbers {
        assert!(spool.write(record(n).as_bytes()));
    }
}

/// The next batch if there is one now.
pub fn take(spool: &Spool, max_records: usize) -> Option<Arc<Batch>> {
    spool
        .next_batch(&limits(max_records), Duration::ZERO)
        .unwrap()
}

/// The records of a batch, checked against what it says of itself.
pub fn lines(batch: &Batch) -> Vec<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(batch.body())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text.len(), batch.size());
    let lines: Vec<String> = text.split_terminator('\n').map(str::to_owned).collect();
    assert_eq!(lines.len(), batch.count());
    lines
}

/// The numbers of the records of a batch.
pub fn numbers(batch: &Batch) -> Vec<u64> {
    let number = |line: &String| {
        let digits = line.trim_start_matches("{\"n\":").trim_end_matches('}');
        digits.parse().unwrap_or_else(|_| panic!("{line}"))
    };
    lines(batch).iter().map(number).collect()
}

/// Takes and acknowledges everything, in batches of 7.
pub fn drain(spool: &Spool) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(batch) = take(spool, 7) {
        all.extend(numbers(&batch));
        assert!(spool.ack(&batch));
        assert_balance(spool);
    }
    all
}

pub fn count(spool: &Spool, counter: Counter) -> u64 {
    spool.counters().get(counter)
}

/// What went in is what came out, is still there, or is counted as gone.
pub fn assert_balance(spool: &Spool) {
    use Counter::*;
    let of = |counters: &[Counter]| counters.iter().map(|&c| count(spool, c)).sum::<u64>();
    let went_in = of(&[Recovered, Spooled]);
    let gone = of(&[Delivered, Evicted, Rejected, Damaged]);
    assert_eq!(went_in, gone + spool.queued(), "{:?}", spool.counters());
}

/// What a kill would leave: the files as they are now, in another folder.
pub fn crash(spool_directory: &Path) -> TempDir {
    let copy = folder();
    for file in files(spool_directory) {
        std::fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    copy
}

/// The files of a folder in the order of their names.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The segments of a queue, oldest first.
pub fn segments(directory: &Path) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    files(directory).into_iter().filter(is_segment).collect()
}
