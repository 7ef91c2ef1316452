use super::*;
use crate::capture::etw::raw::of_epoch;
use crate::capture::etw::templates::{KERNEL_FILE, PROCESS_CLASS};
use crate::enrich::hashes::Settings;
use crate::event::{Findings, LogRecord, ProcessKey, Role};
use crate::host::wall;

/// A record about a process that runs a file, and was created just now.
fn record(provider: &'static str, id: u32, image: &str) -> LogRecord {
    let mut findings = Findings::default();
    findings.facts.push("Image", image);
    findings.processes[Role::Actor as usize] = Some(ProcessKey {
        pid: 7,
        start: of_epoch(wall::now()),
    });
    LogRecord {
        provider: provider.into(),
        id,
        is_traced: true,
        findings: Some(Box::new(findings)),
        ..LogRecord::default()
    }
}

fn contents(records: impl IntoIterator<Item = LogRecord>) -> Vec<Content> {
    let settings = Settings {
        max_size: 1_000,
        ..Settings::default()
    };
    let mut hold = Hold::new(Arc::default());
    hold.hashing(Hashes::start(settings).unwrap());
    let mut told = Vec::new();
    let mut sink = |event: &Event| told.push(event.content.clone());
    for record in records {
        hold.push(Box::new(record).into_event(wall::now()), &mut sink);
    }
    hold.finish(&mut sink);
    told
}

#[test]
fn the_start_of_a_process_waits_for_the_hash_of_its_program_and_nothing_else_has_one() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("tool.exe");
    std::fs::write(&path, "abc").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let image = path.to_str().unwrap();
    let logged = LogRecord {
        is_traced: false,
        ..record(PROCESS_CLASS.name, 1, image)
    };
    let told = contents([
        record(PROCESS_CLASS.name, 1, image),
        record(PROCESS_CLASS.name, 2, image),
        record(KERNEL_FILE.name, 1, image),
        logged,
        record(PROCESS_CLASS.name, 1, ""),
        record(PROCESS_CLASS.name, 1, r"C:\gone.exe"),
    ]);
    // A slow machine may be late.
    let late = Content::Unread(Unread::Late);
    assert!(
        matches!(told[0], Content::Known(_)) || told[0] == late,
        "{told:?}"
    );
    assert_eq!(told[1..5], [const { Content::Unasked }; 4]);
    assert!(matches!(told[5], Content::Unread(_)), "{told:?}");
}
