//! Random operations, crashes and damage, each step compared with a model of the queue.
//!
//! The model knows what was written under which number. What is left after a crash it learns
//! from the files, read by [`crate::format`]: this and no more has to be delivered, in order.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::spool::{Batch, Settings, Spool};
use tempfile::TempDir;
use uuid::Uuid;

use crate::help::*;
use crate::left::Left;
use crate::random::Random;

const SEEDS: u64 = 40;
const STEPS: u64 = 120;

/// A number of the queue, and its record while that is whole.
pub type Slot = (u64, Option<Vec<u8>>);

/// What was done to the files of a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Damage {
    Nothing,
    Inside,
    Tail,
    Cursor,
}

/// A batch that was handed out.
struct Flight {
    id: Uuid,
    span: Range<u64>,
    slots: Vec<Slot>,
}

/// A queue and what it should hold.
struct World {
    seed: u64,
    random: Random,
    settings: Settings,
    root: TempDir,
    spool: Spool,
    appended: u64,
    /// Not yet written.
    buffered: VecDeque<Vec<u8>>,
    /// Number of the next record to be written.
    next: u64,
    unread: VecDeque<Slot>,
    in_flight: VecDeque<Flight>,
    /// The batch that has to come first, for it was in flight before.
    resumed: Option<Flight>,
    spooled: u64,
    evicted: u64,
    /// Of the evicted, across all runs, those that no record tells of.
    untold: u64,
    /// Those that a record not yet settled tells of, and its number.
    told: Option<(u64, u64)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let root = folder();
        let max_bytes = 5_000 + random.below(60_000);
        let segment_bytes = 500 + random.below(max_bytes / 2);
        let settings = Settings {
            max_bytes,
            segment_bytes,
            ..settings(root.path())
        };
        let spool = open(settings.clone());
        Self {
            seed,
            random,
            settings,
            root,
            spool,
            appended: 0,
            buffered: VecDeque::new(),
            next: 0,
            unread: VecDeque::new(),
            in_flight: VecDeque::new(),
            resumed: None,
            spooled: 0,
            evicted: 0,
            untold: 0,
            told: None,
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..36 => self.append(),
            36..40 => self.tell(),
            40..50 => assert!(self.spool.flush()),
            50..70 => self.take(),
            70..86 => self.settle(),
            86..91 => self.split(),
            91..94 => self.reopen(),
            _ => self.crash(),
        }
        self.follow_writes();
        self.check();
    }

    fn append(&mut self) {
        for _ in 0..=self.random.below(40) {
            self.appended += 1;
            let mut record = format!("{{\"n\":{}}}", self.appended).into_bytes();
            let longest = if self.random.one_in(50) { 3000 } else { 200 };
            record.resize(record.len() + self.random.below(longest) as usize, b'.');
            if self.random.one_in(20) {
                record.extend_from_slice(b"\xffEAR\x01\0\0\0");
            }
            assert!(self.spool.append(&record));
            self.buffered.push_back(record);
        }
    }

    /// Writes the record that tells of evictions, when there are any to tell.
    fn tell(&mut self) {
        assert!(self.spool.flush());
        self.follow_writes();
        let to_tell = self.spool.untold_evictions();
        self.forget_settled_teller();
        let expected = self.told.is_none().then_some(self.untold);
        let expected = expected.filter(|&count| count > 0);
        assert_eq!(to_tell.map(|evicted| evicted.count), expected);
        let Some(evicted) = to_tell else {
            return;
        };
        let record = b"{\"lost\":1}".to_vec();
        assert!(self.spool.tell_evictions(&record, evicted));
        self.buffered.push_back(record);
        // Room is made for the record before it is written.
        self.follow_writes();
        self.untold -= evicted.count;
        self.told = Some((self.next - 1, evicted.count));
    }

    fn forget_settled_teller(&mut self) {
        let acked = self.acked();
        self.told = self.told.filter(|&(teller, _)| teller >= acked);
    }

    /// The first number not settled.
    fn acked(&self) -> u64 {
        let head = self.in_flight.front().map(|flight| flight.span.start);
        head.or(self.unread.front().map(|slot| slot.0))
            .unwrap_or(self.next)
    }

    /// Moves in the model what the counters say was written, and then what was evicted.
    fn follow_writes(&mut self) {
        let spooled = count(&self.spool, Counter::Spooled);
        for _ in self.spooled..spooled {
            let record = self.buffered.pop_front();
            assert!(record.is_some());
            self.unread.push_back((self.next, record));
            self.next += 1;
        }
        let evicted = count(&self.spool, Counter::Evicted);
        for _ in self.evicted..evicted {
            let gone = self.unread.pop_front().unwrap();
            self.resumed = None;
            self.untold += 1;
            if self.told.is_some_and(|(teller, _)| teller == gone.0) {
                self.untold += self.told.take().map_or(0, |(_, count)| count);
            }
        }
        (self.spooled, self.evicted) = (spooled, evicted);
    }

    fn check(&self) {
        assert_balance(&self.spool);
        assert_eq!(count(&self.spool, Counter::Lost), 0);
        let in_flight = |flight: &Flight| flight.slots.iter().flat_map(|slot| &slot.1).count();
        let in_flight: usize = self.in_flight.iter().map(in_flight).sum();
        assert_eq!(self.spool.queued(), (self.unread.len() + in_flight) as u64);
        assert!(self.spool.queued_bytes() <= self.settings.max_bytes);
    }

    fn take(&mut self) {
        let wanted = 1 + self.random.below(60) as usize;
        let damaged = count(&self.spool, Counter::Damaged);
        let batch = take(&self.spool, wanted);
        if let Some(head) = self.in_flight.front() {
            assert_eq!(batch.unwrap().id(), head.id);
            return;
        }
        let end = batch.as_ref().map_or(self.next, |batch| batch.span().end);
        let passed: Vec<Slot> =
            std::iter::from_fn(|| self.unread.pop_front_if(|slot| slot.0 < end)).collect();
        let whole: Vec<&Vec<u8>> = passed.iter().filter_map(|slot| slot.1.as_ref()).collect();
        let missing = (passed.len() - whole.len()) as u64;
        assert_eq!(count(&self.spool, Counter::Damaged), damaged + missing);
        let Some(batch) = batch else {
            return assert!(whole.is_empty());
        };
        let before = passed.iter().take_while(|slot| slot.0 < batch.span().start);
        assert!(
            before.into_iter().all(|slot| slot.1.is_none()),
            "a resumed batch may be no more"
        );
        assert_eq!(byte_lines(&batch).iter().collect::<Vec<_>>(), whole);
        match self.resumed.take() {
            Some(flight) => assert_eq!(batch.id(), flight.id),
            None => self.check_full(whole.len(), wanted),
        }
        self.in_flight.push_back(Flight {
            id: batch.id(),
            span: batch.span(),
            slots: passed,
        });
    }

    fn check_full(&self, taken: usize, wanted: usize) {
        let has_more = self.unread.iter().any(|slot| slot.1.is_some());
        // After damage to the cursor the first batch may end where an older one did.
        assert!(taken == wanted || !has_more || count(&self.spool, Counter::Recovered) > 0);
    }

    fn settle(&mut self) {
        let Some(flight) = self.in_flight.pop_front() else {
            return;
        };
        let batch = take(&self.spool, 1).unwrap();
        assert_eq!(batch.id(), flight.id);
        if self.random.one_in(10) {
            assert!(self.spool.reject(&batch));
        } else {
            assert!(self.spool.ack(&batch));
        }
    }

    fn split(&mut self) {
        let Some(head) = self.in_flight.front() else {
            return;
        };
        let batch = take(&self.spool, 1).unwrap();
        assert_eq!(batch.id(), head.id);
        let Some((left, right)) = self.spool.split(&batch).unwrap() else {
            return assert_eq!(batch.count(), 1);
        };
        let Some(mut head) = self.in_flight.pop_front() else {
            return;
        };
        let middle = head.slots.partition_point(|slot| slot.0 < left.span().end);
        let slots = head.slots.split_off(middle);
        self.in_flight.push_front(Flight {
            id: right.id(),
            span: right.span(),
            slots,
        });
        self.in_flight.push_front(Flight {
            id: left.id(),
            span: left.span(),
            ..head
        });
    }

    fn reopen(&mut self) {
        self.spool.close();
        self.follow_writes();
        assert!(self.buffered.is_empty());
        self.come_back(Damage::Nothing);
    }

    fn crash(&mut self) {
        self.follow_writes();
        self.buffered.clear();
        self.root = crash(self.root.path());
        self.settings.directory = self.root.path().to_owned();
        let damage = self.damage();
        self.come_back(damage);
    }

    fn damage(&mut self) -> Damage {
        let segments = segments(self.root.path());
        let cursor = self.root.path().join("cursor");
        match (self.random.below(16), segments.last()) {
            (0..4, Some(newest)) => {
                let size = newest.metadata().unwrap().len();
                let file = std::fs::File::options().write(true).open(newest).unwrap();
                file.set_len(self.random.below(size)).unwrap();
                Damage::Tail
            }
            (4..8, Some(_)) => {
                let any = self.random.below(segments.len() as u64) as usize;
                self.flip(&segments[any]);
                Damage::Inside
            }
            (8..10, _) => {
                self.add_garbage();
                Damage::Inside
            }
            (10..12, _) => {
                self.flip(&cursor);
                Damage::Cursor
            }
            (12, _) => {
                std::fs::remove_file(cursor).unwrap();
                Damage::Cursor
            }
            _ => Damage::Nothing,
        }
    }

    fn add_garbage(&mut self) {
        let name = format!("{:016x}.seg", self.random.below(2 * self.next + 1));
        let size = self.random.below(500);
        let garbage: Vec<u8> = (0..size).map(|_| self.random.next() as u8).collect();
        if let Ok(mut file) = std::fs::File::create_new(self.root.path().join(name)) {
            file.write_all(&garbage).unwrap();
        }
    }

    fn flip(&mut self, file: &Path) {
        let mut bytes = std::fs::read(file).unwrap();
        let bit = self.random.below(bytes.len() as u64 * 8);
        bytes[bit as usize / 8] ^= 1 << (bit % 8);
        std::fs::write(file, bytes).unwrap();
    }

    /// Opens what is left, and learns from the files what has to come.
    fn come_back(&mut self, damage: Damage) {
        let left = Left::read(self.root.path());
        self.spool = open(self.settings.clone());
        let position = left.position();
        let next = self.check_recovery(&left, damage);
        self.check_content(&left.whole);
        let head = self.in_flight.drain(..).next().or(self.resumed.take());
        self.resumed = head.filter(|head| left.holds(&head.span, &head.slots));
        let slot = |number| (number, left.whole.get(&number).cloned());
        self.unread = (position..next).map(slot).collect();
        self.next = next;
        (self.spooled, self.evicted) = (0, count(&self.spool, Counter::Evicted));
        self.told = left.cursor.and_then(|cursor| {
            let is_there = (position..next).contains(&cursor.teller);
            (cursor.told > 0 && is_there).then_some((cursor.teller, cursor.told))
        });
        self.untold = self.evicted;
    }

    /// Compares the counters with what should be there; the number that records go on with.
    fn check_recovery(&self, left: &Left, damage: Damage) -> u64 {
        let recovered = count(&self.spool, Counter::Recovered);
        let position = left.position();
        let evicted = count(&self.spool, Counter::Evicted);
        let next = position + recovered - evicted - count(&self.spool, Counter::Damaged);
        let has_lost_tail = damage == Damage::Tail || left.is_torn;
        if damage != Damage::Cursor {
            assert!(position >= self.acked(), "nothing settled comes again");
            let oldest = left.cursor.map_or(0, |cursor| cursor.oldest);
            let in_flight = || self.in_flight.iter().flat_map(|flight| flight.span.clone());
            let in_files = in_flight().filter(|&number| number >= oldest).count();
            let expected = (in_files + self.unread.len()) as u64;
            let found = recovered - evicted;
            assert!(found == expected || has_lost_tail && found < expected);
            let evicted_in_flight = (in_flight().count() - in_files) as u64;
            let untold = self.untold + self.told_in_vain(position..next);
            assert_eq!(evicted, untold + evicted_in_flight);
        }
        // Without cursor and segments nothing tells the number that comes next.
        let is_told = left.cursor.is_some() || left.first != u64::MAX;
        assert!(next == self.next || has_lost_tail && next < self.next || !is_told);
        assert_eq!(
            left.whole.range(next..).next(),
            None,
            "all that is whole is there"
        );
        next
    }

    /// Evictions told by a record that is neither settled nor among those left.
    fn told_in_vain(&self, left: Range<u64>) -> u64 {
        let told = self.told.filter(|(teller, _)| *teller >= self.acked());
        told.filter(|(teller, _)| !left.contains(teller))
            .map_or(0, |(_, count)| count)
    }

    /// No record has become another.
    fn check_content(&self, whole: &BTreeMap<u64, Vec<u8>>) {
        let in_flight = self.in_flight.iter().flat_map(|flight| &flight.slots);
        for (number, record) in in_flight.chain(&self.unread) {
            if let (Some(found), Some(record)) = (whole.get(number), record) {
                assert_eq!(found, record);
            }
        }
    }

    fn finish(&mut self) {
        assert!(self.spool.flush());
        self.follow_writes();
        while !(self.unread.is_empty() && self.in_flight.is_empty()) {
            self.take();
            self.settle();
            self.check();
        }
        assert_eq!((self.spool.queued(), self.spool.queued_bytes()), (0, 0));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.seed);
        }
    }
}

fn byte_lines(batch: &Arc<Batch>) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    let mut body = flate2::read::GzDecoder::new(batch.body());
    std::io::Read::read_to_end(&mut body, &mut text).unwrap();
    assert_eq!(text.pop(), Some(b'\n'));
    let lines: Vec<Vec<u8>> = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    assert_eq!(lines.len(), batch.count());
    lines
}

#[test]
fn the_queue_behaves_like_its_model() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        (0..STEPS).for_each(|_| world.step());
        world.finish();
    }
}
