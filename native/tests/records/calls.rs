//! Records of the agent's rules, as the audit system wrote them, and what they have to become.

use std::net::SocketAddr;

use endpoint_agent_native::capture::audit::call::{self, Act, Told};
use endpoint_agent_native::capture::audit::digest::Digest;
use endpoint_agent_native::capture::audit::host::{ANY, Host};
use endpoint_agent_native::capture::audit::join::{Group, Joiner};
use endpoint_agent_native::capture::audit::names::Place;
use endpoint_agent_native::event::{
    self, Action, Content, Event, Exec, File, FileChange, Refusal, Stage,
};

use crate::acts;
use crate::scene::{SHELL, Scene, Who, john, key};

/// A line is a record: its type, and its fields.
pub const EXEC: &str = "\
1300 arch=c000003e syscall=59 success=yes exit=0 a0=55d0a1b2 a1=55d0a1c8 a2=55d0a2e0 a3=8 items=2 ppid=1200 pid=1300 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=\"ls\" exe=\"/usr/bin/ls\" subj=unconfined key=\"endpoint-agent\"
1309 argc=4 a0=\"ls\" a1=\"-l\" a2=\"\" a3=6D792066696C65
1307 cwd=\"/home/john_doe\"
1302 item=0 name=\"/usr/bin/ls\" inode=4321 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0
1327 proctitle=6C73002D6C
1320 ";

pub const CREATED: &str = "\
1300 arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7ffd1 a2=241 a3=1b6 items=2 ppid=800 pid=1200 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=\"bash\" exe=\"/usr/bin/bash\" key=\"endpoint-agent\"
1307 cwd=\"/home/john_doe\"
1302 item=0 name=\"/home/john_doe\" inode=1048576 dev=08:01 mode=040755 ouid=1000 ogid=1000 rdev=00:00 nametype=PARENT
1302 item=1 name=\"notes/../a.txt\" inode=1048671 dev=08:01 mode=0100644 ouid=1000 ogid=1000 rdev=00:00 nametype=CREATE
1320 ";

const RENAMED: &str = "\
1300 arch=c000003e syscall=316 success=yes exit=0 a0=ffffff9c a1=7ffd1 a2=5 a3=7ffd9 items=4 ppid=800 pid=1200 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=(none) ses=3 comm=\"mv\" exe=\"/usr/bin/mv\" key=\"endpoint-agent\"
1307 cwd=\"/home/john_doe\"
1302 item=0 name=\"/home/john_doe\" inode=1 dev=08:01 mode=040755 ouid=1000 ogid=1000 rdev=00:00 nametype=PARENT
1302 item=1 name=\"/srv/\" inode=2 dev=08:01 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT
1302 item=2 name=\"a.txt\" inode=1048671 dev=08:01 mode=0100644 ouid=1000 ogid=1000 rdev=00:00 nametype=DELETE
1302 item=3 name=\"b.txt\" inode=1048671 dev=08:01 mode=0100644 ouid=1000 ogid=1000 rdev=00:00 nametype=CREATE
1320 ";

const CONNECTED: &str = "\
1300 arch=c000003e syscall=42 success=no exit=-115 a0=5 a1=7ffd2 a2=10 a3=0 items=0 ppid=800 pid=1200 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=\"curl\" exe=\"/usr/bin/curl\" key=\"endpoint-agent\"
1306 saddr=020001BB5DB8D8220000000000000000
1320 ";

const ACCEPTED: &str = "\
1300 arch=c000003e syscall=288 success=yes exit=6 a0=5 a1=7ffd2 a2=7ffd3 a3=80000 items=0 ppid=1 pid=800 auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=4294967295 comm=\"sshd\" exe=\"/usr/sbin/sshd\" key=\"endpoint-agent\"
1306 saddr=0A00C93B0000000020010DB800000000000000000000000700000000
1320 ";

/// The records of a call of a user's shell that are not its own: the first is the call's.
pub fn call(arch: &str, number: u32, exit: i64, arguments: [&str; 4], others: &str) -> String {
    let [a0, a1, a2, a3] = arguments;
    let success = if exit < 0 { "no" } else { "yes" };
    let mut records = format!(
        "1300 arch={arch} syscall={number} success={success} exit={exit} a0={a0} a1={a1} a2={a2} a3={a3} \
         items=0 ppid=800 pid=1200 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 \
         egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=\"bash\" exe=\"/usr/bin/bash\" \
         key=\"endpoint-agent\"\n"
    );
    records += others;
    records + "1320 "
}

