//! What the start of a process on Windows tells of its program's file.

use std::io::Write;
use std::time::Duration;

use endpoint_agent_native::capture::etw::recording::TraceFile;
use endpoint_agent_native::capture::{Progress, Source};
use endpoint_agent_native::event::{Content, Digests, Event, Inspection, Signature, Unread};
use serde_json::{Value, json};

use crate::lives::{command, shell};
use crate::scene::Scene;
use crate::traces::begun;

/// The start of a program of whose file this is known.
fn started(content: &Content) -> Value {
    let mut frames = begun();
    for event in shell().iter().chain(&command("cmd.exe", 1, 2, 3)) {
        event.write(&mut frames);
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&frames).unwrap();
    let mut scene = Scene::new();
    let mut recording = TraceFile::open(file.path()).unwrap();
    let mut sink = |mut event: Event| {
        event.content = content.clone();
        scene.event(event);
    };
    while recording.drain(Duration::ZERO, &mut sink).unwrap() == Progress::Running {}
    scene.records().remove(0)
}

fn with(signature: Signature) -> Value {
    let digests = Digests {
        md5: [0x1a; 16],
        sha1: [0x2b; 20],
        sha256: [0x3c; 32],
    };
    let found = Inspection { digests, signature };
    started(&Content::Known(found.into()))
}

/// The start of a program that somebody signed, and what Windows says of that.
pub fn signed(status: u32) -> Value {
    let subject = "Contoso".into();
    with(Signature::Present { subject, status })
}

#[test]
fn a_start_tells_the_hashes_of_its_program_or_why_it_has_none() {
    let known = with(Signature::Unknown);
    let [md5, sha1, sha256] = ["1a".repeat(16), "2b".repeat(20), "3c".repeat(32)];
    assert_eq!(known["event"]["action"], "process-created");
    assert_eq!(
        known["process"]["hash"],
        json!({"md5": md5, "sha1": sha1, "sha256": sha256})
    );
    assert_eq!(known["related"]["hash"], json!([md5, sha1, sha256]));
    assert_eq!(known["action"]["properties"]["hash_missing"], Value::Null);
    let unread = started(&Content::Unread(Unread::NotFound));
    assert_eq!(unread["process"]["hash"], Value::Null);
    assert_eq!(
        unread["action"]["properties"]["hash_missing"],
        "not found as it was"
    );
}

#[test]
fn a_start_tells_the_signature_of_its_program() {
    let of = |record: Value| record["process"]["code_signature"].clone();
    assert_eq!(of(with(Signature::Unknown)), Value::Null);
    assert_eq!(of(with(Signature::Missing)), json!({"exists": false}));
    let good = json!({
        "exists": true, "status": "Valid", "subject_name": "Contoso", "trusted": true,
        "valid": true,
    });
    assert_eq!(of(signed(0)), good);
    let untrusted = json!({
        "exists": true, "status": "CERT_E_UNTRUSTEDROOT", "subject_name": "Contoso",
        "trusted": false, "valid": true,
    });
    assert_eq!(of(signed(0x800B_0109)), untrusted);
    // Nobody has looked at who signed it then.
    let changed = json!({
        "exists": true, "status": "TRUST_E_BAD_DIGEST", "subject_name": "Contoso",
        "valid": false,
    });
    assert_eq!(of(signed(0x8009_6010)), changed);
    let odd = json!({"exists": true, "status": "0x80070005", "subject_name": "Contoso"});
    assert_eq!(of(signed(0x8007_0005)), odd);
}
