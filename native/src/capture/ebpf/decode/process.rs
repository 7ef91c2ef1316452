//! The life of processes.

use zerocopy::IntoBytes;

use super::path::{base_and_name, join, marked, path};
use super::{Clock, Malformed, NANOSECONDS_PER_TICK, device, key, section, take};
use crate::capture::ebpf::wire::{self, flag, kind};
use crate::event::{Action, Event, Exec, Exit, FileVersion, Fork, Group, Namespaces, ProcessKey};

pub fn fork(record: &[u8]) -> Result<Action, Malformed> {
    let (fork, _) = take::<wire::Fork>(record)?;
    Ok(Action::Fork(Fork {
        child: key(fork.child_pid, fork.child_start),
    }))
}

pub fn exec(record: &[u8]) -> Result<Exec, Malformed> {
    let (exec, rest) = take::<wire::Exec>(record)?;
    let (executable, rest) = section(rest, exec.executable_size.into())?;
    let (directory, rest) = section(rest, exec.directory_size.into())?;
    let (base, name, rest) = base_and_name(rest, exec.script)?;
    let (group, rest) = section(rest, exec.group_size.into())?;
    let (arguments, _) = section(rest, exec.arguments_size as usize)?;
    let cut = |flag| exec.header.flags & flag != 0;
    let working_directory = marked(path(directory), cut(flag::OLD_PATH_CUT));
    let script = match name {
        [] => Vec::new(),
        [b'/', ..] => marked(
            join(path(base), name),
            exec.script_flags & flag::PATH_CUT != 0,
        ),
        name => join(working_directory.clone(), name),
    };
    Ok(Exec {
        parent: (exec.parent_pid != 0).then(|| key(exec.parent_pid, exec.parent_start)),
        // A process without a program is a kernel thread; a path without components is the root.
        executable: match executable {
            [] => Vec::new(),
            components => marked(path(components), cut(flag::PATH_CUT)),
        },
        working_directory,
        script,
        arguments: arguments.to_vec(),
        group: Group {
            id: exec.group,
            path: match group {
                [] => Vec::new(),
                components => path(components),
            },
        },
        namespaces: namespaces(exec.namespaces),
        file: version(exec.file),
        arguments_truncated: exec.header.flags & flag::ARGUMENTS_CUT != 0,
        arguments_count: exec.arguments_count,
        deleted: exec.header.flags & flag::NAMELESS != 0,
    })
}

/// None where the source did not know, as in a snapshot.
fn version(told: wire::FileVersion) -> Option<FileVersion> {
    (told.inode != 0).then(|| FileVersion {
        device: device(told.device),
        inode: told.inode,
        changed: told.changed,
        size: told.size,
        filesystem: told.filesystem,
    })
}

fn namespaces(told: wire::Namespaces) -> Namespaces {
    let wire::Namespaces {
        pid,
        mnt,
        net,
        user,
        uts,
        ipc,
    } = told;
    Namespaces {
        pid,
        mnt,
        net,
        user,
        uts,
        ipc,
    }
}

pub fn exit(record: &[u8]) -> Result<Action, Malformed> {
    let (exit, _) = take::<wire::Exit>(record)?;
    let [signal, code, ..] = exit.status.to_le_bytes();
    Ok(Action::Exit(Exit {
        code,
        signal: signal & 0x7f,
    }))
}

