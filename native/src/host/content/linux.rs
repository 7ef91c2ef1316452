//! What is found is looked at before anything is asked of it, and has to be the inode that the kernel
//! told; only then is it opened for reading.

mod mounts;

use std::ffi::{CString, c_long};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::event::{FileVersion, Signature, Unread};
pub use mounts::Mounts;

/// Bytes of stack that reading takes at most: it calls nothing deep.
pub const STACK: usize = 65_536;
/// Programs have no signatures here.
pub const CAN_VERIFY: bool = false;

/// `tmpfs`, of files in memory too.
const TMPFS: u32 = 0x0102_1994;
/// File systems of this host (`include/uapi/linux/magic.h`) and their names in lists of mounts: reading
/// them waits for no server.
const LOCAL: [(u32, &[&str]); 16] = [
    (0xef53, &["ext2", "ext3", "ext4"]),
    (0x5846_5342, &["xfs"]),
    (0x9123_683e, &["btrfs"]),
    (TMPFS, &["tmpfs", "devtmpfs"]),
    (0x8584_58f6, &["ramfs", "rootfs"]),
    (0x794c_7630, &["overlay"]),
    (0xf2f5_2010, &["f2fs"]),
    (0x2fc1_2fc1, &["zfs"]),
    (0xca45_1a4e, &["bcachefs"]),
    (0xe0f5_e1e2, &["erofs"]),
    (0x7371_7368, &["squashfs"]),
    (0x3153_464a, &["jfs"]),
    (0x5265_4973, &["reiserfs"]),
    (0x4d44, &["msdos", "vfat"]),
    (0x2011_bab0, &["exfat"]),
    (0x9660, &["iso9660"]),
];
/// Those that show another device number than the kernel's own.
const RENUMBERED: [u32; 2] = [0x9123_683e, 0x794c_7630];

/// A name below the folder alone; no link leads elsewhere.
const BENEATH: u64 =
    libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;

/// Whether reading a file system waits for nobody but this host.
pub fn is_local(filesystem: u32) -> bool {
    LOCAL.iter().any(|(magic, _)| *magic == filesystem)
}

/// Whether a path is that of a folder or of something below it.
pub fn is_within(path: &[u8], folder: &Path) -> bool {
    let folder = folder.as_os_str().as_bytes();
    let rest = path.strip_prefix(folder.strip_suffix(b"/").unwrap_or(folder));
    matches!(rest, Some([] | [b'/', ..]))
}

/// Where a file may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The program that a process runs.
    Program(u32),
    /// A path as a process sees it.
    Seen(u32, Vec<u8>),
    /// A path below the root.
    Rooted(Vec<u8>),
}

/// Nobody is asked.
pub fn signature(_file: &File, _places: &[Place], _version: &FileVersion) -> Signature {
    Signature::Unknown
}

/// Opens the file for reading if one of the places has exactly it, and tells its version.
///
/// `root`: where proc and everything else is found. The change and the size are not compared where
/// the time of the change is zero.
pub fn open(
    root: &Path,
    places: &[Place],
    version: &FileVersion,
) -> Result<(File, FileVersion), Unread> {
    let found = places.iter().find_map(|place| {
        let found = find(root, place).ok()?;
        let known = look(&found, version.filesystem)?;
        if !is_same(&known, version) {
            return None;
        }
        // The descriptor's own link: no path is walked any more.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOATIME)
            .open(format!("/proc/self/fd/{}", found.as_raw_fd()))
            .ok()?;
        Some((file, known))
    });
    found.ok_or(Unread::NotFound)
}

fn find(root: &Path, place: &Place) -> io::Result<File> {
    let process = |pid: u32, name| root.join(format!("proc/{pid}/{name}"));
    match place {
        Place::Program(pid) => point_at(&process(*pid, "exe"), 0),
        Place::Seen(pid, path) => below(&process(*pid, "root"), path),
        Place::Rooted(path) => below(root, path),
    }
}

/// A descriptor that allows no more than to look at what it stands for.
fn point_at(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | flags)
        .open(path)
}

/// The same of an absolute path below a folder. Of names that the kernel remembers alone, so that
/// no file system is asked; Linux 5.12.
fn below(folder: &Path, path: &[u8]) -> io::Result<File> {
    let folder = point_at(folder, libc::O_DIRECTORY)?;
    let name = CString::new(path.strip_prefix(b"/").unwrap_or(path))?;
    match open_at(&folder, &name, BENEATH | libc::RESOLVE_CACHED) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            open_at(&folder, &name, BENEATH)
        }
        opened => opened,
    }
}

fn open_at(folder: &File, name: &CString, resolve: u64) -> io::Result<File> {
    // SAFETY: a struct of integers, for which zero is a value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC) as u64;
    how.resolve = resolve;
    // SAFETY: name and how live through the call, and how has the size that is told.
    let opened: c_long = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            folder.as_raw_fd(),
            name.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    let descriptor = i32::try_from(opened).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given it, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// What the kernel remembers of a file, without asking its file system.
fn status(file: &File, asked: u32) -> Option<libc::statx> {
    // SAFETY: a struct of integers, for which zero is a value.
    let mut status: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the name is a literal, and the status lives through the call.
    let failed = unsafe {
        libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            asked,
            &raw mut status,
        )
    };
    (failed == 0).then_some(status)
}

/// The version of a file; none of what is no regular file.
pub(super) fn look(file: &File, filesystem: u32) -> Option<FileVersion> {
    let status = status(file, libc::STATX_BASIC_STATS)?;
    if u32::from(status.stx_mode) & libc::S_IFMT != libc::S_IFREG {
        return None;
    }
    let seconds = status.stx_ctime.tv_sec.wrapping_mul(1_000_000_000);
    Some(FileVersion {
        device: (status.stx_dev_major, status.stx_dev_minor),
        inode: status.stx_ino,
        changed: seconds
            .wrapping_add(status.stx_ctime.tv_nsec.into())
            .cast_unsigned(),
        size: status.stx_size,
        filesystem,
    })
}

fn is_same(found: &FileVersion, version: &FileVersion) -> bool {
    let same_device = RENUMBERED.contains(&version.filesystem) || found.device == version.device;
    let same_content =
        version.changed == 0 || (found.changed, found.size) == (version.changed, version.size);
    found.inode == version.inode && same_device && same_content
}
