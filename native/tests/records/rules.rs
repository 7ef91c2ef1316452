//! What watches tag, and what rules drop and count.

use std::sync::Arc;

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::ecs::fields::FIELDS;
use endpoint_agent_native::event::{
    Action, Call, Content, Direction, Event, Exec, File, FileChange, NamespaceChange, Repeat,
};
use endpoint_agent_native::filter::drops::{self, Filter, Operand, Operator};
use endpoint_agent_native::filter::watch::Who;
use endpoint_agent_native::filter::{Drop, Drops, Rules, Watch, Watches};
use serde_json::{Value, json};

use crate::scene::Who as Somebody;
use crate::scene::{BEGIN, SHELL, Scene, connection, exec, exit, file, inode, john, key, root};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.into()).collect()
}

/// Rules that only tag.
pub fn watching(watches: Vec<Watch>) -> Rules {
    Rules {
        watches: Watches::new(watches),
        ..Rules::default()
    }
}

/// A few watches of each sort.
pub fn watches() -> Vec<Watch> {
    let tag = |tag: &str| Watch {
        tag: tag.into(),
        ..Watch::default()
    };
    vec![
        Watch {
            paths: texts(&["/etc/ld.so.preload"]),
            ..tag("rootkit_preload")
        },
        Watch {
            executables: texts(&["curl", "/usr/bin/wget"]),
            ..tag("susp_activity")
        },
        Watch {
            executables: texts(&["python*"]),
            ..tag("software_mgmt")
        },
        Watch {
            executables: texts(&["pip"]),
            arguments: texts(&["install"]),
            ..tag("third_party_software_mgmt")
        },
        Watch {
            paths: texts(&["/etc/cron.d/"]),
            ..tag("cron")
        },
        Watch {
            paths: texts(&["/etc/"]),
            executables: texts(&["bash"]),
            effective_users: vec![Who::Name("john_doe".into()), Who::Range(5, 9)],
            ..tag("shell_in_etc")
        },
        Watch {
            actions: texts(&["connected-to", "process-ended"]),
            executables: texts(&["bash"]),
            ..tag("remote_shell")
        },
        Watch {
            actions: texts(&["file-deleted"]),
            ..tag("delete")
        },
        Watch {
            syscalls: texts(&["unshare", "kill"]),
            ..tag("apart")
        },
        Watch {
            paths: texts(&["*.preload"]),
            ..tag("rootkit_preload")
        },
    ]
}

fn tags(scene: &mut Scene) -> Value {
    scene.records().remove(0)["tags"].take()
}

fn watched() -> Scene {
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(Arc::new(watching(watches())));
    scene
}

#[test]
fn paths_and_users_and_programs_together() {
    let mut scene = watched();
    let writes = |path: &str| Action::File(file(FileChange::Modified, path.as_bytes()));
    scene.happens(john(SHELL), writes("/etc/cron.d/job"));
    assert_eq!(tags(&mut scene), json!(["cron", "shell_in_etc"]));
    scene.happens(root(SHELL), writes("/etc/cron.d/job"));
    assert_eq!(tags(&mut scene), json!(["cron"]));
    scene.happens(john(1), writes("/etc/hosts"));
    assert_eq!(tags(&mut scene), Value::Null);
    scene.happens(root(1), writes("/etc/ld.so.preload"));
    assert_eq!(tags(&mut scene), json!(["rootkit_preload"]), "once");
}

#[test]
fn programs_by_any_of_their_names() {
    let mut scene = watched();
    for (executable, arguments, expected) in [
        ("/usr/bin/curl", &["x"][..], json!(["susp_activity"])),
        ("/usr/bin/wget", &["wget"], json!(["susp_activity"])),
        ("/opt/wget", &["wget"], Value::Null),
        ("/usr/bin/busybox", &["curl"], json!(["susp_activity"])),
        ("/usr/bin/cat", &["cat", "/usr/bin/curl"], Value::Null),
        (
            "/usr/bin/python3.11",
            &["python3", "-m", "pip", "list"],
            json!(["software_mgmt"]),
        ),
        ("/usr/bin/python3.11", &[], json!(["software_mgmt"])),
        ("", &[], Value::Null),
    ] {
        scene.happens(john(SHELL), Action::Exec(exec(None, executable, arguments)));
        assert_eq!(tags(&mut scene), expected, "{executable} {arguments:?}");
    }
    let run_by_kernel = Exec {
        script: b"/opt/bin/curl".into(),
        ..exec(None, "/opt/lang", &["lang", "-x", "/opt/bin/curl"])
    };
    scene.happens(john(SHELL), Action::Exec(run_by_kernel));
    assert_eq!(tags(&mut scene), json!(["susp_activity"]));
}

#[test]
fn system_calls_by_whoever_tells_them() {
    let mut scene = watched();
    let leaves = |number| {
        Action::Namespace(NamespaceChange {
            call: Call(number),
            changed: vec![("uts", 7)],
        })
    };
    for (number, expected) in [(272, json!(["apart"])), (308, Value::Null)] {
        scene.happens(john(SHELL), leaves(number));
        assert_eq!(tags(&mut scene), expected, "{number}");
    }
    for (name, expected) in [("unshare", json!(["apart"])), ("clone", Value::Null)] {
        scene.called(john(SHELL), name, leaves(Call::TOLD.0));
        assert_eq!(tags(&mut scene), expected, "{name}");
    }
}

