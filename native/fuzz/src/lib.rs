//! What targets have in common: an engine, and what holds of every record that it makes.

use std::sync::Arc;

use endpoint_agent_native::counters::Counters;
use endpoint_agent_native::engine::{Context, Engine};
use endpoint_agent_native::event::Event;

/// Bytes that a record may have.
const MAX_RECORD: usize = 250_000;

/// Takes events in, of a host with no files; every record of them is one JSON object of bounded size.
pub fn teller() -> impl FnMut(Event) {
    let context = Context {
        agent_id: "0".repeat(64),
        boot_id: [0; 16],
        envelope: br#""agent":{"id":"0"},"host":{"hostname":"0"}"#.to_vec(),
        root: "/nonexistent".into(),
        live: false,
    };
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    move |event| engine.feed(&event, &mut || 1, &mut check)
}

fn check(json: &[u8]) {
    assert!(json.len() <= MAX_RECORD);
    assert!(!json.contains(&b'\n'), "one event is one line");
    serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("an event is JSON");
}

/// The bytes with changes: each is three bytes, two that say where and one that comes there.
pub fn changed(bytes: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[at] = change[2];
    }
    changed
}