pub const WIDE: &str = "c000003e";
pub const NARROW: &str = "40000003";
pub const HERE: &str = "ffffff9c";
pub const CWD: &str = "1307 cwd=\"/home/john_doe\"\n";

pub fn name(path: &str, mode: &str, kind: &str) -> String {
    format!(
        "1302 item=0 name={path} inode=1048671 dev=08:01 mode={mode} ouid=1000 ogid=1000 \
         rdev=00:00 nametype={kind}\n"
    )
}

/// A call that changes one file: `name` as it is written, quotes included.
pub fn change(number: u32, arguments: [&str; 4], names: &[String]) -> String {
    call(
        WIDE,
        number,
        0,
        arguments,
        &(CWD.to_owned() + &names.concat()),
    )
}

fn group(records: &str) -> Option<Group> {
    let mut joiner = Joiner::default();
    let groups = records.lines().filter_map(|line| {
        let (kind, fields) = line.split_once(' ').unwrap();
        let text = format!("audit(1768827060.250:77): {fields}");
        joiner.add(kind.parse().unwrap(), text.as_bytes())
    });
    groups.last()
}

pub fn told(records: &str) -> Option<Told> {
    group(records).as_ref().and_then(call::decode)
}

/// What the source makes of it, where its processes are known and /proc gives these answers.
pub fn events(records: &str, answers: &[Option<&str>]) -> Vec<Event> {
    let answers = answers
        .iter()
        .map(|it| (ANY, it.map(|it| it.as_bytes().to_vec())));
    let mut host = Host::Recorded(answers.collect());
    let mut digest = Digest::new(0);
    for pid in [1, 800, SHELL, 1300, TARGET] {
        digest.snapshot(&snapshot(pid));
    }
    for line in records.lines() {
        let (kind, fields) = line.split_once(' ').unwrap();
        let text = format!("audit(1768827060.250:77): {fields}");
        digest.record(kind.parse().unwrap(), text.as_bytes());
    }
    let mut events = Vec::new();
    digest.turn(0, true, &mut host, &mut |event| events.push(event));
    events
}

/// A process that others act upon.
pub const TARGET: u32 = 900;

fn snapshot(pid: u32) -> Event {
    let Who {
        credentials, login, ..
    } = john(pid);
    Event {
        time: 0,
        process: key(pid),
        thread: pid,
        credentials,
        login,
        repeat: None,
        call: None,
        content: Content::Unasked,
        action: Action::Snapshot(Exec::default()),
    }
}

pub fn only(records: &str, answers: &[Option<&str>]) -> Action {
    let mut events = events(records, answers);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0).action
}

pub fn changed(records: &str) -> File {
    match only(records, &[]) {
        Action::File(file) => file,
        other => panic!("{other:?}"),
    }
}

/// What a user does in a shell, and a server.
pub fn calls() -> Scene {
    let mut scene = Scene::with_shell();
    for records in [EXEC, CREATED, RENAMED, CONNECTED, ACCEPTED] {
        for event in events(records, &[]) {
            scene.event(event);
        }
    }
    for (records, answers) in acts::acts() {
        for event in events(&records, &answers) {
            scene.event(event);
        }
    }
    scene
}

fn file(records: &str) -> Option<(FileChange, Place)> {
    match told(records)?.act {
        Act::File { change, path, .. } => {
            let inodes = Vec::new();
            Some((change, Place { inodes, ..path }))
        }
        other => panic!("{other:?}"),
    }
}

fn place(path: &str, folder: Option<i32>) -> Place {
    Place {
        path: path.into(),
        folder,
        inodes: Vec::new(),
    }
}

#[test]
fn a_program_has_its_arguments() {
    let told = told(EXEC).unwrap();
    assert_eq!((told.pid, told.parent), (1300, SHELL));
    let Act::Exec(exec) = told.act else { panic!() };
    assert_eq!(exec.arguments, b"ls\0-l\0\0my file\0");
    assert_eq!(exec.arguments_count, 4);
    assert_eq!(exec.working_directory, b"/home/john_doe");
    assert!(!exec.deleted && !exec.arguments_truncated);
    let file = exec.file.unwrap();
    assert_eq!((file.device, file.inode), ((8, 1), 4321));
}

#[test]
fn a_long_argument_comes_in_parts() {
    let long = "1309 argc=3 a0=\"x\" a1_len=6 a1[0]=4142
1309  a1[1]=\"CD\"
1309  a2=\"\"";
    let lines = EXEC.lines().enumerate();
    let records: Vec<_> = lines
        .map(|(number, line)| if number == 1 { long } else { line })
        .collect();
    let Act::Exec(exec) = told(&records.join("\n")).unwrap().act else {
        panic!()
    };
    assert_eq!(exec.arguments, b"x\0ABCD\0\0");
}

