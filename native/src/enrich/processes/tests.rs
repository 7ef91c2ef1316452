use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::{LINGER, Lineage, MAX_ANCESTORS, MAX_BYTES, MAX_PROCESSES, Processes, Rendered};
use crate::counters::{Counter, Counters};
use crate::enrich::guid::Identity;
use crate::event::{Exec, Group, Namespaces, ProcessKey};
use crate::host::procfs;

fn table() -> (Processes, Arc<Counters>) {
    table_over(None)
}

fn table_over(live: Option<&Path>) -> (Processes, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let identity = Identity::new("agent", [1; 16]);
    (
        Processes::new(identity, live.map(Path::to_owned), counters.clone()),
        counters,
    )
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey {
        pid,
        start: u64::from(pid) * 10,
    }
}

fn exec(executable: &str, parent: Option<u32>) -> Exec {
    Exec {
        parent: parent.map(key),
        executable: executable.into(),
        ..Default::default()
    }
}

fn runs(processes: &mut Processes, pid: u32) -> Option<String> {
    let program = processes.get(key(pid)).program()?;
    Some(String::from_utf8(program.executable.to_vec()).unwrap())
}

fn parent_runs(processes: &mut Processes, pid: u32) -> Option<String> {
    let program = processes.get(key(pid)).parent()?.program()?;
    Some(String::from_utf8(program.executable.to_vec()).unwrap())
}

#[test]
fn fork_inherits_the_program_and_exec_replaces_it() {
    let (mut processes, _) = table();
    processes.snapshot(key(1), &exec("/bin/sh", None));
    processes.fork(key(1), key(2));
    assert_eq!(runs(&mut processes, 2).unwrap(), "/bin/sh");
    assert_eq!(parent_runs(&mut processes, 2).unwrap(), "/bin/sh");
    processes.exec(key(2), &exec("/bin/ls", Some(1)));
    assert_eq!(runs(&mut processes, 2).unwrap(), "/bin/ls");
    assert_eq!(parent_runs(&mut processes, 2).unwrap(), "/bin/sh");
    let guid = processes.get(key(1)).guid;
    assert_eq!(processes.get(key(2)).parent().unwrap().guid, guid);
}

#[test]
fn a_kernel_thread_is_one_until_it_executes_a_program() {
    let (mut processes, _) = table();
    processes.snapshot(key(2), &exec("", None));
    processes.snapshot(key(7), &exec("", Some(2)));
    processes.fork(key(2), key(8));
    processes.fork(key(7), key(9));
    processes.exec(key(9), &exec("/sbin/modprobe", Some(7)));
    processes.fork(key(9), key(10));
    let mut of_kernel = |pid| processes.is_kernel_thread(key(pid));
    assert_eq!(
        [7, 8, 9, 10, 11].map(&mut of_kernel),
        [true, true, false, false, false]
    );
}

#[test]
fn an_exec_without_a_parent_keeps_the_one_of_the_fork() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec("/bin/sh", None));
    processes.fork(key(1), key(2));
    processes.exec(key(2), &exec("/bin/ls", None));
    assert_eq!(parent_runs(&mut processes, 2).unwrap(), "/bin/sh");
}

#[test]
fn a_child_remembers_what_its_parent_ran() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec("/bin/sh", None));
    processes.fork(key(1), key(2));
    processes.exec(key(1), &exec("/bin/true", None));
    assert_eq!(parent_runs(&mut processes, 2).unwrap(), "/bin/sh");
}

#[test]
fn ancestors_are_remembered_after_they_are_gone() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec("/sbin/init", None));
    for pid in 2..10 {
        processes.fork(key(pid - 1), key(pid));
        processes.exec(key(pid), &exec(&format!("/bin/{pid}"), None));
        processes.exit(key(pid - 1), 0);
    }
    processes.tidy(LINGER + 1);
    let process = processes.get(key(9));
    let pids: Vec<u32> = process.ancestors().iter().map(|it| it.key.pid).collect();
    assert_eq!(pids, [8, 7, 6, 5, 4]);
    assert_eq!(pids.len(), MAX_ANCESTORS);
    let oldest = process.ancestors()[4].program().unwrap();
    assert_eq!(&*oldest.executable, b"/bin/4");
}

#[test]
fn siblings_share_their_ancestors_until_the_parent_changes() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec("/bin/sh", None));
    processes.fork(key(1), key(2));
    processes.fork(key(1), key(3));
    let ancestors = |processes: &mut Processes, pid| processes.entry(key(pid)).ancestors.clone();
    let (one, other) = (ancestors(&mut processes, 2), ancestors(&mut processes, 3));
    assert!(Arc::ptr_eq(&one, &other));
    processes.exec(key(1), &exec("/bin/zsh", None));
    processes.fork(key(1), key(4));
    assert_eq!(parent_runs(&mut processes, 4).unwrap(), "/bin/zsh");
}