/// A snapshot of a process as a record, so that a recording begins with what was there.
pub fn encode_snapshot(event: &Event, exec: &Exec, clock: Clock) -> Vec<u8> {
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
    let group = components(&exec.group.path);
    let parent = exec.parent.unwrap_or(ProcessKey { pid: 0, start: 0 });
    let sections = [&executable, &directory, &group, &exec.arguments];
    let size = size_of::<wire::Exec>() + sections.map(Vec::len).iter().sum::<usize>();
    let Namespaces {
        pid,
        mnt,
        net,
        user,
        uts,
        ipc,
    } = exec.namespaces;
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
            login_uid: event.login.uid,
            session: event.login.session,
            ..Default::default()
        },
        parent_start: parent.start * NANOSECONDS_PER_TICK,
        parent_pid: parent.pid,
        arguments_count: exec.arguments_count,
        arguments_size: exec.arguments.len() as u32,
        executable_size: executable.len() as u16,
        directory_size: directory.len() as u16,
        group_size: group.len() as u16,
        group: exec.group.id,
        namespaces: wire::Namespaces {
            pid,
            mnt,
            net,
            user,
            uts,
            ipc,
        },
        ..Default::default()
    };
    [wire.as_bytes(), &sections.map(Vec::as_slice).concat()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::ebpf::decode::decode;
    use crate::capture::ebpf::decode::tests::{action, header, record};
    use crate::event::{Content, Credentials, LoginSession};

    #[test]
    fn an_exec_with_its_sections() {
        let exec = wire::Exec {
            header: header(kind::EXEC, flag::ARGUMENTS_CUT),
            parent_start: 990_000_000,
            parent_pid: 9,
            arguments_count: 2,
            arguments_size: 6,
            executable_size: 8,
            directory_size: 5,
            file: wire::FileVersion {
                inode: 77,
                device: 8 << 20 | 1,
                changed: 1_000_000_002,
                size: 3,
                filesystem: 0xef53,
            },
            ..Default::default()
        };
        let record = record(exec.as_bytes(), &[b"sh\0bin\0\0", b"home\0", b"sh\0-c\0"]);
        let Action::Exec(exec) = action(&record) else {
            panic!()
        };
        assert_eq!(exec.parent, Some(ProcessKey { pid: 9, start: 99 }));
        assert_eq!(exec.working_directory, b"/home");
        assert_eq!(exec.arguments, b"sh\0-c\0");
        assert!(exec.arguments_truncated);
        let version = FileVersion {
            device: (8, 1),
            inode: 77,
            changed: 1_000_000_002,
            size: 3,
            filesystem: 0xef53,
        };
        assert_eq!(exec.file, Some(version));
    }

    #[test]
    fn a_script_counts_from_the_root_or_from_the_working_directory() {
        let script = |base: &[u8], name: &[u8], script_flags| {
            let exec = wire::Exec {
                header: header(kind::EXEC, 0),
                directory_size: 5,
                script: wire::Name {
                    base_size: base.len() as u16,
                    name_size: name.len() as u16,
                },
                script_flags,
                ..Default::default()
            };
            let record = record(exec.as_bytes(), &[b"home\0", base, name]);
            let Action::Exec(exec) = action(&record) else {
                panic!()
            };
            String::from_utf8(exec.script).unwrap()
        };
        assert_eq!(script(b"", b"", 0), "");
        assert_eq!(script(b"", b"./run\0", 0), "/home/run");
        assert_eq!(script(b"", b"/usr/bin/tool\0", 0), "/usr/bin/tool");
        assert_eq!(script(b"jail\0", b"/tool\0", 0), "/jail/tool");
        assert_eq!(script(b"deep\0", b"/tool\0", flag::PATH_CUT), "…/deep/tool");
    }

    #[test]
    fn an_exit_tells_code_and_signal() {
        let exit = |status| wire::Exit {
            header: header(kind::EXIT, 0),
            status,
            reserved: 0,
        };
        assert_eq!(
            action(exit(3 << 8).as_bytes()),
            Action::Exit(Exit { code: 3, signal: 0 })
        );
        // Killed, with a core dump.
        assert_eq!(
            action(exit(0x8b).as_bytes()),
            Action::Exit(Exit {
                code: 0,
                signal: 11
            })
        );
    }

    #[test]
    fn a_snapshot_survives_a_recording() {
        let clock = Clock { offset: 1_000 };
        let exec = Exec {
            parent: Some(ProcessKey { pid: 1, start: 10 }),
            executable: b"/usr/bin/sleep".to_vec(),
            working_directory: b"/".to_vec(),
            group: Group {
                id: 4,
                path: b"/system.slice/cron.service".to_vec(),
            },
            namespaces: Namespaces {
                pid: 1,
                mnt: 2,
                net: 3,
                user: 4,
                uts: 5,
                ipc: 6,
            },
            arguments: b"sleep\0\xff\0".to_vec(),
            arguments_truncated: false,
            arguments_count: 2,
            deleted: true,
            ..Default::default()
        };
        let event = Event {
            time: 5_000,
            process: ProcessKey { pid: 7, start: 99 },
            thread: 7,
            credentials: Credentials {
                uid: 1,
                euid: 2,
                gid: 3,
                egid: 4,
            },
            login: LoginSession { uid: 5, session: 6 },
            repeat: None,
            call: None,
            content: Content::Unasked,
            action: Action::Snapshot(exec.clone()),
        };
        assert_eq!(
            decode(&encode_snapshot(&event, &exec, clock), clock),
            Ok(event)
        );
    }
}
