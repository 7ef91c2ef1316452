//! Access lists, and positions that are part of each call.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES};
use windows_sys::Win32::Storage::FileSystem::{CreateDirectoryW, FILE_FLAG_OPEN_REPARSE_POINT};

/// Everything for the system, administrators and the owner, nothing for others; what lies in the
/// folder inherits it, and the folder inherits nothing.
const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-3-4)";

/// Makes a folder and those above it where they are missing, closed to other users.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    match create_one(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = path.parent().ok_or(error)?;
            create_folder(above)?;
            create_one(path)
        }
        result => result,
    }
}

fn create_one(path: &Path) -> io::Result<()> {
    let list = AccessList::new(PRIVATE)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: list.0,
        bInheritHandle: 0,
    };
    let name = wide(path.as_os_str().encode_wide());
    // SAFETY: the name ends in a zero, and the attributes point at a descriptor that outlives them.
    if unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) } != 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        ErrorKind::AlreadyExists if path.is_dir() => Ok(()),
        ErrorKind::AlreadyExists => Err(ErrorKind::NotADirectory.into()),
        _ => Err(error),
    }
}

/// For reading and writing. A symbolic link is opened itself, not what it points at.
pub(in crate::spool) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    options
}

/// Names need nothing: NTFS writes its journal through when a file in the folder is flushed.
pub(in crate::spool) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads and writes at a position, as files have them on Unix. Here the file's own position moves
/// along, so that nobody may rely on it.
pub(in crate::spool) trait Positioned {
    /// Reads up to the length of `bytes`; how many were there.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `bytes`, or fails.
    fn read_exact_at(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.read_at(bytes, offset)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => {
                    bytes = &mut bytes[read..];
                    offset += read as u64;
                }
            }
        }
        Ok(())
    }

    /// Writes all of `bytes`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

impl Positioned for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.seek_read(bytes, offset)
    }

    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.seek_write(bytes, offset)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
            }
        }
        Ok(())
    }
}

/// A security descriptor of the system's heap.
struct AccessList(PSECURITY_DESCRIPTOR);

impl AccessList {
    fn new(text: &str) -> io::Result<Self> {
        let text = wide(text.encode_utf16());
        let mut list = null_mut();
        // SAFETY: the text ends in a zero, and `list` is writable; nobody asks for the size.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut list,
                null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(list))
    }
}

impl Drop for AccessList {
    fn drop(&mut self) {
        // SAFETY: the system has allocated it for us, and nobody else frees it.
        unsafe { LocalFree(self.0) };
    }
}

fn wide(text: impl Iterator<Item = u16>) -> Vec<u16> {
    text.chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_folders_are_made_and_present_ones_taken() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a").join("b");
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        assert!(folder.is_dir());
        std::fs::write(root.path().join("file"), "").unwrap();
        create_folder(&root.path().join("file")).unwrap_err();
    }

    #[test]
    fn the_access_list_is_understood() {
        AccessList::new(PRIVATE).unwrap();
        AccessList::new("nonsense").map(drop).unwrap_err();
    }

    #[test]
    fn positions_are_the_callers() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"world", 6).unwrap();
        file.write_all_at(b"hello ", 0).unwrap();
        let mut bytes = [0; 11];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"hello world");
        let error = file.read_exact_at(&mut bytes, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
