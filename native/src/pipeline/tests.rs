//! The worker without its thread, so that nothing depends on when an audit comes.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::engine::Context;
use crate::event::{Action, Connection, Direction, Stage};
use crate::spool::{Batch, Limits, Settings};

/// A mock of a source: it gives so many events at every drain and others at its end.
#[derive(Default)]
struct MockSource {
    each: usize,
    held: usize,
    losses: Vec<Loss>,
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
enum Failure {
    Error,
    Panic,
}

impl Source for MockSource {
    fn drain(&mut self, _timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        (0..self.each).for_each(|_| sink(event()));
        match self.failure {
            Some(Failure::Error) => Err(Error::Recording("the mock is broken".into())),
            Some(Failure::Panic) => panic!("the mock panics"),
            None => Ok(Progress::Running),
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        (0..self.held).for_each(|_| sink(event()));
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    fn coverage(&self) -> Vec<Hook> {
        Vec::new()
    }

    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }
}

fn event() -> Event {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let connection = Connection {
        direction: Direction::Egress,
        local: Some(address),
        peer: address,
        stage: Stage::Established,
    };
    Event::by(7, Action::Connection(connection))
}

/// A pipeline over a queue in a folder.
struct World {
    root: TempDir,
    spool: Arc<Spool>,
    worker: Worker,
    pipeline: Pipeline,
}

impl World {
    /// A queue with segments of one record each.
    fn new(source: MockSource, max_bytes: u64) -> Self {
        Self::on(tempfile::tempdir().unwrap(), source, max_bytes)
    }

    fn on(root: TempDir, source: MockSource, max_bytes: u64) -> Self {
        let settings = Settings {
            segment_bytes: 1,
            ..Settings::new(root.path(), max_bytes, Duration::from_secs(3600))
        };
        let spool = Arc::new(Spool::open(settings, Arc::default()).unwrap());
        let context = Context {
            agent_id: "0".repeat(64),
            boot_id: [0; 16],
            envelope: br#""host":{"name":"here"}"#.to_vec(),
            root: root.path().into(),
            live: false,
        };
        let engine = Engine::new(context, spool.counters());
        let mut pipeline = Pipeline::new(Box::new(source), engine, spool.clone(), false);
        Self {
            root,
            spool,
            worker: pipeline.worker.take().unwrap(),
            pipeline,
        }
    }

    fn drain(&mut self) {
        self.worker
            .step(false, |source, sink| source.drain(PATIENCE, sink))
            .unwrap();
    }