#[test]
fn a_program_in_memory_is_deleted() {
    let records = EXEC.replace(
        "exe=\"/usr/bin/ls\"",
        "exe=2F6D656D66643A78202864656C6574656429",
    );
    let Act::Exec(exec) = told(&records).unwrap().act else {
        panic!()
    };
    assert_eq!(exec.executable, b"/memfd:x");
    assert!(exec.deleted);
}

#[test]
fn an_open_is_a_change_when_it_writes() {
    let created = place("/home/john_doe/a.txt", None);
    assert_eq!(file(CREATED), Some((FileChange::Created, created.clone())));
    let again = CREATED.replace("nametype=CREATE", "nametype=NORMAL");
    assert_eq!(file(&again), Some((FileChange::Modified, created)));
    assert_eq!(file(&again.replace("a2=241", "a2=40")), None);
    assert_eq!(file(&again.replace("mode=0100644", "mode=020666")), None);
    // The flags of openat2 are in a record of their own.
    let second = again.replace("syscall=257", "syscall=437");
    assert_eq!(file(&second), None);
    let told = second.replace("1320 ", "1337 oflag=01 mode=00 resolve=0x0\n1320 ");
    assert!(file(&told).is_some());
    let created = CREATED.replace("syscall=257", "syscall=437");
    assert_eq!(file(&created), file(CREATED));
}

/// An open of the shell; where it has led to is asked of /proc.
fn opened(flags: &str, names: &[String], behind: Option<&str>) -> File {
    let names = CWD.to_owned() + &names.concat();
    match only(
        &call(WIDE, 257, 4, [HERE, "7ffd1", flags, "180"], &names),
        &[behind],
    ) {
        Action::File(file) => file,
        other => panic!("{other:?}"),
    }
}

/// A name that a file system uses in its layers, or a link leads to; one without an inode first.
fn beneath(kind: &str) -> String {
    format!("1302 item=2 name=(null) nametype={kind}\n") + &name("(null)", "0100600", kind)
}

#[test]
fn a_file_that_is_made_behind_a_link_is_told() {
    let names = [name("\"/tmp/\"", "040755", "PARENT"), beneath("CREATE")];
    let made = opened("41", &names, Some("/srv/made"));
    assert_eq!(made.change, FileChange::Created);
    assert_eq!(
        (&*made.path, made.path_truncated),
        (&b"/srv/made"[..], false)
    );
    assert_eq!(made.inode.unwrap().number, 1_048_671);
    let gone = opened("41", &names, None);
    assert_eq!((&*gone.path, gone.path_truncated), (&b""[..], true));
}

#[test]
fn what_a_file_system_does_beneath_is_no_act() {
    let of = |path, kind| name(path, "0100600", kind);
    let written = opened("1", &[of("\"a\"", "NORMAL"), beneath("CREATE")], None);
    assert_eq!(written.change, FileChange::Modified);
    assert_eq!(written.path, b"/home/john_doe/a");
    let names = [
        of("\"a\"", "DELETE"),
        of("\"b\"", "DELETE"),
        beneath("CREATE"),
        of("\"b\"", "CREATE"),
    ];
    let renamed = changed(&change(82, ["1", "2", "0", "0"], &names));
    assert_eq!(renamed.change, FileChange::Renamed);
    assert_eq!(renamed.path, b"/home/john_doe/b");
}

#[test]
fn a_file_without_a_name_is_told_as_the_kernel_calls_it() {
    let made = opened("410001", &[name("\"below\"", "0100600", "NORMAL")], None);
    assert_eq!(made.path, b"/home/john_doe/below/#1048671");
    assert!(made.deleted && made.change == FileChange::Modified);
}

#[test]
fn a_file_that_is_opened_by_a_handle_is_where_its_descriptor_leads() {
    let names = CWD.to_owned() + &name("\"\"", "0100644", "NORMAL");
    let records = call(WIDE, 304, 4, ["3", "7ffd1", "1", "0"], &names);
    let Action::File(file) = only(&records, &[Some("/srv/a")]) else {
        panic!()
    };
    assert_eq!((&*file.path, file.path_truncated), (&b"/srv/a"[..], false));
}

