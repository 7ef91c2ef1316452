//! What a batch holds, when it comes, and how it is settled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::spool::{Limits, MAX_RECORD, Settings};

use crate::help::*;

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(600);

#[test]
fn records_come_back_in_order_and_once() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..1000);
    assert_eq!(
        (count(&spool, Counter::Spooled), spool.queued()),
        (1000, 1000)
    );
    assert_eq!(drain(&spool), Vec::from_iter(0..1000));
    assert_eq!(
        (count(&spool, Counter::Delivered), spool.queued()),
        (1000, 0)
    );
    assert_eq!(spool.queued_bytes(), 0, "nothing is kept that is settled");
}

#[test]
fn a_record_is_spooled_when_it_is_written() {
    let root = folder();
    let spool = open(settings(root.path()));
    assert!(spool.append(b"{}"));
    assert_eq!((count(&spool, Counter::Spooled), spool.queued()), (0, 0));
    assert!(take(&spool, 1).is_none());
    assert!(spool.flush());
    assert_eq!((count(&spool, Counter::Spooled), spool.queued()), (1, 1));
    assert_eq!(lines(&take(&spool, 1).unwrap()), ["{}"]);
}

#[test]
fn a_full_buffer_writes_itself() {
    let root = folder();
    let spool = open(settings(root.path()));
    let record = vec![b' '; 100_000];
    spool.append_all([&record[..]; 3]);
    assert_eq!(count(&spool, Counter::Spooled), 3);
}

#[test]
fn the_same_batch_comes_until_it_is_settled() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..5);
    let first = take(&spool, 3).unwrap();
    assert!(Arc::ptr_eq(&first, &take(&spool, 100).unwrap()));
    assert!(spool.ack(&first));
    let second = take(&spool, 100).unwrap();
    assert_eq!(numbers(&second), [3, 4]);
    assert_ne!(first.id(), second.id());
    assert!(
        !spool.ack(&first) && !spool.reject(&first),
        "settled already"
    );
    assert!(spool.split(&first).unwrap().is_none());
    assert_balance(&spool);
}

#[test]
fn a_batch_ends_at_the_byte_limit_but_holds_one_record_at_least() {
    let root = folder();
    let spool = open(settings(root.path()));
    let long = "x".repeat(1000);
    for record in ["1234", "1234", &long, "1234"] {
        assert!(spool.write(record.as_bytes()));
    }
    let limits = Limits {
        max_bytes: 10,
        ..limits(100)
    };
    for expected in [2, 1, 1] {
        let batch = spool.next_batch(&limits, LONG).unwrap().unwrap();
        assert_eq!(batch.count(), expected);
        spool.ack(&batch);
    }
}

#[test]
fn a_record_longer_than_can_be_queued_is_lost_and_counted() {
    let root = folder();
    let spool = open(Settings {
        max_bytes: 100 << 20,
        ..settings(root.path())
    });
    assert!(!spool.append(&vec![b' '; MAX_RECORD + 1]));
    assert!(spool.write(&vec![b' '; MAX_RECORD]), "the longest");
    assert_eq!(
        (
            count(&spool, Counter::Lost),
            count(&spool, Counter::LostQueue)
        ),
        (1, 1)
    );
    assert_eq!(take(&spool, 9).unwrap().size(), MAX_RECORD + 1);
}

#[test]
fn waiting_ends_with_the_timeout_when_nothing_comes() {
    let root = folder();
    let spool = open(settings(root.path()));
    let start = Instant::now();
    assert!(
        spool
            .next_batch(&limits(1), Duration::from_millis(20))
            .unwrap()
            .is_none()
    );
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn waiting_ends_when_the_batch_is_full() {
    let root = folder();
    let spool = open(settings(root.path()));
    let limits = Limits {
        max_wait: LONG,
        ..limits(3)
    };
    std::thread::scope(|scope| {
        let batch = scope.spawn(|| spool.next_batch(&limits, LONG).unwrap().unwrap());
        write(&spool, 0..3);
        assert_eq!(numbers(&batch.join().unwrap()), [0, 1, 2]);
    });
}

#[test]
fn waiting_for_more_ends_some_time_after_the_first_record() {
    let root = folder();
    let spool = open(settings(root.path()));
    let limits = Limits {
        max_wait: Duration::from_millis(100),
        ..limits(100)
    };
    let start = Instant::now();
    write(&spool, 0..1);
    let batch = spool.next_batch(&limits, Duration::ZERO).unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(numbers(&batch), [0]);
}

#[test]
fn waking_ends_a_wait_with_what_there_is() {
    let root = folder();
    let spool = open(settings(root.path()));
    let limits = Limits {
        max_wait: LONG,
        ..limits(100)
    };
    let wait = || spool.next_batch(&limits, LONG).unwrap();
    std::thread::scope(|scope| {
        let nothing = scope.spawn(wait);
        spool.wake();
        assert!(nothing.join().unwrap().is_none());
        write(&spool, 0..2);
        let something = scope.spawn(wait);
        spool.wake();
        assert_eq!(numbers(&something.join().unwrap().unwrap()), [0, 1]);
    });
}

#[test]
fn halves_are_settled_in_order() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..5);
    let whole = take(&spool, 5).unwrap();
    let (left, right) = spool.split(&whole).unwrap().unwrap();
    assert_eq!(
        (numbers(&left), numbers(&right)),
        (vec![0, 1], vec![2, 3, 4])
    );
    assert!(!spool.ack(&whole) && !spool.ack(&right), "not at the head");
    assert!(Arc::ptr_eq(&left, &take(&spool, 5).unwrap()));
    assert!(spool.ack(&left));
    let (left, right) = spool.split(&right).unwrap().unwrap();
    assert!(spool.split(&left).unwrap().is_none(), "a single record");
    assert!(spool.reject(&left));
    assert!(spool.ack(&right));
    assert_eq!(
        (
            count(&spool, Counter::Delivered),
            count(&spool, Counter::Rejected)
        ),
        (4, 1)
    );
    assert_balance(&spool);
}

#[test]
fn a_rejected_batch_goes_to_the_quarantine_file() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..4);
    for _ in 0..2 {
        assert!(spool.reject(&take(&spool, 2).unwrap()));
    }
    let kept = std::fs::read_to_string(root.path().join("quarantine.ndjson")).unwrap();
    assert_eq!(kept, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    assert_eq!((count(&spool, Counter::Rejected), spool.queued()), (4, 0));
}

#[test]
fn sequence_numbers_count_from_one() {
    let root = folder();
    let spool = open(settings(root.path()));
    assert_eq!([spool.next_sequence(), spool.next_sequence()], [1, 2]);
}
