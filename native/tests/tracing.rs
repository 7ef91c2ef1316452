//! Live event tracing, against a MOCK of Windows' functions under Wine, whose own do nothing. It shows
//! that the agent calls them rightly: names, buffers, handles, threads, what callbacks are given. It says
//! nothing of how Windows behaves, and none of it ran on Windows.

#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "records/made.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod made;
#[path = "tracing/mock.rs"]
mod mock;

use std::time::{Duration, Instant, UNIX_EPOCH};

use endpoint_agent_native::capture::etw::live::Live;
use endpoint_agent_native::capture::etw::plan::plan;
use endpoint_agent_native::capture::etw::raw::{of_epoch, since_epoch};
use endpoint_agent_native::capture::etw::recorder::Recorder;
use endpoint_agent_native::capture::etw::recording::TraceFile;
use endpoint_agent_native::capture::etw::session::WINDOWS;
use endpoint_agent_native::capture::etw::templates::{
    AMSI, DNS, FILE_CLASS, KERNEL_FILE, KERNEL_PROCESS, PROCESS_CLASS,
};
use endpoint_agent_native::capture::{HookState, Progress, Source};
use endpoint_agent_native::event::{Action, LogRecord};
use made::{SECOND, made};
use mock::{MOCK, Mock, Odd, alone};

const ALL: [&str; 4] = [
    "EndpointAgent-Classic",
    "EndpointAgent-Processes",
    "EndpointAgent-Objects",
    "EndpointAgent-Programs",
];

/// What a source tells until so many records are there, or for so long.
fn read(live: &mut Live, count: usize, patience: Duration) -> Vec<LogRecord> {
    let mut records = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < patience && records.len() < count {
        let wait = Duration::from_millis(20);
        let drained = live.drain(wait, &mut |event| records.push(record(event.action)));
        drained.unwrap();
    }
    records
}

