//! Records of all that is no program, no opened file and no connection, and what they become.

use endpoint_agent_native::event::{
    Action, Attachment, File, FileChange, MountChange, Node, Ownership, Stage,
};

use crate::calls::{
    CREATED, CWD, EXEC, HERE, NARROW, TARGET, WIDE, call, change, changed, events, name, only, told,
};
use crate::scene::key;

/// What else there is, and what /proc answers to it.
pub fn acts() -> Vec<(String, Vec<Option<&'static str>>)> {
    let target = format!("1318 opid={TARGET} oauid=1000 ouid=1000 oses=3 obj=? ocomm=\"sleep\"\n");
    vec![
        (
            call(
                WIDE,
                59,
                -13,
                ["1", "2", "3", "0"],
                &(CWD.to_owned() + &name("\"./tool\"", "0100644", "NORMAL")),
            ),
            vec![],
        ),
        (
            call(
                NARROW,
                11,
                -2,
                ["1", "2", "3", "0"],
                &(CWD.to_owned() + "1302 item=0 name=\"/opt/x\" nametype=UNKNOWN\n"),
            ),
            vec![],
        ),
        (
            call(
                WIDE,
                46,
                5,
                ["3", "7ffd2", "0", "0"],
                "1306 saddr=02000035C00002350000000000000000\n",
            ),
            vec![],
        ),
        (
            call(WIDE, 105, 0, ["0", "0", "0", "0"], ""),
            vec![Some("Name:\tsu\nGroups:\t0 42 \n")],
        ),
        (
            call(
                WIDE,
                126,
                0,
                ["1", "2", "0", "0"],
                "1322 pid=0 cap_pi=0000000000000000 cap_pp=0000000000003000 cap_pe=0000000000001000 cap_pa=0000000000000000\n",
            ),
            vec![],
        ),
        (
            call(WIDE, 62, 0, ["384", "9", "0", "0"], &target),
            vec![None],
        ),
        (call(WIDE, 101, 0, ["10", "384", "0", "0"], &target), vec![]),
        (
            call(
                WIDE,
                313,
                0,
                ["3", "7ffd", "0", "0"],
                "1330 name=\"dummy\"\n",
            )
            .replace("key=\"endpoint-agent\"", "key=\"modules\""),
            vec![Some("/tmp/dummy.ko")],
        ),
        (
            call(
                WIDE,
                321,
                7,
                ["5", "7ffd", "78", "0"],
                "1334 prog-id=77 op=LOAD\n",
            ),
            vec![Some(
                "pos:\t0\nprog_type:\t5\nprog_tag:\t3b185187f1855c4c\nprog_id:\t77\n",
            )],
        ),
    ]
}

/// Of a file of the working directory.
fn of_file(number: u32, arguments: [&str; 4]) -> File {
    changed(&change(
        number,
        arguments,
        &[name("\"a.txt\"", "0100644", "NORMAL")],
    ))
}

#[test]
fn attributes_of_files_are_those_after_the_call() {
    let file = of_file(90, ["1", "81ed", "0", "0"]);
    assert_eq!(file.change, FileChange::Permissions(0o755));
    assert_eq!(file.path, b"/home/john_doe/a.txt");
    assert_eq!(file.inode.unwrap().mode, 0o100_755);
    let file = of_file(260, [HERE, "1", "0", "ffffffff"]);
    let owner = Ownership {
        uid: Some(0),
        gid: None,
    };
    assert_eq!(file.change, FileChange::Ownership(owner));
    let inode = file.inode.unwrap();
    assert_eq!((inode.uid, inode.gid), (0, 1000));
    let file = of_file(280, [HERE, "1", "0", "0"]);
    let FileChange::Times(times) = file.change else {
        panic!()
    };
    assert_eq!(times.modified, Some(1_768_827_060_250_000_000));
    let FileChange::Times(untold) = of_file(132, ["1", "7ffd", "0", "0"]).change else {
        panic!()
    };
    assert_eq!((untold.accessed, untold.modified), (None, None));
    let file = of_file(76, ["1", "1000", "0", "0"]);
    assert_eq!(file.change, FileChange::Truncated(4096));
    assert_eq!(file.inode.unwrap().size, Some(4096));
    let records = change(
        189,
        ["1", "2", "3", "0"],
        &[name("\"l\"", "0120777", "NORMAL")],
    );
    let FileChange::Attribute(attribute) = changed(&records).change else {
        panic!()
    };
    assert!(attribute.name.is_empty() && !attribute.removed);
    assert!(changed(&records).nofollow);
}

