//! Several live sources as one: each gives in its turn what it has, and the others say what they know
//! of it.

use std::sync::Arc;
use std::time::Duration;

use super::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};
use crate::filter::Rules;

/// Sources side by side.
#[derive(Default)]
pub struct Together {
    sources: Vec<Box<dyn Source>>,
    /// Those that wait for their mark to be settled.
    marked: Vec<bool>,
    /// Of what could not be opened.
    failed: Vec<Hook>,
}

impl Together {
    /// Adds a source. One that could not be opened is told in the coverage, under this name.
    pub fn add(&mut self, name: &str, opened: Result<Box<dyn Source>>) {
        match opened {
            Ok(source) => {
                self.sources.push(source);
                self.marked.push(false);
            }
            Err(error) => self.failed.push(Hook {
                name: name.into(),
                state: match error {
                    Error::Unsupported { .. } => HookState::Missing,
                    _ => HookState::Failed,
                },
                reason: error.to_string(),
            }),
        }
    }

    fn all<T>(&mut self, of: impl FnMut(&mut Box<dyn Source>) -> Vec<T>) -> Vec<T> {
        self.sources.iter_mut().flat_map(of).collect()
    }
}

impl Source for Together {
    /// The last one waits, unless another had something.
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        let mut wait = timeout;
        let mut is_running = self.sources.is_empty();
        let last = self.sources.len().saturating_sub(1);
        for place in 0..self.sources.len() {
            let patience = if place == last { wait } else { Duration::ZERO };
            let (before, rest) = self.sources.split_at_mut(place);
            let Some((source, after)) = rest.split_first_mut() else {
                break;
            };
            let progress = source.drain(patience, &mut |mut event| {
                wait = Duration::ZERO;
                let others = before.iter_mut().chain(after.iter_mut());
                others.for_each(|other| other.complete(&mut event));
                sink(event);
            })?;
            is_running |= progress == Progress::Running;
        }
        Ok(if is_running {
            Progress::Running
        } else {
            Progress::Ended
        })
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        let mut finished = Ok(());
        for source in &mut self.sources {
            finished = source.finish(sink).and(finished);
        }
        finished
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.all(|source| source.losses())
    }

    fn set_rules(&mut self, rules: &Arc<Rules>) -> u64 {
        self.sources.iter_mut().map(|it| it.set_rules(rules)).sum()
    }

    fn dropped(&mut self) -> u64 {
        self.sources.iter_mut().map(|it| it.dropped()).sum()
    }

    fn mark(&mut self) -> bool {
        for (source, marked) in self.sources.iter_mut().zip(&mut self.marked) {
            *marked = source.mark();
        }
        self.marked.contains(&true)
    }

    fn settle(&mut self) {
        for (source, marked) in self.sources.iter_mut().zip(&mut self.marked) {
            if std::mem::take(marked) {
                source.settle();
            }
        }
    }

    fn step_back(&mut self) -> bool {
        self.marked.fill(false);
        let stepped: Vec<bool> = self.sources.iter_mut().map(|it| it.step_back()).collect();
        stepped.contains(&true)
    }

    fn coverage(&self) -> Vec<Hook> {
        let given = self.sources.iter().flat_map(|source| source.coverage());
        given.chain(self.failed.iter().cloned()).collect()
    }

    fn new_coverage(&mut self) -> Option<Vec<Hook>> {
        let changed: Vec<bool> = self
            .sources
            .iter_mut()
            .map(|it| it.new_coverage().is_some())
            .collect();
        changed.contains(&true).then(|| self.coverage())
    }

    fn notices(&mut self) -> Vec<String> {
        self.all(|source| source.notices())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, Exit};

    /// A mock of a source with some events, which notes what it is asked for.
    #[derive(Default)]
    struct MockSource {
        pids: Vec<u32>,
        can_mark: bool,
        waited: Vec<Duration>,
        is_settled: bool,
    }

    impl Source for MockSource {
        fn drain(&mut self, wait: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
            self.waited.push(wait);
            for pid in self.pids.drain(..) {
                sink(Event::by(pid, Action::Exit(Exit { code: 0, signal: 0 })));
            }
            Ok(Progress::Running)
        }

        fn finish(&mut self, _: &mut dyn FnMut(Event)) -> Result<()> {
            Ok(())
        }

        fn losses(&mut self) -> Vec<Loss> {
            Vec::new()
        }

        fn complete(&mut self, event: &mut Event) {
            if self.can_mark {
                event.thread = 7;
            }
        }

        fn mark(&mut self) -> bool {
            self.can_mark
        }

        fn settle(&mut self) {
            self.is_settled = true;
        }

        fn coverage(&self) -> Vec<Hook> {
            Vec::new()
        }

        fn notices(&mut self) -> Vec<String> {
            vec![format!("{:?} {}", self.waited, self.is_settled)]
        }
    }

    fn source(pids: &[u32], can_mark: bool) -> Result<Box<dyn Source>> {
        Ok(Box::new(MockSource {
            pids: pids.into(),
            can_mark,
            ..MockSource::default()
        }))
    }

    #[test]
    fn each_gives_in_its_turn_and_only_the_last_waits() {
        let mut together = Together::default();
        together.add("one", source(&[1, 2], true));
        together.add("other", source(&[3], false));
        let mut pids = Vec::new();
        let wait = Duration::from_secs(1);
        for _ in 0..2 {
            let mut sink = |event: Event| pids.push((event.process.pid, event.thread));
            assert_eq!(together.drain(wait, &mut sink).unwrap(), Progress::Running);
        }
        // The first one knows of the other's.
        assert_eq!(pids, [(1, 1), (2, 2), (3, 7)]);
        assert!(together.mark());
        together.settle();
        assert_eq!(together.notices(), ["[0ns, 0ns] true", "[0ns, 1s] false"]);
    }

    #[test]
    fn what_cannot_be_opened_is_told_and_the_others_give() {
        let mut together = Together::default();
        let missing = Error::Unsupported {
            missing: "no session".into(),
            remedy: "stop one".into(),
        };
        together.add("tracing", Err(missing));
        together.add("log", source(&[1], false));
        let hooks = together.coverage();
        assert_eq!(hooks.len(), 1);
        assert_eq!(
            (hooks[0].state, hooks[0].reason.as_str()),
            (HookState::Missing, "no session; stop one")
        );
        let mut count = 0;
        together.drain(Duration::ZERO, &mut |_| count += 1).unwrap();
        assert_eq!(count, 1);
    }
}
