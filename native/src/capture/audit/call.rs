//! The records of one system call as what the process did. Pure over bytes: what only /proc can
//! tell (the start of a process, the folder behind a descriptor) is left to `tell.rs`.

use std::net::SocketAddr;

use super::calls::{self, Abi, Row, Tells};
use super::join::{Group, kind};
use super::names::Place;
use super::record::{Record, Value};
use super::{exec, files, network, rules, system};
use crate::event::{
    Capabilities, Credentials, Direction, Exec, FileChange, Inode, LoginSession, MountChange,
    Stage, SystemCall, UNSET_ID,
};

/// What a process did, and who it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// Who.
    pub pid: u32,
    /// Who started it.
    pub parent: u32,
    /// With whose rights, from now on.
    pub ids: Ids,
    /// Since whose login.
    pub login: LoginSession,
    /// The call.
    pub call: SystemCall,
    /// What was done.
    pub act: Act,
}

/// All ids but those of supplementary groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Real, effective, saved and file system user.
    pub users: [u32; 4],
    /// Real, effective, saved and file system group.
    pub groups: [u32; 4],
}

impl Ids {
    const UNSET: Self = Self {
        users: [UNSET_ID; 4],
        groups: [UNSET_ID; 4],
    };

    /// Those that every event has.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            uid: self.users[0],
            euid: self.users[1],
            gid: self.groups[0],
            egid: self.groups[1],
        }
    }
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    /// It became another program, whose parent is not told here.
    Exec(Box<Exec>),
    /// It could not: the file, and the error's number. The arguments are not told.
    ExecFailed(Place, u16),
    /// It changed a file.
    File {
        /// How.
        change: FileChange,
        /// Where.
        path: Place,
        /// Where it was before, or is as well.
        old: Option<Place>,
        /// Attributes, all but the size.
        inode: Option<Inode>,
        /// It is in no folder.
        unnamed: bool,
    },
    /// It changed what is seen where.
    Mount {
        /// How.
        change: MountChange,
        /// Below which folder.
        path: Place,
        /// What was mounted; of a root that was swapped, where the old one went.
        source: Option<Place>,
        /// Options of the call.
        options: Vec<&'static str>,
    },
    /// It connected, accepted a connection, or sent a datagram.
    Connection {
        /// Which of both.
        direction: Direction,
        /// The other end.
        peer: SocketAddr,
        /// Established, failed, or none.
        stage: Stage,
    },
    /// It waits for connections to the socket with this descriptor.
    Listen(i32),
    /// It has the ids that it has now; of a change of its groups, how many these are.
    Identity(Option<u32>),
    /// It has these capabilities.
    Capabilities(Capabilities),
    /// It is in others of these namespaces (`CLONE_NEW*`), 0 if that is not told.
    Namespaces(u32),
    /// It made this process, as it numbers it itself, in others of these namespaces.
    ChildNamespaces(u32, u32),
    /// It reached into another process, or thread.
    Injection {
        /// Which, and its real user, where that is told.
        target: (u32, Option<u32>),
        /// What ptrace(2) was asked for.
        request: u32,
        /// Bytes written.
        bytes: u64,
    },
    /// It sent a signal to these, with their real users.
    Signal(u32, Vec<(u32, u32)>),
    /// It loaded a kernel module; from a file, with this descriptor.
    ModuleLoaded(Vec<u8>, Option<i32>),
    /// It unloaded one.
    ModuleUnloaded(Vec<u8>),
    /// It loaded the program of eBPF of this number, which the descriptor leads to.
    BpfLoaded(Option<u32>, i32),
    /// It linked one to something, by the link that the descriptor leads to.
    BpfLinked(i32),
}

/// What a decoder of a call is given.
pub struct Call<'a> {
    /// All records.
    pub group: &'a Group,
    /// The first arguments; of `socketcall`, those that it has in memory.
    pub arguments: [u64; 4],
    /// What it returned.
    pub exit: i64,
    /// The program, as it is written.
    pub executable: Option<Value<'a>>,
    /// The process.
    pub pid: u32,
}

impl Call<'_> {
    /// An argument that is a descriptor.
    pub fn descriptor(&self, number: usize) -> i32 {
        self.arguments[number] as i32
    }

    /// An argument of 32 bits.
    pub fn word(&self, number: usize) -> u32 {
        self.arguments[number] as u32
    }
}

/// What a system call did; nothing for one that is not of interest.
pub fn decode(group: &Group) -> Option<Told> {
    let fields = Fields::read(&group.first(kind::SYSCALL)?)?;
    let row = calls::find(fields.abi, fields.number)?;
    let call = Call {
        group,
        arguments: fields.arguments,
        exit: fields.exit,
        executable: fields.executable,
        pid: fields.pid,
    };
    let act = act(&call, row)?;
    Some(Told {
        time: group.time,
        pid: fields.pid,
        parent: fields.parent,
        ids: fields.ids,
        login: fields.login,
        call: SystemCall {
            name: row.name,
            arch: fields.abi.name(),
            arguments: fields.arguments,
            exit: fields.exit,
            terminal: known(fields.terminal).map_or_else(Vec::new, |value| value.raw.to_vec()),
            key: foreign_key(fields.key),
            socket: match act {
                Act::Connection { peer, .. } => Some(peer),
                _ => None,
            },
        },
        act,
    })
}

