//! What processes may do, what they do to others and to the kernel, and what they may not start.

use super::ProcessKey;

/// A program that could not be started. The process goes on with the one it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecFailed {
    /// The system call.
    pub call: Call,
    /// Path of the file, made of a folder and the caller's string.
    pub path: Vec<u8>,
    /// The path is not whole, or could not be read.
    pub path_truncated: bool,
    /// What were to be its arguments, each ended by NUL.
    pub arguments: Vec<u8>,
    /// There were more of them, or some could not be read.
    pub arguments_truncated: bool,
    /// Why: a number of errno(3).
    pub error: u16,
}

/// A system call of x86-64, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(pub u32);

impl Call {
    /// The event tells its system call by itself.
    pub const TOLD: Self = Self(u32::MAX);
}

/// All ids that a thread acts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Real, effective, saved and file system user.
    pub users: [u32; 4],
    /// Real, effective, saved and file system group.
    pub groups: [u32; 4],
    /// Supplementary groups, the first 32 of them; none where they are not known.
    pub supplementary: Option<Vec<u32>>,
    /// How many there are, where they are known.
    pub supplementary_count: u32,
}

/// Sets of capabilities, each a mask of `CAP_*` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// May be made effective.
    pub permitted: u64,
    /// Are in force.
    pub effective: u64,
    /// May be kept over an exec.
    pub inheritable: u64,
    /// Are kept over an exec.
    pub ambient: u64,
}

/// What a thread was and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// The system call.
    pub call: Call,
    /// Unknown for a process that was there before the agent and had not changed since.
    pub before: Option<T>,
    /// As the call left it.
    pub after: T,
}

/// A process is in other namespaces than before, or than its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceChange {
    /// The system call.
    pub call: Call,
    /// The names that /proc/PID/ns has for those that are others now, and their numbers, 0 if
    /// unknown.
    pub changed: Vec<(&'static str, u32)>,
}

/// Another process, to which something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which process.
    pub process: ProcessKey,
    /// Its real user.
    pub uid: u32,
}

/// A process reached into the memory or the registers of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// The system call.
    pub call: Call,
    /// What ptrace(2) was asked for, 0 for other calls.
    pub request: u32,
    /// Into whom.
    pub target: Target,
    /// Bytes written, 0 where the call does not tell.
    pub bytes: u64,
}

/// A signal that ends or stops another process, or reaches one of another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The system call.
    pub call: Call,
    /// Number of the signal.
    pub number: u32,
    /// To whom.
    pub target: Target,
}

/// A kernel module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The system call.
    pub call: Call,
    /// It left the kernel; else it came.
    pub is_unloaded: bool,
    /// Its name, empty if unknown.
    pub name: Vec<u8>,
    /// Path of its file, unknown if it came from memory.
    pub path: Option<Vec<u8>>,
    /// The path is not whole.
    pub path_truncated: bool,
}

/// A program of eBPF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpfProgram {
    /// Its number among the loaded ones, 0 if unknown.
    pub id: u32,
    /// `enum bpf_prog_type`, 0 if unknown.
    pub kind: u32,
    /// Hash of its instructions, of zeros if unknown.
    pub tag: [u8; 8],
    /// Its name, empty if it was given none.
    pub name: Vec<u8>,
    /// It was attached; else it was loaded.
    pub attachment: Option<Attachment>,
}

/// How a program of eBPF was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// To an object, with which it stays.
    Direct,
    /// By a link of this `enum bpf_link_type`.
    Link(u32),
}
