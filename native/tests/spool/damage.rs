//! Torn, flipped, emptied, lost and foreign files: what is whole is delivered, the rest counted.

use std::path::Path;

use endpoint_agent_native::counters::Counter;

use crate::format::frames;
use crate::help::*;

const HEADER: usize = 36;

fn damaged(spool: &endpoint_agent_native::spool::Spool) -> (u64, u64) {
    (
        count(spool, Counter::Damaged),
        count(spool, Counter::DamagedBytes),
    )
}

/// A closed queue of the records 0 to 9, four of them acknowledged, in one segment.
fn closed() -> tempfile::TempDir {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    spool.ack(&take(&spool, 4).unwrap());
    drop(spool);
    root
}

fn only_segment(directory: &Path) -> std::path::PathBuf {
    let found = segments(directory);
    assert_eq!(found.len(), 1);
    found[0].clone()
}

#[test]
fn a_flipped_byte_costs_its_record_alone() {
    let root = closed();
    let place_of = frames(&only_segment(root.path()));
    let size = only_segment(root.path()).metadata().unwrap().len() as usize;
    for byte in 0..size {
        let copy = crash(root.path());
        let segment = only_segment(copy.path());
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[byte] ^= 0x41;
        std::fs::write(&segment, bytes).unwrap();
        let hit = place_of.iter().find(|frame| frame.place.contains(&byte));
        let lost = hit.map(|frame| frame.number).filter(|&number| number >= 4);

        let spool = open(settings(copy.path()));
        assert_balance(&spool);
        assert_eq!(count(&spool, Counter::Recovered), 6, "byte {byte}");
        let expected: Vec<u64> = (4..10).filter(|&n| Some(n) != lost).collect();
        assert_eq!(drain(&spool), expected, "byte {byte}");
        let bytes = hit.map_or(HEADER, |frame| frame.place.len()) as u64;
        assert_eq!(
            damaged(&spool),
            (lost.is_some().into(), bytes),
            "byte {byte}"
        );
        write(&spool, 10..12);
        assert_eq!(drain(&spool), [10, 11]);
        assert_balance(&spool);
    }
}

#[test]
fn a_damaged_header_is_written_anew() {
    let root = closed();
    let segment = only_segment(root.path());
    let whole = std::fs::read(&segment).unwrap();
    let zeros = [&[0; HEADER], &whole[HEADER..]].concat();
    std::fs::write(&segment, zeros).unwrap();
    assert_eq!(damaged(&open(settings(root.path()))), (0, HEADER as u64));
    assert_eq!(std::fs::read(&segment).unwrap(), whole);
    assert_eq!(damaged(&open(settings(root.path()))), (0, 0));
}

#[test]
fn a_torn_tail_is_cut_and_counted() {
    let root = closed();
    let frames = frames(&only_segment(root.path()));
    let size = only_segment(root.path()).metadata().unwrap().len();
    for cut in HEADER as u64..size {
        let copy = crash(root.path());
        let file = std::fs::File::options()
            .write(true)
            .open(only_segment(copy.path()))
            .unwrap();
        file.set_len(cut).unwrap();
        let whole = frames
            .iter()
            .filter(|frame| frame.place.end as u64 <= cut)
            .count() as u64;
        let end = whole
            .checked_sub(1)
            .map_or(HEADER, |last| frames[last as usize].place.end);
        let torn = cut - end as u64;

        let spool = open(settings(copy.path()));
        assert_balance(&spool);
        let lost = u64::from(torn > 0 && whole >= 4);
        assert_eq!(damaged(&spool), (lost, torn), "cut at {cut}");
        write(&spool, 90..92);
        let expected: Vec<u64> = (4..whole).chain(90..92).collect();
        assert_eq!(drain(&spool), expected, "cut at {cut}");
        assert_balance(&spool);
    }
}

#[test]
fn a_hole_in_the_middle_is_counted_from_the_numbers() {
    let root = folder();
    let spool = open(small(root.path(), 1_000_000));
    write(&spool, 0..200);
    drop(spool);
    let middle = &segments(root.path())[2];
    let gone = frames(middle).len() as u64;
    let first = frames(middle)[0].number;
    std::fs::remove_file(middle).unwrap();
    let spool = open(small(root.path(), 1_000_000));
    let expected: Vec<u64> = (0..200)
        .filter(|n| !(first..first + gone).contains(n))
        .collect();
    assert_eq!(drain(&spool), expected);
    assert_eq!(damaged(&spool), (gone, 0));
}

