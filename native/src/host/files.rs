//! Two acts on files for which Python has no call.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::{io, os::fd::AsRawFd};

/// Has two paths change places at once: renameat2(2), from Linux 3.15 on.
///
/// By its number, since the C library has it from glibc 2.28 on only.
///
/// # Errors
///
/// `EINVAL` and `ENOSYS` where the file system or the kernel cannot.
pub fn exchange(one: &CStr, other: &CStr) -> io::Result<()> {
    // SAFETY: both are strings that end, and live as long as the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Waits until all of the file system that a file lies in is on the disk: syncfs(2).
///
/// # Errors
///
/// What is left to write could not be written.
pub fn sync_file_system(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed.
    let done = unsafe { libc::syncfs(file.as_raw_fd()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::*;

    fn string(path: &Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }

    #[test]
    fn two_files_change_places() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "1").unwrap();
        let missing = exchange(&string(&one), &string(&other)).unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
        fs::write(&other, "2").unwrap();
        exchange(&string(&one), &string(&other)).unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), "2");
        assert_eq!(fs::read_to_string(&other).unwrap(), "1");
        sync_file_system(fs::File::open(folder.path()).unwrap().as_fd()).unwrap();
    }
}