#[test]
fn a_descriptor_is_asked_for_its_path() {
    let nameless = name("(null)", "0100644", "NORMAL");
    let records = change(91, ["4", "180", "0", "0"], &[nameless]);
    let file = |answers: &[Option<&str>]| match only(&records, answers) {
        Action::File(file) => (file.path, file.path_truncated),
        other => panic!("{other:?}"),
    };
    assert_eq!(file(&[Some("/srv/x")]), (b"/srv/x".to_vec(), false));
    assert_eq!(file(&[None]), (Vec::new(), true));
}

#[test]
fn a_file_in_memory_is_named_by_its_descriptor() {
    let made = call(WIDE, 319, 4, ["7ffd", "3", "0", "0"], "");
    let Action::File(file) = only(&made, &[Some("/memfd:stage")]) else {
        panic!()
    };
    let options = vec!["MFD_CLOEXEC", "MFD_ALLOW_SEALING"];
    assert_eq!(file.change, FileChange::MemoryCreated(options));
    assert_eq!(file.path, b"/memfd:stage");
    assert!(file.deleted);
    let Action::File(other) = only(&made, &[Some("/etc/ld.so.cache")]) else {
        panic!()
    };
    assert_eq!((&*other.path, other.path_truncated), (&b""[..], true));
}

#[test]
fn what_is_made_has_its_name() {
    let parent = name("\"/home/john_doe\"", "040755", "PARENT");
    let made = |number, arguments, mode, more: &[String]| {
        let mut names = vec![parent.clone()];
        names.extend_from_slice(more);
        names.push(name("new", mode, "CREATE").replace("name=new", "name=\"new\""));
        changed(&change(number, arguments, &names))
    };
    let folder = made(83, ["1", "1ff", "0", "0"], "040755", &[]);
    assert_eq!(folder.change, FileChange::DirectoryCreated);
    assert_eq!(folder.path, b"/home/john_doe/new");
    assert_eq!(folder.inode.unwrap().mode, 0o040_755);
    let node = made(259, [HERE, "1", "2190", "103"], "020600", &[]);
    let null = Node {
        mode: 0o020_620,
        device: (1, 3),
    };
    assert_eq!(node.change, FileChange::NodeCreated(null));
    let old = name("\"a.txt\"", "0100644", "NORMAL");
    let link = made(86, ["1", "2", "0", "0"], "0100644", &[old]);
    assert_eq!(link.change, FileChange::Linked);
    assert_eq!(link.old_path.unwrap(), b"/home/john_doe/a.txt");
    let text = "1302 item=0 name=\"../x\" nametype=UNKNOWN\n".to_owned();
    let link = made(88, ["1", "2", "0", "0"], "0120777", &[text]);
    assert_eq!(link.change, FileChange::Symlinked(b"../x".to_vec()));
}

#[test]
fn names_that_were_exchanged() {
    let of = |path: &str, kind| name(path, "0100644", kind);
    let both = ["DELETE", "DELETE", "CREATE", "CREATE"];
    let names = [
        of("\"a\"", both[0]),
        of("\"b\"", both[1]),
        of("\"a\"", both[2]),
        of("\"b\"", both[3]),
    ];
    let told = events(&change(316, [HERE, "1", HERE, "2"], &names), &[]);
    let paths = told.into_iter().map(|event| match event.action {
        Action::File(file) if file.change == FileChange::Exchanged => {
            (file.old_path.unwrap(), file.path)
        }
        other => panic!("{other:?}"),
    });
    let (a, b) = (b"/home/john_doe/a".to_vec(), b"/home/john_doe/b".to_vec());
    assert_eq!(paths.collect::<Vec<_>>(), [(a.clone(), b.clone()), (b, a)]);
}

