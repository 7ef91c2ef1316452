//! Plays arbitrary bytes as a file of Windows' event tracing, as the records behind the head of a real
//! one, and as changes of one, and tells what is in them. Whatever they are, nothing panics, and every
//! event is one JSON object of bounded size.
#![no_main]

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use endpoint_agent_native::capture::etw::etl::EtlFile;
use endpoint_agent_native::capture::{Progress, Source};
use endpoint_agent_native::counters::Counters;
use endpoint_agent_native::engine::{Context, Engine};
use libfuzzer_sys::fuzz_target;

const WRITTEN: &[u8] = include_bytes!("../../../tests/golden/etw/acts.etl");
/// Bytes of its buffers, and of what each begins with.
const BUFFER: usize = 2048;
const HEAD: usize = 72;

const MAX_EVENT: usize = 250_000;

fn play(bytes: Vec<u8>) {
    let context = Context {
        agent_id: "0".repeat(64),
        boot_id: [0; 16],
        envelope: br#""agent":{"id":"0"},"host":{"hostname":"0"}"#.to_vec(),
        root: "/nonexistent".into(),
        live: false,
    };
    let Ok(mut file) = EtlFile::begin(Path::new("fuzzed"), Cursor::new(bytes)) else {
        return;
    };
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    while let Ok(Progress::Running) = file.drain(Duration::ZERO, &mut |event| {
        engine.feed(&event, &mut || 1, &mut |json| {
            assert!(json.len() <= MAX_EVENT);
            assert!(!json.contains(&b'\n'), "one event is one line");
            serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("an event is JSON");
        });
    }) {}
    file.losses();
}

fuzz_target!(|bytes: &[u8]| {
    play(bytes.to_vec());
    let mut behind = WRITTEN[..BUFFER].to_vec();
    for part in bytes.chunks(BUFFER - HEAD) {
        let mut buffer = WRITTEN[BUFFER..BUFFER + HEAD].to_vec();
        buffer[48..52].copy_from_slice(&((HEAD + part.len()) as u32).to_le_bytes());
        buffer.extend(part);
        buffer.resize(BUFFER, 0xff);
        behind.extend(buffer);
    }
    play(behind);
    let mut changed = WRITTEN.to_vec();
    for change in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[at] = change[2];
    }
    play(changed);
});
