//! Opening, closing, crashing and coming back.

#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use endpoint_agent_native::counters::{Counter, Counters};
use endpoint_agent_native::spool::{Settings, Spool};

use crate::help::*;

#[test]
fn what_was_not_acknowledged_comes_again_after_a_close_and_nothing_else() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    spool.append(record(10).as_bytes());
    spool.ack(&take(&spool, 4).unwrap());
    spool.close();
    assert_balance(&spool);

    let spool = open(settings(root.path()));
    assert_eq!((count(&spool, Counter::Recovered), spool.queued()), (7, 7));
    assert_eq!(drain(&spool), Vec::from_iter(4..11));
}

#[test]
fn numbers_go_on_when_the_queue_was_empty() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    drain(&spool);
    drop(spool);
    let spool = open(settings(root.path()));
    write(&spool, 10..12);
    assert_eq!(take(&spool, 9).unwrap().span(), 10..12);
    assert_eq!(count(&spool, Counter::Damaged), 0);
}

#[test]
fn a_batch_in_flight_at_a_crash_comes_again_as_the_same_batch() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    let batch = take(&spool, 6).unwrap();
    let crashed = crash(root.path());
    let spool = open(settings(crashed.path()));
    let again = take(&spool, 2).unwrap();
    assert_eq!(*again, *batch, "whatever the limits are now");
    spool.ack(&again);
    assert_eq!(drain(&spool), [6, 7, 8, 9]);
}

#[test]
fn a_batch_in_flight_survives_two_crashes() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    let batch = take(&spool, 6).unwrap();
    let once = crash(root.path());
    let untouched = open(settings(once.path()));
    let twice = crash(once.path());
    drop(untouched);
    assert_eq!(
        take(&open(settings(twice.path())), 2).unwrap().id(),
        batch.id()
    );
}

#[test]
fn the_half_in_flight_at_a_crash_comes_again_as_the_same_half() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..10);
    let (left, right) = spool.split(&take(&spool, 10).unwrap()).unwrap().unwrap();
    let copy = crash(root.path());
    let before = open(settings(copy.path()));
    assert_eq!(take(&before, 10).unwrap().id(), left.id());
    spool.ack(&left);
    let copy = crash(root.path());
    let after = open(settings(copy.path()));
    assert_eq!(take(&after, 10).unwrap().id(), right.id());
}

#[test]
fn another_record_of_the_same_number_makes_another_batch() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..3);
    let batch = take(&spool, 3).unwrap();
    let crashed = crash(root.path());
    let segment = &segments(crashed.path())[0];
    let whole = std::fs::read(segment).unwrap();
    std::fs::write(segment, &whole[..whole.len() - 1]).unwrap();
    let spool = open(settings(crashed.path()));
    write(&spool, 99..100);
    let other = take(&spool, 3).unwrap();
    assert_eq!((other.span(), numbers(&other)), (0..2, vec![0, 1]));
    spool.ack(&other);
    let other = take(&spool, 3).unwrap();
    assert_eq!((other.span(), numbers(&other)), (2..3, vec![99]));
    assert_ne!(other.id(), batch.id());
}

#[test]
fn one_process_has_the_queue() {
    let root = folder();
    let spool = open(settings(root.path()));
    let error = Spool::open(settings(root.path()), Arc::new(Counters::default())).unwrap_err();
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );
    spool.close();
    open(settings(root.path()));
}

#[test]
fn a_closed_queue_takes_and_gives_nothing() {
    let root = folder();
    let spool = open(settings(root.path()));
    write(&spool, 0..2);
    let batch = take(&spool, 1).unwrap();
    spool.close();
    assert!(spool.is_closed());
    assert!(!spool.append(b"{}") && !spool.write(b"{}"));
    assert_eq!(
        (
            count(&spool, Counter::Lost),
            count(&spool, Counter::LostQueue)
        ),
        (2, 2)
    );
    assert!(!spool.ack(&batch) && !spool.reject(&batch));
    let error = spool.next_batch(&limits(1), Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "queue: it is closed");
}

#[test]
fn closing_ends_a_wait() {
    let root = folder();
    let spool = open(settings(root.path()));
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| spool.next_batch(&limits(1), Duration::MAX));
        spool.close();
        assert!(wait.join().unwrap().is_err());
    });
}

#[cfg(unix)]
#[test]
fn files_of_others_stay_and_links_are_not_followed() {
    let root = folder();
    let outside = folder();
    let target = outside.path().join("target");
    std::fs::write(&target, "not ours").unwrap();
    symlink(&target, root.path().join("0000000000000000.seg")).unwrap();
    std::fs::write(root.path().join("notes.txt"), "not ours").unwrap();
    std::fs::create_dir(root.path().join("00000000000000ff.seg")).unwrap();
    let spool = open(settings(root.path()));
    assert_eq!(count(&spool, Counter::Recovered), 0);
    assert!(!spool.write(b"{}"), "the link is in the way");
    assert_eq!(count(&spool, Counter::LostQueue), 1);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "not ours");
    assert!(root.path().join("notes.txt").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let root = folder();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let queue = file.join("queue");
    let error = Spool::open(settings(&queue), Arc::new(Counters::default())).unwrap_err();
    assert!(
        error.to_string().contains(&queue.display().to_string()),
        "{error}"
    );
}

#[test]
fn every_write_is_synced_when_asked_for() {
    let root = folder();
    let spool = open(Settings {
        sync_interval: Duration::ZERO,
        ..settings(root.path())
    });
    write(&spool, 0..20);
    assert_eq!(drain(&spool), Vec::from_iter(0..20));
}

#[test]
fn threads_write_and_read_at_once_and_nothing_is_unaccounted_for() {
    const WRITERS: u64 = 3;
    const EACH: u64 = 3000;
    let root = folder();
    let settings = Settings {
        sync_interval: Duration::from_millis(1),
        ..small(root.path(), 40_000)
    };
    let spool = open(settings);
    let is_done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = Vec::new();
            loop {
                let done = is_done.load(Ordering::SeqCst);
                match take(&spool, 50) {
                    Some(batch) => {
                        seen.extend(numbers(&batch));
                        spool.ack(&batch);
                    }
                    None if done => return seen,
                    None => {}
                }
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let spool = &spool;
                    move || write(spool, writer * EACH..(writer + 1) * EACH)
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    assert_balance(&spool);
    assert_eq!(seen.len() as u64, count(&spool, Counter::Delivered));
    assert_eq!(
        seen.len() as u64 + count(&spool, Counter::Evicted),
        WRITERS * EACH
    );
    for writer in 0..WRITERS {
        let own: Vec<u64> = seen
            .iter()
            .copied()
            .filter(|n| n / EACH == writer)
            .collect();
        assert!(
            own.is_sorted_by(|a, b| a < b),
            "each writer's order is kept"
        );
    }
}
