//! What happened on the host: the one type that all meaning passes through.
//!
//! An [`Event`] knows neither the source it came from nor the output it goes to. Byte strings are
//! what the kernel held: any bytes but NUL, not necessarily UTF-8, already bounded by the decoder.

mod call;
mod content;
mod dns;
mod file;
mod log;
mod login;
mod mount;
mod network;
mod process;
mod system;

pub use call::*;
pub use content::*;
pub use dns::*;
pub use file::*;
pub use log::*;
pub use login::*;
pub use mount::*;
pub use network::*;
pub use process::*;
pub use system::*;

/// The user or group id that means none.
pub const UNSET_ID: u32 = u32::MAX;

/// A process, unique on a host for one boot and the same from every source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Thread group id in the initial PID namespace.
    pub pid: u32,
    /// Start time of the thread group in clock ticks (1/100 s) since boot: field 22 of
    /// `/proc/PID/stat`, or the kernel's `start_boottime` divided by 10,000,000. Of
    /// Windows the time of its creation, in 100 ns since 1601.
    pub start: u64,
}

impl ProcessKey {
    /// The start of a process of which a source knows the number only.
    pub const UNKNOWN_START: u64 = u64::MAX;
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

/// Who logged in, as the audit system remembers it through every change of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginSession {
    /// The user who logged in.
    pub uid: u32,
    /// The login session.
    pub session: u32,
}

impl LoginSession {
    /// Nobody did, as for daemons, or the kernel keeps no such record.
    pub const UNSET: Self = Self {
        uid: u32::MAX,
        session: u32::MAX,
    };
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
    /// Since whose login.
    pub login: LoginSession,
    /// Set when this event stands for several.
    pub repeat: Option<Repeat>,
    /// The system call, where the source tells it.
    pub call: Option<Box<SystemCall>>,
    /// What the executed or written file holds.
    pub content: Content,
    /// What.
    pub action: Action,
}

#[cfg(test)]
impl Event {
    /// An event of tests, of which nothing matters but who and what.
    pub fn by(pid: u32, action: Action) -> Self {
        Self {
            time: 1,
            process: ProcessKey { pid, start: 1 },
            thread: pid,
            credentials: Credentials::default(),
            login: LoginSession::UNSET,
            repeat: None,
            call: None,
            content: Content::Unasked,
            action,
        }
    }
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
    /// It changed what is seen below a folder, or which folder is the root.
    Mount(Mount),
    /// It connected to a peer, or accepted a connection from one, or that was tried or has ended.
    Connection(Connection),
    /// It told of a login, a session or an account.
    Login(Login),
    /// It asked a DNS server, or got an answer.
    Dns(Dns),
    /// It waits for connections to this address.
    Listen(std::net::SocketAddr),
    /// It could not become another program.
    ExecFailed(ExecFailed),
    /// It acts with other ids.
    Identity(Box<Change<Identity>>),
    /// It has other capabilities.
    Capabilities(Change<Capabilities>),
    /// It is in other namespaces.
    Namespace(NamespaceChange),
    /// It reached into another process.
    Injection(Injection),
    /// It sent a signal to another process.
    Signal(Signal),
    /// It changed the kernel's modules.
    Module(Module),
    /// It loaded or attached a program of eBPF.
    Bpf(BpfProgram),
    /// It was there already when the agent started. Fills the process table; not reported.
    Snapshot(Exec),
    /// A provider of Windows' event log wrote a record.
    Logged(Box<LogRecord>),
    /// It became another program, which another agent tells. Not reported.
    Known(Exec),
}

impl Action {
    /// The system call of what is no act on files, mounts or sockets, or was refused.
    pub fn call(&self) -> Option<Call> {
        match self {
            Action::File(File {
                change: FileChange::Refused(refusal),
                ..
            }) => Some(refusal.call),
            Action::ExecFailed(failed) => Some(failed.call),
            Action::Identity(change) => Some(change.call),
            Action::Capabilities(change) => Some(change.call),
            Action::Namespace(change) => Some(change.call),
            Action::Injection(injection) => Some(injection.call),
            Action::Signal(signal) => Some(signal.call),
            Action::Module(module) => Some(module.call),
            _ => None,
        }
    }

    /// The other process that it is done to.
    pub fn target(&self) -> Option<Target> {
        match self {
            Action::Injection(injection) => Some(injection.target),
            Action::Signal(signal) => Some(signal.target),
            _ => None,
        }
    }
}

/// Occurrences or records that are gone, told as an event of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Of what: the kind's name, or `record` where that is not known; `buffer` of what has many.
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
