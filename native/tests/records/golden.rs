//! Scenes, and the records they have to give, byte for byte: tests/golden/events/NAME.ndjson.

use std::collections::BTreeSet;
use std::sync::Arc;

use endpoint_agent_native::ecs::catalogue;
use endpoint_agent_native::ecs::fields::FIELDS;
use endpoint_agent_native::event::{
    Action, Attachment, BpfProgram, Call, Capabilities, Change, Exec, ExecFailed, File, FileChange,
    Identity, Injection, Loss, Module, NamespaceChange, Signal, Target,
};
use serde_json::Value;

use crate::calls::calls;
use crate::changes;
use crate::check::fields_of;
use crate::connections::connections;
use crate::logins::logins;
use crate::resolving::resolving;
use crate::rules::watching;
use crate::scene::{BEGIN, SHELL, Scene, exec, exit, file, fork, john, key, root};
use crate::{assert_file, files, processes, repository};

type Play = fn() -> Scene;

const SCENES: &[(&str, Play)] = &[
    ("processes", processes::processes),
    ("containers", processes::containers),
    ("unknown-processes", processes::unknown_processes),
    ("inferred-processes", processes::inferred_processes),
    ("files", files::files),
    ("changes", changes::changes),
    ("mounts", changes::mounts),
    ("repeats", files::repeats),
    ("hashes", files::hashes),
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
    let mut logged = crate::eventlog::records();
    logged.push(crate::programs::signed(0));
    let actions = records
        .iter()
        .filter_map(|record| record["event"]["action"].as_str());
    let kinds = catalogue::ALL.iter().map(|kind| kind.action);
    assert_eq!(actions.collect::<BTreeSet<_>>(), kinds.collect());
    let seen: BTreeSet<String> = records.iter().chain(&logged).flat_map(fields_of).collect();
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
        "action.properties.differences",
        "action.properties.offset",
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
        call: Call(u32::MAX - 1),
        path_truncated: true,
        arguments: Vec::new(),
        arguments_truncated: true,
        ..refused(b"/tool", 4095)
    }));
    let before = Identity {
        users: [0; 4],
        groups: [0; 4],
        supplementary: Some(vec![0, 42]),
        supplementary_count: 2,
    };
    let after = Identity {
        users: [1000, 1000, 0, 1000],
        groups: [1000, u32::MAX, 4711, 0],
        supplementary: Some(vec![7; 32]),
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
