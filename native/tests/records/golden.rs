//! Scenes, and the records they have to give, byte for byte: tests/golden/events/NAME.ndjson.

use std::collections::BTreeSet;
use std::sync::Arc;

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::ecs::catalogue;
use endpoint_agent_native::ecs::fields::FIELDS;
use endpoint_agent_native::event::{
    Action, Attachment, BpfProgram, Call, Capabilities, Change, Content, Credentials, Digests,
    Direction, Event, Exec, ExecFailed, File, FileChange, Group, Identity, Injection, Inode, Loss,
    Module, NamespaceChange, Namespaces, Repeat, Signal, Stage, Target, Traffic, Unread,
};
use serde_json::Value;

use crate::calls::calls;
use crate::changes;
use crate::check::fields_of;
use crate::logins::logins;
use crate::resolving::resolving;
use crate::rules::watching;
use crate::scene::{
    BEGIN, SHELL, Scene, Who, connection, exec, exit, file, fork, inode, john, key, root, staged,
};
use crate::{assert_file, repository};

type Play = fn() -> Scene;

const SCENES: &[(&str, Play)] = &[
    ("processes", processes),
    ("containers", containers),
    ("unknown-processes", unknown_processes),
    ("inferred-processes", inferred_processes),
    ("files", files),
    ("changes", changes::changes),
    ("mounts", changes::mounts),
    ("repeats", repeats),
    ("hashes", hashes),
    ("connections", connections),
    ("resolving", resolving),
    ("system", system),
    ("system-of-others", system_of_others),
    ("hostile", hostile),
    ("calls", calls),
    ("logins", logins),
    ("losses", losses),
    ("tags", tags),
];

#[test]
fn scenes_give_the_golden_records() {
    for (name, play) in SCENES {
        assert_file(
            &format!("tests/golden/events/{name}.ndjson"),
            &play().lines(),
        );
    }
}

#[test]
fn every_kind_of_event_and_every_field_occurs() {
    let records: Vec<Value> = SCENES
        .iter()
        .flat_map(|(_, play)| play().records())
        .collect();
    let actions = records
        .iter()
        .filter_map(|record| record["event"]["action"].as_str());
    let kinds = catalogue::ALL.iter().map(|kind| kind.action);
    assert_eq!(actions.collect::<BTreeSet<_>>(), kinds.collect());
    let seen: BTreeSet<String> = records.iter().flat_map(fields_of).collect();
    for field in FIELDS.iter().filter(|field| !is_of_the_agent(field.name)) {
        assert!(seen.contains(field.name), "no record has {}", field.name);
    }
}

/// Fields of the records that the agent writes about itself, outside the engine.
fn is_of_the_agent(field: &str) -> bool {
    let groups = ["sekoiaio.agent.", "sekoiaio.host.", "log.", "error."];
    let alone = [
        "host.os.full",
        "host.uptime",
        "action.properties.queued",
        "action.properties.queued_bytes",
        "action.properties.not_covered",
        "action.properties.COUNTER",
        "action.properties.filtered_by.UUID",
    ];
    groups.iter().any(|group| field.starts_with(group)) || alone.contains(&field)
}

/// What the watches of `rules.rs` match, and what they do not.
fn tags() -> Scene {
    let mut scene = Scene::with_shell();
    scene
        .engine
        .set_rules(Arc::new(watching(crate::rules::watches())));
    let pip = ["/usr/bin/python3", "/usr/bin/pip", "install", "x"];
    for exec in [
        exec(
            Some(SHELL),
            "/usr/bin/curl",
            &["curl", "http://198.51.100.7/x"],
        ),
        exec(Some(SHELL), "/usr/bin/python3.11", &pip),
        exec(Some(SHELL), "/usr/bin/ls", &["ls", "/usr/bin/curl"]),
    ] {
        scene.happens(john(SHELL), Action::Exec(exec));
    }
    scene.happens(
        root(1),
        Action::File(file(FileChange::Created, b"/etc/ld.so.preload")),
    );
    let moved = File {
        old_path: Some(b"/etc/cron.d/job".into()),
        ..file(FileChange::Renamed, b"/tmp/job")
    };
    scene.happens(root(1), Action::File(moved));
    scene.happens(
        root(1),
        Action::File(file(FileChange::Modified, b"/etc/hosts.allow")),
    );
    scene
}

