//! What is seen where.

/// Which change of the tree of folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountChange {
    /// Something was mounted on a folder, or a mount there was changed.
    Mounted,
    /// What was mounted on a folder was taken away.
    Unmounted,
    /// A folder became the root of the mount namespace.
    RootSwapped,
    /// A folder became the root of the process.
    RootChanged,
}

/// A change of the tree of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Which change.
    pub change: MountChange,
    /// Absolute path of the folder.
    pub path: Vec<u8>,
    /// The path could not be resolved to its root.
    pub path_truncated: bool,
    /// What was mounted: a folder's absolute path, or a device by the name the caller chose. Empty
    /// if unknown.
    pub source: Vec<u8>,
    /// The source is a path that could not be resolved to its root.
    pub source_truncated: bool,
    /// Where the old root is to be found, if the root was swapped.
    pub put_old: Option<Vec<u8>>,
    /// Name of the file system, empty if unknown.
    pub filesystem: Vec<u8>,
    /// Options of the call, by their names in the kernel's headers.
    pub options: Vec<&'static str>,
}
