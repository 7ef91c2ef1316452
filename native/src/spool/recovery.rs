//! Opening what the last run left, whatever state it is in.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use super::Settings;
use super::cursor::{Cursor, Mark};
use super::disk::Positioned;
use super::evictions::Evictions;
use super::folder::Folder;
use super::ledger::Ledger;
use super::log::{Log, Segment};
use super::scan::Scan;
use super::segment::{self, HEADER};
use super::state::State;
use crate::counters::{Counter, Counters};
use crate::error::{Error, Result};
use crate::host::wall::now;

/// Opens and repairs the queue, and counts what is there and what should be.
pub(super) fn recover(settings: &Settings, counters: Arc<Counters>) -> Result<State> {
    let folder = Arc::new(Folder::open(&settings.directory)?);
    let lock = folder.lock()?;
    let (cursor, saved) = Cursor::open(&folder)?;
    let mut candidates = list(&folder)?;
    let queue = saved
        .map(|saved| saved.queue)
        .or_else(|| candidates.iter().find_map(|candidate| candidate.queue))
        .unwrap_or_else(Uuid::new_v4);
    candidates.retain(|candidate| candidate.is_usable(&folder, queue, &counters));
    let mut segments: VecDeque<Segment> = candidates
        .iter()
        .map(|candidate| candidate.segment)
        .collect();
    let tail = match segments.back_mut() {
        Some(newest) => Tail::repair(newest, &folder, &counters)?,
        None => Tail::default(),
    };
    let first = segments.front().map_or(0, |segment| segment.first);
    let unknown = Mark {
        acked: first,
        head_end: first,
        in_flight_end: first,
        oldest: first,
    };
    let mark = saved.map_or(unknown, |saved| saved.mark);
    let is_torn = tail.is_torn && tail.next >= mark.acked.max(mark.oldest);
    let log = restore_log(settings, folder, queue, segments, tail, mark);
    let evictions = saved.map_or_else(Evictions::default, |saved| saved.evictions);
    let evictions = resume(evictions, mark, &log, &counters);
    let ledger = balance(mark, &log, is_torn, &counters);
    let mut state = State::new(
        log,
        ledger,
        Cursor::new(cursor, queue, saved),
        evictions,
        lock,
        counters,
    );
    state.store();
    Ok(state)
}

/// A file that is called like a segment.
struct Candidate {
    segment: Segment,
    /// The queue its header names; `None` when the header is damaged.
    queue: Option<Uuid>,
}

fn list(folder: &Folder) -> Result<Vec<Candidate>> {
    let names = folder.names()?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment::first_of(name))
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .map(|first| Candidate::read(folder, first))
        .collect()
}

impl Candidate {
    fn read(folder: &Folder, first: u64) -> Result<Self> {
        let file = open(folder, first)?;
        let path = folder.path(&segment::name(first));
        let bytes = file
            .metadata()
            .map_err(Error::io("cannot read", path))?
            .len();
        let mut header = [0; HEADER];
        let queue = match file.read_exact_at(&mut header, 0) {
            Ok(()) => segment::queue_of(&header, first)?,
            Err(_) => None,
        };
        Ok(Self {
            segment: Segment { first, bytes },
            queue,
        })
    }

    /// Whether this is a segment. Writes a damaged header anew when whole records follow it, and
    /// removes the file when none does.
    fn is_usable(&self, folder: &Folder, queue: Uuid, counters: &Counters) -> bool {
        if self.queue.is_some() {
            return true;
        }
        let Segment { first, bytes } = self.segment;
        if self.holds_a_record(folder)
            && let Ok(file) = open(folder, first)
            && file.write_all_at(&segment::header(queue, first), 0).is_ok()
        {
            counters.add(Counter::DamagedBytes, HEADER as u64);
            return true;
        }
        counters.add(Counter::DamagedBytes, bytes);
        let _ = folder.remove(&segment::name(first));
        false
    }

    fn holds_a_record(&self, folder: &Folder) -> bool {
        let Segment { first, bytes } = self.segment;
        let Ok(file) = open(folder, first) else {
            return false;
        };
        let mut scan = Scan::new();
        scan.extend(bytes);
        scan.find(&file, possible_numbers(&self.segment)).is_some()
    }
}

/// The end of the newest segment.
#[derive(Default)]
struct Tail {
    /// The segment's file, cut behind its last whole record.
    file: Option<File>,
    /// The number after the last whole record.
    next: u64,
    /// Something that is no whole record was cut off.
    is_torn: bool,
}

impl Tail {
    fn repair(newest: &mut Segment, folder: &Folder, counters: &Counters) -> Result<Self> {
        let file = open(folder, newest.first)?;
        let mut scan = Scan::new();
        scan.extend(newest.bytes);
        let (mut next, mut end) = (newest.first, HEADER as u64);
        let numbers = possible_numbers(newest);
        while let Some(frame) = scan.find(&file, next..numbers.end) {
            scan.step_over(&frame);
            (next, end) = (frame.number + 1, scan.offset());
        }
        let torn = newest.bytes.saturating_sub(end);
        newest.bytes = end;
        counters.add(Counter::DamagedBytes, torn);
        // Should this fail, the next write goes over the tail.
        let _ = file.set_len(end);
        Ok(Self {
            file: Some(file),
            next,
            is_torn: torn > 0,
        })
    }
}

/// The numbers that the records of a segment can have, given its size.
fn possible_numbers(segment: &Segment) -> Range<u64> {
    segment.first..segment.first + segment.bytes
}

/// The log of what is left. Numbers go on behind all that the cursor knows of: a tail can be lost
/// that the intake has taken.
fn restore_log(
    settings: &Settings,
    folder: Arc<Folder>,
    queue: Uuid,
    segments: VecDeque<Segment>,
    tail: Tail,
    mark: Mark,
) -> Log {
    let removed = mark.acked.max(mark.oldest);
    let next = tail.next.max(removed);
    let mut log = Log::new(folder, queue, settings, segments, tail.file, next);
    log.remove_below(removed);
    log
}

/// The evictions that nothing in the queue tells of: those the last run left untold, and those of
/// records that were in flight. All are counted, as recovered and evicted.
fn resume(mut evictions: Evictions, mark: Mark, log: &Log, counters: &Counters) -> Evictions {
    let in_flight = mark.acked..mark.oldest.clamp(mark.acked, mark.in_flight_end);
    evictions.evict(in_flight, now());
    evictions.recover(mark.acked..position(mark, log), log.next());
    let untold = evictions.untold.count;
    counters.add(Counter::Recovered, untold);
    counters.add(Counter::Evicted, untold);
    evictions
}

/// Where to go on reading. Counts as recovered every number that should still be in the files,
/// and of these as damaged those that are not.
fn balance(mark: Mark, log: &Log, is_torn: bool, counters: &Counters) -> Ledger {
    let position = position(mark, log);
    let lost_before = position - mark.acked.max(mark.oldest);
    let lost_behind = mark.in_flight_end.saturating_sub(log.next());
    let damaged = lost_before + lost_behind.max(is_torn.into());
    counters.add(Counter::Recovered, log.next() - position + damaged);
    counters.add(Counter::Damaged, damaged);
    Ledger::new(position, mark.head_end.min(log.next()))
}

/// The first record not settled that is still there.
fn position(mark: Mark, log: &Log) -> u64 {
    mark.acked.max(mark.oldest).max(log.oldest())
}

fn open(folder: &Folder, first: u64) -> Result<File> {
    let name = segment::name(first);
    folder
        .open_existing(&name)
        .map_err(Error::io("cannot open", folder.path(&name)))
}
