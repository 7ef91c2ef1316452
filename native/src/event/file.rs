//! What happens to files.

use super::Call;

/// Which change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// It did not exist and was created.
    Created,
    /// It is a folder, and was created.
    DirectoryCreated,
    /// It is a pipe, a socket, a device or an empty file, and was created without being opened.
    NodeCreated(Node),
    /// It is in memory only, whatever its path, and was created with these options.
    MemoryCreated(Vec<&'static str>),
    /// It existed and was opened for writing.
    Modified,
    /// It was cut or extended to this many bytes.
    Truncated(u64),
    /// Its name was removed.
    Deleted,
    /// It was a folder, and was removed.
    DirectoryDeleted,
    /// Its name was changed.
    Renamed,
    /// Its name and that of another file were exchanged.
    Exchanged,
    /// It got another name.
    Linked,
    /// It is a symbolic link, and was created with this text.
    Symlinked(Vec<u8>),
    /// Its permissions were set to these bits.
    Permissions(u32),
    /// Its owner or group was set.
    Ownership(Ownership),
    /// Its times were set.
    Times(Times),
    /// An extended attribute was set or removed.
    Attribute(Attribute),
    /// Nothing: the process may not do what it asked for.
    Refused(Refusal),
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The system call.
    pub call: Call,
    /// Why: a number of errno(3).
    pub error: u16,
}

/// What was made by mknod(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its type and permission bits, before the process's mask.
    pub mode: u32,
    /// The device it stands for, major and minor; zeros for what is none.
    pub device: (u32, u32),
}

/// Who a file belongs to from now on; none where it stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// Times of a file from now on, nanoseconds since the epoch; none where one stays as it was, or
/// cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Of the last access.
    pub accessed: Option<u64>,
    /// Of the last change of the content.
    pub modified: Option<u64>,
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, with its namespace; empty if unknown.
    pub name: Vec<u8>,
    /// It was removed, not set.
    pub removed: bool,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which change.
    pub change: FileChange,
    /// Absolute path in the initial mount namespace as far as the kernel could tell.
    pub path: Vec<u8>,
    /// The path before a rename; of a link, the one the file had already.
    pub old_path: Option<Vec<u8>>,
    /// The path could not be resolved to its root (too deep, or outside every mount).
    pub path_truncated: bool,
    /// The same of the old path.
    pub old_path_truncated: bool,
    /// No name in any folder leads to the opened file: it was unlinked, or never had one.
    pub deleted: bool,
    /// It was asked for through io_uring, and nobody told whether it was done.
    pub unanswered: bool,
    /// Where the path is that of a symbolic link, the link itself was changed.
    pub nofollow: bool,
    /// Attributes of the file, known where the kernel held it open.
    pub inode: Option<Inode>,
}

impl File {
    /// A change of which nothing else is known.
    pub fn new(change: FileChange, path: Vec<u8>) -> Self {
        Self {
            change,
            path,
            old_path: None,
            path_truncated: false,
            old_path_truncated: false,
            deleted: false,
            unanswered: false,
            nofollow: false,
            inode: None,
        }
    }
}

/// Attributes of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Device, major and minor.
    pub device: (u32, u32),
    /// Magic number of the file system, 0 if unknown.
    pub filesystem: u32,
    /// Inode number.
    pub number: u64,
    /// Type and permission bits (`st_mode`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes at the moment of the event, where the source tells it.
    pub size: Option<u64>,
}
