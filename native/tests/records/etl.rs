//! Files of event tracing. Those here were written by hand, by the documented layouts: no file that
//! Windows has written was read.

use std::time::Duration;

use endpoint_agent_native::capture::etw::etl::EtlFile;
use endpoint_agent_native::capture::etw::recording::MAGIC;
use endpoint_agent_native::capture::etw::templates::{FILE_CLASS, KERNEL_PROCESS, PROCESS_CLASS};
use endpoint_agent_native::event::Loss;

use crate::made::{Made, SECOND, TIME, made};
use crate::scene::{self, Played};
use crate::traces::acts;
use crate::{assert_file, repository};

const BUFFER: usize = 2048;
const HEAD: usize = 72;
/// The clock's number at the begin of the file, which is [`BEGIN`].
const BASE: u64 = 7_000;
const BEGIN: u64 = TIME - 100 * SECOND;

/// How a class of the kernel's logger is written.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    System,
    Compact,
    Performance,
    Guid,
}

/// A buffer of a processor, with records and what fills it up.
fn buffer(processor: u16, sequence: u64, flags: u16, records: &[u8]) -> Vec<u8> {
    let used = (HEAD + records.len()) as u32;
    let mut bytes = vec![0; HEAD];
    bytes[..4].copy_from_slice(&(BUFFER as u32).to_le_bytes());
    for place in [4, 8, 48] {
        bytes[place..place + 4].copy_from_slice(&used.to_le_bytes());
    }
    bytes[24..32].copy_from_slice(&sequence.to_le_bytes());
    bytes[40..42].copy_from_slice(&processor.to_le_bytes());
    bytes[52..54].copy_from_slice(&(flags | 0x20).to_le_bytes());
    bytes.extend(records);
    assert!(bytes.len() <= BUFFER);
    bytes.resize(BUFFER, 0xff);
    bytes
}

