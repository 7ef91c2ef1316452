//! Modes, and the calls of POSIX.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
pub(in crate::spool) use std::os::unix::fs::FileExt as Positioned;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder and those above it where they are missing, with mode 0700.
pub(in crate::spool) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// For reading and writing; what is made has mode 0600, and symbolic links are not followed.
pub(in crate::spool) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW);
    options
}

/// Makes new and removed names durable.
pub(in crate::spool) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