/// A shell lists a folder, a program gains rights, a server is killed.
fn processes() -> Scene {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), fork(1300));
    scene.happens(
        john(1300),
        Action::Exec(exec(
            Some(SHELL),
            "/usr/bin/ls",
            &["ls", "-l", "", "my file"],
        )),
    );
    scene.happens(john(1300), exit(2, 0));
    scene.happens(john(SHELL), fork(1301));
    let set_id = Credentials {
        uid: 1000,
        euid: 0,
        gid: 1000,
        egid: 42,
    };
    let sudo = Who {
        credentials: set_id,
        ..john(1301)
    };
    scene.happens(
        sudo,
        Action::Exec(exec(Some(SHELL), "/usr/bin/sudo", &["sudo", "id"])),
    );
    scene.happens(root(1301), fork(1302));
    // The child acts before it becomes another program.
    scene.happens(
        root(1302),
        Action::File(file(FileChange::Created, b"/run/sudo/ts/john_doe")),
    );
    scene.happens(
        root(1302),
        Action::Exec(exec(Some(1301), "/usr/bin/id", &["id"])),
    );
    scene.happens(root(1302), exit(0, 9));
    // The same end again, as the kernel may tell it.
    scene.happens(root(1302), exit(0, 9));
    scene.happens(root(SHELL), fork(1303));
    let in_memory = Exec {
        deleted: true,
        ..exec(Some(SHELL), "/memfd:stage", &["[kworker/0:1]"])
    };
    scene.happens(root(1303), Action::Exec(in_memory));
    scene.happens(john(SHELL), fork(1304));
    let script = Exec {
        script: b"/home/john_doe/bin/backup".into(),
        ..exec(
            Some(SHELL),
            "/usr/bin/python3.11",
            &["python3", "/home/john_doe/bin/backup"],
        )
    };
    scene.happens(john(1304), Action::Exec(script));
    // Who has become root has still logged in as someone else.
    let become_root = Who {
        login: john(SHELL).login,
        ..root(1304)
    };
    scene.happens(become_root, exit(0, 0));
    scene
}

/// A web server in a container, a shell in a namespace of its own, and a machine.
fn containers() -> Scene {
    let mut scene = Scene::below(repository("tests/golden/root"), true);
    let host = Namespaces {
        pid: 4_026_531_836,
        mnt: 4_026_531_841,
        net: 4_026_531_833,
        user: 4_026_531_837,
        uts: 4_026_531_838,
        ipc: 4_026_531_839,
    };
    let within = |group: &str, namespaces, exec| Exec {
        group: Group {
            id: 0,
            path: group.into(),
        },
        namespaces,
        ..exec
    };
    let init = exec(None, "/usr/lib/systemd/systemd", &["/sbin/init"]);
    scene.happens(root(1), Action::Snapshot(within("/init.scope", host, init)));
    let contained = Namespaces {
        pid: 4_026_532_300,
        mnt: 4_026_532_297,
        net: 4_026_532_301,
        user: host.user,
        uts: 4_026_532_298,
        ipc: 4_026_532_299,
    };
    let id = "4f0c1d7a".repeat(8);
    let server = exec(Some(1), "/usr/sbin/nginx", &["nginx"]);
    let group = format!("/system.slice/docker-{id}.scope");
    scene.happens(root(900), Action::Exec(within(&group, contained, server)));
    scene.happens(root(900), fork(901));
    scene.happens(
        root(901),
        Action::File(file(FileChange::Created, b"/run/nginx.pid")),
    );
    let user = Namespaces {
        user: 4_026_532_400,
        ..host
    };
    let shell = exec(Some(1), "/usr/bin/bash", &["bash"]);
    let group = "/user.slice/user-1000.slice/session-3.scope";
    scene.happens(john(902), Action::Exec(within(group, user, shell)));
    let machine = exec(Some(1), "/usr/lib/systemd/systemd", &["systemd"]);
    let group = r"/machine.slice/machine-old\x2ddebian.scope/payload";
    scene.happens(root(903), Action::Exec(within(group, contained, machine)));
    scene
}

