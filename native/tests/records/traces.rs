//! Events of Windows' event tracing: recordings made by hand, and what becomes of them.

use std::time::Duration;

use endpoint_agent_native::capture::Progress;
use endpoint_agent_native::capture::etw::recording::{Frame, MAGIC, TraceFile};
use endpoint_agent_native::capture::etw::templates::{
    self, AMSI, DNS, FILE_CLASS, KERNEL_FILE, KERNEL_NETWORK, KERNEL_PROCESS, KERNEL_REGISTRY,
    POWERSHELL, PROCESS_CLASS, WMI,
};
use endpoint_agent_native::ecs::windows::traces;
use serde_json::Value;

use crate::lives::{command, remote_thread, shell};
use crate::made::{Made, SECOND, SYSTEM, TIME, made};
use crate::scene::{self, Played};
use crate::{assert_file, repository};

const FOLDER: &str = "tests/golden/etw";

/// A recording on a host of which these things were asked.
pub fn begun() -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    for frame in [
        Frame::Host("Windows-Desktop"),
        Frame::Drive(r"\Device\HarddiskVolume3", "C:"),
        Frame::Account("S-1-5-21-1-2-3-1001", r"Windows-Desktop\Maurice.Moss"),
    ] {
        frame.write(&mut file).unwrap();
    }
    file
}

/// What a recording gives.
pub fn play(bytes: &[u8]) -> Played {
    scene::play(bytes, TraceFile::open)
}

/// The records that events become, of which none is lost.
pub fn told(events: Vec<Made>) -> Vec<Value> {
    let mut file = begun();
    events.iter().for_each(|event| event.write(&mut file));
    let (mut scene, losses, ended) = play(&file);
    assert_eq!((losses, ended), (vec![], Ok(())));
    scene.records()
}