#[test]
fn a_child_is_where_its_parent_is_until_an_exec_says_otherwise() {
    let (mut processes, _) = table();
    let within = |path: &str, net| Exec {
        group: Group {
            id: 0,
            path: path.into(),
        },
        namespaces: Namespaces {
            pid: 10,
            net,
            ..Default::default()
        },
        ..exec("/bin/sh", None)
    };
    processes.snapshot(key(1), &within("/init.scope", 20));
    processes.exec(key(2), &within("/lxc/box", 21));
    processes.fork(key(2), key(3));
    let told = |processes: &mut Processes, pid| {
        let process = processes.get(key(pid));
        let id = process.container.as_ref().map(|it| it.id.clone());
        (id, process.namespaces.pid, process.namespaces.net)
    };
    let boxed = (Some("box".to_owned()), 0, 21);
    assert_eq!(told(&mut processes, 1), (None, 0, 0));
    assert_eq!(told(&mut processes, 2), boxed);
    assert_eq!(told(&mut processes, 3), boxed);
    // Not every source knows.
    processes.exec(key(3), &exec("/bin/ls", None));
    assert_eq!(told(&mut processes, 3), boxed);
    processes.exec(key(3), &within("/user.slice", 20));
    assert_eq!(told(&mut processes, 3), (None, 0, 0));
}

#[test]
fn news_beat_a_late_fork_and_a_late_snapshot() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec("/bin/sh", None));
    processes.exec(key(2), &exec("/bin/ls", Some(1)));
    processes.fork(key(1), key(2));
    processes.snapshot(key(2), &exec("/bin/sh", Some(1)));
    assert_eq!(runs(&mut processes, 2).unwrap(), "/bin/ls");
}

#[test]
fn a_snapshot_completes_what_events_left_open() {
    let (mut processes, _) = table();
    processes.exec(key(2), &exec("/bin/ls", Some(1)));
    assert_eq!(parent_runs(&mut processes, 2), None);
    processes.snapshot(key(1), &exec("/bin/sh", None));
    assert_eq!(parent_runs(&mut processes, 2).unwrap(), "/bin/sh");
}

#[test]
fn what_is_rendered_stays_until_the_next_exec() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec("/bin/sh", None));
    let rendered = |text: &[u8]| Rendered {
        process: text.to_vec(),
        has_program: true,
        identity: Vec::new(),
        container: Vec::new(),
        properties: Vec::new(),
        cut: Vec::new(),
        ancestors: Lineage::default(),
    };
    assert_eq!(
        processes.get(key(1)).rendered(|_| rendered(b"one")).process,
        b"one"
    );
    assert_eq!(
        processes.get(key(1)).rendered(|_| rendered(b"two")).process,
        b"one"
    );
    processes.exec(key(1), &exec("/bin/ls", None));
    assert_eq!(
        processes.get(key(1)).rendered(|_| rendered(b"two")).process,
        b"two"
    );
}

#[test]
fn a_process_stays_known_for_a_while_after_its_end() {
    let (mut processes, counters) = table();
    processes.exec(key(1), &exec("/bin/sh", None));
    processes.exit(key(1), 1_000);
    assert!(processes.has_exited(key(1)));
    processes.tidy(1_000 + LINGER);
    assert_eq!(runs(&mut processes, 1).unwrap(), "/bin/sh");
    processes.tidy(1_001 + LINGER);
    assert!(!processes.has_exited(key(1)));
    assert_eq!(runs(&mut processes, 1), None);
    assert_eq!(counters.get(Counter::ProcessesForgotten), 0);
}

#[test]
fn a_full_table_forgets_the_dead_first_and_then_the_quiet() {
    let (mut processes, counters) = table();
    for pid in 0..MAX_PROCESSES as u32 {
        processes.exec(key(pid), &exec("/bin/sh", None));
    }
    processes.exit(key(7), 5);
    processes.exit(key(3), 6);
    processes.get(key(0));
    for (pid, forgotten) in [
        (1_000_000, 7),
        (1_000_001, 3),
        (1_000_002, 1),
        (1_000_003, 2),
    ] {
        processes.exec(key(pid), &exec("/bin/sh", None));
        processes.tidy(10);
        assert_eq!(processes.table.len(), MAX_PROCESSES);
        assert!(!processes.table.contains(&key(forgotten)));
    }
    assert!(processes.table.contains(&key(0)));
    assert_eq!(counters.get(Counter::ProcessesForgotten), 2);
}

#[test]
fn texts_have_a_common_limit() {
    let (mut processes, counters) = table();
    let long = "/".repeat(1 << 20);
    for pid in 0..16 {
        processes.exec(key(pid), &exec(&long, None));
        processes.tidy(0);
        assert!(processes.ledger.total() <= MAX_BYTES);
    }
    assert_eq!(processes.table.len(), 8);
    assert_eq!(counters.get(Counter::ProcessesForgotten), 8);
}

#[test]
fn forks_share_one_program() {
    let (mut processes, _) = table();
    processes.exec(key(1), &exec(&"/".repeat(1 << 20), None));
    for pid in 2..1_000 {
        processes.fork(key(1), key(pid));
    }
    processes.tidy(0);
    assert_eq!(processes.table.len(), 999);
    assert_eq!(processes.ledger.total(), 1 << 20);
}

