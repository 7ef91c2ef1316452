use zerocopy::IntoBytes;

use super::super::wire::{Connection, Delete, Exec, Exit, Header, Name, Open, Rename, RepeatKey};
use super::*;

fn header(kind: u16, flags: u16) -> Header {
    Header {
        kind,
        flags,
        time: 5_000_000_000,
        start: 1_234_567_890,
        pid: 42,
        tid: 43,
        uid: 1,
        euid: 2,
        gid: 3,
        egid: 4,
        ..Default::default()
    }
}

fn record(fixed: &[u8], sections: &[&[u8]]) -> Vec<u8> {
    [fixed, &sections.concat()].concat()
}

fn action(record: &[u8]) -> Action {
    decode(record, Clock { offset: 7 }).unwrap().action
}

fn file(record: &[u8]) -> File {
    match action(record) {
        Action::File(file) => file,
        other => panic!("not a file: {other:?}"),
    }
}

#[test]
fn who_and_when() {
    let record = Exit {
        header: header(kind::EXIT, 0),
        ..Default::default()
    };
    let event = decode(record.as_bytes(), Clock { offset: 7 }).unwrap();
    assert_eq!(event.time, 5_000_000_007);
    assert_eq!(
        event.process,
        ProcessKey {
            pid: 42,
            start: 123
        }
    );
    assert_eq!(event.thread, 43);
    assert_eq!(
        event.credentials,
        Credentials {
            uid: 1,
            euid: 2,
            gid: 3,
            egid: 4
        }
    );
}

#[test]
fn components_become_a_path() {
    assert_eq!(path(b"bash\0bin\0usr\0"), b"/usr/bin/bash");
    assert_eq!(path(b""), b"/");
    assert_eq!(path(b"memfd:x\0"), b"/memfd:x");
}

#[test]
fn names_are_joined_by_their_letters() {
    let joined = |base: &[u8], name: &[u8]| join(base.to_vec(), name);
    assert_eq!(joined(b"/home/ann", b"notes"), b"/home/ann/notes");
    assert_eq!(joined(b"/", b"notes"), b"/notes");
    assert_eq!(joined(b"/", b"/etc//./passwd"), b"/etc/passwd");
    assert_eq!(joined(b"/home/ann", b"../bob/x"), b"/home/bob/x");
    assert_eq!(joined(b"/", b"../../x"), b"/x");
    assert_eq!(joined(b"/jail", b"/etc/passwd"), b"/jail/etc/passwd");
}

#[test]
fn an_exec_with_its_sections() {
    let exec = Exec {
        header: header(kind::EXEC, flag::ARGUMENTS_CUT),
        parent_start: 990_000_000,
        parent_pid: 9,
        arguments_count: 2,
        arguments_size: 6,
        executable_size: 8,
        directory_size: 5,
    };
    let record = record(exec.as_bytes(), &[b"sh\0bin\0\0", b"home\0", b"sh\0-c\0"]);
    let Action::Exec(exec) = action(&record) else {
        panic!()
    };
    assert_eq!(exec.parent, Some(ProcessKey { pid: 9, start: 99 }));
    assert_eq!(exec.working_directory, b"/home");
    assert_eq!(exec.arguments, b"sh\0-c\0");
    assert!(exec.arguments_truncated);
}

#[test]
fn an_exit_tells_code_and_signal() {
    let exit = |status| Exit {
        header: header(kind::EXIT, 0),
        status,
        reserved: 0,
    };
    assert_eq!(
        action(exit(3 << 8).as_bytes()),
        Action::Exit(super::Exit { code: 3, signal: 0 })
    );
    // Killed, with a core dump.
    assert_eq!(
        action(exit(0x8b).as_bytes()),
        Action::Exit(super::Exit {
            code: 0,
            signal: 11
        })
    );
}