/// Who acts is not in the table, or only in part.
fn unknown_processes() -> Scene {
    let mut scene = Scene::new();
    scene.happens(john(50), Action::File(file(FileChange::Deleted, b"/tmp/x")));
    scene.happens(john(60), fork(61));
    scene.happens(john(61), Action::File(file(FileChange::Deleted, b"/tmp/y")));
    scene.happens(
        john(61),
        Action::Exec(exec(Some(60), "/usr/bin/true", &["true"])),
    );
    scene.happens(john(70), Action::Exec(exec(None, "/usr/bin/true", &[])));
    scene.happens(john(80), exit(1, 0));
    let ids = Credentials {
        uid: 4711,
        euid: u32::MAX,
        gid: 4712,
        egid: 4712,
    };
    let stranger = Who {
        credentials: ids,
        ..john(90)
    };
    scene.happens(
        stranger,
        Action::Exec(exec(Some(1), "", &["/opt/vendor/agent", "-d"])),
    );
    scene
}

/// The start of a process was missed, and /proc knows it, or knows another of that pid.
fn inferred_processes() -> Scene {
    let mut scene = Scene::below(repository("tests/golden/root"), true);
    scene.happens(
        john(300),
        Action::File(file(FileChange::Deleted, b"/tmp/x")),
    );
    scene.happens(
        john(301),
        Action::File(file(FileChange::Deleted, b"/tmp/y")),
    );
    // What a child runs is known no better than what its parent does.
    scene.happens(john(300), fork(302));
    scene.happens(
        john(302),
        Action::File(file(FileChange::Deleted, b"/tmp/z")),
    );
    assert_eq!(scene.counted(Counter::Inferred), 2);
    scene
}

/// Every change of a file, and paths of every form.
fn files() -> Scene {
    let mut scene = Scene::with_shell();
    let mut happens = |file| scene.happens(john(SHELL), Action::File(file));
    happens(File {
        inode: Some(inode()),
        ..file(FileChange::Created, b"/etc/ld.so.preload")
    });
    let odd = Inode {
        device: (259, 1_048_575),
        mode: 0o106_755,
        uid: 4711,
        gid: u32::MAX,
        ..inode()
    };
    let large = Inode {
        number: u64::MAX,
        size: Some(u64::MAX),
        ..odd
    };
    happens(File {
        inode: Some(large),
        ..file(FileChange::Modified, b"/srv/archive.tar.gz")
    });
    happens(File {
        inode: Some(Inode {
            mode: 0o120_777,
            ..inode()
        }),
        ..file(FileChange::Modified, b"/link")
    });
    happens(file(FileChange::Deleted, b"/home/john_doe/.bashrc"));
    happens(file(FileChange::DirectoryDeleted, b"/tmp/build.d"));
    let old_path = Some(b"/etc/passwd+".to_vec());
    happens(File {
        old_path,
        ..file(FileChange::Renamed, b"/etc/passwd")
    });
    happens(File {
        path_truncated: true,
        ..file(FileChange::Deleted, b"/below/something/lost")
    });
    let moved = |old_path: &[u8], path| File {
        old_path: Some(old_path.into()),
        ..file(FileChange::Renamed, path)
    };
    happens(File {
        old_path_truncated: true,
        ..moved(b"/too/deep", b"/srv/shallow")
    });
    happens(File {
        path_truncated: true,
        ..moved(b"/srv/shallow", b"/deep")
    });
    happens(File {
        deleted: true,
        inode: Some(inode()),
        ..file(FileChange::Modified, b"/tmp/#1048671")
    });
    happens(file(FileChange::Deleted, b"/"));
    let options = vec!["MFD_CLOEXEC", "MFD_ALLOW_SEALING"];
    for options in [options, Vec::new()] {
        happens(File {
            deleted: true,
            ..file(FileChange::MemoryCreated(options), b"/memfd:stage")
        });
    }
    let thread = Who {
        thread: 1207,
        ..john(SHELL)
    };
    scene.happens(
        thread,
        Action::File(file(FileChange::Created, b"/tmp/by-a-thread")),
    );
    scene
}

