//! Processes that Windows' event tracing tells of: they start, make threads in others and end.

use endpoint_agent_native::capture::etw::player::Player;
use endpoint_agent_native::capture::etw::raw::{Header, since_epoch};
use endpoint_agent_native::capture::etw::templates::{DNS, KERNEL_PROCESS, PROCESS_CLASS};
use endpoint_agent_native::event::LogRecord;
use serde_json::{Value, json};

use crate::made::{Made, SECOND, TIME, made};
use crate::scene::Scene;
use crate::traces::told;

/// `S-1-5-21-1-2-3-1001`.
const MAURICE: &[u8] = &[
    1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xe9, 3, 0, 0,
];
const POWERSHELL_EXE: &str =
    r"\Device\HarddiskVolume3\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";

/// The shell that was there, and what both sources tell of it.
pub fn shell() -> Vec<Made> {
    vec![
        made(&KERNEL_PROCESS, 15, 3)
            .number("ProcessID", 8088)
            .number("CreateTime", TIME - 60 * SECOND)
            .number("ParentProcessID", 656)
            .text("ImageName", POWERSHELL_EXE),
        made(&PROCESS_CLASS, 3, 4)
            .number("ProcessId", 8088)
            .number("ParentId", 656)
            .bytes("UserSID", MAURICE)
            .text(
                "CommandLine",
                "\"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe\" ",
            ),
    ]
}

/// The command of the original agent's samples, as both sources tell its start.
pub fn command(image: &'static str, key: u64, table: u64, session: u64) -> [Made; 2] {
    [
        made(&KERNEL_PROCESS, 1, 5)
            .number("ProcessID", 8432)
            .number("CreateTime", TIME - 1_000)
            .number("ParentProcessID", 8088)
            .text(
                "ImageName",
                r"\Device\HarddiskVolume3\Windows\system32\cmd.exe",
            ),
        made(&PROCESS_CLASS, 1, 4)
            .number("UniqueProcessKey", key)
            .number("ProcessId", 8432)
            .number("ParentId", 8088)
            .number("SessionId", session)
            .number("ExitStatus", 259)
            .number("DirectoryTableBase", table)
            .bytes("UserSID", MAURICE)
            .text("ImageFileName", image)
            .text(
                "CommandLine",
                "\"C:\\Windows\\system32\\cmd.exe\" /c \"C:\\Windows\\system32\\net.exe view /all\"",
            ),
    ]
}