/// Something of everything, by the shell.
pub fn acts() -> Vec<Made> {
    let file = |id, version, name, text| {
        let event = made(&KERNEL_FILE, id, version).number("FileObject", 0xA0);
        let event = match id {
            12 | 30 => event,
            _ => event.number("FileKey", 0xB0),
        };
        event.text(name, text)
    };
    let mut all = shell();
    all.extend(remote_thread());
    all.extend(command("cmd.exe", 0xFFFF_9001_AA8C_4080, 0x1_B3DE_E000, 3));
    all.extend([
        made(&KERNEL_PROCESS, 5, 0).number("ProcessID", 8432).text(
            "ImageName",
            r"\Device\HarddiskVolume3\Windows\System32\ntdll.dll",
        ),
        file(
            12,
            1,
            "FileName",
            r"\Device\HarddiskVolume3\Users\m\new.txt",
        ),
        file(
            30,
            1,
            "FileName",
            r"\Device\HarddiskVolume3\Users\m\new.txt",
        ),
        made(&KERNEL_FILE, 17, 1)
            .number("FileObject", 0xA0)
            .number("InfoClass", 4),
        made(&KERNEL_FILE, 17, 1)
            .number("FileObject", 0xA0)
            .number("InfoClass", 20),
        file(
            27,
            1,
            "FilePath",
            r"\Device\HarddiskVolume3\Users\m\old.txt",
        ),
        file(
            28,
            1,
            "FilePath",
            r"\Device\HarddiskVolume3\Users\m\link.txt",
        ),
        file(26, 0, "FilePath", r"\Device\HarddiskVolume4\other.txt"),
        made(&KERNEL_FILE, 14, 1).number("FileObject", 0xA0),
        made(&KERNEL_FILE, 10, 0)
            .number("FileKey", 0xB0)
            .text("FileName", r"\Device\HarddiskVolume3\rundown.txt"),
        made(&KERNEL_FILE, 17, 0)
            .number("FileObject", 0xA0)
            .number("FileKey", 0xB0)
            .number("InfoClass", 4),
        made(&KERNEL_FILE, 11, 0).number("FileKey", 0xB0),
        made(&KERNEL_REGISTRY, 2, 0)
            .number("KeyObject", 0xC0)
            .text("RelativeName", r"\REGISTRY\MACHINE\SOFTWARE"),
        made(&KERNEL_REGISTRY, 1, 0)
            .number("BaseObject", 0xC0)
            .number("KeyObject", 0xC8)
            .number("Disposition", 1)
            .text("RelativeName", r"Vendor\Run"),
        made(&KERNEL_REGISTRY, 5, 0)
            .number("KeyObject", 0xC8)
            .number("Type", 4)
            .number("DataSize", 4)
            .number("CapturedDataSize", 4)
            .bytes("CapturedData", &[1, 0, 0, 0])
            .text("ValueName", "Start"),
        made(&KERNEL_REGISTRY, 5, 0)
            .number("KeyObject", 0xC8)
            .number("Type", 7)
            .number("CapturedDataSize", 12)
            .bytes("CapturedData", b"a\0b\0\0\0c\0\0\0\0\0")
            .text("ValueName", "List"),
        made(&KERNEL_REGISTRY, 5, 0)
            .number("KeyObject", 0xC8)
            .number("Status", 0xC000_0022)
            .number("Type", 1),
        made(&KERNEL_REGISTRY, 6, 0)
            .number("KeyObject", 0xC8)
            .text("ValueName", "Start"),
        made(&KERNEL_REGISTRY, 3, 0).number("KeyObject", 0xC8),
        made(&KERNEL_REGISTRY, 13, 0).number("KeyObject", 0xC8),
        made(&KERNEL_REGISTRY, 3, 0).number("KeyObject", 0xC8),
        made(&KERNEL_NETWORK, 12, 0)
            .by(4, 8)
            .number("PID", 8088)
            .number("daddr", u64::from(u32::from_le_bytes([192, 0, 2, 7])))
            .number("saddr", u64::from(u32::from_le_bytes([10, 0, 0, 13])))
            .number("dport", u64::from(443_u16.swap_bytes()))
            .number("sport", u64::from(49_702_u16.swap_bytes())),
        made(&KERNEL_NETWORK, 13, 0).number("PID", 8088),
        made(&KERNEL_NETWORK, 31, 0)
            .number("PID", 1356)
            .bytes(
                "daddr",
                &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            )
            .bytes(
                "saddr",
                &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
            )
            .number("dport", u64::from(50_000_u16.swap_bytes()))
            .number("sport", u64::from(3389_u16.swap_bytes())),
        made(&DNS, 3006, 0).text("QueryName", "www.example.org"),
        made(&DNS, 3008, 0)
            .text("QueryName", "www.example.org")
            .number("QueryType", 1)
            .text("QueryResults", "type:  5 web.example.org;::ffff:192.0.2.7;"),
        Made {
            level: 5,
            attached: vec![(2, SYSTEM), (1, &[9; 16]), (8, &[1, 2])],
            ..made(&POWERSHELL, 4104, 1)
                .number("MessageNumber", 1)
                .number("MessageTotal", 1)
                .text("ScriptBlockText", "Write-Host \"\u{e9}\"")
                .text("Path", r"C:\Users\m\a.ps1")
        },
        made(&WMI, 5860, 0)
            .text("NamespaceName", r"root\cimv2")
            .text("User", r"Windows-Desktop\Maurice.Moss")
            .number("processid", 8088),
        Made {
            pointer: 4,
            ..made(&PROCESS_CLASS, 1, 2)
                .after(SECOND)
                .number("UniqueProcessKey", 0x8765_4321)
                .number("ProcessId", 77)
                .number("ParentId", 8432)
                .bytes("UserSID", SYSTEM)
                .text("ImageFileName", "old.exe")
                .text("CommandLine", "old.exe /x")
        },
        made(&AMSI, 1101, 0)
            .number("scanResult", 1)
            .text("appname", "PowerShell_10.0.26100.1")
            .text("contentname", r"C:\Users\m\a.ps1")
            .number("contentsize", 6)
            .bytes("content", b"i\0e\0x\0"),
        made(&AMSI, 1101, 1)
            .number("contentsize", 3)
            .bytes("content", b"\x01\0\xff"),
        made(&FILE_CLASS, 36, 2)
            .number("FileObject", 0xffff_a000)
            .text("FileName", r"\Device\HarddiskVolume3\old.log"),
        made(&KERNEL_FILE, 27, 1)
            .number("FileKey", 0xffff_a000)
            .text("FilePath", r"\Device\HarddiskVolume3\new.log"),
        made(&KERNEL_PROCESS, 2, 2)
            .after(4 * SECOND)
            .number("ProcessID", 8432)
            .number("ExitCode", 0xC000_0005)
            .text("ImageName", "cmd.exe"),
        made(&KERNEL_FILE, 30, 0)
            .after(5 * SECOND)
            .by(8432, 3)
            .text("FileName", r"\??\C:\late.txt"),
        made(&KERNEL_FILE, 30, 0)
            .after(30 * SECOND)
            .by(8432, 3)
            .text("FileName", r"C:\later.txt"),
    ]);
    all
}

