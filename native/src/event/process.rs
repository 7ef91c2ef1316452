//! What processes are and become.

use super::{FileVersion, ProcessKey};

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
    /// Path of the file that was executed, where that is no program of its own and the kernel ran
    /// its interpreter, as for `#!`; else empty.
    pub script: Vec<u8>,
    /// The argument block: each argument followed by one NUL.
    pub arguments: Vec<u8>,
    /// The executed file, if the source knows it.
    pub file: Option<FileVersion>,
    /// Its control group.
    pub group: Group,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// The argument block was longer than 32 KiB and is cut.
    pub arguments_truncated: bool,
    /// How many arguments the program was given, cut ones included; 0 if unknown.
    pub arguments_count: u32,
    /// No name in any folder leads to the executable: it was unlinked, or is a memfd.
    pub deleted: bool,
}

/// A control group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The kernel's number of it, 0 if unknown.
    pub id: u64,
    /// Its path in its hierarchy, empty where the source has told it before, or never.
    pub path: Vec<u8>,
}

/// The numbers of namespaces, as the links in `/proc/PID/ns` show them; 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // namespaces(7)
pub struct Namespaces {
    pub pid: u32,
    pub mnt: u32,
    pub net: u32,
    pub user: u32,
    pub uts: u32,
    pub ipc: u32,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The wait status's exit code, 0 to 255.
    pub code: u8,
    /// The signal that ended it, 0 if none.
    pub signal: u8,
}
