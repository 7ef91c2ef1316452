//! The size limit.

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::spool::Spool;

use crate::help::*;

/// Space for about 130 records of 27 bytes.
const SIZE: u64 = 5000;

fn size_on_disk(directory: &std::path::Path) -> u64 {
    segments(directory)
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum()
}

fn evicted(spool: &Spool) -> u64 {
    count(spool, Counter::Evicted)
}

#[test]
fn the_oldest_records_make_room_for_the_newest() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    for n in 0..500 {
        write(&spool, n..n + 1);
        assert!(size_on_disk(root.path()) <= SIZE);
        assert_eq!(size_on_disk(root.path()), spool.queued_bytes());
        assert_balance(&spool);
    }
    let gone = evicted(&spool);
    assert!(gone > 300);
    assert_eq!(drain(&spool), Vec::from_iter(gone..500));
    assert_eq!(segments(root.path()).len(), 0);
}

#[test]
fn a_batch_in_flight_is_delivered_even_when_its_records_are_evicted() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..100);
    let batch = take(&spool, 10).unwrap();
    write(&spool, 100..1000);
    assert_balance(&spool);
    let gone = evicted(&spool);
    let (left, right) = spool.split(&batch).unwrap().unwrap();
    assert_eq!(
        [numbers(&left), numbers(&right)].concat(),
        Vec::from_iter(0..10)
    );
    assert!(spool.ack(&left) && spool.reject(&right));
    assert_eq!(
        (
            count(&spool, Counter::Delivered),
            count(&spool, Counter::Rejected)
        ),
        (5, 5)
    );
    assert_balance(&spool);
    assert_eq!(drain(&spool), Vec::from_iter(10 + gone..1000));
    assert_eq!(evicted(&spool), gone);
}

#[test]
fn records_evicted_in_flight_and_then_lost_in_a_crash_are_counted() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..100);
    let batch = take(&spool, 10).unwrap();
    spool.split(&batch).unwrap().unwrap();
    write(&spool, 100..1000);
    let gone = evicted(&spool);
    let copy = crash(root.path());
    let spool = open(small(copy.path(), SIZE));
    assert_eq!(evicted(&spool), gone + 10, "those in flight too");
    assert_eq!(count(&spool, Counter::Damaged), 0);
    assert_balance(&spool);
    assert_eq!(drain(&spool), Vec::from_iter(10 + gone..1000));
}

#[test]
fn a_part_of_a_batch_in_flight_that_is_evicted_and_lost_in_a_crash_is_counted() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..100);
    take(&spool, 90).unwrap();
    write(&spool, 100..200);
    assert_eq!(evicted(&spool), 0);
    let copy = crash(root.path());
    let spool = open(small(copy.path(), SIZE));
    let gone = evicted(&spool);
    assert!(gone > 0);
    assert_eq!(count(&spool, Counter::Damaged), 0);
    assert_eq!(count(&spool, Counter::Recovered), 200);
    assert_balance(&spool);
    assert_eq!(drain(&spool), Vec::from_iter(gone..200));
}

fn tell(spool: &Spool, n: u64) -> Option<u64> {
    let told = spool.untold_evictions()?;
    assert!(spool.tell_evictions(record(n).as_bytes(), told));
    Some(told.count)
}

#[test]
fn evictions_are_told_once_across_a_clean_close() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    assert_eq!(tell(&spool, 0), None);
    write(&spool, 0..310);
    let gone = evicted(&spool);
    assert_eq!(tell(&spool, 310), Some(gone));
    drop(spool);
    let spool = open(small(root.path(), SIZE));
    assert_eq!(evicted(&spool), 0);
    assert_eq!(drain(&spool), Vec::from_iter(gone..311));
    assert_eq!(tell(&spool, 311), None);
}

#[test]
fn untold_evictions_are_the_next_runs() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..310);
    let (gone, since) = (evicted(&spool), spool.untold_evictions().unwrap().since);
    let copy = crash(root.path());
    let spool = open(small(copy.path(), SIZE));
    assert_eq!(evicted(&spool), gone);
    assert_eq!(count(&spool, Counter::Recovered), 310);
    assert_eq!(spool.untold_evictions().unwrap().since, since);
    assert_balance(&spool);
    assert_eq!(tell(&spool, 310), Some(gone));
    let copy = crash(copy.path());
    assert_eq!(evicted(&open(small(copy.path(), SIZE))), 0);
}

#[test]
fn what_an_evicted_record_told_is_told_again() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..300);
    let first = tell(&spool, 300).unwrap();
    write(&spool, 301..310);
    assert_eq!(tell(&spool, 310), None, "the teller is in the queue");
    write(&spool, 310..1000);
    assert!(evicted(&spool) > first);
    assert_eq!(tell(&spool, 1000), Some(evicted(&spool)));
    drain(&spool);
    assert_eq!(tell(&spool, 1001), None);
}

#[test]
fn evictions_that_outrun_a_settled_teller_are_told_by_the_next() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..300);
    let first = tell(&spool, 300).unwrap();
    write(&spool, 301..340);
    let rest = evicted(&spool) - first;
    assert!(rest > 0);
    drain(&spool);
    assert_eq!(tell(&spool, 340), Some(rest));
}

#[test]
fn a_record_longer_than_a_segment_has_one_for_itself() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..3);
    assert!(spool.write(&[b'x'; 3000]));
    write(&spool, 3..6);
    assert_eq!(segments(root.path()).len(), 3);
    let batch = take(&spool, 100).unwrap();
    assert_eq!((batch.count(), batch.size()), (7, 6 * 8 + 3001));
}

#[test]
fn a_record_longer_than_the_queue_is_lost_and_evicts_nothing() {
    let root = folder();
    let spool = open(small(root.path(), SIZE));
    write(&spool, 0..50);
    assert!(!spool.write(&[b'x'; SIZE as usize]));
    assert_eq!((evicted(&spool), count(&spool, Counter::LostQueue)), (0, 1));
    assert_eq!(drain(&spool), Vec::from_iter(0..50));
}

#[test]
fn a_smaller_limit_at_the_next_start_holds_from_the_first_write_on() {
    let root = folder();
    let spool = open(small(root.path(), 4 * SIZE));
    write(&spool, 0..500);
    drop(spool);
    let spool = open(small(root.path(), SIZE));
    write(&spool, 500..501);
    assert!(size_on_disk(root.path()) <= SIZE);
    assert_balance(&spool);
    assert_eq!(drain(&spool), Vec::from_iter(evicted(&spool)..501));
}

#[test]
fn segments_are_removed_as_soon_as_they_are_settled() {
    let root = folder();
    let spool = open(small(root.path(), 100 * SIZE));
    write(&spool, 0..500);
    let mut before = segments(root.path()).len();
    assert!(before > 10);
    while let Some(batch) = take(&spool, 37) {
        spool.ack(&batch);
        let after = segments(root.path()).len();
        assert!(after < before);
        before = after;
    }
    assert_eq!(before, 0);
}
