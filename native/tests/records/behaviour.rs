//! What the engine does over several events.

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::event::{Action, FileChange};
use serde_json::{Value, json};

use crate::scene::{SHELL, Scene, exec, exit, file, fork, john, root};

fn deletes() -> Action {
    Action::File(file(FileChange::Deleted, b"/tmp/x"))
}

#[test]
fn forks_and_snapshots_are_not_reported() {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), fork(1300));
    assert_eq!(scene.records(), [Value::Null; 0]);
    assert_eq!(scene.counted(Counter::Captured), 0);
}

#[test]
fn a_second_end_is_neither_reported_nor_counted() {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), exit(1, 0));
    scene.happens(john(SHELL), exit(1, 0));
    scene.happens(root(800), exit(0, 0));
    let sequence: Vec<Value> = scene
        .records()
        .iter()
        .map(|record| record["event"]["sequence"].clone())
        .collect();
    assert_eq!(sequence, [1, 2]);
    assert_eq!(scene.counted(Counter::Captured), 2);
}

#[test]
fn a_late_event_still_knows_its_process() {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), exit(0, 0));
    scene.happens(john(SHELL), deletes());
    let late = &scene.records()[1];
    assert_eq!(late["process"]["executable"], "/usr/bin/bash");
    assert_eq!(
        late["process"]["parent"]["command_line"],
        "sshd: john_doe@pts/0"
    );
}

#[test]
fn what_a_ring_never_answered_may_have_happened() {
    let mut scene = Scene::with_shell();
    let mut asked = file(FileChange::Deleted, b"/tmp/x");
    asked.unanswered = true;
    scene.happens(john(SHELL), Action::File(asked));
    scene.happens(john(SHELL), deletes());
    let outcomes: Vec<Value> = scene
        .records()
        .iter()
        .map(|record| record["event"]["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["unknown", "success"]);
}

#[test]
fn a_process_is_its_childs_parent() {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), fork(1300));
    scene.happens(
        john(1300),
        Action::Exec(exec(Some(SHELL), "/usr/bin/id", &["id"])),
    );
    scene.happens(john(SHELL), deletes());
    let records = scene.records();
    let identity = |record: usize| &records[record]["sekoiaio"]["process"];
    assert_eq!(identity(0)["parent_guid"], identity(1)["guid"]);
    assert_ne!(identity(0)["guid"], identity(1)["guid"]);
}

#[test]
fn a_child_that_acts_before_its_birth_is_named_after_it() {
    let mut scene = Scene::with_shell();
    scene.happens(john(1300), deletes());
    scene.happens(john(SHELL), fork(1300));
    scene.happens(john(1300), deletes());
    let records = scene.records();
    assert_eq!(records[0]["process"], json!({"pid": 1300}));
    assert_eq!(records[1]["process"]["name"], "bash");
    assert_eq!(records[1]["process"]["parent"]["pid"], SHELL);
}

#[test]
fn a_program_is_told_from_its_exec_on() {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), deletes());
    scene.happens(
        john(SHELL),
        Action::Exec(exec(Some(800), "/usr/bin/zsh", &["zsh"])),
    );
    scene.happens(john(SHELL), deletes());
    let records = scene.records();
    let names: Vec<&Value> = records
        .iter()
        .map(|record| &record["process"]["name"])
        .collect();
    assert_eq!(names, ["bash", "zsh", "zsh"]);
    assert_eq!(records[0]["sekoiaio"], records[2]["sekoiaio"]);
}

#[test]
fn another_envelope_is_used_from_the_next_record_on() {
    let mut scene = Scene::with_shell();
    scene
        .engine
        .set_envelope(br#""host":{"hostname":"a\"\\b","ip":[]}"#.into());
    scene.happens(john(SHELL), deletes());
    scene
        .engine
        .set_envelope(br#""agent":{"version":"v2"}"#.into());
    scene.happens(john(1), deletes());
    let records = scene.records();
    assert_eq!(records[0]["host"]["hostname"], "a\"\\b");
    assert_eq!(records[0]["related"]["hosts"], json!(["a\"\\b"]));
    assert_eq!(records[1]["agent"], json!({"version": "v2"}));
    assert_eq!(records[1].get("host"), None);
    assert_eq!(records[1]["related"], json!({"user": ["john_doe"]}));
}

#[test]
fn new_names_of_users_are_seen_within_seconds() {
    let host = tempfile::tempdir().unwrap();
    std::fs::create_dir(host.path().join("etc")).unwrap();
    let mut scene = Scene::below(host.path().into(), false);
    scene.happens(john(1), deletes());
    std::fs::write(host.path().join("etc/passwd"), "jane:x:1000:1000\n").unwrap();
    for _ in 0..40 {
        scene.happens(john(1), deletes());
    }
    let records = scene.records();
    assert_eq!(records[0]["user"].get("name"), None);
    assert_eq!(records[39]["user"].get("name"), None);
    assert_eq!(records[40]["user"]["name"], "jane");
    assert_eq!(records[40]["related"]["user"], json!(["jane"]));
}