/// What the samples `process_start` and `process_start_user_name` of the original agent have in common.
fn started(image: &str, key: &str, table: &str, session: &str) -> Value {
    json!({
        "user": {"name": "Maurice.Moss", "domain": "Windows-Desktop"},
        "action": {
            "properties": {
                "ApplicationId": "", "DirectoryTableBase": table, "ExitStatus": "259",
                "Flags": "0", "ImageFileName": image, "Keywords": "0x0", "PackageFullName": "",
                "ProviderGuid": "{3D6FA8D0-FE05-11D0-9DDA-00C04FD7BA7C}", "SessionId": session,
                "Severity": "LOG_ALWAYS", "SourceName": "Kernel-Process",
                "UniqueProcessKey": key},
            "id": 1, "name": "process-created"},
        "event": {"action": "process-created", "provider": "SEKOIA-IO-Endpoint",
            "outcome": "success", "category": ["process"], "type": ["creation"], "code": 1},
        "host": {"os": {"type": "windows"}, "hostname": "Windows-Desktop"},
        "process": {
            "parent": {
                "command_line":
                    "\"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe\" ",
                "executable": r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
                "name": "powershell.exe",
                "args": [r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"],
                "pid": 8088},
            "command_line":
                "\"C:\\Windows\\system32\\cmd.exe\" /c \"C:\\Windows\\system32\\net.exe view /all\"",
            "executable": r"C:\Windows\system32\cmd.exe",
            "name": "cmd.exe",
            "args": [r"C:\Windows\system32\cmd.exe", "/c", r"C:\Windows\system32\net.exe view /all"],
            "pid": 8432},
        "@timestamp": "2024-01-02T13:51:48.1394289Z",
    })
}

#[test]
fn a_start_is_told_as_the_original_agent_tells_it() {
    // In the first sample the account is still in `UserSID`; the version after that has `user`.
    let samples = [
        ("powershell.exe", 0xFFFF_9C0E_86EE_A080, 0x1_B3C1_E000, 2),
        ("cmd.exe", 0xFFFF_9001_AA8C_4080, 0x1_B3DE_E000, 3),
    ];
    for (image, key, table, session) in samples {
        let [kernels, classic] = command(image, key, table, session);
        let [kernels_later, classic_earlier] = command(image, key, table, session);
        let expected = started(
            image,
            &format!("0x{key:X}"),
            &format!("0x{table:X}"),
            &session.to_string(),
        );
        for pair in [[kernels, classic], [classic_earlier, kernels_later]] {
            let mut seen = told(shell().into_iter().chain(pair).collect());
            assert_eq!(seen.len(), 1);
            // The original agent tells no more than the parent.
            let properties = seen[0]["action"]["properties"].as_object_mut();
            assert!(properties.unwrap().remove("ancestors").is_some());
            crate::windows::assert_within(&expected, &seen[0], "");
            let guids = &seen[0]["sekoiaio"]["process"];
            assert_ne!(guids["guid"], guids["parent_guid"]);
            assert!(guids["guid"].is_string() && guids["parent_guid"].is_string());
        }
    }
}

/// The sample `remote_thread` of the original agent.
pub fn remote_thread() -> Vec<Made> {
    const SVCHOST: &str =
        r"C:\Windows\system32\svchost.exe -k LocalSystemNetworkRestricted -p -s SysMain";
    vec![
        made(&KERNEL_PROCESS, 15, 1)
            .number("ProcessID", 1356)
            .number("CreateTime", TIME - 9 * SECOND)
            .number("ParentProcessID", 656)
            .text(
                "ImageName",
                r"\Device\HarddiskVolume3\Windows\system32\svchost.exe",
            ),
        made(&PROCESS_CLASS, 3, 3)
            .number("ProcessId", 1356)
            .number("ParentId", 656)
            .text("CommandLine", SVCHOST),
        made(&KERNEL_PROCESS, 15, 0)
            .number("ProcessID", 4)
            .number("CreateTime", TIME - 99 * SECOND),
        Made {
            keywords: 1 << 63 | 0x20,
            ..made(&KERNEL_PROCESS, 3, 1)
        }
        .by(1356, 1480)
        .number("ProcessID", 4)
        .number("ThreadID", 5096)
        .number("StackBase", 0xFFFF_DF00_357D_A000)
        .number("StackLimit", 0xFFFF_DF00_357D_4000)
        .number("StartAddr", 0xFFFF_F802_0AE7_1320)
        .number("Win32StartAddr", 0xFFFF_F802_0AE7_1320)
        .number("SubProcessTag", 190),
    ]
}

#[test]
fn a_remote_thread_is_told_as_the_original_agent_tells_it() {
    let seen = told(remote_thread());
    assert_eq!(seen.len(), 1);
    let line = r"C:\Windows\system32\svchost.exe -k LocalSystemNetworkRestricted -p -s SysMain";
    let arguments = json!([
        r"C:\Windows\system32\svchost.exe",
        "-k",
        "LocalSystemNetworkRestricted",
        "-p",
        "-s",
        "SysMain"
    ]);
    let source = json!({
        "command_line": line, "executable": r"C:\Windows\system32\svchost.exe",
        "name": "svchost.exe", "parent": {"pid": 656}, "pid": 1356, "thread": {"id": 1480},
        "args": arguments,
    });
    let expected = json!({
        "action": {"id": 3, "name": "remote-thread-created", "properties": {
            "Keywords": "0x8000000000000020",
            "ProviderGuid": "{22FB2CD6-0E7B-422B-A0C7-2FAD1FD0E716}", "Severity": "INFO",
            "SourceName": "Microsoft-Windows-Kernel-Process",
            "StackBase": "0xFFFFDF00357DA000", "StackLimit": "0xFFFFDF00357D4000",
            "StartAddr": "0xFFFFF8020AE71320", "SubProcessTag": "190", "TebBase": "0x0",
            "UserStackBase": "0x0", "UserStackLimit": "0x0",
            "Win32StartAddr": "0xFFFFF8020AE71320"}},
        "event": {"action": "remote-thread-created", "category": ["process"], "code": 8,
            "provider": "SEKOIA-IO-Endpoint", "type": ["creation"], "outcome": "success"},
        "process": source,
        "sekoiaio": {"source_process": source,
            "target_process": {"pid": 4, "thread": {"id": 5096}}},
    });
    crate::windows::assert_within(&expected, &seen[0], "");
    let guids = &seen[0]["sekoiaio"];
    assert_eq!(guids["process"]["guid"], guids["source_process"]["guid"]);
    assert!(guids["target_process"]["guid"].is_string());
}

#[test]
fn threads_that_a_process_or_its_parent_makes_are_not_remote() {
    let [kernels, classic] = command("cmd.exe", 1, 2, 3);
    let thread = |by: u32, of: u64| {
        made(&KERNEL_PROCESS, 3, 0)
            .by(by, 1)
            .number("ProcessID", of)
    };
    let acts = [thread(8088, 8432), thread(8432, 8432), thread(8088, 8432)];
    let events = shell().into_iter().chain([kernels, classic]).chain(acts);
    let actions: Vec<_> = told(events.collect())
        .iter()
        .map(|record| record["event"]["action"].clone())
        .collect();
    // The parent's second one is.
    assert_eq!(actions, ["process-created", "remote-thread-created"]);
}

#[test]
fn a_start_that_only_one_source_tells_is_told_after_a_second() {
    let [kernels, classic] = command("cmd.exe", 1, 2, 3);
    let later = || made(&DNS, 3006, 0).after(2 * SECOND).text("QueryName", "a");
    // Only the kernel's provider says when it was created, which the guid is made of.
    for (half, has_guid) in [(kernels, true), (classic, false)] {
        let seen = told(vec![half, later()]);
        assert_eq!(seen[0]["event"]["action"], "process-created");
        assert_eq!(seen[0]["process"]["pid"], 8432);
        assert_eq!(seen[0]["process"]["name"], "cmd.exe");
        let guid = &seen[0]["sekoiaio"]["process"]["guid"];
        assert_eq!(guid.is_string(), has_guid);
        assert_eq!(seen[1]["event"]["action"], "dns-query");
    }
}

#[test]
fn a_start_does_not_wait_for_a_clock_that_was_set_back() {
    let [kernels, _] = command("cmd.exe", 1, 2, 3);
    let mut act = made(&DNS, 3006, 0).text("QueryName", "a");
    act.time -= 3_600 * SECOND;
    let seen = told(vec![kernels, act]);
    let actions: Vec<_> = seen.iter().map(|it| &it["event"]["action"]).collect();
    assert_eq!(actions, ["process-created", "dns-query"]);
}

#[test]
fn a_start_that_is_told_late_is_not_that_of_the_next_with_its_number() {
    let kernels = |image: &'static str, after| {
        made(&KERNEL_PROCESS, 1, 0)
            .after(after)
            .number("ProcessID", 8432)
            .number("CreateTime", TIME + after)
            .text("ImageName", image)
    };
    let classic = |line: &'static str, after| {
        made(&PROCESS_CLASS, 1, 4)
            .after(after)
            .number("ProcessId", 8432)
            .text("CommandLine", line)
    };
    let act = |after: u64| {
        made(&DNS, 3006, 0)
            .after(after)
            .by(8432, 1)
            .text("QueryName", "a")
    };
    let tenth = SECOND / 10;
    for halves in [
        [kernels("one.exe", 0), kernels("two.exe", 5 * tenth)],
        [classic("one.exe", 0), classic("two.exe", 5 * tenth)],
    ] {
        let acts = [act(11 * tenth), act(20 * tenth)];
        let seen = told(halves.into_iter().chain(acts).collect());
        let which = |record: &Value| {
            let process = &record["process"];
            let name = process.get("name").or_else(|| process.get("command_line"));
            name.cloned().unwrap_or_default()
        };
        let names: Vec<_> = seen.iter().map(which).collect();
        assert_eq!(names, ["one.exe", "two.exe", "two.exe", "two.exe"]);
        let guid = |place: usize| &seen[place]["sekoiaio"]["process"]["guid"];
        assert_eq!(guid(1), guid(2));
        assert!(guid(0) != guid(1) || guid(0).is_null());
    }
}