#[test]
fn mounts_have_a_folder_and_a_source() {
    let folder = |path: &str| name(path, "040755", "NORMAL");
    let mount =
        |number, arguments, names: &[String]| match only(&change(number, arguments, names), &[]) {
            Action::Mount(mount) => mount,
            other => panic!("{other:?}"),
        };
    let bound = mount(
        165,
        ["1", "2", "0", "1000"],
        &[folder("\"/mnt\""), folder("\"/srv\"")],
    );
    assert_eq!(bound.change, MountChange::Mounted);
    assert_eq!(
        (bound.path, bound.source),
        (b"/mnt".to_vec(), b"/srv".to_vec())
    );
    assert_eq!(bound.options, ["MS_BIND"]);
    let gone = mount(166, ["1", "2", "0", "0"], &[folder("\"/mnt\"")]);
    assert_eq!(
        (gone.change, gone.options),
        (MountChange::Unmounted, vec!["MNT_DETACH"])
    );
    let swapped = mount(
        155,
        ["1", "2", "0", "0"],
        &[folder("\"new\""), folder("\"new/old\"")],
    );
    assert_eq!(swapped.put_old.unwrap(), b"/home/john_doe/new/old");
    let root = mount(161, ["1", "0", "0", "0"], &[folder("\"jail\"")]);
    assert_eq!(root.change, MountChange::RootChanged);
}

#[test]
fn a_program_that_cannot_be_started_says_why() {
    let [(wide, _), (narrow, _), ..] = &acts()[..] else {
        panic!()
    };
    let Action::ExecFailed(failed) = only(wide, &[]) else {
        panic!()
    };
    assert_eq!(
        (&*failed.path, failed.error),
        (&b"/home/john_doe/tool"[..], 13)
    );
    let event = events(narrow, &[]).remove(0);
    assert_eq!(event.call.unwrap().arch, "i386");
    let Action::ExecFailed(failed) = event.action else {
        panic!()
    };
    assert_eq!((&*failed.path, failed.error), (&b"/opt/x"[..], 2));
}

#[test]
fn the_script_is_told_beside_its_interpreter() {
    let script = EXEC
        .replace("exe=\"/usr/bin/ls\"", "exe=\"/usr/bin/dash\"")
        .replace(
            "argc=4 a0=\"ls\" a1=\"-l\" a2=\"\" a3=6D792066696C65",
            "argc=2 a0=\"/bin/sh\" a1=\"./run\"",
        )
        .replace(
            "1302 item=0 name=\"/usr/bin/ls\"",
            "1302 item=0 name=\"./run\" inode=1 nametype=NORMAL\n1302 item=1 name=\"/bin/sh\"",
        );
    let Action::Exec(exec) = only(&script, &[]) else {
        panic!()
    };
    assert_eq!(exec.script, b"/home/john_doe/run");
    // The interpreter is what runs.
    assert_eq!(exec.file.map(|file| file.inode), Some(4321));
    let Action::Exec(exec) = only(EXEC, &[]) else {
        panic!()
    };
    assert!(exec.script.is_empty());
}

#[test]
fn an_identity_is_told_when_it_is_another() {
    let records = call(WIDE, 105, 0, ["0", "0", "0", "0"], "");
    let become_root = EXEC
        .replace("ppid=1200 pid=1300", "ppid=800 pid=1200")
        .replace("euid=1000", "euid=0");
    let both = |second: &str| {
        let first = become_root.clone() + "\n";
        events(&(first + second), &[None, Some("Groups:\t5\n")])
    };
    let told = both(&records);
    assert_eq!(told.len(), 2);
    let Action::Identity(change) = &told[1].action else {
        panic!()
    };
    assert_eq!(change.before.as_ref().unwrap().users, [1000, 0, 1000, 1000]);
    assert_eq!(change.after.users, [1000; 4]);
    assert_eq!(change.after.supplementary, Some(vec![5]));
    assert_eq!(both(&records.replace("euid=1000", "euid=0")).len(), 1);
}

