//! Reads arbitrary bytes as a chunk of the Windows event log, as one record of it, as the XML of one, and
//! as changes of a real one, and tells its records. Whatever they are, nothing panics, and every event is one JSON
//! object of bounded size.
#![no_main]

use std::io::Read;
use std::sync::LazyLock;

use endpoint_agent_fuzz::{changed, teller};
use endpoint_agent_native::capture::eventlog::binxml::Reader;
use endpoint_agent_native::capture::eventlog::builder::Builder;
use endpoint_agent_native::capture::eventlog::chunk::Chunk;
use endpoint_agent_native::capture::eventlog::xml;
use libfuzzer_sys::fuzz_target;

/// Bytes of a chunk's head, of which only where the records end is looked at.
const HEAD: usize = 512;
/// Bytes of a record before what is fuzzed, and behind.
const RECORD: (usize, usize) = (24, 4);

/// A chunk with records, up to their end.
static REAL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    const FILE: &[u8] =
        include_bytes!("../../../tests/golden/eventlog/sysmon-file-registry-pipe.evtx.gz");
    let mut bytes = Vec::new();
    let read = flate2::read::GzDecoder::new(FILE).read_to_end(&mut bytes);
    read.expect("the file is whole");
    let chunk = &bytes[4096..];
    let end = u32::from_le_bytes(chunk[48..52].try_into().expect("four bytes"));
    chunk[..end as usize].to_vec()
});

fuzz_target!(|bytes: &[u8]| {
    let mut tell = teller();
    let mut reader = Reader::default();
    // As records are, and as the BinXML of one, which few bytes are by chance.
    let size = (RECORD.0 + bytes.len() + RECORD.1) as u32;
    let head = [&b"\x2a\x2a\0\0"[..], &size.to_le_bytes(), &[0; 16]].concat();
    let one = [&[0; HEAD][..], &head, bytes, &size.to_le_bytes()].concat();
    for chunk in [
        &[&[0; HEAD][..], bytes].concat(),
        &one,
        &changed(&REAL, bytes),
    ] {
        Chunk::new(chunk).read(&mut reader, &mut tell);
    }
    let text = String::from_utf8_lossy(bytes);
    let whole = format!("<Event><System/><EventData>{text}</EventData></Event>");
    for xml in [&text, &*whole] {
        let mut builder = Builder::default();
        let read = xml::read(xml, &mut builder);
        let (record, time) = builder.take();
        if read.is_ok() {
            tell(record.into_event(time.unwrap_or_default()));
        }
    }
});