#[test]
fn a_relative_path_counts_from_the_folder_of_the_call() {
    let below = CREATED.replace("a0=ffffff9c", "a0=4");
    let expected = place("notes/../a.txt", Some(4));
    assert_eq!(file(&below), Some((FileChange::Created, expected)));
    let inodes = |records: &str| match told(records).unwrap().act {
        Act::File { path, .. } => path.inodes,
        other => panic!("{other:?}"),
    };
    // Which folder that has to be is known of what is directly below it.
    assert!(inodes(&below).is_empty());
    assert_eq!(inodes(&below.replace("notes/../", "")), [1_048_576_u64]);
}

#[test]
fn a_rename_has_both_names() {
    let Act::File {
        change, path, old, ..
    } = told(RENAMED).unwrap().act
    else {
        panic!()
    };
    assert_eq!(change, FileChange::Renamed);
    assert_eq!(old, Some(place("/home/john_doe/a.txt", None)));
    let expected = Place {
        inodes: vec![1, 2],
        ..place("b.txt", Some(5))
    };
    assert_eq!(path, expected);
    // Over a file that is there.
    let over = RENAMED.replace("nametype=CREATE", "nametype=DELETE");
    assert_eq!(
        file(&over),
        Some((FileChange::Renamed, place("b.txt", Some(5))))
    );
}

#[test]
fn a_folder_and_a_file_are_deleted() {
    let deleted = CREATED
        .replace("syscall=257", "syscall=263")
        .replace("nametype=CREATE", "nametype=DELETE");
    let path = place("/home/john_doe/a.txt", None);
    assert_eq!(file(&deleted), Some((FileChange::Deleted, path.clone())));
    let folder = deleted.replace("mode=0100644", "mode=040755");
    assert_eq!(file(&folder), Some((FileChange::DirectoryDeleted, path)));
}

#[test]
fn a_connection_has_its_peer() {
    let peer = |records: &str| told(records).and_then(|told| told.call.socket);
    let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    assert_eq!(peer(CONNECTED), address("93.184.216.34:443"));
    assert_eq!(peer(ACCEPTED), address("[2001:db8::7]:51515"));
    let refused = told(&CONNECTED.replace("exit=-115", "exit=-111")).unwrap();
    let Act::Connection { stage, .. } = refused.act else {
        panic!()
    };
    assert_eq!(stage, Stage::Failed(111));
    for saddr in ["01002F72756E", "0200", "0A0001BB", "", "?"] {
        let local = CONNECTED.replace("020001BB5DB8D8220000000000000000", saddr);
        assert_eq!(told(&local), None);
    }
}

#[test]
fn what_is_refused_names_the_file() {
    let refused = |error| {
        let call = event::Call::TOLD;
        FileChange::Refused(Refusal { call, error })
    };
    let path = place("/home/john_doe/a.txt", None);
    let opened = CREATED.replace("exit=3", "exit=-13");
    assert_eq!(file(&opened), Some((refused(13), path.clone())));
    // The kernel has come no further than to the name.
    let made = opened.replace("nametype=CREATE", "nametype=UNKNOWN");
    assert_eq!(file(&made), Some((refused(13), path)));
    let renamed = RENAMED.replace("exit=0", "exit=-1");
    assert_eq!(file(&renamed), Some((refused(1), place("b.txt", Some(5)))));
    // It has come to the old name, which counts from another folder; or to none, of which the record has
    // the working directory's.
    let (first, _) = renamed.split_once("1302 item=3").unwrap();
    let old = place("/home/john_doe/a.txt", None);
    assert_eq!(file(&format!("{first}1320 ")), Some((refused(1), old)));
    let below = opened.replace("a0=ffffff9c", "a0=6");
    let (first, _) = below.split_once("1302 item=1").unwrap();
    let folder = place("", Some(6));
    assert_eq!(file(&format!("{first}1320 ")), Some((refused(13), folder)));
    let changed = CREATED.replace("syscall=257", "syscall=91"); // fchmod
    assert_eq!(told(&changed.replace("exit=3", "exit=-1")), None);
}

#[test]
fn what_failed_or_is_foreign_is_nothing() {
    assert_eq!(told(&CREATED.replace("exit=3", "exit=-2")), None);
    assert_eq!(told(&EXEC.replace("arch=c000003e", "arch=c00000b7")), None);
    assert_eq!(told(&EXEC.replace("arch=c000003e", "arch=40000003")), None); // olduname
    assert_eq!(told(&EXEC.replace("syscall=59", "syscall=60")), None);
    assert_eq!(told(&EXEC.replace("exit=0", "exit=x")), None);
}