#[test]
fn asks_proc_about_the_unknown_once() {
    let own = procfs::process(Path::new("/"), std::process::id())
        .unwrap()
        .process;
    let (mut processes, counters) = table_over(Some(Path::new("/")));
    let process = processes.get(own);
    assert!(process.inferred);
    assert!(!process.program().unwrap().executable.is_empty());
    assert!(process.parent().unwrap().program().is_some());
    assert_eq!(counters.get(Counter::Inferred), 2);
    processes.get(own);
    assert_eq!(counters.get(Counter::Inferred), 2);
    processes.exec(own, &exec("/bin/ls", None));
    assert!(!processes.get(own).inferred);
}

#[test]
fn a_child_runs_what_was_found_out_about_its_parent() {
    let own = procfs::process(Path::new("/"), std::process::id())
        .unwrap()
        .process;
    let (mut processes, counters) = table_over(Some(Path::new("/")));
    processes.fork(own, key(u32::MAX));
    assert!(processes.get(key(u32::MAX)).inferred);
    processes.exec(key(u32::MAX), &exec("/bin/ls", None));
    assert!(!processes.get(key(u32::MAX)).inferred);
    processes.fork(key(u32::MAX), key(u32::MAX - 1));
    assert!(!processes.get(key(u32::MAX - 1)).inferred);
    assert_eq!(counters.get(Counter::Inferred), 1);
}

/// The table over a /proc that has a process 1 and one more.
fn lost(pid: u32, executable: &str) -> (Processes, TempDir) {
    let root = tempfile::tempdir().unwrap();
    show(&root, 1, 0, "/sbin/init");
    show(&root, pid, 1, executable);
    let (processes, _) = table_over(Some(root.path()));
    (processes, root)
}

fn show(root: &TempDir, pid: u32, parent: u32, executable: &str) {
    let folder = root.path().join(format!("proc/{pid}"));
    fs::create_dir_all(&folder).unwrap();
    let fields = ["0"; 13].join(" ");
    let stat = format!("{pid} (x) S {parent} {fields} 20 0 1 0 {} 1\n", pid * 10);
    fs::write(folder.join("stat"), stat).unwrap();
    fs::write(folder.join("status"), "Uid:\t0\t0\nGid:\t0\t0\n").unwrap();
    fs::write(folder.join("cmdline"), "x\0").unwrap();
    symlink(executable, folder.join("exe")).unwrap();
}

fn mended(processes: &mut Processes) -> Vec<u32> {
    let found = processes.look().unwrap();
    let missed = processes.mend(&found);
    missed.iter().map(|event| event.process.pid).collect()
}

#[test]
fn a_missed_program_is_learned_and_told_once() {
    let (mut processes, _root) = lost(2, "/bin/missed");
    processes.snapshot(key(1), &exec("/sbin/init", None));
    assert_eq!(mended(&mut processes), [2]);
    assert_eq!(runs(&mut processes, 2).unwrap(), "/bin/missed");
    assert!(processes.get(key(2)).inferred);
    assert_eq!(parent_runs(&mut processes, 2).unwrap(), "/sbin/init");
    assert_eq!(mended(&mut processes), [] as [u32; 0]);
}

#[test]
fn a_program_that_took_anothers_place_is_learned() {
    let (mut processes, _root) = lost(2, "/bin/later");
    processes.snapshot(key(1), &exec("/sbin/init", None));
    processes.exec(key(2), &exec("/bin/earlier", Some(1)));
    assert_eq!(mended(&mut processes), [2]);
    assert_eq!(runs(&mut processes, 2).unwrap(), "/bin/later");
}

#[test]
fn a_missed_birth_is_learned_and_not_told() {
    let (mut processes, _root) = lost(2, "/sbin/init");
    processes.snapshot(key(1), &exec("/sbin/init", None));
    assert_eq!(mended(&mut processes), [] as [u32; 0]);
    assert!(processes.get(key(2)).inferred);
}

#[test]
fn what_ended_unseen_is_forgotten_and_its_end_may_still_come() {
    let (mut processes, _root) = lost(2, "/bin/sh");
    for pid in 1..4 {
        processes.exec(key(pid), &exec("/bin/sh", None));
    }
    // It began after the look.
    processes.exec(
        ProcessKey {
            pid: 5,
            start: u64::MAX,
        },
        &exec("/bin/sh", None),
    );
    mended(&mut processes);
    mended(&mut processes);
    let gone: Vec<u32> = processes.exited.iter().map(|(_, key)| key.pid).collect();
    assert_eq!(gone, [3]);
    assert!(!processes.has_exited(key(3)));
    assert!(processes.exit(key(3), 0));
}

#[test]
fn does_not_mistake_a_reused_pid() {
    let own = procfs::process(Path::new("/"), std::process::id())
        .unwrap()
        .process;
    let earlier = ProcessKey {
        start: own.start - 1,
        ..own
    };
    let (mut processes, counters) = table_over(Some(Path::new("/")));
    let process = processes.get(earlier);
    assert!(process.program().is_none() && process.parent().is_none());
    assert_eq!(counters.get(Counter::Inferred), 0);
}
