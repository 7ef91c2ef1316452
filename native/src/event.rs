//! What happened on the host: the one type that all meaning passes through.
//!
//! An [`Event`] knows neither the source it came from nor the output it goes to. Byte strings are
//! what the kernel held: any bytes but NUL, not necessarily UTF-8, already bounded by the decoder.

/// A process, unique on a host for one boot and the same from every source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Thread group id in the initial PID namespace.
    pub pid: u32,
    /// Start time of the thread group in clock ticks (1/100 s) since boot: field 22 of
    /// `/proc/PID/stat`, or the kernel's `start_boottime` divided by 10,000,000.
    pub start: u64,
}

/// Whose rights a process had when it acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
}

/// How often an event stands for the same act of the same process on the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Occurrences this one event stands for, at least 1.
    pub count: u64,
    /// Time of the first of them, nanoseconds since the epoch.
    pub first: u64,
    /// Time of the last of them, nanoseconds since the epoch.
    pub last: u64,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// Who did it.
    pub process: ProcessKey,
    /// The thread that did it.
    pub thread: u32,
    /// With whose rights.
    pub credentials: Credentials,
    /// Set when this event stands for several.
    pub repeat: Option<Repeat>,
    /// What.
    pub action: Action,
}

/// What a process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It created a process. Keeps the process table; not reported by itself.
    Fork(Fork),
    /// It became another program.
    Exec(Exec),
    /// Its last thread ended.
    Exit(Exit),
    /// It changed a file.
    File(File),
    /// It connected to, or accepted a connection from, a peer.
    Connection(Connection),
    /// It was there already when the agent started. Fills the process table; not reported.
    Snapshot(Exec),
}

/// A new process, still running its parent's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The new process.
    pub child: ProcessKey,
}

/// A program and how it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// The parent, unknown when its pid is 0.
    pub parent: Option<ProcessKey>,
    /// Path of the executed file as the kernel resolved it, empty if unknown.
    pub executable: Vec<u8>,
    /// Working directory, empty if unknown.
    pub working_directory: Vec<u8>,
    /// The argument block: each argument followed by one NUL.
    pub arguments: Vec<u8>,
    /// The argument block was longer than 32 KiB and is cut.
    pub arguments_truncated: bool,
    /// How many arguments the program was given, cut ones included; 0 if unknown.
    pub arguments_count: u32,
    /// No name in any folder leads to the executable: it was unlinked, or is a memfd.
    pub deleted: bool,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The wait status's exit code, 0 to 255.
    pub code: u8,
    /// The signal that ended it, 0 if none.
    pub signal: u8,
}

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
    /// Size in bytes at the moment of the event.
    pub size: u64,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The process connected.
    Egress,
    /// The process accepted.
    Ingress,
}

/// An established TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Who opened it.
    pub direction: Direction,
    /// The end on this host.
    pub local: std::net::SocketAddr,
    /// The other end.
    pub peer: std::net::SocketAddr,
}

/// Occurrences or records that are gone, told as an event of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Of what: the kind's name, or `record` where that is not known.
    pub what: &'static str,
    /// How many, exactly.
    pub count: u64,
    /// Why.
    pub cause: &'static str,
    /// Where on the event's way.
    pub place: &'static str,
    /// Not before, nanoseconds since the epoch.
    pub from: u64,
    /// Not after, nanoseconds since the epoch.
    pub to: u64,
}