/// Events that stand for several.
fn repeats() -> Scene {
    let mut scene = Scene::with_shell();
    let repeated = |count, action| Event {
        time: BEGIN + 2_000_000_000,
        process: key(SHELL),
        thread: SHELL,
        credentials: john(SHELL).credentials,
        login: john(SHELL).login,
        content: Content::Unasked,
        repeat: Some(Repeat {
            count,
            first: BEGIN,
            last: BEGIN + 1_999_999_999,
        }),
        call: None,
        action,
    };
    scene.event(repeated(
        12_345,
        Action::File(file(FileChange::Modified, b"/var/log/app.log")),
    ));
    let again = connection(Direction::Egress, "10.0.1.4:40000", "10.0.1.5:5432");
    scene.event(repeated(2, again.clone()));
    // One that happened once is like any other.
    scene.event(repeated(1, again));
    assert_eq!(scene.counted(Counter::Captured), 12_348);
    assert_eq!(scene.counted(Counter::Coalesced), 12_345);
    scene
}

/// An executed and a written file whose content is known, and one that could not be read.
fn hashes() -> Scene {
    let mut scene = Scene::with_shell();
    let content = Content::Known(Arc::new(Digests {
        md5: [0x0f; 16],
        sha1: [0xa1; 20],
        sha256: [0x7e; 32],
    }));
    let mut happens = |content, action| {
        scene.event(Event {
            time: BEGIN,
            process: key(SHELL),
            thread: SHELL,
            credentials: john(SHELL).credentials,
            login: john(SHELL).login,
            repeat: None,
            call: None,
            content,
            action,
        });
    };
    let written = File {
        inode: Some(inode()),
        ..file(FileChange::Created, b"/home/john_doe/bin/tool")
    };
    happens(content.clone(), Action::File(written.clone()));
    happens(Content::Unread(Unread::Late), Action::File(written));
    let tool = exec(Some(800), "/home/john_doe/bin/tool", &["tool"]);
    happens(content, Action::Exec(tool));
    scene
}

/// Both directions and both families, refused ones, and what became of them.
fn connections() -> Scene {
    let mut scene = Scene::with_shell();
    let mut happens = |direction, local, peer| {
        scene.happens(john(SHELL), connection(direction, local, peer));
    };
    happens(Direction::Egress, "10.0.1.4:40000", "93.184.216.34:443");
    happens(Direction::Ingress, "10.0.1.4:22", "203.0.113.9:51515");
    happens(
        Direction::Egress,
        "[2001:db8::4]:40001",
        "[2a00:1450:4007:80d::200e]:443",
    );
    happens(
        Direction::Ingress,
        "[::ffff:10.0.1.4]:80",
        "[::ffff:203.0.113.9]:51516",
    );
    happens(Direction::Egress, "127.0.0.1:40002", "127.0.0.1:6379");
    happens(Direction::Egress, "[::1]:40003", "[::1]:0");
    let mut becomes = |stage, direction, local, peer| {
        scene.happens(john(SHELL), staged(stage, direction, local, peer));
    };
    let ended = Stage::Ended(Traffic {
        duration: 90_000_000_123,
        sent: 312,
        received: 150_000,
    });
    let web = "93.184.216.34:443";
    becomes(ended, Direction::Egress, "10.0.1.4:40000", web);
    becomes(
        ended,
        Direction::Ingress,
        "10.0.1.4:22",
        "203.0.113.9:51515",
    );
    // Refused, not answered, given up.
    for error in [111, 110, 0] {
        let failed = Stage::Failed(error);
        becomes(failed, Direction::Egress, "10.0.1.4:40004", web);
    }
    scene.happens(john(SHELL), Action::Listen("[::]:8080".parse().unwrap()));
    scene.happens(john(SHELL), Action::Listen("127.0.0.1:0".parse().unwrap()));
    scene
}