#[test]
fn a_start_tells_who_started_who_started_it() {
    let started = |pid: u64, parent: u64, created: u64| {
        made(&KERNEL_PROCESS, 1, 0)
            .number("ProcessID", pid)
            .number("ParentProcessID", parent)
            .number("CreateTime", created)
            .text("ImageName", format!("{pid}.exe"))
    };
    let mut events: Vec<_> = (1..8)
        .map(|pid| started(pid + 1, pid, TIME + pid))
        .collect();
    // The number 8 is another's by then.
    events.push(
        made(&KERNEL_PROCESS, 15, 0)
            .number("ProcessID", 50)
            .number("ParentProcessID", 8)
            .number("CreateTime", TIME),
    );
    events.push(started(51, 50, TIME + 9));
    let seen = told(events);
    let ancestors = |record: &Value| record["action"]["properties"]["ancestors"].clone();
    assert_eq!(ancestors(&seen[0]), Value::Null);
    let last = ancestors(&seen[6]);
    assert_eq!(last["pid"], json!([7, 6, 5, 4, 3]));
    let executables = json!(["7.exe", "6.exe", "5.exe", "4.exe", "3.exe"]);
    assert_eq!(last["executable"], executables);
    let own = |record: &Value| record["sekoiaio"]["process"]["guid"].clone();
    let guids: Vec<_> = (1..6).rev().map(|place| own(&seen[place])).collect();
    assert_eq!(last["guid"], json!(guids));
    assert_eq!(seen[6]["sekoiaio"]["process"]["parent_guid"], guids[0]);
    assert_eq!(ancestors(&seen[7])["pid"], json!([50]));
}

