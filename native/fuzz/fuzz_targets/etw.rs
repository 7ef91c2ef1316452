//! Plays arbitrary bytes as frames of a recording of Windows' event tracing, as the data of events of
//! every layout, and as changes of a real recording, and tells what is in them. Whatever they are,
//! nothing panics, and every event is one JSON object of bounded size.
#![no_main]

use std::sync::Arc;

use endpoint_agent_native::capture::etw::recording::{Frames, MAGIC};
use endpoint_agent_native::capture::etw::{schema, templates};
use endpoint_agent_native::counters::Counters;
use endpoint_agent_native::engine::{Context, Engine};
use libfuzzer_sys::fuzz_target;

const REAL: &[u8] = include_bytes!("../../../tests/golden/etw/acts.rec");
const EVENT: u16 = 1;
const HEADER: usize = 80;

const MAX_EVENT: usize = 250_000;

/// Frames back to back, up to what is damaged.
fn frames(mut bytes: &[u8], play: &mut dyn FnMut(u16, &[u8])) {
    while let Some((head, _)) = bytes.split_at_checked(8) {
        let size = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if size < 8 || size > bytes.len() {
            return;
        }
        let (frame, rest) = bytes.split_at(size);
        play(u16::from_le_bytes([head[4], head[5]]), &frame[8..]);
        bytes = rest;
    }
}

/// An event of a template that the first bytes choose, with the others as its data.
fn event(bytes: &[u8]) -> Vec<u8> {
    let Some((&[provider, template, flags], data)) = bytes.split_first_chunk() else {
        return Vec::new();
    };
    let provider = templates::ALL[usize::from(provider) % templates::ALL.len()];
    let template = &provider.templates[usize::from(template) % provider.templates.len()];
    let mut header = [0; HEADER];
    header[4] = flags;
    header[24..40].copy_from_slice(&provider.guid);
    header[40..42].copy_from_slice(&template.id.to_le_bytes());
    header[42] = template.version;
    if [templates::PROCESS_CLASS.guid, templates::FILE_CLASS.guid].contains(&provider.guid) {
        header[5] = 1;
        header[45] = template.id as u8;
    }
    [&header[..], &[0; 4], data].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let context = Context {
        agent_id: "0".repeat(64),
        boot_id: [0; 16],
        envelope: br#""agent":{"id":"0"},"host":{"hostname":"0"}"#.to_vec(),
        root: "/nonexistent".into(),
        live: false,
    };
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    let mut player = Frames::default();
    let mut play = |kind: u16, body: &[u8]| {
        player.play(kind, body, &mut |event| {
            engine.feed(&event, &mut || 1, &mut |json| {
                assert!(json.len() <= MAX_EVENT);
                assert!(!json.contains(&b'\n'), "one event is one line");
                serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("an event is JSON");
            });
        });
    };
    frames(bytes, &mut play);
    let _ = schema::fields(bytes);
    play(EVENT, &event(bytes));
    let mut changed = REAL[MAGIC.len()..].to_vec();
    for change in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[at] = change[2];
    }
    frames(&changed, &mut play);
});
