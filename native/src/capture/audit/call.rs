//! The records of one system call as what the process did. Pure over bytes: what only /proc can
//! tell (the start of a process, the folder behind a descriptor) is left to the source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::join::{Group, kind};
use super::record::Record;
use crate::event::{
    Credentials, Direction, Exec, FileChange, Inode, LoginSession, Stage, SystemCall, UNSET_ID,
};

macro_rules! calls {
    ($($name:ident = $number:literal $text:literal,)+) => {
        /// Numbers of the calls of x86-64 that are watched.
        #[allow(missing_docs)] // their names are their documentation
        pub mod number {
            $(pub const $name: u32 = $number;)+
        }

        /// The name of a call that is watched.
        fn name(call: u32) -> Option<&'static str> {
            match call {
                $($number => Some($text),)+
                _ => None,
            }
        }
    };
}

calls! {
    OPEN = 2 "open",
    CONNECT = 42 "connect",
    ACCEPT = 43 "accept",
    EXECVE = 59 "execve",
    RENAME = 82 "rename",
    RMDIR = 84 "rmdir",
    CREAT = 85 "creat",
    UNLINK = 87 "unlink",
    OPENAT = 257 "openat",
    UNLINKAT = 263 "unlinkat",
    RENAMEAT = 264 "renameat",
    ACCEPT4 = 288 "accept4",
    RENAMEAT2 = 316 "renameat2",
    EXECVEAT = 322 "execveat",
    OPENAT2 = 437 "openat2",
}

/// `AUDIT_ARCH_X86_64`.
pub const ARCH: u32 = 0xc000_003e;

/// Bytes of arguments, as of those that the kernel programs send.
const MAX_ARGUMENTS: usize = 32_768;

/// Flags of open(2) that write.
const WRITES: u64 = 0o3;
/// `O_TRUNC`, which writes whatever else is asked for.
const TRUNCATES: u64 = 0o1000;

/// What a process did, and who it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// Who.
    pub pid: u32,
    /// Who started it.
    pub parent: u32,
    /// With whose rights.
    pub credentials: Credentials,
    /// Since whose login.
    pub login: LoginSession,
    /// The call.
    pub call: SystemCall,
    /// What was done.
    pub act: Act,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    /// It became another program, whose parent is not told here.
    Exec(Exec),
    /// It changed a file.
    File {
        /// How.
        change: FileChange,
        /// Where.
        path: Place,
        /// Where it was before.
        old: Option<Place>,
        /// Attributes, all but the size.
        inode: Option<Inode>,
    },
    /// It connected, or accepted a connection.
    Connection {
        /// Which of both.
        direction: Direction,
        /// The other end.
        peer: SocketAddr,
        /// Established, or failed.
        stage: Stage,
    },
}

/// A path as the call was told it, as far as it can be made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path.
    pub path: Vec<u8>,
    /// It begins at the folder behind this descriptor.
    pub folder: Option<i32>,
}

/// What a system call did; nothing for one that is not of interest.
pub fn decode(group: &Group) -> Option<Told> {
    let call = group.first(kind::SYSCALL)?;
    let hexadecimal = |key| {
        let digits = str::from_utf8(call.get(key)?.raw).ok()?;
        u64::from_str_radix(digits, 16).ok()
    };
    let is_own_arch = hexadecimal("arch") == Some(ARCH.into());
    let exit = str::from_utf8(call.get("exit")?.raw).ok()?.parse().ok()?;
    let number = call.number("syscall").filter(|_| is_own_arch)?;
    let arguments = ["a0", "a1", "a2", "a3"].map(|key| hexadecimal(key).unwrap_or(0));
    if exit < 0 && number != number::CONNECT {
        return None;
    }
    let id = |key| call.number(key).unwrap_or(UNSET_ID);
    let act = act(group, &call, number, arguments, exit)?;
    Some(Told {
        time: group.time,
        pid: call.number("pid")?,
        parent: call.number("ppid").unwrap_or(0),
        credentials: Credentials {
            uid: id("uid"),
            euid: id("euid"),
            gid: id("gid"),
            egid: id("egid"),
        },
        login: LoginSession {
            uid: id("auid"),
            session: id("ses"),
        },
        call: SystemCall {
            name: name(number)?,
            arguments,
            exit,
            terminal: call
                .get("tty")
                .filter(|value| !value.is_unknown())
                .map_or_else(Vec::new, |value| value.raw.to_vec()),
            socket: match act {
                Act::Connection { peer, .. } => Some(peer),
                _ => None,
            },
        },
        act,
    })
}

