//! Plays arbitrary bytes as a file of Windows' event tracing, as the records behind the head of a real
//! one, and as changes of one, and tells what is in them. Whatever they are, nothing panics, and every
//! event is one JSON object of bounded size.
#![no_main]

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use endpoint_agent_fuzz::{changed, teller};
use endpoint_agent_native::capture::etw::etl::EtlFile;
use endpoint_agent_native::capture::{Progress, Source};
use libfuzzer_sys::fuzz_target;

const WRITTEN: &[u8] = include_bytes!("../../../tests/golden/etw/acts.etl");
/// Bytes of its buffers, and of what each begins with.
const BUFFER: usize = 2048;
const HEAD: usize = 72;

fn play(bytes: Vec<u8>) {
    let Ok(mut file) = EtlFile::begin(Path::new("fuzzed"), Cursor::new(bytes)) else {
        return;
    };
    let mut tell = teller();
    while let Ok(Progress::Running) = file.drain(Duration::ZERO, &mut tell) {}
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
    play(changed(WRITTEN, bytes));
});