#[test]
fn a_missing_oldest_segment_is_counted_at_the_start() {
    let root = folder();
    let spool = open(small(root.path(), 1_000_000));
    write(&spool, 0..200);
    drop(spool);
    let oldest = &segments(root.path())[0];
    let gone = frames(oldest).len() as u64;
    std::fs::remove_file(oldest).unwrap();
    let spool = open(small(root.path(), 1_000_000));
    assert_eq!(
        (damaged(&spool), count(&spool, Counter::Recovered)),
        ((gone, 0), 200)
    );
    assert_balance(&spool);
    assert_eq!(drain(&spool), Vec::from_iter(gone..200));
}

// On Windows an open file outlives its name.
#[cfg(unix)]
#[test]
fn a_segment_removed_while_the_queue_is_open_is_damage() {
    let root = folder();
    let spool = open(small(root.path(), 1_000_000));
    write(&spool, 0..200);
    let middle = &segments(root.path())[2];
    let gone = frames(middle).len() as u64;
    let size = middle.metadata().unwrap().len();
    std::fs::remove_file(middle).unwrap();
    assert_eq!(drain(&spool).len() as u64, 200 - gone);
    assert_eq!(damaged(&spool), (gone, size));
}

#[test]
fn when_nothing_is_whole_the_queue_goes_on() {
    let root = folder();
    let spool = open(small(root.path(), 1_000_000));
    write(&spool, 0..200);
    for segment in segments(root.path()) {
        let size = segment.metadata().unwrap().len() as usize;
        std::fs::write(&segment, vec![0; size]).unwrap();
    }
    assert!(take(&spool, 10).is_none());
    assert_eq!((damaged(&spool).0, spool.queued()), (200, 0));
    write(&spool, 200..205);
    assert_eq!(drain(&spool), Vec::from_iter(200..205));
}

#[test]
fn files_that_are_no_segments_inside_are_removed_and_counted() {
    let root = closed();
    let garbage: [(&str, &[u8]); 4] = [
        ("0000000000000002.seg", b""),
        ("0000000000000005.seg", &[0xFF; 1000]),
        ("00000000000000ff.seg", b"short"),
        ("7fffffffffffffff.seg", &[0; 100]),
    ];
    for (name, bytes) in garbage {
        std::fs::write(root.path().join(name), bytes).unwrap();
    }
    let spool = open(settings(root.path()));
    assert_eq!(damaged(&spool), (0, 1105));
    assert_eq!(segments(root.path()).len(), 1);
    assert_eq!(drain(&spool), Vec::from_iter(4..10));
}

#[test]
fn without_a_cursor_the_queue_begins_at_its_oldest_record() {
    let root = closed();
    let cursor = root.path().join("cursor");
    std::fs::remove_file(&cursor).unwrap();
    let spool = open(settings(root.path()));
    assert_eq!(count(&spool, Counter::Recovered), 10);
    assert_eq!(drain(&spool), Vec::from_iter(0..10));
    assert_eq!(damaged(&spool), (0, 0));
}

#[test]
fn a_lost_cursor_keeps_the_queues_id() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    let id = take(&spool, 10).unwrap().id();
    let copy = crash(root.path());
    std::fs::write(copy.path().join("cursor"), "").unwrap();
    assert_eq!(take(&open(settings(copy.path())), 10).unwrap().id(), id);
}

#[test]
fn a_tail_lost_behind_the_cursor_does_not_swallow_new_records() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    spool.ack(&take(&spool, 8).unwrap());
    drop(spool);
    let segment = only_segment(root.path());
    let cut = frames(&segment)[5].place.end;
    std::fs::File::options()
        .write(true)
        .open(&segment)
        .unwrap()
        .set_len(cut as u64)
        .unwrap();
    let spool = open(settings(root.path()));
    assert_eq!(spool.queued(), 0);
    write(&spool, 20..25);
    let copy = crash(root.path());
    let crashed = open(settings(copy.path()));
    assert_eq!(drain(&spool), Vec::from_iter(20..25));
    assert_eq!(drain(&crashed), Vec::from_iter(20..25));
    assert_eq!(damaged(&crashed), (0, 0));
}

#[test]
fn a_batch_in_flight_whose_records_are_gone_is_counted() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    let batch = take(&spool, 8).unwrap();
    let copy = crash(root.path());
    let segment = only_segment(copy.path());
    let cut = frames(&segment)[4].place.end;
    std::fs::File::options()
        .write(true)
        .open(&segment)
        .unwrap()
        .set_len(cut as u64)
        .unwrap();
    let spool = open(settings(copy.path()));
    assert_eq!(
        (damaged(&spool).0, count(&spool, Counter::Recovered)),
        (3, 8)
    );
    assert_balance(&spool);
    let rest = take(&spool, 100).unwrap();
    assert_eq!(numbers(&rest), Vec::from_iter(0..5));
    assert_ne!(rest.id(), batch.id());
}