/// Rules of others may record calls that the agent's do not, so what is of interest is decided
/// once more.
fn act(call: &Call, row: &Row) -> Option<Act> {
    let may_fail = matches!(
        row.tells,
        Tells::Exec(_) | Tells::Connect | Tells::SocketCall
    );
    if call.exit < 0 && !may_fail {
        return files::refused(call, row);
    }
    match row.tells {
        Tells::Exec(folder) => exec::exec(call, folder),
        Tells::Open(folder, flags) => files::open(call, folder, flags),
        Tells::Memory(options) => files::memory(call, options),
        Tells::Delete(folder) => files::delete(call, folder),
        Tells::Rename(from, to) => files::rename(call, from, to),
        Tells::Link(from, to) => files::link(call, from, to),
        Tells::Symlink(folder) => files::symlink(call, folder),
        Tells::Directory(folder) => files::directory(call, folder),
        Tells::Node(folder, mode) => files::node(call, folder, mode),
        Tells::Mode(folder, mode) => files::mode(call, folder, mode),
        Tells::Owner(folder, user) => files::owner(call, folder, user, u32::MAX),
        Tells::ShortOwner(folder, user) => files::owner(call, folder, user, u16::MAX.into()),
        Tells::Times(folder, times) => files::times(call, folder, times),
        Tells::Attribute(folder, removed) => files::attribute(call, folder, removed),
        Tells::Truncate(arguments) => files::truncate(call, arguments),
        Tells::Mount => files::mount(call),
        Tells::MoveMount => files::move_mount(call),
        Tells::Unmount => files::unmount(call),
        Tells::PivotRoot => files::pivot_root(call),
        Tells::Chroot => files::chroot(call),
        Tells::Connect => network::connect(call),
        Tells::Accept => network::accept(call),
        Tells::Listen => Some(Act::Listen(call.descriptor(0))),
        Tells::Send(flags) => network::send(call, flags),
        Tells::SocketCall => network::socket_call(call),
        Tells::Identity => Some(Act::Identity(None)),
        Tells::Groups => Some(Act::Identity(Some(call.word(0)))),
        Tells::Capabilities => system::capabilities(call),
        Tells::Clone => system::clone(call),
        Tells::Unshare => system::unshare(call),
        Tells::SetNamespace => Some(Act::Namespaces(call.word(1))),
        Tells::Ptrace => system::ptrace(call),
        Tells::WriteMemory => system::write_memory(call),
        Tells::Signal(signal) => system::signal(call, signal),
        Tells::LoadModule => system::load_module(call, None),
        Tells::LoadModuleFile => system::load_module(call, Some(call.descriptor(0))),
        Tells::UnloadModule => system::unload_module(call),
        Tells::Bpf => system::bpf(call),
    }
}

/// What the record of the call itself says, of whose fields some thirty are read in one pass.
struct Fields<'a> {
    abi: Abi,
    number: u32,
    arguments: [u64; 4],
    exit: i64,
    pid: u32,
    parent: u32,
    ids: Ids,
    login: LoginSession,
    terminal: Option<Value<'a>>,
    executable: Option<Value<'a>>,
    key: Option<Value<'a>>,
}

impl<'a> Fields<'a> {
    fn read(record: &Record<'a>) -> Option<Self> {
        let (mut abi, mut number, mut exit, mut pid) = (None, None, None, None);
        let mut parent = 0;
        let (mut ids, mut login) = (Ids::UNSET, LoginSession::UNSET);
        let mut arguments = [0; 4];
        let (mut terminal, mut executable, mut key) = (None, None, None);
        for (name, value) in record.fields() {
            let id = || value.number().unwrap_or(UNSET_ID);
            match name {
                b"arch" => abi = Some(Abi::of(value.hexadecimal()?.try_into().ok()?)?),
                b"syscall" => number = value.number(),
                b"exit" => exit = Some(value.signed()?),
                b"a0" => arguments[0] = value.hexadecimal()?,
                b"a1" => arguments[1] = value.hexadecimal()?,
                b"a2" => arguments[2] = value.hexadecimal()?,
                b"a3" => arguments[3] = value.hexadecimal()?,
                b"ppid" => parent = value.number().unwrap_or(0),
                b"pid" => pid = value.number(),
                b"auid" => login.uid = id(),
                b"ses" => login.session = id(),
                b"uid" => ids.users[0] = id(),
                b"euid" => ids.users[1] = id(),
                b"suid" => ids.users[2] = id(),
                b"fsuid" => ids.users[3] = id(),
                b"gid" => ids.groups[0] = id(),
                b"egid" => ids.groups[1] = id(),
                b"sgid" => ids.groups[2] = id(),
                b"fsgid" => ids.groups[3] = id(),
                b"tty" => terminal = Some(value),
                b"exe" => executable = Some(value),
                b"key" => key = Some(value),
                _ => {}
            }
        }
        let abi = abi?;
        Some(Self {
            abi,
            number: number?,
            arguments,
            // A 32-bit program's has its sign in the 32nd bit.
            exit: match abi {
                Abi::Wide => exit?,
                Abi::Narrow => i64::from(exit? as i32),
            },
            pid: pid?,
            parent,
            ids,
            login,
            terminal,
            executable,
            key,
        })
    }
}

/// A value, unless it says that there is none.
pub fn known(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_unknown())
}

/// The key of somebody else's rule that has recorded the call.
fn foreign_key(key: Option<Value>) -> Vec<u8> {
    let key = known(key).map_or_else(Vec::new, |key| key.decoded().into_owned());
    if key == rules::KEY.as_bytes() {
        Vec::new()
    } else {
        key
    }
}