/// What processes may do changes, and what the kernel is made of.
fn system() -> Scene {
    let mut scene = Scene::with_shell();
    let refused = |path: &[u8], error| ExecFailed {
        call: Call(59),
        path: path.into(),
        path_truncated: false,
        arguments: b"ls\0-l\0\0".into(),
        arguments_truncated: false,
        error,
    };
    let mut happens = |action| scene.happens(john(SHELL), action);
    happens(Action::ExecFailed(refused(b"/usr/local/bin/ls", 2)));
    happens(Action::ExecFailed(ExecFailed {
        call: Call(u32::MAX),
        path_truncated: true,
        arguments: Vec::new(),
        arguments_truncated: true,
        ..refused(b"/tool", 4095)
    }));
    let before = Identity {
        users: [0; 4],
        groups: [0; 4],
        supplementary: vec![0, 42],
        supplementary_count: 2,
    };
    let after = Identity {
        users: [1000, 1000, 0, 1000],
        groups: [1000, u32::MAX, 4711, 0],
        supplementary: vec![7; 32],
        supplementary_count: 33,
    };
    let changed = |before| {
        Action::Identity(Box::new(Change {
            call: Call(117),
            before,
            after: after.clone(),
        }))
    };
    happens(changed(Some(before)));
    happens(changed(None));
    let all = Capabilities {
        permitted: 0x1ff_ffff_ffff,
        effective: 0x1ff_ffff_ffff,
        inheritable: 0,
        ambient: u64::MAX,
    };
    let dropped = |before| {
        Action::Capabilities(Change {
            call: Call(126),
            before,
            after: Capabilities {
                effective: 0x3000,
                ..all
            },
        })
    };
    happens(dropped(Some(all)));
    happens(dropped(None));
    happens(Action::Namespace(NamespaceChange {
        call: Call(272),
        changed: vec![("mnt", 4_026_532_177), ("user", 4_026_532_178)],
    }));
    let module = Module {
        call: Call(313),
        is_unloaded: false,
        name: b"dummy".into(),
        path: Some(b"/lib/modules/6.12/dummy.ko".into()),
        path_truncated: false,
    };
    happens(Action::Module(module.clone()));
    happens(Action::Module(Module {
        call: Call(175),
        path: None,
        name: b"\xff\"".into(),
        ..module.clone()
    }));
    happens(Action::Module(Module {
        call: Call(176),
        is_unloaded: true,
        path: None,
        ..module
    }));
    let program = BpfProgram {
        id: 71,
        kind: 26,
        tag: *b"\x00\x01\x02\x03\x04\x05\x06\xff",
        name: b"on_exec".into(),
        attachment: None,
    };
    happens(Action::Bpf(program.clone()));
    for attachment in [
        Attachment::Direct,
        Attachment::Link(2),
        Attachment::Link(900),
    ] {
        happens(Action::Bpf(BpfProgram {
            attachment: Some(attachment),
            kind: 900,
            name: Vec::new(),
            ..program.clone()
        }));
    }
    scene
}

