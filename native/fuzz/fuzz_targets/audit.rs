//! Sends arbitrary bytes through the decoders of the audit system and the engine, as records of a
//! kernel. Whatever they are, nothing panics, and every event is one JSON object of bounded size.
#![no_main]

use endpoint_agent_fuzz::teller;
use endpoint_agent_native::capture::audit::digest::Digest;
use endpoint_agent_native::capture::audit::host::{ANY, Host};
use libfuzzer_sys::fuzz_target;

/// What every record begins with.
const STAMP: &[u8] = b"audit(1687505769.858:1): ";

fuzz_target!(|bytes: &[u8]| {
    let mut tell = teller();
    let mut digest = Digest::new(0);
    // What /proc answers: the same bytes.
    let mut host = Host::Recorded(
        bytes
            .split(|&byte| byte == b'\n')
            .map(|it| (ANY, Some(it.to_vec())))
            .collect(),
    );
    // A line is a record: a byte for its type, and the text, with a stamp or as it is.
    for line in bytes.split(|&byte| byte == b'\n') {
        let Some((&kind, text)) = line.split_first() else {
            continue;
        };
        let stamped = [STAMP, text].concat();
        let text = if kind >= 128 { text } else { &stamped };
        let kind = match kind % 128 {
            63 => 1006,
            user @ ..63 => 1100 + u16::from(user),
            of_call => 1300 + u16::from(of_call - 64),
        };
        digest.record(kind, text);
    }
    digest.turn(0, true, &mut host, &mut tell);
});
