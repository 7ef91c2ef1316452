//! The event log of Windows: files and what becomes of their records.
//!
//! The files are of mdecrevoisier/EVTX-to-MITRE-Attack (CC0), compressed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

use endpoint_agent_native::capture::Source;
use endpoint_agent_native::capture::eventlog::binxml::Reader;
use endpoint_agent_native::capture::eventlog::chunk::{self, Chunk};
use endpoint_agent_native::capture::eventlog::file::LogFile;
use serde_json::Value;

use crate::scene::{self, Played, Scene};
use crate::{assert_file, repository};

const FOLDER: &str = "tests/golden/eventlog";
/// Bytes of a file before its first chunk.
const HEAD: usize = 4096;

/// Names of the files, without their endings.
fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(repository(FOLDER)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(".evtx.gz").map(str::to_owned))
        .collect()
}

fn bytes(name: &str) -> Vec<u8> {
    let packed = fs::File::open(repository(FOLDER).join(format!("{name}.evtx.gz"))).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// What a file gives.
fn play(bytes: &[u8]) -> Played {
    scene::play(bytes, LogFile::open)
}

/// Records that files and hand have made, for whoever checks all fields.
pub fn records() -> Vec<Value> {
    let files = names()
        .into_iter()
        .flat_map(|name| play(&bytes(&name)).0.records());
    files
        .chain(crate::windows::scene().records())
        .chain(crate::traces::records())
        .collect()
}

#[test]
fn files_give_the_golden_records() {
    let names = names();
    assert!(!names.is_empty());
    for name in names {
        let (mut scene, losses, ended) = play(&bytes(&name));
        assert_eq!(ended, Ok(()), "{name}");
        assert_eq!(losses, [], "{name}");
        assert_file(&format!("{FOLDER}/{name}.ndjson"), &scene.lines());
    }
}

#[test]
fn files_are_told_by_what_they_begin_with() {
    for (head, told) in [
        (&b""[..], "is not a file of the event log"),
        (b"ElfFile\0", "is not a file of the event log"),
        (&[b"ElfFile\0", &[9; 200][..]].concat(), "has version 2313"),
    ] {
        let (mut scene, _, ended) = play(head);
        assert!(ended.as_ref().unwrap_err().contains(told), "{ended:?}");
        assert_eq!(scene.records(), [Value::Null; 0]);
    }
}

/// A file with records, and how many.
fn sample() -> (Vec<u8>, usize) {
    let name = names().into_iter().next().unwrap();
    let bytes = bytes(&name);
    let count = play(&bytes).0.records().len();
    (bytes, count)
}

#[test]
fn the_rest_of_a_damaged_file_is_read_and_the_loss_told() {
    let (whole, count) = sample();
    assert!(count > 1);
    // The type of the second record's first token, behind the head of the record.
    let first = u32::from_le_bytes(whole[HEAD + 516..HEAD + 520].try_into().unwrap()) as usize;
    let second = HEAD + 512 + first;
    let mut bytes = whole.clone();
    bytes[second + 24] = 0x77;
    let (mut scene, losses, ended) = play(&bytes);
    assert_eq!(scene.records().len(), count - 1);
    assert_eq!(
        (losses.len(), losses[0].what, losses[0].count),
        (1, "record", 1)
    );
    assert!(
        ended
            .unwrap_err()
            .contains("1 records and 0 chunks of records cannot be read")
    );

    // Its size: where the third begins has to be found.
    let mut bytes = whole.clone();
    bytes[second + 4] ^= 0x10;
    let (mut scene, losses, _) = play(&bytes);
    assert_eq!(scene.records().len(), count - 1);
    assert_eq!(losses[0].count, 1);

    // The head of the chunk.
    let mut bytes = whole.clone();
    bytes[HEAD] = b'X';
    let (mut scene, losses, _) = play(&bytes);
    assert_eq!(scene.records(), [Value::Null; 0]);
    assert_eq!((losses[0].what, losses[0].count), ("chunk", 1));

    // A value, which only the checksum knows.
    let mut bytes = whole;
    bytes[second + first / 2] ^= 1;
    let (_, _, ended) = play(&bytes);
    assert!(
        ended
            .unwrap_err()
            .contains("1 chunks are not what was written")
    );
}

#[test]
fn older_chunks_come_first() {
    let (mut bytes, count) = sample();
    bytes.extend_from_within(HEAD..);
    // The first chunk has higher numbers than the second, and one record less.
    bytes[HEAD + 24..HEAD + 32].copy_from_slice(&u64::MAX.to_le_bytes());
    bytes[HEAD + 512 + 24] = 0x77;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let mut log = LogFile::open(file.path()).unwrap();
    let mut drained = || {
        let mut seen = 0;
        log.drain(Duration::ZERO, &mut |_| seen += 1).unwrap();
        seen
    };
    assert_eq!((drained(), drained()), (count, count - 1));
}

/// Small random numbers, the same each time.
fn random(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*state >> 33) as usize
}

#[test]
fn no_bytes_are_too_odd() {
    let (whole, _) = sample();
    let chunk = &whole[HEAD..HEAD + chunk::SIZE];
    let end = u32::from_le_bytes(chunk[48..52].try_into().unwrap()) as usize;
    let mut reader = Reader::default();
    let mut state = 1;
    for round in 0..400 {
        let mut bytes = chunk[..end].to_vec();
        for _ in 0..=round % 8 {
            let at = random(&mut state) % end;
            bytes[at] = match random(&mut state) % 4 {
                0 => 0xff,
                1 => 0x0d,
                2 => bytes[at] ^ 1 << (random(&mut state) % 8),
                _ => random(&mut state) as u8,
            };
        }
        if round % 5 == 0 {
            bytes.truncate(random(&mut state) % end);
        }
        // The scene checks each record.
        let mut scene = Scene::new();
        Chunk::new(&bytes).read(&mut reader, &mut |event| scene.event(event));
    }
}
