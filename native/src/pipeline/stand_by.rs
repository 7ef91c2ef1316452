//! A capture that waits until another agent hands over: it is in place, and tells nothing yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::{PATIENCE, hold};
use crate::capture::Source;
use crate::capture::gate::{Gate, Moment, untold};
use crate::error::{Error, Result};
use crate::event::Event;

/// What is kept until the queue is free; the rest waits in the rings, where loss is counted.
const MAX_EVENTS: usize = 32_768;
const MAX_BYTES: usize = 32 << 20;

/// A source that waits, and what it has seen since its turn began.
pub struct StandBy {
    gate: Arc<Gate>,
    state: State,
}

enum State {
    Waiting(Box<dyn Source>),
    Reading(Arc<AtomicBool>, JoinHandle<Result<Read>>),
    /// A thread has failed, or could not be had.
    Lost,
}

/// A source, and what it gave.
pub struct Read {
    /// The source.
    pub source: Box<dyn Source>,
    /// In the order of time.
    pub events: Vec<Event>,
}

impl StandBy {
    /// Takes a source whose gate is shut.
    pub fn new(source: Box<dyn Source>) -> Result<Self> {
        let gate = source.gate().ok_or_else(unable)?;
        Ok(Self {
            gate,
            state: State::Waiting(source),
        })
    }

    /// Has it tell from a moment on, which replaces one that was too near. Whether that was still to
    /// come.
    pub fn tell_from(&mut self, cut: Moment) -> Result<bool> {
        let Read { mut source, events } = self.halt()?;
        let events = events.into_iter().filter_map(untold).collect();
        let is_ahead = self.gate.tell_from(cut)?;
        // Those until now are the other agent's.
        source.losses();
        let stop = Arc::new(AtomicBool::new(false));
        let (told, read) = (stop.clone(), Read { source, events });
        let thread = std::thread::Builder::new().name("stand-by".into());
        let thread = thread.spawn(move || read.go_on(&told));
        let thread = thread.map_err(Error::io("cannot start a thread for", "the capture"))?;
        self.state = State::Reading(stop, thread);
        Ok(is_ahead)
    }

    /// The source, which is in use from now on, and what it has given.
    pub fn take_over(mut self) -> Result<Read> {
        let mut read = self.halt()?;
        read.source.take_over();
        Ok(read)
    }

    fn halt(&mut self) -> Result<Read> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Waiting(source) => Ok(Read {
                source,
                events: Vec::new(),
            }),
            State::Reading(stop, thread) => {
                stop.store(true, Ordering::Release);
                thread.join().unwrap_or_else(|_| Err(lost()))
            }
            State::Lost => Err(lost()),
        }
    }
}

impl Drop for StandBy {
    fn drop(&mut self) {
        // Else its thread would go on.
        let _ = self.halt();
    }
}

impl Read {
    fn go_on(mut self, stop: &AtomicBool) -> Result<Self> {
        let Self { source, events } = &mut self;
        let mut bytes: usize = events.iter().map(hold::size).sum();
        while !stop.load(Ordering::Acquire) {
            if events.len() < MAX_EVENTS && bytes < MAX_BYTES {
                source.drain(PATIENCE, &mut |event| {
                    bytes += hold::size(&event);
                    events.push(event);
                })?;
            } else {
                std::thread::sleep(PATIENCE);
            }
        }
        Ok(self)
    }
}

/// A source cannot share its acts with another agent.
pub(super) fn unable() -> Error {
    Error::Unsupported {
        missing: "this source cannot be handed over".into(),
        remedy: "start the agent anew".into(),
    }
}

fn lost() -> Error {
    Error::Unsupported {
        missing: "the capture that was to take over has failed".into(),
        remedy: "see the log; start the agent anew".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;
    use crate::capture::{Hook, Progress};
    use crate::event::{Action, Exec, Loss};

    /// A mock of a source: each time it gives one event, of 1 MiB.
    struct MockSource(Arc<AtomicUsize>);

    impl Source for MockSource {
        fn drain(&mut self, _: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
            let exec = Exec {
                arguments: vec![b'x'; 1 << 20],
                ..Exec::default()
            };
            sink(Event::by(2, Action::Exec(exec)));
            self.0.fetch_add(1, Ordering::Release);
            Ok(Progress::Running)
        }

        fn finish(&mut self, _: &mut dyn FnMut(Event)) -> Result<()> {
            Ok(())
        }

        fn losses(&mut self) -> Vec<Loss> {
            Vec::new()
        }

        fn coverage(&self) -> Vec<Hook> {
            Vec::new()
        }

        fn notices(&mut self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn what_is_kept_is_bounded_by_its_bytes() {
        let drained = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let read = Read {
            source: Box::new(MockSource(drained.clone())),
            events: Vec::new(),
        };
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || read.go_on(&stop)
        });
        let most = MAX_BYTES >> 20;
        while drained.load(Ordering::Acquire) < most {
            std::thread::yield_now();
        }
        // What is too much would come now.
        std::thread::sleep(4 * PATIENCE);
        stop.store(true, Ordering::Release);
        assert_eq!(thread.join().unwrap().unwrap().events.len(), most);
    }
}