#[test]
fn a_signal_that_is_handled_is_nobodys_concern() {
    let target = |user| format!("1318 opid={TARGET} oauid=0 ouid={user} oses=3 ocomm=\"x\"\n");
    let sent = |signal: &str, user, status| {
        let records = call(WIDE, 62, 0, ["384", signal, "0", "0"], &target(user));
        events(&records, &[status]).len()
    };
    let handled = Some("SigIgn:\t0000000000000000\nSigCgt:\t0000000000000001\n");
    assert_eq!(sent("1", 1000, handled), 0);
    assert_eq!(sent("1", 1000, Some("SigCgt:\t0\n")), 1);
    assert_eq!(sent("1", 0, handled), 1);
    assert_eq!(sent("9", 1000, handled), 1);
    assert_eq!(sent("0", 0, handled), 0);
    assert_eq!(sent("17", 1000, None), 0);
    assert_eq!(sent("1", 0, Some("SigIgn:\t0000000000000001\n")), 0);
    let own = target(0).replace("opid=900", "opid=1200");
    assert!(events(&call(WIDE, 62, 0, ["4b0", "9", "0", "0"], &own), &[]).is_empty());
}

#[test]
fn a_target_is_looked_for_where_no_record_tells_it() {
    let records = call(WIDE, 311, 9, ["384", "1", "1", "2"], "");
    let spaces = "0123456789abcdef0123456789abcdef";
    let status = Some("Tgid:\t900\nUid:\t0\t0\t0\t0\n");
    let Action::Injection(written) = only(&records, &[Some(spaces), Some(spaces), status]) else {
        panic!()
    };
    assert_eq!(
        (written.target.process, written.target.uid, written.bytes),
        (key(TARGET), 0, 9)
    );
    // In a PID namespace, the number is another process's.
    let other = "0123456789abcdefxxxx456789abcdef";
    assert!(events(&records, &[Some(spaces), Some(other), status]).is_empty());
    let stepped = call(WIDE, 101, 0, ["9", "384", "0", "0"], "");
    assert!(events(&stepped, &[]).is_empty());
}

#[test]
fn datagrams_to_one_peer_are_told_once() {
    let sent = call(
        WIDE,
        46,
        5,
        ["3", "7ffd2", "0", "0"],
        "1306 saddr=02000035C00002350000000000000000\n",
    );
    let twice = events(&(sent.clone() + "\n" + &sent), &[]);
    assert_eq!(twice.len(), 1);
    let fast = sent
        .replace("syscall=46", "syscall=44")
        .replace("a3=0", "a3=20000000");
    let Action::Connection(opened) = only(&fast, &[]) else {
        panic!()
    };
    assert_eq!(opened.stage, Stage::Established);
}

#[test]
fn socketcall_is_what_it_calls() {
    let saddr = "1304 nargs=3 a0=5 a1=ff a2=10\n1306 saddr=020001BB5DB8D8220000000000000000\n";
    let connect = call(NARROW, 102, -111, ["3", "ff", "0", "0"], saddr);
    let Action::Connection(refused) = only(&connect, &[]) else {
        panic!()
    };
    assert_eq!(refused.stage, Stage::Failed(111));
    let listen = call(NARROW, 102, 0, ["4", "ff", "0", "0"], saddr);
    assert_eq!(
        only(&listen, &[Some("127.0.0.1:80")]),
        Action::Listen("127.0.0.1:80".parse().unwrap())
    );
    assert!(events(&listen, &[None]).is_empty());
    let bind = call(NARROW, 102, 0, ["2", "ff", "0", "0"], saddr);
    assert!(events(&bind, &[]).is_empty());
}

#[test]
fn a_link_of_ebpf_has_its_type() {
    let records = call(WIDE, 321, 8, ["1c", "7ffd", "30", "0"], "");
    let about = "link_type:\ttracing\nlink_id:\t3\nprog_tag:\t3b185187f1855c4c\nprog_id:\t9\n";
    let Action::Bpf(program) = only(&records, &[Some(about)]) else {
        panic!()
    };
    assert_eq!(program.attachment, Some(Attachment::Link(2)));
    assert_eq!(
        (program.id, program.tag),
        (9, 0x3b18_5187_f185_5c4c_u64.to_be_bytes())
    );
    let Action::Bpf(program) = only(&records, &[None]) else {
        panic!()
    };
    assert_eq!((program.id, program.kind, program.tag), (0, 0, [0; 8]));
}

#[test]
fn somebody_elses_key_is_told() {
    let key = |records: &str| told(records).unwrap().call.key;
    assert!(key(CREATED).is_empty());
    let theirs = CREATED.replace("key=\"endpoint-agent\"", "key=\"etcpasswd\"");
    assert_eq!(key(&theirs), b"etcpasswd");
}
