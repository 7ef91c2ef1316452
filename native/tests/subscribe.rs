//! The live subscription to the event log, against a mock of Windows' library under Wine
//! (`tests/windows/wevtapi.c`). It never ran on Windows.

#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::time::{Duration, Instant};

use endpoint_agent_native::capture::eventlog::subscribe::{SETTLED, Subscription};
use endpoint_agent_native::capture::{HookState, Source};
use endpoint_agent_native::event::{Action, LogRecord};

#[link(name = "wevtapi", kind = "raw-dylib")]
unsafe extern "C" {
    fn MockOpened() -> i32;
}

fn record(action: Action) -> LogRecord {
    match action {
        Action::Logged(record) => *record,
        other => panic!("{other:?}"),
    }
}

/// The records that come until one has this number, or for so long.
fn read(subscription: &mut Subscription, until: u64, patience: Duration) -> Vec<LogRecord> {
    let mut records: Vec<LogRecord> = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < patience && records.last().is_none_or(|last| last.number < until) {
        let wait = Duration::from_millis(50);
        let progress = subscription.drain(wait, &mut |event| records.push(record(event.action)));
        progress.unwrap();
    }
    records
}

fn open(folder: &Path) -> Subscription {
    Subscription::open(&["Mock", "Not/There"], folder).unwrap()
}

fn numbers(records: &[LogRecord]) -> Vec<u64> {
    records.iter().map(|record| record.number).collect()
}

/// One test: the mock counts for the whole process.
#[test]
fn each_record_is_told_and_bookmarks_follow_the_queue() {
    let long = Duration::from_secs(30);
    // SAFETY: no other thread reads it.
    unsafe { std::env::set_var("MOCK_RECORDS", "12") };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Mock.xml");
    let mut subscription = open(folder.path());
    let states: Vec<_> = subscription
        .coverage()
        .into_iter()
        .map(|hook| hook.state)
        .collect();
    assert_eq!(states, [HookState::Attached, HookState::Missing]);

    // The service fails after the fifth, and is asked again.
    let records = read(&mut subscription, 12, long);
    assert_eq!(numbers(&records), Vec::from_iter(1..=12));
    assert_eq!(subscription.notices(), ["Mock is read again"]);
    let first = &records[0];
    assert_eq!(first.provider, "Microsoft-Windows-Sysmon");
    assert_eq!(first.data.get("QueryName"), Some("a&b\u{20ac}"));
    assert_eq!((first.process, first.id, first.version), (644, 22, 5));
    assert_eq!(records[6].data.get("Filler").map(str::len), Some(9_000));

    // Not before the queue has them on the disk.
    drop(subscription);
    assert!(!path.exists(), "saved too early");
    let mut subscription = open(folder.path());
    let again = read(&mut subscription, 12, long);
    assert_eq!(numbers(&again), Vec::from_iter(1..=12));
    std::thread::sleep(SETTLED);
    assert_eq!(read(&mut subscription, 13, Duration::from_millis(100)), []);
    assert!(path.exists());
    drop(subscription);

    // SAFETY: as above.
    unsafe { std::env::set_var("MOCK_RECORDS", "14") };
    let mut subscription = open(folder.path());
    assert_eq!(numbers(&read(&mut subscription, 14, long)), [13, 14]);
    drop(subscription);

    // A log that was cleared, in which the bookmark is not any more.
    let bookmark = "<BookmarkList><Bookmark Channel='Mock' RecordId='99'/></BookmarkList>";
    let units: Vec<u8> = bookmark.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, units).unwrap();
    let mut subscription = open(folder.path());
    let told = subscription.notices().join("");
    assert!(
        told.contains("bookmark of Mock is not in it any more"),
        "{told}"
    );
    assert_eq!(read(&mut subscription, 14, long).len(), 14);
    assert_eq!(subscription.losses(), []);
    drop(subscription);
    // SAFETY: it takes nothing.
    assert_eq!(unsafe { MockOpened() }, 0, "handles that nobody has closed");
}
