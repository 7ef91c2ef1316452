//! The content of a file that an event names, and of no other.
//!
//! Whoever acts may put another file, a pipe, a device or a file system that never answers at the
//! same path a moment later. How a platform tells the file from others is in the file of its name.

use std::fs::File;
use std::io::{self, Read};

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(windows)]
use windows as platform;

use crate::event::{Digests, FileVersion};
use platform::look;
pub use platform::{CAN_VERIFY, Mounts, Place, STACK, is_local, is_within, open, signature};

/// Nanoseconds: twice the step of the clock of the slowest kernels.
pub const TICK: u64 = 20_000_000;

/// Whether a version's time of change is too short before `now`, nanoseconds since the epoch, to tell
/// it from others.
pub fn is_fresh(version: &FileVersion, now: u64) -> bool {
    now.abs_diff(version.changed) < TICK
}

/// The digests of a whole file, none if it changes while it is read or cannot be read.
/// `block`: where its bytes are put.
pub fn digest(mut file: &File, version: &FileVersion, block: &mut [u8]) -> Option<Digests> {
    let (mut md5, mut sha1, mut sha256) = (Md5::new(), Sha1::new(), Sha256::new());
    let mut size = 0;
    // It may grow as fast as it is read.
    while size <= version.size {
        let read = match file.read(block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        size += read as u64;
        md5.update(&block[..read]);
        sha1.update(&block[..read]);
        sha256.update(&block[..read]);
    }
    let is_whole = size == version.size && look(file, version.filesystem)? == *version;
    is_whole.then(|| Digests {
        md5: md5.finalize().into(),
        sha1: sha1.finalize().into(),
        sha256: sha256.finalize().into(),
    })
}