/// What a process does to another.
fn system_of_others() -> Scene {
    let mut scene = Scene::with_shell();
    let server = Target {
        process: key(800),
        uid: 0,
    };
    let injection = Injection {
        call: Call(101),
        request: 16,
        target: server,
        bytes: 0,
    };
    let mut happens = |action| scene.happens(john(SHELL), action);
    happens(Action::Injection(injection));
    happens(Action::Injection(Injection {
        request: 0x9999,
        ..injection
    }));
    happens(Action::Injection(Injection {
        call: Call(311),
        request: 0,
        bytes: 4096,
        ..injection
    }));
    let signal = |number, target| {
        Action::Signal(Signal {
            call: Call(62),
            number,
            target,
        })
    };
    happens(signal(9, server));
    // Nothing is known of this one, whose user has no name.
    let stranger = Target {
        process: key(4000),
        uid: 4711,
    };
    happens(signal(15, stranger));
    // The command line of the target is cut in both events of its own and in this one.
    let long = exec(Some(SHELL), "/usr/bin/printf", &[&*"x".repeat(5000)]);
    scene.happens(john(1300), Action::Exec(long));
    let cut = Target {
        process: key(1300),
        uid: 1000,
    };
    scene.happens(root(1), signal(19, cut));
    scene
}

/// Names, paths and arguments of bytes that nobody should have chosen.
fn hostile() -> Scene {
    let mut scene = Scene::with_shell();
    let bytes: Vec<u8> = (1..=255).collect();
    let program = Exec {
        executable: [b"/tmp/", &bytes[..46], b"\xff\xfe\"\\\n"].concat(),
        working_directory: b"/tmp/\x1b[31m\xc3\x28".into(),
        arguments: [
            &bytes[..],
            b"\0\0",
            "caf\u{e9} \u{1f600} \u{2028}".as_bytes(),
            b"\0",
        ]
        .concat(),
        ..exec(Some(SHELL), "", &[])
    };
    scene.happens(john(1300), Action::Exec(program));
    scene.happens(
        john(1300),
        Action::File(file(FileChange::Created, b"/tmp/a\nb\xff\xfe.t\xe2\x82")),
    );
    let argument = "x".repeat(1000) + "\u{20ac}";
    let long = exec(Some(SHELL), "/usr/bin/printf", &[&*argument; 6]);
    scene.happens(john(1301), Action::Exec(long));
    scene.happens(john(1301), fork(1302));
    scene.happens(
        john(1302),
        Action::File(file(FileChange::Deleted, b"/tmp/z")),
    );
    let cut = Exec {
        arguments_truncated: true,
        arguments_count: 70_000,
        ..exec(Some(1301), "/usr/bin/rm", &["rm", "-f", "/tmp/on"])
    };
    scene.happens(john(1302), Action::Exec(cut));
    let unreadable = Exec {
        arguments_truncated: true,
        ..exec(Some(1301), "/usr/bin/rm", &[])
    };
    scene.happens(john(1302), Action::Exec(unreadable));
    scene
}

/// What could not be kept.
fn losses() -> Scene {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), exit(0, 0));
    let (from, to) = (BEGIN, BEGIN + 1_000_000_000);
    let (cause, place) = ("ring full", "kernel ring");
    scene.loss(&Loss {
        what: "exec",
        count: 12,
        cause,
        place,
        from,
        to,
    });
    let (cause, place) = ("the queue was full", "queue");
    scene.loss(&Loss {
        what: "record",
        count: u64::MAX,
        cause,
        place,
        from: 0,
        to: u64::MAX,
    });
    scene
}

#[test]
fn golden_files_hold_nothing_else() {
    let folder = repository("tests/golden/events");
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<String> = entries.map(|name| name.into_string().unwrap()).collect();
    let expected = SCENES.iter().map(|(name, _)| format!("{name}.ndjson"));
    assert_eq!(names, expected.collect());
}