#[test]
fn an_open_creates_or_modifies() {
    let open = |flags| Open {
        header: header(kind::OPEN, flags),
        key: RepeatKey {
            inode: 77,
            device: 8 << 20 | 1,
            ..Default::default()
        },
        size: 5,
        mode: 0o100_644,
        path_size: 6,
        ..Default::default()
    };
    let created = file(&record(open(flag::CREATED).as_bytes(), &[b"x\0tmp\0"]));
    assert_eq!(created.change, FileChange::Created);
    assert_eq!(created.path, b"/tmp/x");
    assert_eq!(created.inode.unwrap().device, (8, 1));
    let unnamed = file(&record(open(flag::NAMELESS).as_bytes(), &[b"x\0tmp\0"]));
    assert!(unnamed.deleted);
    let modified = file(&record(open(flag::PATH_CUT).as_bytes(), &[b"x\0tmp\0"]));
    assert_eq!(modified.change, FileChange::Modified);
    assert!(modified.path_truncated);
}

#[test]
fn deletions_and_renames_have_names() {
    let name = Name {
        base_size: 4,
        name_size: 2,
    };
    let delete = Delete {
        header: header(kind::DELETE, flag::DIRECTORY),
        name,
        reserved: 0,
    };
    let deleted = file(&record(delete.as_bytes(), &[b"tmp\0", b"x\0"]));
    assert_eq!(
        (deleted.change, deleted.path),
        (FileChange::DirectoryDeleted, b"/tmp/x".to_vec())
    );

    let rename = Rename {
        header: header(kind::RENAME, flag::OLD_PATH_CUT),
        from: name,
        to: name,
    };
    let renamed = file(&record(
        rename.as_bytes(),
        &[b"tmp\0", b"x\0", b"var\0", b"y\0"],
    ));
    assert_eq!(renamed.old_path.unwrap(), b"/tmp/x");
    assert_eq!(renamed.path, b"/var/y");
    assert!(renamed.old_path_truncated && !renamed.path_truncated);
}

#[test]
fn addresses_of_both_families() {
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
    let wire = Connection {
        header: header(kind::CONNECTION, flag::ACCEPTED),
        local: mapped,
        peer: Ipv6Addr::LOCALHOST.octets(),
        local_port: 443,
        peer_port: 50_000,
        family: wire::FAMILY_IPV6,
        reserved: 0,
    };
    let Action::Connection(connection) = action(wire.as_bytes()) else {
        panic!()
    };
    assert_eq!(connection.direction, Direction::Ingress);
    assert_eq!(connection.local.to_string(), "10.0.0.1:443");
    assert_eq!(connection.peer.to_string(), "[::1]:50000");
    let strange = Connection { family: 1, ..wire };
    assert_eq!(
        decode(strange.as_bytes(), Clock::default()),
        Err(Malformed::Unknown("family"))
    );
}

#[test]
fn no_bytes_can_break_it() {
    let exec = Exec {
        executable_size: u16::MAX,
        arguments_size: u32::MAX,
        ..Default::default()
    };
    for kind in 0..=kind::NAMES.len() as u16 {
        let mut exec = exec;
        exec.header.kind = kind;
        let whole = record(exec.as_bytes(), &[&[0xff; 300]]);
        for size in 0..whole.len() {
            let _ = decode(&whole[..size], Clock { offset: u64::MAX });
        }
    }
    assert_eq!(decode(&[], Clock::default()), Err(Malformed::Short));
}

#[test]
fn a_snapshot_survives_a_recording() {
    let clock = Clock { offset: 1_000 };
    let exec = super::Exec {
        parent: Some(ProcessKey { pid: 1, start: 10 }),
        executable: b"/usr/bin/sleep".to_vec(),
        working_directory: b"/".to_vec(),
        arguments: b"sleep\0\xff\0".to_vec(),
        arguments_truncated: false,
        arguments_count: 2,
        deleted: true,
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
        repeat: None,
        action: Action::Snapshot(exec.clone()),
    };
    assert_eq!(
        decode(&encode_snapshot(&event, &exec, clock), clock),
        Ok(event)
    );
}