/// The first buffer, on whose clock 100 ns are one tick.
fn first(lost: u32, buffers_lost: u32) -> Vec<u8> {
    let mut head = vec![0; 280];
    let mut put = |at: usize, value: u64, size: usize| {
        head[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    };
    put(0, BUFFER as u64, 4);
    put(4, 0x0005_000a, 4);
    put(8, 26_200, 4);
    put(12, 2, 4);
    put(16, TIME + 100 * SECOND, 8);
    put(44, 8, 4);
    put(48, lost.into(), 4);
    put(52, 2_400, 4);
    put(256, 10_000_000, 8);
    put(264, BEGIN, 8);
    put(272, 1, 4);
    put(276, buffers_lost.into(), 4);
    let names = "session\0c:\\session.etl\0".encode_utf16();
    head.extend(names.flat_map(u16::to_le_bytes));
    let record = kernels(Style::System, 2, 0, 0, (0, 0, BASE), &head);
    buffer(0, 1, 0, &record)
}

/// A record of the kernel's logger. `who`: its thread, its process and its time of the clock.
fn kernels(
    style: Style,
    version: u8,
    group: u8,
    opcode: u8,
    who: (u32, u32, u64),
    data: &[u8],
) -> Vec<u8> {
    let (kind, size) = match style {
        Style::System => (2, 32),
        Style::Compact => (4, 24),
        _ => (0x11, 16),
    };
    let mut bytes = vec![version, 0, kind, 0xc0];
    bytes.extend(((size + data.len()) as u16).to_le_bytes());
    bytes.extend([opcode, group]);
    if style != Style::Performance {
        bytes.extend(who.0.to_le_bytes());
        bytes.extend(who.1.to_le_bytes());
    }
    bytes.extend(who.2.to_le_bytes());
    bytes.resize(size, 0);
    aligned([&bytes, data].concat())
}

fn aligned(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An event as a file has it.
fn record(event: &Made, style: Style) -> Vec<u8> {
    let time = event.time - BEGIN + BASE;
    let data = event.data();
    let classes = [(&PROCESS_CLASS, 3), (&FILE_CLASS, 4)];
    let class = classes
        .into_iter()
        .find(|(class, _)| std::ptr::eq(*class, event.provider));
    let opcode = event.id as u8;
    let who = (event.thread, event.process, time);
    match (class, style) {
        (Some(_), Style::Guid) => {
            let kind = if event.pointer == 4 { 0x0a } else { 0x14 };
            let mut bytes = ((48 + data.len()) as u16).to_le_bytes().to_vec();
            bytes.extend([kind, 0xc0, opcode, event.level, event.version, 0]);
            bytes.extend(event.thread.to_le_bytes());
            bytes.extend(event.process.to_le_bytes());
            bytes.extend(time.to_le_bytes());
            bytes.extend(event.provider.guid);
            bytes.resize(48, 0);
            aligned([bytes, data].concat())
        }
        (Some((_, group)), style) => {
            let mut bytes = kernels(style, event.version, group, opcode, who, &data);
            if event.pointer == 4 {
                bytes[2] -= 1;
            }
            bytes
        }
        (None, _) => {
            let mut bytes = event.header();
            bytes[16..24].copy_from_slice(&time.to_le_bytes());
            bytes[4] |= u8::from(!event.attached.is_empty());
            for (place, (kind, item)) in event.attached.iter().enumerate() {
                let has_next = u16::from(place + 1 < event.attached.len());
                bytes.extend([0; 2]);
                bytes.extend(kind.to_le_bytes());
                bytes.extend(has_next.to_le_bytes());
                bytes.extend((item.len() as u16).to_le_bytes());
                bytes = aligned([bytes, item.to_vec()].concat());
            }
            bytes.extend(data);
            let size = (bytes.len() as u16).to_le_bytes();
            let kind = if event.pointer == 4 { 0x12 } else { 0x13 };
            bytes[..4].copy_from_slice(&[size[0], size[1], kind, 0xc0]);
            aligned(bytes)
        }
    }
}

/// A file of events, on two processors by turns.
fn file(events: &[Made], style: Style) -> Vec<u8> {
    let mut buffers = Vec::new();
    for processor in [0, 1] {
        let own = events.iter().skip(processor).step_by(2);
        let mut records: Vec<u8> = Vec::new();
        for record in own.map(|event| record(event, style)) {
            if HEAD + records.len() + record.len() > BUFFER {
                buffers.push((processor, std::mem::take(&mut records)));
            }
            records.extend(record);
        }
        buffers.push((processor, records));
    }
    let buffers = buffers
        .into_iter()
        .enumerate()
        .map(|(place, (processor, records))| {
            buffer(processor as u16, 2 + place as u64, 0, &records)
        });
    let buffers: Vec<Vec<u8>> = buffers.collect();
    let mut first = first(0, 0);
    first[HEAD + 32 + 36] = 1 + buffers.len() as u8;
    [first, buffers.concat()].concat()
}

/// What a file gives.
fn play(bytes: &[u8]) -> Played {
    scene::play(bytes, EtlFile::open)
}

fn causes(losses: &[Loss]) -> Vec<(&str, &str, u64)> {
    let all = losses.iter();
    all.map(|loss| (loss.what, loss.cause, loss.count))
        .collect()
}

/// The acts of the golden recording, each at a moment of its own.
fn apart() -> Vec<Made> {
    let mut all = acts();
    all.sort_by_key(|event| event.time);
    for (place, event) in all.iter_mut().enumerate() {
        event.time += place as u64;
    }
    all
}

#[test]
fn a_file_tells_what_a_recording_of_the_same_tells() {
    let events = apart();
    let mut recording = MAGIC.to_vec();
    events.iter().for_each(|event| event.write(&mut recording));
    let (mut expected, ..) = crate::traces::play(&recording);
    let bytes = file(&events, Style::System);
    assert!(bytes.len() > 3 * BUFFER, "several buffers of each");
    let (mut scene, losses, ended) = play(&bytes);
    assert_eq!((losses, ended), (vec![], Ok(())));
    assert_eq!(scene.lines(), expected.lines());
    assert_file("tests/golden/etw/acts.etl", &bytes);
}

#[test]
fn classes_are_told_however_they_are_written() {
    let start = || {
        vec![
            made(&PROCESS_CLASS, 1, 4)
                .number("ProcessId", 9)
                .text("CommandLine", "a b"),
            made(&FILE_CLASS, 36, 2)
                .number("FileObject", 1)
                .text("FileName", "x"),
        ]
    };
    let narrow = || {
        let narrow = |event: Made| Made {
            pointer: 4,
            ..event
        };
        start().into_iter().map(narrow).collect()
    };
    for events in [start(), narrow()] {
        for style in [
            Style::System,
            Style::Compact,
            Style::Performance,
            Style::Guid,
        ] {
            let (mut scene, losses, ended) = play(&file(&events, style));
            assert_eq!((losses, ended), (vec![], Ok(())));
            let records = scene.records();
            assert_eq!(records.len(), 1);
            assert_eq!(records[0]["process"]["command_line"], "a b");
            assert_eq!(records[0]["@timestamp"], "2024-01-02T13:51:48.1394289Z");
        }
    }
}

#[test]
fn what_is_not_read_is_counted() {
    let event = record(
        &made(&KERNEL_PROCESS, 5, 0).text("ImageName", "a"),
        Style::System,
    );
    let mut other_group = kernels(Style::System, 2, 9, 1, (1, 1, BASE), b"");
    let message = [16, 0, 0x0f, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    other_group.extend(message);
    let mut odd = event.clone();
    odd[..2].copy_from_slice(&[0xff, 0xff]);
    let bytes = [
        first(3, 2),
        buffer(0, 2, 0, &[&event[..], &other_group, &odd, &event].concat()),
        buffer(1, 3, 0x40, &event),
        buffer(1, 4, 0, &[&event[..], &[1; 8]].concat()),
        vec![1; HEAD],
    ]
    .concat();
    let (mut scene, losses, ended) = play(&bytes);
    assert_eq!(ended, Ok(()));
    assert_eq!(scene.records().len(), 2);
    let expected = [
        ("record", "malformed record", 3),
        ("record", "unknown layout", 2),
        ("record", "buffers full", 3),
        ("buffer", "compressed", 1),
        ("buffer", "buffers full", 2),
    ];
    assert_eq!(causes(&losses), expected);

    // Cut off: what is whole is told.
    let cut = [
        first(0, 0),
        buffer(0, 2, 0, &[event.clone(), event].concat()),
    ]
    .concat();
    for (size, records) in [
        (0, 0),
        (HEAD - 1, 0),
        (HEAD + 20, 0),
        (HEAD + 160, 1),
        (BUFFER, 2),
    ] {
        let (mut scene, _, ended) = play(&cut[..BUFFER + size]);
        assert_eq!((scene.records().len(), ended), (records, Ok(())), "{size}");
    }
    // A file that was made larger before it was written.
    let (_, losses, ended) = play(&[cut, vec![0; BUFFER]].concat());
    assert_eq!((losses, ended), (vec![], Ok(())));
}

#[test]
fn the_newest_of_a_file_that_begins_anew_comes_last() {
    let at = |seconds: u64, name: &'static str| {
        let event = made(&KERNEL_PROCESS, 5, 0).after(seconds * SECOND);
        record(&event.text("ImageName", name), Style::System)
    };
    let bytes = [
        first(0, 0),
        buffer(0, 9, 0, &at(9, "newest")),
        buffer(0, 4, 0, &at(4, "oldest")),
        buffer(0, 5, 0, &at(5, "older")),
    ]
    .concat();
    let names: Vec<_> = play(&bytes).0.records();
    let names: Vec<_> = names.iter().map(|record| &record["file"]["path"]).collect();
    assert_eq!(names, ["oldest", "older", "newest"]);
}

#[test]
fn what_is_no_file_of_event_tracing_is_refused() {
    let whole = first(0, 0);
    let refused = |place: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[place] = value;
        play(&bytes).2.unwrap_err()
    };
    assert!(refused(HEAD + 3, 0).contains("does not begin like a file of event tracing"));
    assert!(refused(3, 1).contains("does not begin"));
    assert!(refused(HEAD + 32 + 272, 9).contains("its clock is unknown"));
    assert!(refused(HEAD + 5, 0).contains("the head of the file is short"));
    let short = play(&whole[..HEAD + 60]).2.unwrap_err();
    assert!(short.contains("a record has an odd size"), "{short}");
}

#[test]
fn a_file_is_found_by_what_it_begins_with() {
    let path = repository("tests/golden/etw/acts.etl");
    assert!(EtlFile::is_at(&path));
    assert!(!EtlFile::is_at(&repository("tests/golden/etw/acts.rec")));
    let (mut source, _) = endpoint_agent_native::capture::open(&path).unwrap();
    let mut count = 0;
    source.drain(Duration::ZERO, &mut |_| count += 1).unwrap();
    assert!(count > 20, "{count}");
    assert!(source.coverage()[0].name.starts_with("trace file"));
}
