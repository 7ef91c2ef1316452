use super::*;
use crate::enrich::hashes::Settings;
use crate::event::{
    Digests, Exec, Exit, File, FileChange, FileVersion, Inode, Inspection, Signature,
};
use std::fs;
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

const TMPFS: u32 = 0x0102_1994;
const LATE: Content = Content::Unread(Unread::Late);

fn hold(root: &TempDir) -> Hold {
    let settings = Settings {
        max_size: 1_000,
        excluded: vec!["/excluded".into()],
        root: root.path().into(),
    };
    let mut hold = Hold::new(Arc::default());
    hold.hashing(Hashes::start(settings).unwrap());
    hold
}

fn exec(root: &TempDir, name: &str) -> Action {
    let status = fs::metadata(root.path().join(name)).unwrap();
    let version = FileVersion {
        device: (libc::major(status.dev()), libc::minor(status.dev())),
        inode: status.ino(),
        changed: (status.ctime() * 1_000_000_000 + status.ctime_nsec()).cast_unsigned(),
        size: status.size(),
        filesystem: TMPFS,
    };
    Action::Exec(Exec {
        executable: format!("/{name}").into(),
        file: Some(version),
        ..Default::default()
    })
}

fn written(path: &str) -> Action {
    Action::File(File {
        change: FileChange::Created,
        path: path.into(),
        old_path: None,
        path_truncated: false,
        old_path_truncated: false,
        deleted: false,
        unanswered: false,
        nofollow: false,
        inode: Some(Inode {
            device: (0, 0),
            filesystem: TMPFS,
            number: 1,
            mode: 0,
            uid: 0,
            gid: 0,
            size: None,
        }),
    })
}

fn exit() -> Action {
    Action::Exit(Exit { code: 0, signal: 0 })
}

/// Pids of the events that went on, and what was known of their files.
fn told(work: impl FnOnce(Sink)) -> Vec<(u32, Content)> {
    let mut told = Vec::new();
    work(&mut |event| told.push((event.process.pid, event.content.clone())));
    told
}

#[test]
fn nothing_waits_without_hashes_or_without_a_file() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("tool"), "x").unwrap();
    let without = || Hold::new(Arc::default());
    for mut hold in [without(), hold(&root)] {
        let passed = told(|sink| hold.push(Event::by(1, exit()), sink));
        assert_eq!(passed, [(1, Content::Unasked)]);
    }
    let passed = told(|sink| without().push(Event::by(1, exec(&root, "tool")), sink));
    assert_eq!(passed, [(1, Content::Unasked)]);
    let mut hold = hold(&root);
    let passed = told(|sink| hold.push(Event::by(2, written("/excluded/x")), sink));
    assert_eq!(passed, [(2, Content::Unasked)]);
}

#[test]
fn events_wait_in_their_order_and_the_next_exec_does_not_wait() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("tool"), "x").unwrap();
    let (mut hold, action) = (hold(&root), exec(&root, "tool"));
    let waiting = told(|sink| {
        hold.push(Event::by(1, action.clone()), sink);
        hold.push(Event::by(1, exit()), sink);
        hold.push(Event::by(2, exit()), sink);
    });
    assert!(waiting.is_empty());
    let went = told(|sink| hold.finish(sink));
    let pids: Vec<u32> = went.iter().map(|(pid, _)| *pid).collect();
    assert_eq!(pids, [1, 1, 2]);
    assert_eq!((hold.bytes, hold.first), (0, 3));

    // A slow machine may have been late; what it has read by then is known for the next.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let passed = told(|sink| hold.push(Event::by(3, action.clone()), sink));
        if matches!(passed[..], [(3, Content::Known(_))]) {
            break;
        }
        assert!(Instant::now() < deadline);
        told(|sink| hold.finish(sink));
    }
}

#[test]
fn what_waits_is_bounded_and_goes_on_without() {
    let root = tempfile::tempdir().unwrap();
    let mut hold = hold(&root);
    let went = told(|sink| {
        hold.push(Event::by(1, written("/x")), sink);
        for _ in 0..MAX_EVENTS {
            hold.push(Event::by(2, exit()), sink);
        }
    });
    assert_eq!(went, [(1, Content::Unread(Unread::TooMuch))]);
    assert_eq!(hold.counters.get(Counter::Unhashed), 1);
    // An answer that comes too late is nobody's.
    let rest = told(|sink| hold.finish(sink));
    assert_eq!(rest.len(), MAX_EVENTS);
    assert!(rest.iter().all(|(_, content)| *content == Content::Unasked));
    assert!(hold.waiting.capacity() < MAX_EVENTS);
}

#[test]
fn nothing_waits_for_others_while_one_is_late() {
    let root = tempfile::tempdir().unwrap();
    let mut hold = hold(&root);
    told(|sink| hold.push(Event::by(1, written("/x")), sink));
    hold.waiting[0].until = Some(Instant::now());
    // Its answer takes 50 ms; on a slow machine it may have come.
    let went = told(|sink| hold.settle(sink));
    let was_late = went[0].1 == LATE;
    assert_eq!(hold.is_late, was_late);
    hold.is_late = true;
    let passed = told(|sink| hold.push(Event::by(2, written("/y")), sink));
    assert_eq!(passed, [(2, Content::Unread(Unread::TooMuch))]);
    if was_late {
        hold.take_answers(Duration::from_secs(20));
        assert!(!hold.is_late);
    }
}

#[test]
fn what_is_known_in_time_is_told_though_more_was_to_come() {
    let root = tempfile::tempdir().unwrap();
    let mut hold = hold(&root);
    told(|sink| hold.push(Event::by(1, written("/x")), sink));
    let digests = Digests {
        md5: [1; 16],
        sha1: [2; 20],
        sha256: [3; 32],
    };
    let signature = Signature::Unknown;
    let known = Content::Known(Inspection { digests, signature }.into());
    hold.waiting[0].event.content = known.clone();
    hold.waiting[0].until = Some(Instant::now());
    assert_eq!(told(|sink| hold.settle(sink)), [(1, known)]);
    assert!(!hold.is_late);
    assert_eq!(hold.counters.get(Counter::Unhashed), 0);
}

#[test]
fn a_file_that_is_gone_is_told_without_a_hash() {
    let root = tempfile::tempdir().unwrap();
    let mut hold = hold(&root);
    let went = told(|sink| {
        hold.push(Event::by(1, written("/gone")), sink);
        hold.finish(sink);
    });
    assert!(matches!(went[..], [(1, Content::Unread(_))]));
}
