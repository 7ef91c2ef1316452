//! A disk without room: a tmpfs of 1 MB that one thread alone sees.

use std::ffi::CStr;
use std::path::Path;

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::spool::Spool;

use crate::help::*;

/// Runs `test` in a mount namespace of its own with a small tmpfs at the given folder. The mount
/// ends with the thread.
fn on_small_disk(test: impl FnOnce(&Path) + Send + 'static) {
    let root = folder();
    let path = root.path().to_owned();
    let thread = std::thread::spawn(move || match mount_small_disk(&path) {
        Ok(()) => test(&path),
        Err(error) => println!("skipped: no tmpfs can be mounted here: {error}"),
    });
    thread.join().unwrap();
}

fn mount_small_disk(path: &Path) -> std::io::Result<()> {
    let target = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: takes no pointers; the namespace is left by this thread only.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(c"none", c"/", c"none", libc::MS_REC | libc::MS_PRIVATE, c"")?;
    mount(c"tmpfs", &target, c"tmpfs", 0, c"size=1m")
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: &CStr,
    flags: libc::c_ulong,
    options: &CStr,
) -> std::io::Result<()> {
    // SAFETY: all five outlive the call, and the strings end in NUL.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    })
}

fn check(status: libc::c_int) -> std::io::Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn long_record(n: u64) -> String {
    format!("{}{}", record(n), " ".repeat(1000))
}

/// Writes the records of these numbers; those that were kept.
fn write_long(spool: &Spool, numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers
        .filter(|&n| spool.write(long_record(n).as_bytes()))
        .collect()
}

fn drain_long(spool: &Spool) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(batch) = take(spool, 10) {
        let number = |line: &String| line.trim_end()[5..].trim_end_matches('}').parse::<u64>();
        all.extend(lines(&batch).iter().map(|line| number(line).unwrap()));
        assert!(spool.ack(&batch));
        assert_balance(spool);
    }
    all
}

#[test]
fn records_that_find_no_room_are_counted_until_there_is_room() {
    on_small_disk(|path| {
        let spool = open(settings(&path.join("queue")));
        let kept = write_long(&spool, 0..2000);
        let lost = count(&spool, Counter::LostQueue);
        assert!(lost > 900 && kept.len() > 900, "{lost}");
        assert_eq!(count(&spool, Counter::Lost), lost);
        assert_eq!(count(&spool, Counter::Spooled), kept.len() as u64);
        assert_eq!(kept.len() as u64 + lost, 2000);
        assert_balance(&spool);
        assert_eq!(drain_long(&spool), kept);
        assert_eq!(write_long(&spool, 2000..2100), Vec::from_iter(2000..2100));
        assert_eq!(drain_long(&spool), Vec::from_iter(2000..2100));
    });
}

#[test]
fn a_lost_block_leaves_no_hole_behind() {
    on_small_disk(|path| {
        let spool = open(settings(&path.join("queue")));
        let block: Vec<String> = (0..100).map(long_record).collect();
        for _ in 0..20 {
            spool.append_all(block.iter().map(String::as_bytes));
            spool.flush();
        }
        let spooled = count(&spool, Counter::Spooled);
        assert_eq!(spooled + count(&spool, Counter::Lost), 2000);
        spool.close();
        let spool = open(settings(&path.join("queue")));
        assert_eq!(count(&spool, Counter::Recovered), spooled);
        assert_eq!(drain_long(&spool).len() as u64, spooled);
        assert_eq!(count(&spool, Counter::Damaged), 0);
    });
}

#[test]
fn a_queue_on_a_full_disk_opens_and_what_is_acknowledged_stays_so() {
    on_small_disk(|path| {
        let queue = path.join("queue");
        let kept = write_long(&open(settings(&queue)), 0..500);
        std::fs::write(path.join("ballast"), vec![0; 2 << 20]).unwrap_err();
        let spool = open(settings(&queue));
        assert_eq!(spool.queued(), 500);
        spool.ack(&take(&spool, 100).unwrap());
        drop(spool);
        let spool = open(settings(&queue));
        assert_eq!(drain_long(&spool), kept[100..]);
    });
}

#[test]
fn a_new_queue_on_a_full_disk_opens_and_waits_for_room() {
    on_small_disk(|path| {
        let ballast = path.join("ballast");
        std::fs::write(&ballast, vec![0; 2 << 20]).unwrap_err();
        let spool = open(settings(&path.join("queue")));
        assert_eq!(write_long(&spool, 0..5), Vec::<u64>::new());
        assert_eq!(count(&spool, Counter::LostQueue), 5);
        std::fs::remove_file(ballast).unwrap();
        assert_eq!(write_long(&spool, 5..10), [5, 6, 7, 8, 9]);
        assert_eq!(drain_long(&spool), [5, 6, 7, 8, 9]);
    });
}

#[test]
fn a_record_that_is_written_at_once_and_lost_is_not_said_to_be_kept() {
    on_small_disk(|path| {
        let spool = open(settings(&path.join("queue")));
        let large = vec![b'x'; 300_000];
        let kept = (0..8).filter(|_| spool.append(&large)).count() as u64;
        assert!(kept > 0 && count(&spool, Counter::LostQueue) > 0);
        assert_eq!(count(&spool, Counter::Spooled), kept);
        assert_eq!(count(&spool, Counter::LostQueue), 8 - kept);
        assert_eq!(spool.queued(), kept);
    });
}