/// Records of event tracing, for whoever checks all fields.
pub fn records() -> Vec<Value> {
    told(acts())
}

#[test]
fn a_recording_gives_the_golden_records() {
    let mut file = begun();
    acts().iter().for_each(|event| event.write(&mut file));
    assert_file(&format!("{FOLDER}/acts.rec"), &file);
    let (mut scene, losses, ended) = play(&file);
    assert_eq!((losses, ended), (vec![], Ok(())));
    assert_file(&format!("{FOLDER}/acts.ndjson"), &scene.lines());
}

#[test]
fn every_row_has_a_template_and_is_told() {
    let seen = records();
    for kind in traces::ALL {
        let mut providers = templates::ALL.iter();
        let provider = providers.find(|it| it.name == kind.provider).unwrap();
        let is_known = |row: &&traces::TraceKind| {
            let mut templates = provider.templates.iter();
            templates.any(|template| u32::from(template.id) == row.id)
        };
        assert!(is_known(&kind), "{} {}", kind.provider, kind.id);
    }
    let mut actions: Vec<_> = traces::ALL.iter().map(|kind| kind.action).collect();
    actions.retain(|action| {
        seen.iter()
            .all(|record| record["event"]["action"] != *action)
    });
    assert_eq!(actions, [""; 0]);
}

#[test]
fn keywords_are_asked_for_by_name() {
    assert_eq!(
        KERNEL_REGISTRY.mask(&["SetValueKey", "DeleteValueKey"]),
        0x300
    );
    assert_eq!(KERNEL_PROCESS.mask(&["NONE"]), 0);
}

#[test]
fn what_cannot_be_read_costs_itself_and_is_counted() {
    let whole = made(&DNS, 3006, 0).text("QueryName", "a");
    let header = whole.header();
    let data = whole.data();
    let mut other_version = header.clone();
    other_version[42] = 9;
    let mut unknown = header.clone();
    unknown[24] ^= 1;
    let mut unasked = header.clone();
    unasked[40] = 1;
    let mut file = begun();
    let mut write = |header: &[u8], data: &[u8]| {
        let attached = &[];
        Frame::Event {
            header,
            attached,
            data,
        }
        .write(&mut file)
        .unwrap();
    };
    write(&header, &data);
    write(&header, &data[..data.len() - 1]);
    write(&other_version, &data);
    write(&unknown, &data);
    write(&unasked, &data);
    write(&header[..9], &data);
    Frame::Lost(5, TIME).write(&mut file).unwrap();
    file.extend(b"\x09\0\0\0\x02\0\0\0\xff\x08\0\0\0\x07\0\0\0\x08\0\0\0\x03\0\0\0");
    let (mut scene, losses, ended) = play(&file);
    assert_eq!(ended, Ok(()));
    assert_eq!(scene.records().len(), 1);
    let told: Vec<_> = losses.iter().map(|loss| (loss.cause, loss.count)).collect();
    assert_eq!(
        told,
        [
            ("malformed record", 4),
            ("unknown layout", 3),
            ("buffers full", 5)
        ]
    );
    for (end, message) in [
        (&b"\x10\0\0"[..], "half a frame"),
        (&[1; 8], "a frame of 16843009 bytes"),
    ] {
        let (mut scene, _, ended) = play(&[&file, end].concat());
        assert!(ended.unwrap_err().contains(message));
        assert_eq!(scene.records().len(), 1);
    }
}

#[test]
fn a_golden_recording_is_found_by_what_it_begins_with() {
    let path = repository(FOLDER).join("acts.rec");
    assert!(TraceFile::is_at(&path));
    assert!(!TraceFile::is_at(&repository("tests/golden/session.rec")));
    let (mut source, boot) = endpoint_agent_native::capture::open(&path).unwrap();
    let mut count = 0;
    let progress = source.drain(Duration::ZERO, &mut |_| count += 1).unwrap();
    assert_eq!((progress, boot), (Progress::Ended, [0; 16]));
    assert!(count > 20, "{count}");
}
