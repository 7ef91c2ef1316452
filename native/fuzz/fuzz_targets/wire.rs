//! Sends arbitrary bytes through the decoder and the engine, as records of a kernel. Whatever they
//! are, nothing panics, and every event that comes out is one JSON object of bounded size.
#![no_main]

use std::sync::Arc;

use endpoint_agent_native::capture::ebpf::decode::{Clock, decode};
use endpoint_agent_native::counters::Counters;
use endpoint_agent_native::engine::{Context, Engine};
use libfuzzer_sys::fuzz_target;

/// Where the kind of a record is, and how many kinds there are (`bpf/event.h`).
const KIND: usize = 4;
const KINDS: u8 = 50;

const MAX_EVENT: usize = 250_000;

fuzz_target!(|bytes: &[u8]| {
    let context = Context {
        agent_id: "0".repeat(64),
        boot_id: [0; 16],
        envelope: br#""agent":{"id":"0"}"#.to_vec(),
        root: "/nonexistent".into(),
        live: false,
    };
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    // Several records of one process: later ones meet what earlier ones left in the table.
    for record in bytes.chunks(400) {
        let mut record = record.to_vec();
        if let Some(kind) = record.get_mut(KIND..KIND + 2) {
            kind.copy_from_slice(&[kind[0] % KINDS, 0]);
        }
        let Ok(event) = decode(&record, Clock { offset: 1 }) else {
            continue;
        };
        engine.feed(&event, &mut || 1, &mut |json| {
            assert!(json.len() <= MAX_EVENT);
            assert!(!json.contains(&b'\n'), "one event is one line");
            serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("an event is JSON");
        });
    }
});
