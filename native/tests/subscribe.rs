//! The live subscription to the event log, against a mock of Windows' library under Wine
//! (`tests/windows/wevtapi.c`). It never ran on Windows.

#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::time::{Duration, Instant};

use endpoint_agent_native::capture::eventlog::subscribe::{Query, Subscription};
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

fn query(channel: &str, ids: &[(u32, u32)]) -> Query {
    Query {
        channel: channel.into(),
        ids: ids.into(),
    }
}

fn open(folder: &Path) -> Subscription {
    let queries = vec![
        query("Mock", &[]),
        query("Denied", &[]),
        query("Not/There", &[]),
    ];
    Subscription::open(queries, folder, Box::new(|| true)).unwrap()
}

fn numbers(records: &[LogRecord]) -> Vec<u64> {
    records.iter().map(|record| record.number).collect()
}

fn set(name: &str, value: &str) {
    // SAFETY: no other thread reads it.
    unsafe { std::env::set_var(name, value) };
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(1_500);

/// One test: the mock counts for the whole process.
#[test]
fn each_record_is_told_and_bookmarks_follow_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Mock.xml");
    set("MOCK_RECORDS", "12");
    let mut subscription = open(folder.path());
    let coverage = subscription.coverage();
    let states: Vec<_> = coverage.iter().map(|hook| hook.state).collect();
    assert_eq!(
        states,
        [HookState::Attached, HookState::Failed, HookState::Missing]
    );
    assert!(
        coverage[1]
            .reason
            .contains("(os error 5); run the agent as")
    );

    // The service fails after the fifth, and is asked again.
    let records = read(&mut subscription, 12, LONG);
    assert_eq!(numbers(&records), Vec::from_iter(1..=12));
    let notices = subscription.notices();
    assert!(notices.iter().any(|notice| notice == "Mock is read again"));
    let first = &records[0];
    assert_eq!(first.provider, "Microsoft-Windows-Sysmon");
    assert_eq!(first.data.get("QueryName"), Some("a&b\u{20ac}"));
    assert_eq!((first.process, first.id, first.version), (644, 22, 5));
    assert_eq!(records[6].data.get("Filler").map(str::len), Some(9_000));

    // Not before the queue has them on the disk.
    assert!(subscription.mark());
    drop(subscription);
    assert!(!path.exists(), "saved too early");
    let mut subscription = open(folder.path());
    assert_eq!(read(&mut subscription, 12, LONG).len(), 12);
    assert!(subscription.mark());
    set("MOCK_RECORDS", "13");
    assert_eq!(numbers(&read(&mut subscription, 13, LONG)), [13]);
    subscription.settle();
    assert!(path.exists());
    drop(subscription);

    // The 13th came after the mark.
    let mut subscription = open(folder.path());
    set("MOCK_RECORDS", "14");
    assert_eq!(numbers(&read(&mut subscription, 14, LONG)), [13, 14]);
    // The queue could not write them.
    assert!(subscription.step_back());
    assert_eq!(numbers(&read(&mut subscription, 14, LONG)), [13, 14]);
    assert!(subscription.mark());
    subscription.settle();
    assert!(!subscription.mark(), "nothing has come since");

    the_service_is_away(&mut subscription, folder.path());
    drop(subscription);
    a_bookmark_is_not_there_any_more(folder.path(), &path);
    numbers_and_room(folder.path());
    records_wait_for_others(folder.path());
    // SAFETY: it takes nothing.
    assert_eq!(unsafe { MockOpened() }, 0, "handles that nobody has closed");
}

fn the_service_is_away(subscription: &mut Subscription, folder: &Path) {
    let control = folder.join("control");
    std::fs::write(&control, "down").unwrap();
    set("MOCK_RECORDS", control.to_str().unwrap());
    assert_eq!(read(subscription, 15, SHORT), []);
    let hook = &subscription.new_coverage().unwrap()[0];
    assert_eq!(hook.state, HookState::Failed);
    assert!(hook.reason.contains("(os error 1722)"), "{}", hook.reason);
    assert_eq!(subscription.new_coverage(), None, "it is told once");
    std::fs::write(&control, "16").unwrap();
    assert_eq!(numbers(&read(subscription, 16, LONG)), [15, 16]);
    assert_eq!(
        subscription.new_coverage().unwrap()[0].state,
        HookState::Attached
    );
    assert!(subscription.mark());
    subscription.settle();
}