#[test]
fn actions_alone_and_with_programs() {
    let mut scene = watched();
    let connects = || connection(Direction::Egress, "10.0.0.1:4000", "10.0.0.2:443");
    scene.happens(john(SHELL), connects());
    assert_eq!(tags(&mut scene), json!(["remote_shell"]));
    scene.happens(root(1), connects());
    assert_eq!(tags(&mut scene), Value::Null);
    scene.happens(root(1), Action::File(file(FileChange::Deleted, b"/x")));
    assert_eq!(tags(&mut scene), json!(["delete"]));
    scene.happens(john(SHELL), exit(0, 0));
    assert_eq!(tags(&mut scene), json!(["remote_shell"]));
}

#[test]
fn whoever_a_user_has_become_it_is_still_his_login() {
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(Arc::new(watching(vec![Watch {
        tag: "rootcmd".into(),
        effective_users: vec![Who::Range(0, 0)],
        login_users: vec![Who::Range(1000, u32::MAX - 1)],
        ..Watch::default()
    }])));
    let sudo = Somebody {
        login: john(SHELL).login,
        ..root(SHELL)
    };
    for (who, expected) in [
        (sudo, json!(["rootcmd"])),
        (john(SHELL), Value::Null),
        (root(SHELL), Value::Null),
    ] {
        scene.happens(who, Action::Exec(exec(None, "/usr/bin/id", &["id"])));
        assert_eq!(tags(&mut scene), expected);
    }
}

fn text(text: &str) -> Operand {
    Operand::Text(text.into())
}

fn filter(field: &str, operator: Operator, operands: &[Operand]) -> Filter {
    Filter {
        field: field.into(),
        operator,
        operands: operands.into(),
    }
}

fn dropping(filters: Vec<Vec<Filter>>) -> Arc<Rules> {
    let rules = filters.into_iter().zip(1..).map(|(filters, number)| Drop {
        uuid: format!("rule {number}"),
        filters,
    });
    Arc::new(Rules {
        drops: Drops::new(rules.collect(), None),
        ..Rules::default()
    })
}

/// Whether one filter drops a shell's opening of a file.
fn drops_open(field: &str, operator: Operator, operands: &[Operand]) -> bool {
    let rules = dropping(vec![vec![filter(field, operator, operands)]]);
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(rules.clone());
    let opened = File {
        inode: Some(inode()),
        ..file(FileChange::Modified, b"/etc/\"quoted\".conf")
    };
    scene.happens(john(SHELL), Action::File(opened));
    let dropped = scene.counted(Counter::Filtered) == 1;
    assert_eq!(
        rules.drops.counts().next(),
        Some(("rule 1", u64::from(dropped)))
    );
    assert_eq!(scene.records().len(), usize::from(!dropped));
    dropped
}

#[test]
fn every_operator_on_fields_of_the_event_and_of_the_record() {
    use Operator::*;
    let number = Operand::Number;
    for (field, operator, operands, expected) in [
        ("event.action", Equal, vec![text("file-modified")], true),
        (
            "action.name",
            Equal,
            vec![text("x"), text("file-modified")],
            true,
        ),
        ("process.name", Equal, vec![text("BASH")], false),
        ("process.name", NotEqual, vec![text("bash")], false),
        ("process.executable", Contains, vec![text("/bin/")], true),
        (
            "process.executable",
            NotContains,
            vec![text("/bin/")],
            false,
        ),
        (
            "process.parent.command_line",
            Contains,
            vec![text("pts/0")],
            true,
        ),
        ("process.executable", StartsWith, vec![text("/usr/")], true),
        ("process.executable", StartsWith, vec![text("/bin/")], false),
        ("file.path", StartsWith, vec![text("/etc/")], true),
        ("file.path", StartsWith, vec![text("/etc//")], false),
        ("file.path", StartsWith, vec![text("/etcetera/")], false),
        ("file.directory", StartsWith, vec![text("/e")], true),
        ("file.directory", StartsWith, vec![text("/etc/")], false),
        ("related.user", StartsWith, vec![text("john")], true),
        ("destination.ip", StartsWith, vec![text("10.")], false),
        ("process.pid", AtMost, vec![number(SHELL.into())], true),
        ("process.pid", Less, vec![number(SHELL.into())], false),
        ("user.id", Equal, vec![text("1000")], true),
        ("user.id", AtLeast, vec![number(1000.0)], true),
        ("user.name", Equal, vec![text("john_doe")], true),
        ("file.path", Contains, vec![text("\"quoted\"")], true),
        ("file.name", Equal, vec![text("\"quoted\".conf")], true),
        // Those of the record.
        ("file.directory", Equal, vec![text("/etc")], true),
        ("file.extension", NotEqual, vec![text("conf")], false),
        ("file.size", Greater, vec![number(33.0)], true),
        ("file.size", Equal, vec![number(34.0)], true),
        ("file.mode", Equal, vec![text("0644")], true),
        ("event.code", Equal, vec![number(11.0)], true),
        ("event.category", Equal, vec![text("file")], true),
        ("related.user", Contains, vec![text("john")], true),
        // Those it does not have.
        ("destination.port", Equal, vec![number(443.0)], false),
        ("destination.port", NotEqual, vec![number(443.0)], true),
        (
            "action.properties.old_path",
            NotContains,
            vec![text("x")],
            true,
        ),
        (
            "action.properties.deleted",
            Equal,
            vec![Operand::Boolean(true)],
            false,
        ),
        ("process.exit_code", Less, vec![number(5.0)], false),
    ] {
        let found = drops_open(field, operator, &operands);
        assert_eq!(found, expected, "{field} {operator:?} {operands:?}");
    }
}

