//! What the user of a queue can choose.

use std::path::PathBuf;
use std::time::Duration;

/// How a queue is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queue's folder, made with mode 0700 when missing.
    pub directory: PathBuf,
    /// Size of all segments, in bytes.
    pub max_bytes: u64,
    /// Size of one segment, in bytes; a single longer record has one for itself.
    pub segment_bytes: u64,
    /// Time between two syncs to disk; zero syncs with every write.
    pub sync_interval: Duration,
}

impl Settings {
    /// Segments of a sixteenth of the queue, between 64 KiB and 8 MiB.
    pub fn new(directory: impl Into<PathBuf>, max_bytes: u64, sync_interval: Duration) -> Self {
        let segment_bytes = (max_bytes / 16).clamp(64 << 10, 8 << 20);
        Self {
            directory: directory.into(),
            max_bytes,
            segment_bytes,
            sync_interval,
        }
    }
}

/// What a batch may hold, and how long it may be waited for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Records that are worth no more waiting.
    pub enough: usize,
    /// Records, where more of them stand in the queue.
    pub max_records: usize,
    /// Bytes before compression; a single longer record is a batch by itself.
    pub max_bytes: usize,
    /// Time from the arrival of the first record to the end of waiting for more.
    pub max_wait: Duration,
}

/// Longer waits are cut to this, which every clock can add.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24 * 365);