fn act(group: &Group, call: &Record, number: u32, arguments: [u64; 4], exit: i64) -> Option<Act> {
    let [first, second, third, _] = arguments;
    let fd = |argument: u64| Some(argument as i32);
    match number {
        number::EXECVE | number::EXECVEAT => Some(Act::Exec(exec(group, call))),
        number::OPEN => open(group, None, second),
        number::CREAT => open(group, None, WRITES),
        number::OPENAT => open(group, fd(first), third),
        number::OPENAT2 => open(group, fd(first), flags_of_openat2(group)),
        number::UNLINK | number::RMDIR => delete(group, None),
        number::UNLINKAT => delete(group, fd(first)),
        number::RENAME => rename(group, None, None),
        number::RENAMEAT | number::RENAMEAT2 => rename(group, fd(first), fd(third)),
        number::CONNECT => connection(group, Direction::Egress, exit),
        number::ACCEPT | number::ACCEPT4 => connection(group, Direction::Ingress, exit),
        _ => None,
    }
}

fn exec(group: &Group, call: &Record) -> Exec {
    let text = |record: Option<Record>, key| {
        let value = record.and_then(|record| record.get(key));
        let known = value.filter(|value| !value.is_unknown());
        known.map_or_else(Vec::new, |value| value.decoded().into_owned())
    };
    let mut executable = text(Some(*call), "exe");
    let deleted = executable.ends_with(b" (deleted)");
    if deleted {
        executable.truncate(executable.len() - b" (deleted)".len());
    }
    let mut arguments = Vec::new();
    let mut count = 0;
    for record in group.records().filter(|it| it.kind == kind::EXECVE) {
        count = record.number("argc").unwrap_or(count);
        add_arguments(&mut arguments, &record);
    }
    if !arguments.is_empty() {
        arguments.push(0);
    }
    let truncated = group.truncated || arguments.len() > MAX_ARGUMENTS;
    arguments.truncate(MAX_ARGUMENTS);
    Exec {
        executable,
        working_directory: text(group.first(kind::CWD), "cwd"),
        arguments,
        arguments_truncated: truncated,
        arguments_count: count,
        deleted,
        ..Exec::default()
    }
}

/// `a0=…`, or `a0_len=N a0[0]=… a0[1]=…` where one is too long for a record.
fn add_arguments(arguments: &mut Vec<u8>, record: &Record) {
    for (key, value) in record.fields() {
        let Some(name) = key.strip_prefix(b"a").filter(|name| {
            name.first().is_some_and(u8::is_ascii_digit) && !name.ends_with(b"_len")
        }) else {
            continue;
        };
        let continues = name.ends_with(b"]") && !name.ends_with(b"[0]");
        if !continues && name != b"0" && name != b"0[0]" {
            arguments.push(0);
        }
        if arguments.len() <= MAX_ARGUMENTS {
            arguments.extend_from_slice(&value.decoded());
        }
    }
}

fn open(group: &Group, folder: Option<i32>, flags: u64) -> Option<Act> {
    let created = item(group, b"CREATE", 0);
    let record = created.or_else(|| item(group, b"NORMAL", 0))?;
    let inode = inode(&record).filter(|inode| inode.mode & libc::S_IFMT == libc::S_IFREG)?;
    let change = match created {
        Some(_) => FileChange::Created,
        None if flags & (WRITES | TRUNCATES) != 0 => FileChange::Modified,
        None => return None,
    };
    Some(Act::File {
        change,
        path: place(group, &record, folder)?,
        old: None,
        inode: Some(inode),
    })
}

/// Written in octal digits.
fn flags_of_openat2(group: &Group) -> u64 {
    let told = group
        .first(kind::OPENAT2)
        .and_then(|record| record.get("oflag"));
    let digits = told.and_then(|value| str::from_utf8(value.raw).ok());
    digits
        .and_then(|digits| u64::from_str_radix(digits, 8).ok())
        .unwrap_or(0)
}