fn record(action: Action) -> LogRecord {
    match action {
        Action::Logged(record) => *record,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn sessions_are_started_asked_read_and_stopped() {
    let mock = alone(Mock {
        // Somebody was killed before.
        running: vec![ALL[1].into(), "EndpointAgent-Files".into()],
        events: vec![
            (
                ALL[0],
                made(&PROCESS_CLASS, 1, 4)
                    .number("ProcessId", 8432)
                    .text("CommandLine", "a b"),
            ),
            (
                ALL[1],
                made(&KERNEL_PROCESS, 1, 5)
                    .number("ProcessID", 8432)
                    .text("ImageName", "a.exe"),
            ),
            (
                ALL[2],
                made(&KERNEL_FILE, 27, 1)
                    .number("FileKey", 7)
                    .text("FilePath", r"C:\new"),
            ),
            (
                ALL[3],
                made(&DNS, 3006, 0).text("QueryName", "www.example.org"),
            ),
        ],
        at_end: vec![
            (
                "EndpointAgent-Files",
                made(&FILE_CLASS, 36, 2)
                    .number("FileObject", 7)
                    .text("FileName", r"C:\old"),
            ),
            (
                ALL[3],
                made(&AMSI, 1101, 1).after(SECOND).text("appname", "late"),
            ),
        ],
        ..Mock::default()
    });
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    let states: Vec<_> = live.coverage().into_iter().map(|hook| hook.state).collect();
    assert_eq!(states, vec![HookState::Attached; states.len()]);
    assert_eq!(states.len(), 4 + 8, "sessions and their providers");

    let mut told = read(&mut live, 3, LONG);
    told.sort_by_key(|record| record.id);
    let ids: Vec<_> = told.iter().map(|record| record.id).collect();
    assert_eq!(ids, [1, 27, 3006]);
    let facts = &told[0].findings.as_ref().unwrap().facts;
    assert_eq!(facts.get("Image"), Some("a.exe"), "both halves of a start");
    assert_eq!(facts.get("CommandLine"), Some("a b"));
    assert_eq!(
        told[1].data.get("old_path"),
        Some(r"C:\old"),
        "a file that was open before"
    );
    assert_eq!(told[2].data.get("QueryName"), Some("www.example.org"));
    assert!(!told[2].computer.is_empty());

    let state = mock.state();
    assert_eq!(state.orphans_stopped, ["EndpointAgent-Files", ALL[1]]);
    let running: Vec<_> = state.running.iter().map(String::as_str).collect();
    assert_eq!(running, ALL);
    let processes = state
        .enabled
        .iter()
        .find(|it| it.guid == KERNEL_PROCESS.guid);
    let processes = processes.unwrap();
    assert_eq!(
        (processes.code, processes.level, processes.keywords),
        (1, 4, 0x70)
    );
    assert_eq!(processes.ids, [1, 2, 15, 3, 5]);
    let rundown: Vec<_> = state.enabled.iter().filter(|it| it.code == 2).collect();
    assert_eq!(rundown.len(), 1);
    assert_eq!(rundown[0].guid, KERNEL_PROCESS.guid);
    // The classic logger's, by its mode and flags; and the buffers of floods.
    assert_eq!(state.started[ALL[0]], (0x0200_0100, 1, 256, 64, 128));
    assert_eq!(state.started["EndpointAgent-Files"].1, 0x200);
    assert_eq!(state.started[ALL[3]], (0x0800_0100, 0, 128, 4, 32));
    drop(state);

    let mut late = Vec::new();
    live.finish(&mut |event| late.push(record(event.action)))
        .unwrap();
    assert_eq!(late.len(), 1, "what a session had when it was stopped");
    assert_eq!(late[0].data.get("appname"), Some("late"));
    assert_eq!((live.losses(), live.notices()), (vec![], vec![]));
    drop(live);
    let state = mock.state();
    assert_eq!(
        (state.running.len(), state.open),
        (0, 0),
        "nothing is left behind"
    );
}

#[test]
fn what_is_recorded_can_be_replayed() {
    let new = || {
        made(&DNS, 3006, 0)
            .text("QueryName", "new")
            .number("QueryType", 1)
    };
    let _mock = alone(Mock {
        odd: vec![(ALL[3], new(), Odd::NewVersion)],
        events: vec![
            (ALL[1], made(&KERNEL_PROCESS, 2, 2).number("ProcessID", 4)),
            (
                ALL[3],
                made(&DNS, 3006, 0).after(SECOND).text("QueryName", "a"),
            ),
        ],
        lost: vec![(ALL[2], (7, 0))],
        ..Mock::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seen.rec");
    let recorder = Recorder::create(&path).unwrap();
    let mut live = Live::start(&MOCK, plan(false, &[], true), Some(recorder)).unwrap();
    let mut seen = read(&mut live, 3, LONG);
    live.finish(&mut |event| seen.push(record(event.action)))
        .unwrap();
    assert_eq!(seen.len(), 3);
    drop(live);

    let mut file = TraceFile::open(&path).unwrap();
    let mut replayed = Vec::new();
    let drained = file.drain(Duration::ZERO, &mut |event| {
        replayed.push(record(event.action))
    });
    assert_eq!((drained.unwrap(), &replayed), (Progress::Ended, &seen));
    let losses = file.losses().into_iter();
    assert_eq!(losses.map(|loss| loss.count).collect::<Vec<_>>(), [7]);
}

#[test]
fn a_process_that_the_event_log_names_is_asked_for() {
    let own = u64::from(std::process::id());
    let _mock = alone(Mock {
        events: vec![(ALL[3], made(&DNS, 3006, 0).text("QueryName", "a"))],
        ..Mock::default()
    });
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    let computer = read(&mut live, 1, LONG).remove(0).computer;
    let mut keys = |pid: &str, computer: &str, time: u64| {
        let logged = LogRecord {
            provider: "Microsoft-Windows-Security-Auditing".into(),
            id: 5156,
            computer: computer.into(),
            data: [("ProcessID", pid)].into_iter().collect(),
            ..LogRecord::default()
        };
        let mut event = Box::new(logged).into_event(time);
        live.complete(&mut event);
        record(event.action)
            .findings
            .map(|it| it.processes[0].unwrap())
    };
    let now = || {
        let since = UNIX_EPOCH.elapsed().unwrap();
        u64::try_from(since.as_nanos()).unwrap()
    };
    let key = keys(&own.to_string(), &computer, now()).unwrap();
    assert_eq!(u64::from(key.pid), own);
    let age = of_epoch(now()) - key.start;
    assert!(age < 600 * SECOND, "{age}: created when these tests began");
    assert_eq!(keys(&own.to_string(), &computer, now()), Some(key));
    let before = since_epoch(key.start) - 100;
    assert_eq!(keys(&own.to_string(), &computer, before), None);
    assert_eq!(keys(&own.to_string(), "Other", now()), None);
    assert_eq!(keys("4294967292", &computer, now()), None, "nobody has it");
    let mut child = std::process::Command::new("cmd.exe")
        .args(["/c", "exit"])
        .spawn()
        .unwrap();
    child.wait().unwrap();
    // It has ended, and its number is not another's as long as somebody has it open.
    let ended = keys(&child.id().to_string(), &computer, now()).unwrap();
    assert!(ended.pid == child.id() && ended.start >= key.start);
}

#[test]
fn losses_are_told_each_second() {
    let mock = alone(Mock {
        lost: vec![(ALL[2], (u32::MAX - 1, 0))],
        ..Mock::default()
    });
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    let look = |live: &mut Live| {
        std::thread::sleep(Duration::from_millis(1_050));
        read(live, 1, Duration::from_millis(50));
        let losses = live.losses().into_iter();
        let told = losses.map(|loss| {
            assert!(loss.to - loss.from >= 1_000_000_000, "since the last look");
            assert_eq!(loss.place, "tracing session");
            (loss.what, loss.cause, loss.count)
        });
        told.collect::<Vec<_>>()
    };
    let all = u64::from(u32::MAX - 1);
    assert_eq!(look(&mut live), [("record", "buffers full", all)]);
    // The number has begun anew.
    mock.state().lost = vec![(ALL[2], (3, 2))];
    let expected = [
        ("record", "buffers full", 5),
        ("buffer", "read too slowly", 2),
    ];
    assert_eq!(look(&mut live), expected);
    assert_eq!(look(&mut live), []);
}

#[test]
fn odd_records_cost_themselves() {
    let dns = || made(&DNS, 3006, 0).text("QueryName", "a");
    let _mock = alone(Mock {
        odd: vec![
            (ALL[3], dns(), Odd::NoRecord),
            (ALL[3], dns(), Odd::NoContext),
            (ALL[3], dns(), Odd::NoData),
            (ALL[3], dns(), Odd::NoAttached),
            (ALL[3], dns(), Odd::ManyAttached),
            (ALL[3], dns(), Odd::ShortData),
            (ALL[3], dns(), Odd::UnknownVersion),
            (ALL[3], dns(), Odd::UnknownVersion),
            (ALL[3], dns(), Odd::AttachedNothing),
        ],
        events: vec![(ALL[3], dns().after(SECOND))],
        ..Mock::default()
    });
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    assert_eq!(
        read(&mut live, 2, LONG).len(),
        2,
        "the last odd one is fine, and the one after"
    );
    live.finish(&mut |_| ()).unwrap();
    let losses = live.losses().into_iter();
    let told: Vec<_> = losses.map(|loss| (loss.cause, loss.count)).collect();
    assert_eq!(told, [("malformed record", 4), ("unknown layout", 2)]);
}

#[test]
fn a_version_that_is_new_is_read_as_windows_says() {
    let dns = || {
        made(&DNS, 3006, 0)
            .text("QueryName", "new.example.org")
            .number("QueryType", 28)
    };
    let _mock = alone(Mock {
        odd: vec![
            (ALL[3], dns(), Odd::NewVersion),
            (ALL[3], dns(), Odd::NewVersion),
            (ALL[3], dns(), Odd::UnknownVersion),
        ],
        ..Mock::default()
    });
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    let told = read(&mut live, 2, LONG);
    for record in told {
        let data: Vec<_> = record.data.iter().collect();
        assert_eq!(
            data,
            [("QueryName", "new.example.org"), ("QueryType", "28")]
        );
    }
    live.finish(&mut |_| ()).unwrap();
    let notices = live.notices();
    assert_eq!(notices.len(), 2, "once for each version: {notices:?}");
    assert!(notices[0].starts_with("version 77 of event 3006 of Microsoft-Windows-DNS-Client"));
    assert!(notices[0].ends_with("read as Windows says that it is laid out"));
    assert!(notices[1].ends_with("since Windows does not say how it is laid out"));
    let losses = live.losses().into_iter();
    assert_eq!(losses.map(|loss| loss.count).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_session_that_somebody_stops_runs_again() {
    let mock = alone(Mock::default());
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    mock.stop(ALL[1]);
    assert!(!mock.state().running.iter().any(|name| name == ALL[1]));
    std::thread::sleep(Duration::from_millis(1_050));
    read(&mut live, 1, Duration::from_millis(50));
    let notices = live.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(
        notices[0].contains("EndpointAgent-Processes was stopped by somebody else and runs again")
    );
    assert!(mock.state().running.iter().any(|name| name == ALL[1]));
    drop(live);
    assert_eq!(mock.state().running, [""; 0]);
}

#[test]
fn what_windows_refuses_is_told() {
    let mock = alone(Mock {
        refused: Some(KERNEL_FILE.guid),
        ..Mock::default()
    });
    let live = Live::start(&MOCK, plan(true, &[], true), None).unwrap();
    let coverage = live.coverage();
    let failed: Vec<_> = coverage
        .iter()
        .filter(|it| it.state == HookState::Failed)
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].name, "provider Microsoft-Windows-Kernel-File");
    assert!(
        failed[0].reason.starts_with("EnableTraceEx2: "),
        "{}",
        failed[0].reason
    );
    assert!(
        coverage.iter().any(|it| it.state == HookState::Replaced),
        "Sysmon tells the rest"
    );
    drop(live);

    mock.state().refuses_all = 5;
    let error = Live::start(&MOCK, plan(false, &[], true), None)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("StartTraceW") && error.contains("as SYSTEM"),
        "{error}"
    );
    mock.state().refuses_all = 1450;
    let error = Live::start(&MOCK, plan(false, &[], true), None)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("EtwMaxLoggers"), "{error}");
}

#[test]
fn a_windows_without_filters_is_asked_without() {
    let mock = alone(Mock {
        has_no_filters: true,
        odd: vec![(ALL[3], made(&DNS, 3006, 0), Odd::OtherEvent)],
        events: vec![(ALL[3], made(&DNS, 3006, 0).text("QueryName", "a"))],
        ..Mock::default()
    });
    let mut live = Live::start(&MOCK, plan(false, &[], true), None).unwrap();
    assert!(
        live.coverage()
            .iter()
            .all(|hook| hook.state == HookState::Attached)
    );
    assert!(
        mock.state()
            .enabled
            .iter()
            .all(|asked| asked.ids.is_empty())
    );
    assert_eq!(read(&mut live, 1, LONG).len(), 1);
    live.finish(&mut |_| panic!("nobody asked for it")).unwrap();
    assert_eq!(live.losses(), []);
}

#[test]
fn wine_has_no_event_tracing_and_that_is_said() {
    if std::env::var_os("WINEPREFIX").is_none() {
        eprintln!("skipped: this is not Wine");
        return;
    }
    let error = Live::open(&WINDOWS, &[], true, None)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("event tracing gives no session (OpenTraceW"),
        "{error}"
    );
}
