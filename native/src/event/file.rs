//! What happens to files.

/// Which change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileChange {
    /// It did not exist and was created.
    Created,
    /// It existed and was opened for writing.
    Modified,
    /// Its name was removed.
    Deleted,
    /// It was a folder, and was removed.
    DirectoryDeleted,
    /// Its name was changed.
    Renamed,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which change.
    pub change: FileChange,
    /// Absolute path in the initial mount namespace as far as the kernel could tell.
    pub path: Vec<u8>,
    /// The path before a rename.
    pub old_path: Option<Vec<u8>>,
    /// The path could not be resolved to its root (too deep, or outside every mount).
    pub path_truncated: bool,
    /// The same of the path before a rename.
    pub old_path_truncated: bool,
    /// No name in any folder leads to the opened file: it was unlinked, or never had one.
    pub deleted: bool,
    /// It was asked for through io_uring, and nobody told whether it was done.
    pub unanswered: bool,
    /// Attributes of the file, known where the kernel held it open.
    pub inode: Option<Inode>,
}

/// Attributes of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Device, major and minor.
    pub device: (u32, u32),
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
