//! Records to events. Pure: bytes in, an [`Event`] or a reason out, whatever the bytes are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use zerocopy::FromBytes;

use super::wire::{self, flag, kind};
use crate::event::{
    Action, Connection, Credentials, Direction, Event, Exec, Exit, File, FileChange, Fork, Inode,
    ProcessKey,
};

/// A boot-time nanosecond in a clock tick of `/proc` (`USER_HZ` is 100 on every architecture).
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// What a record cannot be decoded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The record ends before its kind's struct or sections do.
    #[error("the record is cut off")]
    Short,
    /// No such kind, family or name.
    #[error("the record's {0} is not known")]
    Unknown(&'static str),
}

/// The difference between the epoch's clock and the kernel's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, nanoseconds.
    pub offset: u64,
}

impl Clock {
    /// The time since the epoch of a boot time.
    pub fn wall(self, boot: u64) -> u64 {
        boot.wrapping_add(self.offset)
    }
}

/// Decodes one record, whole and alone in `record`.
pub fn decode(record: &[u8], clock: Clock) -> Result<Event, Malformed> {
    let (header, _) = take::<wire::Header>(record)?;
    let action = match header.kind {
        kind::FORK => fork(record)?,
        kind::EXEC => Action::Exec(exec(record)?),
        kind::SNAPSHOT => Action::Snapshot(exec(record)?),
        kind::EXIT => exit(record)?,
        kind::OPEN => open(record)?,
        kind::DELETE => delete(record)?,
        kind::RENAME => rename(record)?,
        kind::CONNECTION => connection(record)?,
        _ => return Err(Malformed::Unknown("kind")),
    };
    Ok(Event {
        time: clock.wall(header.time),
        process: key(header.pid, header.start),
        thread: header.tid,
        credentials: Credentials {
            uid: header.uid,
            euid: header.euid,
            gid: header.gid,
            egid: header.egid,
        },
        repeat: None,
        action,
    })
}

fn take<T: FromBytes>(bytes: &[u8]) -> Result<(T, &[u8]), Malformed> {
    T::read_from_prefix(bytes).map_err(|_| Malformed::Short)
}

fn section(bytes: &[u8], size: usize) -> Result<(&[u8], &[u8]), Malformed> {
    bytes.split_at_checked(size).ok_or(Malformed::Short)
}

fn key(pid: u32, start: u64) -> ProcessKey {
    ProcessKey {
        pid,
        start: start / NANOSECONDS_PER_TICK,
    }
}

fn fork(record: &[u8]) -> Result<Action, Malformed> {
    let (fork, _) = take::<wire::Fork>(record)?;
    Ok(Action::Fork(Fork {
        child: key(fork.child_pid, fork.child_start),
    }))
}

fn exec(record: &[u8]) -> Result<Exec, Malformed> {
    let (exec, rest) = take::<wire::Exec>(record)?;
    let (executable, rest) = section(rest, exec.executable_size.into())?;
    let (directory, rest) = section(rest, exec.directory_size.into())?;
    let (arguments, _) = section(rest, exec.arguments_size as usize)?;
    let cut = |flag| exec.header.flags & flag != 0;
    Ok(Exec {
        parent: (exec.parent_pid != 0).then(|| key(exec.parent_pid, exec.parent_start)),
        // A process without a program is a kernel thread; a path without components is the root.
        executable: match executable {
            [] => Vec::new(),
            components => marked(path(components), cut(flag::PATH_CUT)),
        },
        working_directory: marked(path(directory), cut(flag::OLD_PATH_CUT)),
        arguments: arguments.to_vec(),
        arguments_truncated: exec.header.flags & flag::ARGUMENTS_CUT != 0,
        arguments_count: exec.arguments_count,
        deleted: exec.header.flags & flag::NAMELESS != 0,
    })
}

fn exit(record: &[u8]) -> Result<Action, Malformed> {
    let (exit, _) = take::<wire::Exit>(record)?;
    let [signal, code, ..] = exit.status.to_le_bytes();
    Ok(Action::Exit(Exit {
        code,
        signal: signal & 0x7f,
    }))
}

fn open(record: &[u8]) -> Result<Action, Malformed> {
    let (open, rest) = take::<wire::Open>(record)?;
    let (components, _) = section(rest, open.path_size.into())?;
    let created = open.header.flags & flag::CREATED != 0;
    Ok(Action::File(File {
        change: if created {
            FileChange::Created
        } else {
            FileChange::Modified
        },
        path: path(components),
        old_path: None,
        path_truncated: open.header.flags & flag::PATH_CUT != 0,
        old_path_truncated: false,
        deleted: open.header.flags & flag::NAMELESS != 0,
        inode: Some(Inode {
            device: (open.key.device >> 20, open.key.device & 0xf_ffff),
            number: open.key.inode,
            mode: open.mode,
            uid: open.uid,
            gid: open.gid,
            size: open.size,
        }),
    }))
}