#[test]
fn an_end_is_that_of_the_process_that_it_names() {
    let [kernels, classic] = command("cmd.exe", 1, 2, 3);
    let ended = |created: u64| {
        made(&KERNEL_PROCESS, 2, 0)
            .number("ProcessID", 8432)
            .number("CreateTime", created)
    };
    let starts = shell().into_iter().chain([kernels, classic]);
    let seen = told(starts.chain([ended(TIME - 1_000), ended(TIME)]).collect());
    let guid = |place: usize| &seen[place]["sekoiaio"]["process"]["guid"];
    assert_eq!(guid(0), guid(1));
    assert!(guid(2).is_string());
    assert_ne!(guid(1), guid(2), "one whose start was missed");
    assert_eq!(seen[1]["process"]["name"], "cmd.exe");
    assert_eq!(seen[2]["process"].get("name"), None);
}

#[test]
fn a_record_of_the_event_log_has_the_guids_that_event_tracing_tells() {
    let mut scene = Scene::new();
    let mut player = Player::default();
    player.host().name = "Windows-Desktop".into();
    for event in shell().iter().chain(&command("cmd.exe", 1, 2, 3)) {
        let header = Header::read(&event.header()).unwrap();
        let attached = std::iter::empty();
        player.tell(&header, attached, &event.data(), &mut |it| scene.event(it));
    }
    let logged = |computer: &str| {
        let record = LogRecord {
            provider: "Microsoft-Windows-Security-Auditing".into(),
            id: 4688,
            number: 7,
            computer: computer.into(),
            data: [
                ("NewProcessId", "0x20F0"),
                ("NewProcessName", r"C:\Windows\System32\cmd.exe"),
                ("ProcessId", "0x1F98"),
                ("CommandLine", ""),
            ]
            .into_iter()
            .collect(),
            ..LogRecord::default()
        };
        Box::new(record).into_event(since_epoch(TIME))
    };
    let created = |pid| (pid == 8432).then_some(TIME - 1_000);
    for computer in ["Windows-Desktop.example.org", "Other"] {
        let mut event = logged(computer);
        player.complete(&mut event, &created);
        scene.event(event);
    }
    let [traced, known, others] = &scene.records()[..] else {
        panic!()
    };
    assert_eq!(known["sekoiaio"]["process"], traced["sekoiaio"]["process"]);
    assert_eq!(known["winlog"]["record_id"], "7");
    assert_eq!(known["event"]["action"], "created-process");
    for name in ["pid", "name", "executable", "command_line"] {
        let of = |record: &Value| record["process"]["parent"][name].clone();
        assert_eq!(of(known), of(traced), "{name}");
    }
    let line = &known["process"]["command_line"];
    assert_eq!(*line, traced["process"]["command_line"]);
    // The record's own.
    let executable = r"C:\Windows\System32\cmd.exe";
    assert_eq!(known["process"]["executable"], executable);
    assert_eq!(others["sekoiaio"], Value::Null);
    assert_eq!(others["process"]["parent"], json!({"pid": 8088}));
}
