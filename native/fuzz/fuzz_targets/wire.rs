//! Sends arbitrary bytes through the decoder and the engine, as records of a kernel. Whatever they
//! are, nothing panics, and every event that comes out is one JSON object of bounded size.
#![no_main]

use endpoint_agent_fuzz::teller;
use endpoint_agent_native::capture::ebpf::decode::{Clock, decode};
use libfuzzer_sys::fuzz_target;

/// Where the kind of a record is, and how many kinds there are (`bpf/event.h`).
const KIND: usize = 4;
const KINDS: u8 = 50;

fuzz_target!(|bytes: &[u8]| {
    let mut tell = teller();
    // Several records of one process: later ones meet what earlier ones left in the table.
    for record in bytes.chunks(400) {
        let mut record = record.to_vec();
        if let Some(kind) = record.get_mut(KIND..KIND + 2) {
            kind.copy_from_slice(&[kind[0] % KINDS, 0]);
        }
        let Ok(event) = decode(&record, Clock { offset: 1 }) else {
            continue;
        };
        tell(event);
    }
});
