//! Holds events until the content of their files is known, for at most 150 ms.
//!
//! Events stay in their order: behind one that waits, all wait, and none longer than that.
//! While nothing waits, an event passes without a copy.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::counters::{Counter, Counters};
use crate::enrich::hashes::{Hashes, Job};
use crate::event::{Action, Content, Event, Unread};
use crate::host::content::is_fresh;
#[cfg(target_os = "linux")]
use linux::{places, subject};
#[cfg(windows)]
use windows::{places, subject};

/// How long an event waits; who lets it go comes by every 25 ms.
const LIMIT: Duration = Duration::from_millis(125);

/// After an opening for writing, what is written at once is written by then.
const SETTLE: Duration = Duration::from_millis(50);

/// What waits at most.
const MAX_EVENTS: usize = 2_048;
const MAX_BYTES: usize = 2 << 20;
/// Room for so many is kept when nothing waits.
const KEPT: usize = 64;

/// The events that wait.
pub struct Hold {
    hashes: Option<Hashes>,
    counters: Arc<Counters>,
    waiting: VecDeque<Held>,
    bytes: usize,
    /// Number of the first that waits; the others follow one by one.
    first: u64,
    /// An answer did not come in time: until the next one comes, nothing waits for others.
    is_late: bool,
}

struct Held {
    event: Event,
    size: usize,
    /// For how long its answer is waited for, if one is to come.
    until: Option<Instant>,
}

/// What takes the events that need not wait any more.
type Sink<'a> = &'a mut dyn FnMut(&Event);

impl Hold {
    /// Holds nothing yet, and never unless it is given hashes.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self {
            hashes: None,
            counters,
            waiting: VecDeque::new(),
            bytes: 0,
            first: 0,
            is_late: false,
        }
    }

    /// Who is asked for the content of files.
    pub fn hashing(&mut self, hashes: Option<Hashes>) {
        self.hashes = hashes;
    }

    /// Takes an event; it, and what waited before it, may go on at once.
    pub fn push(&mut self, mut event: Event, sink: Sink) {
        let until = self.ask(&mut event);
        if until.is_none() && self.is_empty() {
            return self.pass(&event, sink);
        }
        let size = size(&event);
        self.bytes += size;
        self.waiting.push_back(Held { event, size, until });
        while self.waiting.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            self.release(Unread::TooMuch, sink);
        }
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Lets go what is answered or has waited long enough.
    pub fn settle(&mut self, sink: Sink) {
        self.take_answers(Duration::ZERO);
        while let Some(held) = self.waiting.front() {
            if let Some(until) = held.until {
                if Instant::now() < until {
                    return;
                }
                // What is slow to say who signed a file was not slow to read it.
                self.is_late |= !matches!(held.event.content, Content::Known(_));
            }
            self.release(Unread::Late, sink);
        }
        self.waiting.shrink_to(KEPT);
    }

    /// Lets everything go, and waits for answers as long as an event may wait.
    pub fn finish(&mut self, sink: Sink) {
        while let Some(held) = self.waiting.front() {
            if let Some(until) = held.until {
                self.take_answers(until.saturating_duration_since(Instant::now()));
            }
            self.settle(sink);
        }
    }

    /// Finds out about the file of an event; until when to wait if the answer is still to come.
    fn ask(&mut self, event: &mut Event) -> Option<Instant> {
        let hashes = self.hashes.as_ref()?;
        let (path, version) = subject(event)?;
        if let Some(content) = hashes.ask(path, &version) {
            event.content = content;
            return None;
        }
        let now = Instant::now();
        let is_written = matches!(event.action, Action::File(_));
        let is_fresh = !is_written && is_fresh(&version, event.time);
        let job = Job {
            number: self.first + self.waiting.len() as u64,
            places: places(event, is_fresh),
            version,
            time: event.time,
            is_written,
            is_fresh,
            after: if is_written { now + SETTLE } else { now },
        };
        if self.is_late || !hashes.read(job) {
            event.content = Content::Unread(Unread::TooMuch);
            return None;
        }
        Some(now + LIMIT)
    }

    /// Waits up to `wait` for a first answer.
    fn take_answers(&mut self, mut wait: Duration) {
        let Some(hashes) = &self.hashes else {
            return;
        };
        while let Some(answer) = hashes.done(wait) {
            wait = Duration::ZERO;
            self.is_late = false;
            let index = answer
                .number
                .checked_sub(self.first)
                .map(|index| index as usize);
            if let Some(held) = index.and_then(|index| self.waiting.get_mut(index)) {
                held.event.content = answer.content;
                held.until = held.until.filter(|_| !answer.is_last);
            }
        }
    }

    /// Lets the first go, if it waits for an answer with what came of it, or without it for that reason.
    fn release(&mut self, why: Unread, sink: Sink) {
        let Some(mut held) = self.waiting.pop_front() else {
            return;
        };
        self.first += 1;
        self.bytes -= held.size;
        if held.until.is_some() && !matches!(held.event.content, Content::Known(_)) {
            held.event.content = Content::Unread(why);
        }
        self.pass(&held.event, sink);
    }

    fn pass(&self, event: &Event, sink: Sink) {
        if let Content::Unread(Unread::Late | Unread::TooMuch) = event.content {
            self.counters.add(Counter::Unhashed, 1);
        }
        sink(event);
    }
}

/// Bytes of an event, those that are rarely many estimated.
pub(super) fn size(event: &Event) -> usize {
    let texts = match &event.action {
        Action::Exec(exec) => [
            &exec.arguments,
            &exec.executable,
            &exec.working_directory,
            &exec.script,
            &exec.group.path,
        ]
        .iter()
        .map(|text| text.len())
        .sum(),
        Action::File(file) => file.path.len() + file.old_path.as_ref().map_or(0, Vec::len),
        Action::Fork(_) | Action::Exit(_) | Action::Connection(_) => 0,
        _ => 4_096,
    };
    size_of::<Held>() + texts
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg(test)]
#[cfg(windows)]
mod tests_windows;