fn delete(record: &[u8]) -> Result<Action, Malformed> {
    let (delete, rest) = take::<wire::Delete>(record)?;
    let (path, _) = named(rest, delete.name)?;
    let directory = delete.header.flags & flag::DIRECTORY != 0;
    Ok(Action::File(File {
        change: if directory {
            FileChange::DirectoryDeleted
        } else {
            FileChange::Deleted
        },
        path,
        old_path: None,
        path_truncated: delete.header.flags & flag::PATH_CUT != 0,
        old_path_truncated: false,
        deleted: false,
        inode: None,
    }))
}

fn rename(record: &[u8]) -> Result<Action, Malformed> {
    let (rename, rest) = take::<wire::Rename>(record)?;
    let (from, rest) = named(rest, rename.from)?;
    let (to, _) = named(rest, rename.to)?;
    Ok(Action::File(File {
        change: FileChange::Renamed,
        path: to,
        old_path: Some(from),
        path_truncated: rename.header.flags & flag::PATH_CUT != 0,
        old_path_truncated: rename.header.flags & flag::OLD_PATH_CUT != 0,
        deleted: false,
        inode: None,
    }))
}

fn connection(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, _) = take::<wire::Connection>(record)?;
    let address = |bytes: [u8; 16]| match wire.family {
        wire::FAMILY_IPV4 => {
            let [a, b, c, d, ..] = bytes;
            Ok(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        // A socket of both families names IPv4 peers in IPv6's notation.
        wire::FAMILY_IPV6 => Ok(Ipv6Addr::from(bytes).to_canonical()),
        _ => Err(Malformed::Unknown("family")),
    };
    let accepted = wire.header.flags & flag::ACCEPTED != 0;
    Ok(Action::Connection(Connection {
        direction: if accepted {
            Direction::Ingress
        } else {
            Direction::Egress
        },
        local: SocketAddr::new(address(wire.local)?, wire.local_port),
        peer: SocketAddr::new(address(wire.peer)?, wire.peer_port),
    }))
}

/// The path that components, leaf first, each ended by NUL, stand for.
fn path(components: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(components.len() + 1);
    let names = components.strip_suffix(&[0]).unwrap_or(components);
    if !names.is_empty() {
        for name in names.rsplit(|&byte| byte == 0) {
            path.push(b'/');
            path.extend_from_slice(name);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// A path whose begin is lost must not look like a whole one, wherever it goes from here.
fn marked(path: Vec<u8>, cut: bool) -> Vec<u8> {
    if cut {
        ["…".as_bytes(), &path].concat()
    } else {
        path
    }
}

/// The path of a base section and a name section, and what follows them.
fn named(bytes: &[u8], sizes: wire::Name) -> Result<(Vec<u8>, &[u8]), Malformed> {
    let (base, rest) = section(bytes, sizes.base_size.into())?;
    let (name, rest) = section(rest, sizes.name_size.into())?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok((join(path(base), name), rest))
}

/// Appends a relative name to an absolute path and resolves `.` and `..` by their letters: the
/// links they may cross are gone by now.
fn join(mut path: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if path == b"/" {
        path.clear();
    }
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => path.truncate(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
            part => {
                path.push(b'/');
                path.extend_from_slice(part);
            }
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// A snapshot of a process as a record, so that a recording begins with what was there.
pub fn encode_snapshot(event: &Event, exec: &Exec, clock: Clock) -> Vec<u8> {
    use zerocopy::IntoBytes;

    let components = |path: &[u8]| {
        let mut section = Vec::with_capacity(path.len() + 1);
        for name in path
            .split(|&byte| byte == b'/')
            .rev()
            .filter(|name| !name.is_empty())
        {
            section.extend_from_slice(name);
            section.push(0);
        }
        section.truncate(u16::MAX.into());
        section
    };
    let executable = components(&exec.executable);
    let directory = components(&exec.working_directory);
    let parent = exec.parent.unwrap_or(ProcessKey { pid: 0, start: 0 });
    let size = size_of::<wire::Exec>() + executable.len() + directory.len() + exec.arguments.len();
    let wire = wire::Exec {
        header: wire::Header {
            size: size as u32,
            kind: kind::SNAPSHOT,
            flags: if exec.arguments_truncated {
                flag::ARGUMENTS_CUT
            } else {
                0
            } | if exec.deleted { flag::NAMELESS } else { 0 },
            time: event.time.wrapping_sub(clock.offset),
            start: event.process.start * NANOSECONDS_PER_TICK,
            pid: event.process.pid,
            tid: event.thread,
            uid: event.credentials.uid,
            euid: event.credentials.euid,
            gid: event.credentials.gid,
            egid: event.credentials.egid,
            ..Default::default()
        },
        parent_start: parent.start * NANOSECONDS_PER_TICK,
        parent_pid: parent.pid,
        arguments_count: exec.arguments_count,
        arguments_size: exec.arguments.len() as u32,
        executable_size: executable.len() as u16,
        directory_size: directory.len() as u16,
    };
    [wire.as_bytes(), &executable, &directory, &exec.arguments].concat()
}

#[cfg(test)]
mod tests;
