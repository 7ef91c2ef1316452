//! How far a source that can be read again has been kept: its place is saved once the queue has on the
//! disk itself what was given until then, and what the queue could not keep is given again.

use std::time::{Duration, Instant};

use crate::capture::Source;
use crate::spool::Spool;

/// Between two attempts where the queue cannot be written.
const RETRY: Duration = Duration::from_secs(1);

/// The place that a source has marked last.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// What is to be on the disk for it.
    awaited: Option<u64>,
    /// Writes of the queue that had been refused at the last look.
    refused: u64,
    waits_until: Option<Instant>,
}

impl Marks {
    /// Whether the source is to be left alone, since the queue could not be written.
    pub fn is_waiting(&mut self) -> bool {
        self.waits_until = self.waits_until.filter(|until| Instant::now() < *until);
        self.waits_until.is_some()
    }

    /// All that the source gave is written to the queue.
    pub fn step(&mut self, source: &mut dyn Source, spool: &Spool) {
        let refused = spool.refused();
        if refused != self.refused {
            self.refused = refused;
            self.awaited = None;
            if source.step_back() {
                self.waits_until = Some(Instant::now() + RETRY);
            }
            return;
        }
        if self
            .awaited
            .is_some_and(|position| spool.is_synced_to(position))
        {
            self.awaited = None;
            source.settle();
        }
        if self.awaited.is_none() && source.mark() {
            self.awaited = Some(spool.position());
        }
    }

    /// The same for the last time: nothing is waited for.
    pub fn finish(&mut self, source: &mut dyn Source, spool: &Spool) {
        if spool.refused() != self.refused {
            return;
        }
        let settle = |source: &mut dyn Source, position| {
            spool.sync();
            let is_synced = spool.is_synced_to(position);
            if is_synced {
                source.settle();
            }
            is_synced
        };
        if self
            .awaited
            .take()
            .is_none_or(|position| settle(source, position))
            && source.mark()
        {
            settle(source, spool.position());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Hook, Progress};
    use crate::error::Result;
    use crate::event::{Event, Loss};
    use crate::spool::Settings;

    /// A mock of a source, which counts what it is asked for.
    #[derive(Default)]
    struct MockSource {
        marks: usize,
        settled: usize,
        stepped_back: usize,
    }

    impl Source for MockSource {
        fn drain(&mut self, _: Duration, _: &mut dyn FnMut(Event)) -> Result<Progress> {
            Ok(Progress::Running)
        }

        fn finish(&mut self, _: &mut dyn FnMut(Event)) -> Result<()> {
            Ok(())
        }

        fn losses(&mut self) -> Vec<Loss> {
            Vec::new()
        }

        fn mark(&mut self) -> bool {
            self.marks += 1;
            true
        }

        fn settle(&mut self) {
            self.settled += 1;
        }

        fn step_back(&mut self) -> bool {
            self.stepped_back += 1;
            true
        }

        fn coverage(&self) -> Vec<Hook> {
            Vec::new()
        }

        fn notices(&mut self) -> Vec<String> {
            Vec::new()
        }
    }

    /// A queue that syncs when it is told to, with segments of one record each.
    fn queue(root: &tempfile::TempDir) -> Spool {
        let settings = Settings {
            segment_bytes: 1,
            ..Settings::new(
                root.path().join("queue"),
                1 << 20,
                Duration::from_secs(3600),
            )
        };
        Spool::open(settings, std::sync::Arc::default()).unwrap()
    }

    #[test]
    fn a_place_is_saved_once_the_disk_has_what_came_before() {
        let root = tempfile::tempdir().unwrap();
        let (spool, mut source, mut marks) =
            (queue(&root), MockSource::default(), Marks::default());
        assert!(spool.write(b"{}"));
        for _ in 0..3 {
            marks.step(&mut source, &spool);
        }
        assert_eq!((source.marks, source.settled), (1, 0));
        assert!(spool.write(b"{}"), "what comes after it does not matter");
        spool.sync();
        marks.step(&mut source, &spool);
        assert_eq!((source.marks, source.settled), (2, 1));
        marks.finish(&mut source, &spool);
        assert_eq!((source.marks, source.settled), (3, 3));
    }

    #[test]
    fn what_the_queue_could_not_write_is_given_again() {
        let root = tempfile::tempdir().unwrap();
        let (spool, mut source, mut marks) =
            (queue(&root), MockSource::default(), Marks::default());
        assert!(spool.write(b"{}"));
        marks.step(&mut source, &spool);
        assert!(!marks.is_waiting());
        // Windows removes no folder that is open: another stands where the next segment is to be.
        let segment = format!("queue/{:016x}.seg", spool.position());
        std::fs::create_dir(root.path().join(segment)).unwrap();
        assert!(!spool.write(b"{}"));
        marks.finish(&mut source, &spool);
        assert_eq!(source.settled, 0, "the end saves nothing then");
        marks.step(&mut source, &spool);
        assert_eq!((source.settled, source.stepped_back), (0, 1));
        assert!(marks.is_waiting());
        // Too long for the queue, however often it is given.
        assert!(!spool.write(&vec![b' '; 2 << 20]));
        marks.step(&mut source, &spool);
        assert_eq!(source.stepped_back, 1);
    }
}