fn delete(group: &Group, folder: Option<i32>) -> Option<Act> {
    let record = item(group, b"DELETE", 0)?;
    let mode = inode(&record).map_or(0, |inode| inode.mode);
    let change = if mode & libc::S_IFMT == libc::S_IFDIR {
        FileChange::DirectoryDeleted
    } else {
        FileChange::Deleted
    };
    Some(Act::File {
        change,
        path: place(group, &record, folder)?,
        old: None,
        inode: None,
    })
}

/// A file that the new name replaced is deleted under it, after the old name.
fn rename(group: &Group, from: Option<i32>, to: Option<i32>) -> Option<Act> {
    let old = item(group, b"DELETE", 0)?;
    let new = item(group, b"CREATE", 0).or_else(|| item(group, b"DELETE", 1))?;
    Some(Act::File {
        change: FileChange::Renamed,
        path: place(group, &new, to)?,
        old: place(group, &old, from),
        inode: None,
    })
}

/// The name of a type, the first of them or a later one.
fn item<'a>(group: &'a Group, nametype: &[u8], index: usize) -> Option<Record<'a>> {
    let names = group.records().filter(|record| record.kind == kind::PATH);
    let is_of = |record: &Record| record.get("nametype").is_some_and(|it| it.raw == nametype);
    names.filter(is_of).nth(index)
}

/// The path of a name. A relative one counts from the working directory, unless the call was given
/// another folder.
fn place(group: &Group, name: &Record, folder: Option<i32>) -> Option<Place> {
    let path = name.get("name").filter(|value| !value.is_unknown())?;
    let path = path.decoded();
    if path.starts_with(b"/") {
        let path = normal(&path);
        return Some(Place { path, folder: None });
    }
    if let Some(folder) = folder.filter(|&folder| folder != libc::AT_FDCWD) {
        return Some(Place {
            path: path.into_owned(),
            folder: Some(folder),
        });
    }
    let cwd = group.first(kind::CWD)?.get("cwd")?.decoded();
    Some(Place {
        path: below(&cwd, &path),
        folder: None,
    })
}

/// A relative path below a folder.
pub fn below(folder: &[u8], path: &[u8]) -> Vec<u8> {
    normal(&[folder, b"/", path].concat())
}

/// An absolute path without `.`, `..` and empty parts; links are not followed.
fn normal(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    [&b"/"[..], &parts.join(&b'/')].concat()
}

/// All but the size, which the audit system does not tell.
fn inode(name: &Record) -> Option<Inode> {
    let text = |key| name.get(key).and_then(|it| str::from_utf8(it.raw).ok());
    let (major, minor) = text("dev")?.split_once(':')?;
    Some(Inode {
        device: (
            u32::from_str_radix(major, 16).ok()?,
            u32::from_str_radix(minor, 16).ok()?,
        ),
        filesystem: 0,
        number: name.number("inode")?,
        mode: u32::from_str_radix(text("mode")?, 8).ok()?,
        uid: name.number("ouid")?,
        gid: name.number("ogid")?,
        size: None,
    })
}

fn connection(group: &Group, direction: Direction, exit: i64) -> Option<Act> {
    let address = group.first(kind::SOCKADDR)?.get("saddr")?.decoded();
    let stage = match u16::try_from(exit.unsigned_abs()) {
        // What becomes of one that is underway is not told.
        Ok(error) if exit < 0 && i32::from(error) != libc::EINPROGRESS => Stage::Failed(error),
        _ => Stage::Established,
    };
    Some(Act::Connection {
        direction,
        peer: socket_address(&address)?,
        stage,
    })
}

/// `sockaddr_in` and `sockaddr_in6`.
fn socket_address(address: &[u8]) -> Option<SocketAddr> {
    let (&family, rest) = address.split_first_chunk::<2>()?;
    let (&port, rest) = rest.split_first_chunk::<2>()?;
    let ip: IpAddr = match libc::c_int::from(u16::from_ne_bytes(family)) {
        libc::AF_INET => Ipv4Addr::from(*rest.first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(port)))
}