#[test]
fn all_filters_of_one_rule_have_to_hold() {
    let is = |field, value| filter(field, Operator::Equal, &[text(value)]);
    let rules = dropping(vec![
        vec![is("process.name", "bash"), is("destination.ip", "10.0.0.9")],
        vec![
            is("process.name", "systemd"),
            is("event.action", "connected-to"),
        ],
        vec![is("destination.ip", "10.0.0.2")],
    ]);
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(rules.clone());
    let connects = |peer: &str| connection(Direction::Egress, "10.0.0.1:4000", peer);
    for who in [john(SHELL), root(1)] {
        for peer in ["10.0.0.2:443", "10.0.0.9:443", "10.0.0.3:443"] {
            scene.happens(who, connects(peer));
        }
    }
    let counts: Vec<u64> = rules.drops.counts().map(|(_, count)| count).collect();
    assert_eq!(counts, [1, 3, 1]);
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["destination"]["ip"], "10.0.0.3");
    assert_eq!(
        records[0]["event"]["sequence"], 1,
        "what is dropped has no number"
    );
}

#[test]
fn all_that_a_dropped_event_stands_for_is_filtered() {
    let rules = dropping(vec![vec![filter(
        "file.path",
        Operator::Contains,
        &[text("/tmp/")],
    )]]);
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(rules.clone());
    for path in ["/tmp/x", "/home/x"] {
        scene.event(Event {
            time: BEGIN,
            process: key(SHELL),
            thread: SHELL,
            credentials: john(SHELL).credentials,
            login: john(SHELL).login,
            repeat: Some(Repeat {
                count: 7,
                first: BEGIN,
                last: BEGIN,
            }),
            call: None,
            content: Content::Unasked,
            action: Action::File(file(FileChange::Modified, path.as_bytes())),
        });
    }
    assert_eq!(rules.drops.counts().next(), Some(("rule 1", 7)));
    let counted = [Counter::Captured, Counter::Filtered, Counter::Coalesced];
    assert_eq!(counted.map(|counter| scene.counted(counter)), [14, 7, 6]);
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_process_is_known_though_its_exec_was_dropped() {
    let is_exec = filter("event.code", Operator::Equal, &[Operand::Number(1.0)]);
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(dropping(vec![vec![is_exec]]));
    scene.happens(
        john(SHELL),
        Action::Exec(exec(None, "/usr/bin/vi", &["vi"])),
    );
    scene.happens(john(SHELL), Action::File(file(FileChange::Deleted, b"/x")));
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["process"]["name"], "vi");
}

#[test]
fn counts_go_on_with_other_rules_of_the_same_uuid() {
    let is = |value| filter("process.name", Operator::Equal, &[text(value)]);
    let before = dropping(vec![vec![is("bash")], vec![is("zsh")]]);
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(before.clone());
    scene.happens(john(SHELL), Action::File(file(FileChange::Deleted, b"/x")));
    let same = Drop {
        uuid: "rule 1".into(),
        filters: vec![is("bash")],
    };
    let after = Drops::new(vec![same], Some(&before.drops));
    assert_eq!(after.counts().collect::<Vec<_>>(), [("rule 1", 1)]);
}

#[test]
fn tags_can_be_dropped() {
    let tagged = filter("tags", Operator::Equal, &[text("delete")]);
    let drop = Drop {
        uuid: "tagged".into(),
        filters: vec![tagged],
    };
    let mut scene = Scene::with_shell();
    scene.engine.set_rules(Arc::new(Rules {
        watches: Watches::new(watches()),
        drops: Drops::new(vec![drop], None),
    }));
    scene.happens(root(1), Action::File(file(FileChange::Deleted, b"/x")));
    scene.happens(root(1), Action::File(file(FileChange::Created, b"/x")));
    assert_eq!(scene.records().len(), 1);
    assert_eq!(scene.counted(Counter::Filtered), 1);
}

#[test]
fn rules_may_name_the_fields_of_acts() {
    let named: Vec<&str> = drops::fields().map(|(name, _)| name).collect();
    assert!(named.contains(&"process.executable") && named.contains(&"action.name"));
    assert!(!named.contains(&"agent.id") && !named.contains(&"action.properties.queued"));
    let known = |name: &&str| *name == "action.name" || FIELDS.iter().any(|it| it.name == *name);
    assert!(named.iter().all(known));
}
