//! An event tells a path and when the process was created. What stands there is that file only if it
//! has not been written, made or moved since; it is opened so that nobody is kept from doing that.

mod verify;

use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FILE_FLAG_OPEN_NO_RECALL, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_TYPE_DISK, FileBasicInfo, GetDriveTypeW,
    GetFileInformationByHandle, GetFileInformationByHandleEx, GetFileType, SECURITY_ANONYMOUS,
};

use crate::capture::etw::raw::since_epoch;
use crate::event::{FileVersion, Signature, Unread};

/// Bytes of stack that verifying a signature takes at most, by what programs have for themselves.
pub const STACK: usize = 1 << 20;
/// What `GetDriveTypeW` calls unknown, not there, and another host's.
const NOT_LOCAL: [u32; 3] = [0, 1, 4];
/// 100 ns: more than a step of the clock that files and processes get their times from.
const TICK: u64 = 200_000;

/// Windows can be asked for signatures.
pub const CAN_VERIFY: bool = true;

/// Only what is opened can be told.
pub fn is_local(_filesystem: u32) -> bool {
    true
}

/// Whether a path is that of a folder or of something below it, whatever the case of its letters.
pub fn is_within(path: &[u8], folder: &Path) -> bool {
    let common = |text: &str| text.replace('/', r"\").to_lowercase();
    let path = common(&String::from_utf8_lossy(path));
    let folder = common(&folder.to_string_lossy());
    let rest = path.strip_prefix(folder.strip_suffix('\\').unwrap_or(&folder));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

/// Where a file may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path, with a drive.
    pub path: String,
    /// When it was executed, 100 ns since 1601.
    pub executed: u64,
}

/// Nothing is found out before a file is opened.
#[derive(Debug, Default)]
pub struct Mounts {}

impl Mounts {
    /// All is told.
    pub fn complete(
        &mut self,
        _root: &Path,
        _places: &mut Vec<Place>,
        _version: &mut FileVersion,
        _executed: Option<u64>,
    ) -> Result<(), Unread> {
        Ok(())
    }
}

/// Opens the file for reading if it is the one that was executed, and tells its version.
pub fn open(
    _root: &Path,
    places: &[Place],
    _version: &FileVersion,
) -> Result<(File, FileVersion), Unread> {
    let place = places.first().ok_or(Unread::NotFound)?;
    if !is_on_drive(&place.path) {
        return Err(Unread::NotLocal);
    }
    // A stream beside the file's own content has the same number.
    if place.path[2..].contains(':') {
        return Err(Unread::NotFound);
    }
    // By its very name: otherwise a dot at the end would be left out. What a link may lead to gets
    // no rights of the agent, and what is not on the disk is not fetched.
    let file = OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        .custom_flags(FILE_FLAG_OPEN_NO_RECALL)
        .security_qos_flags(SECURITY_ANONYMOUS)
        .open(format!(r"\\?\{}", place.path))
        .map_err(|_| Unread::NotFound)?;
    let (version, newest) = identify(&file).ok_or(Unread::NotFound)?;
    let is_older = newest.saturating_add(TICK) <= place.executed;
    is_older.then_some((file, version)).ok_or(Unread::NotFound)
}

/// What Windows says of the signature of a file that was opened, unless it changes meanwhile.
pub fn signature(file: &File, places: &[Place], version: &FileVersion) -> Signature {
    let Some(place) = places.first() else {
        return Signature::Unknown;
    };
    let signature = verify::signature(file, &place.path);
    match look(file, version.filesystem) {
        Some(now) if now == *version => signature,
        _ => Signature::Unknown,
    }
}

/// A path of one of this host's drives.
fn is_on_drive(path: &str) -> bool {
    let &[letter, b':', b'\\', ..] = path.as_bytes() else {
        return false;
    };
    let root = [u16::from(letter), u16::from(b':'), u16::from(b'\\'), 0];
    // SAFETY: the text ends with a zero and lives through the call.
    let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
    letter.is_ascii_alphabetic() && !NOT_LOCAL.contains(&kind)
}

/// The version of a file; none of what is none.
pub(super) fn look(file: &File, _filesystem: u32) -> Option<FileVersion> {
    identify(file).map(|(version, _)| version)
}

/// The same, and when it was last written, made or moved, 100 ns since 1601.
fn identify(file: &File) -> Option<(FileVersion, u64)> {
    let handle = file.as_raw_handle();
    let mut times = FILE_BASIC_INFO::default();
    let mut known = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the file is open, and both structs are as large as is told and live through the calls.
    let is_told = unsafe {
        GetFileType(handle) == FILE_TYPE_DISK
            && GetFileInformationByHandle(handle, &raw mut known) != 0
            && GetFileInformationByHandleEx(
                handle,
                FileBasicInfo,
                (&raw mut times).cast(),
                size_of::<FILE_BASIC_INFO>() as u32,
            ) != 0
    };
    if !is_told {
        return None;
    }
    let whole = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let version = FileVersion {
        device: (known.dwVolumeSerialNumber, 0),
        inode: whole(known.nFileIndexHigh, known.nFileIndexLow),
        changed: since_epoch(times.LastWriteTime.max(times.ChangeTime).cast_unsigned()),
        size: whole(known.nFileSizeHigh, known.nFileSizeLow),
        filesystem: 0,
    };
    let newest = [times.CreationTime, times.LastWriteTime, times.ChangeTime];
    let newest = newest.into_iter().max()?;
    Some((version, newest.cast_unsigned()))
}