fn a_bookmark_is_not_there_any_more(folder: &Path, path: &Path) {
    // The log was full: 17 to 19 are overwritten, as is what the bookmark names.
    set("MOCK_RECORDS", "24");
    set("MOCK_FIRST", "20");
    let mut subscription = open(folder);
    let told = subscription.notices().join("");
    assert!(told.contains("of Mock is not in it any more"), "{told}");
    assert_eq!(
        numbers(&read(&mut subscription, 24, LONG)),
        Vec::from_iter(20..=24)
    );
    let losses = subscription.losses();
    assert_eq!(losses.len(), 1);
    assert_eq!((losses[0].count, losses[0].place), (3, "full event log"));
    drop(subscription);
    // It was cleared.
    set("MOCK_RECORDS", "14");
    set("MOCK_FIRST", "1");
    let bookmark = "<BookmarkList><Bookmark Channel='Mock' RecordId='99'/></BookmarkList>";
    let units: Vec<u8> = bookmark.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for saved in [units.as_slice(), b"", b"odd"] {
        std::fs::write(path, saved).unwrap();
        let mut subscription = open(folder);
        assert_eq!(read(&mut subscription, 14, LONG).len(), 14);
        assert_eq!(subscription.losses(), []);
    }
    std::fs::remove_file(path).unwrap();
}

fn numbers_and_room(folder: &Path) {
    let queries = vec![query("Mock", &[(22, 22)])];
    let mut subscription = Subscription::open(queries, folder, Box::new(|| false)).unwrap();
    assert_eq!(read(&mut subscription, 1, SHORT), [], "there is no room");
    let queries = vec![query("Mock", &[(22, 22)])];
    let mut subscription = Subscription::open(queries, folder, Box::new(|| true)).unwrap();
    assert_eq!(read(&mut subscription, 14, LONG).len(), 14);
    let queries = vec![query("Mock", &[(1, 1)])];
    let mut subscription = Subscription::open(queries, folder, Box::new(|| true)).unwrap();
    assert!(
        subscription.notices()[0].contains("correct EventLogChannels"),
        "the mock knows no such number"
    );
}

fn records_wait_for_others(folder: &Path) {
    set("MOCK_NOW", "yes");
    let age = Duration::from_secs(3);
    let new = || {
        let queries = vec![query("Mock", &[])];
        let subscription = Subscription::open(queries, folder, Box::new(|| true));
        subscription.unwrap().waiting(age)
    };
    let mut subscription = new();
    let begin = Instant::now();
    assert_eq!(read(&mut subscription, 1, SHORT), []);
    assert!(!subscription.mark(), "nothing was told");
    let first = numbers(&read(&mut subscription, 3, LONG));
    assert_eq!(first[..3], [1, 2, 3]);
    assert!(begin.elapsed() >= age && subscription.mark());
    // What waits when all is to be given again is given once.
    assert!(subscription.step_back());
    assert_eq!(read(&mut subscription, 1, SHORT), []);
    assert!(subscription.step_back());
    let all = numbers(&read(&mut subscription, 14, LONG));
    assert_eq!(all, Vec::from_iter(1..=14));
    drop(subscription);
    // Who clears the channel meanwhile takes none away.
    let mut subscription = new();
    assert_eq!(read(&mut subscription, 1, SHORT), []);
    set("MOCK_RECORDS", "0");
    let all = numbers(&read(&mut subscription, 14, LONG));
    assert_eq!(all, Vec::from_iter(1..=14));
    set("MOCK_RECORDS", "14");
    let mut subscription = new();
    assert_eq!(read(&mut subscription, 1, SHORT), []);
}