    /// What the agent would start with had it been killed now.
    fn crash(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.root.path()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    /// The segment that the next record begins.
    fn next_segment(&self) -> std::path::PathBuf {
        segment(self.root.path(), self.count(Counter::Spooled))
    }

    fn count(&self, counter: Counter) -> u64 {
        self.spool.counters().get(counter)
    }

    fn next_batch(&self) -> Option<Arc<Batch>> {
        let limits = Limits {
            enough: 100,
            max_records: 100,
            max_bytes: 10 << 20,
            max_wait: Duration::ZERO,
        };
        self.spool.next_batch(&limits, Duration::ZERO).unwrap()
    }

    /// Delivers everything; count, cause and place of each loss that this tells.
    fn told(&self) -> Vec<(u64, String, String)> {
        let mut told = Vec::new();
        while let Some(batch) = self.next_batch() {
            told.extend(losses(&batch));
            assert!(self.spool.ack(&batch));
        }
        told
    }

    fn notices(&self) -> Vec<(bool, String)> {
        let flat = self
            .pipeline
            .notices()
            .into_iter()
            .map(|it| (it.fatal, it.message));
        flat.collect()
    }

    fn assert_sums(&self) {
        use Counter::*;
        let of = |counters: &[Counter]| counters.iter().map(|&it| self.count(it)).sum::<u64>();
        assert_eq!(
            of(&[Captured, Reported]),
            of(&[Spooled, Filtered, Coalesced, Lost])
        );
        assert_eq!(
            of(&[Recovered, Spooled]),
            of(&[Delivered, Evicted, Rejected, Damaged]) + self.spool.queued()
        );
    }
}

fn segment(directory: &Path, first: u64) -> std::path::PathBuf {
    directory.join(format!("{first:016x}.seg"))
}

/// What the loss records of a batch say.
fn losses(batch: &Batch) -> Vec<(u64, String, String)> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(batch.body())
        .read_to_string(&mut text)
        .unwrap();
    let records = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lost = records.filter(|record| record["event"]["action"] == "events-lost");
    lost.map(|record| {
        let properties = &record["action"]["properties"];
        let text = |name: &str| properties[name].as_str().unwrap().to_owned();
        (
            properties["count"].as_u64().unwrap(),
            text("cause"),
            text("place"),
        )
    })
    .collect()
}

fn of_queue(count: u64, cause: &str) -> (u64, String, String) {
    (count, cause.into(), "queue".into())
}

const FULL: &str = "the queue was full";

#[test]
fn evictions_that_never_stop_are_told_while_they_go_on() {
    let source = MockSource {
        each: 20,
        ..MockSource::default()
    };
    let mut world = World::new(source, 100_000);
    while world.count(Counter::Evicted) == 0 {
        world.drain();
    }
    for _ in 0..20 {
        world.worker.housekeep(false);
        world.drain();
        world.assert_sums();
    }
    let mut told = world.told();
    assert_eq!(told.len(), 1, "one at a time: {told:?}");
    world.worker.housekeep(true);
    told.extend(world.told());
    let count: u64 = told.iter().map(|loss| loss.0).sum();
    assert_eq!(world.count(Counter::Evicted), count);
    assert!(told.iter().all(|loss| *loss == of_queue(loss.0, FULL)));
    world.assert_sums();
}

#[test]
fn evictions_before_a_crash_are_told_after_it() {
    let source = || MockSource {
        each: 100,
        ..MockSource::default()
    };
    let mut world = World::new(source(), 20_000);
    world.drain();
    let evicted = world.count(Counter::Evicted);
    assert!(evicted > 0);
    let mut next = World::on(world.crash(), source(), 1_000_000);
    next.worker.housekeep(false);
    next.worker.housekeep(false);
    assert_eq!(next.told(), [of_queue(evicted, FULL)]);
    assert_eq!(next.count(Counter::Evicted), evicted);
    next.assert_sums();
}

#[test]
fn records_that_find_no_room_are_told_when_there_is_room_again() {
    let source = MockSource {
        each: 5,
        ..MockSource::default()
    };
    let mut world = World::new(source, 1_000_000);
    world.drain();
    // A folder in the way of the next segment stands for a full disk.
    let obstacle = world.next_segment();
    std::fs::create_dir(&obstacle).unwrap();
    world.drain();
    world.worker.housekeep(false);
    assert_eq!(world.count(Counter::Reported), 0, "it has only just grown");
    world.worker.housekeep(false);
    assert_eq!(world.count(Counter::LostQueue), 6, "the loss record too");
    std::fs::remove_dir(&obstacle).unwrap();
    world.worker.housekeep(false);
    world.worker.housekeep(false);
    world.worker.housekeep(false);
    let expected = of_queue(6, "the queue could not be written");
    assert_eq!(world.told(), [expected]);
    world.assert_sums();
}

#[test]
fn damage_is_told_at_the_next_audit() {
    let source = MockSource {
        each: 5,
        ..MockSource::default()
    };
    let mut world = World::new(source, 1_000_000);
    world.drain();
    std::fs::write(segment(world.root.path(), 2), [0; 100]).unwrap();
    assert_eq!(world.told(), []);
    world.worker.housekeep(false);
    world.worker.housekeep(false);
    let expected = of_queue(1, "the queue's files were damaged");
    assert_eq!(world.told(), [expected]);
    world.assert_sums();
}

#[test]
fn losses_reach_the_log_when_they_begin_and_at_the_end() {
    let source = MockSource {
        each: 100,
        ..MockSource::default()
    };
    let mut world = World::new(source, 20_000);
    world.drain();
    world.worker.housekeep(false);
    let evicted = world.count(Counter::Evicted);
    let begin = format!("lost: record, the queue was full (queue); {evicted} so far in this run");
    assert_eq!(world.notices(), [(false, begin)]);
    world.drain();
    world.worker.housekeep(false);
    assert_eq!(world.notices(), []);
    world.worker.housekeep(true);
    let total = world.count(Counter::Evicted);
    let end = format!("lost in this run: {total} of record, the queue was full (queue)");
    assert_eq!(world.notices(), [(false, end)]);
}

#[test]
fn a_run_without_losses_logs_nothing() {
    let world = World::new(MockSource::default(), 1_000_000);
    world.pipeline.shared.stop.store(true, Ordering::Release);
    world.worker.run();
    assert_eq!(world.pipeline.notices(), []);
}

#[test]
fn what_a_source_holds_and_has_lost_is_accounted_for_when_the_pipeline_fails() {
    for (failure, message) in [
        (Failure::Error, "the mock is broken"),
        (Failure::Panic, "the pipeline panicked"),
    ] {
        let loss = Loss {
            what: "exec",
            count: 4,
            cause: "ring full",
            place: "kernel ring",
            from: 1,
            to: 2,
        };
        let mut world = World::new(
            MockSource {
                each: 2,
                held: 3,
                losses: vec![loss],
                failure: Some(failure),
            },
            1_000_000,
        );
        let spare = World::new(MockSource::default(), 1_000_000).worker;
        std::mem::replace(&mut world.worker, spare).run();
        assert!(world.pipeline.finished());
        let notices = world.notices();
        assert!(
            notices[0].1.starts_with("lost in this run: 4 of exec"),
            "{notices:?}"
        );
        assert!(
            notices[1].0 && notices[1].1.contains(message),
            "{notices:?}"
        );
        assert_eq!(world.count(Counter::Captured), 2 + 3 + 4);
        let expected = (4, "ring full".to_owned(), "kernel ring".to_owned());
        assert_eq!(world.told(), [expected]);
        world.assert_sums();
    }
}
