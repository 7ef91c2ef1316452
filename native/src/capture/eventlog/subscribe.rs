//! Channels of the event log of this host as a source of events: with what is below, the only code here
//! that calls Windows.
//!
//! Each channel is read from its bookmark on, which is kept in a file and moves on behind the queue:
//! it is saved once what it covers is on the disk there ([`Source::mark`]). So a record may come
//! twice after a crash, and none is left out.

mod api;
mod channel;

use std::path::Path;
use std::time::{Duration, Instant};

pub use super::query::Query;

use super::builder::Builder;
use super::xml;
use crate::capture::{Hook, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};
use crate::host::wall;
use crate::spool;
use api::{Record, Signal};
use channel::Channel;

/// Channels are looked at so often even if nothing says that they have something: who would say it may
/// have been started anew.
const LOOK: Duration = Duration::from_secs(1);
/// Records of a channel before others have their turn.
const STRIDE: usize = 1024;

/// Whether there is room for what is read.
pub type HasRoom = Box<dyn Fn() -> bool + Send>;

/// Channels that are read as they are written.
pub struct Subscription {
    channels: Vec<Channel>,
    has_room: HasRoom,
    /// Nanoseconds that a record waits after it was written.
    age: u64,
    /// Set by Windows when a channel has something.
    signal: Signal,
    /// There may be more than was read.
    has_more: bool,
    looked: Option<Instant>,
    builder: Builder,
    buffer: Vec<u16>,
    malformed: u64,
    overwritten: u64,
    /// Of the last record, nanoseconds since the epoch.
    time: u64,
    /// As it was told last.
    coverage: Vec<Hook>,
    notices: Vec<String>,
}

impl Subscription {
    /// Reads channels. `folder`: where their bookmarks are kept; it is made if it is missing.
    pub fn open(queries: Vec<Query>, folder: &Path, has_room: HasRoom) -> Result<Self> {
        spool::create_folder(folder)
            .map_err(Error::io("cannot make the folder of bookmarks", folder))?;
        let signal = Signal::new().map_err(Error::io(
            "cannot be told of what happens in",
            "the event log",
        ))?;
        let mut notices = Vec::new();
        let channels: Vec<Channel> = queries
            .into_iter()
            .map(|query| Channel::open(query, folder, &signal, &mut notices))
            .collect();
        Ok(Self {
            coverage: channels.iter().map(Channel::hook).collect(),
            channels,
            has_room,
            age: 0,
            signal,
            has_more: false,
            looked: None,
            builder: Builder::default(),
            buffer: vec![0; 4096],
            malformed: 0,
            overwritten: 0,
            time: 0,
            notices,
        })
    }

    /// Records are told once they are this old, and others had the time to tell what they are about.
    #[must_use]
    pub fn waiting(mut self, age: Duration) -> Self {
        self.age = age.as_nanos() as u64;
        self
    }

    /// Hands over what a channel has, up to a stride. Whether there may be more.
    fn read(&mut self, place: usize, sink: &mut dyn FnMut(Event)) -> bool {
        let mut count = 0;
        while count < STRIDE {
            let mut records = self.channels[place].next(&mut self.notices);
            if records.is_empty() {
                return false;
            }
            count += records.len();
            while let Some(record) = records.pop_front() {
                let Some(number) = self.tell(&record, sink) else {
                    records.push_front(record);
                    self.channels[place].keep(records, &mut self.notices);
                    return false;
                };
                self.overwritten += self.channels[place].pass(&record, number);
            }
        }
        true
    }

    /// Hands over a record; its number. Nothing, if it is too early for that.
    fn tell(&mut self, record: &Record, sink: &mut dyn FnMut(Event)) -> Option<u64> {
        let Ok(text) = record.xml(&mut self.buffer) else {
            self.malformed += 1;
            return Some(0);
        };
        let read = xml::read(&String::from_utf16_lossy(text), &mut self.builder);
        let (record, time) = self.builder.take();
        // One that is written later than now has had a clock that was set back since.
        let age = time.and_then(|time| wall::now().checked_sub(time));
        if age.is_some_and(|age| age < self.age) {
            return None;
        }
        self.time = time.unwrap_or(self.time);
        let number = record.number;
        match read {
            Ok(()) => sink(record.into_event(self.time)),
            Err(_) => self.malformed += 1,
        }
        Some(number)
    }

    fn loss(&self, count: u64, cause: &'static str, place: &'static str) -> Option<Loss> {
        (count != 0).then_some(Loss {
            what: "record",
            count,
            cause,
            place,
            from: self.time,
            to: self.time,
        })
    }
}

impl Source for Subscription {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        for channel in &mut self.channels {
            channel.retry(&self.signal, &mut self.notices);
        }
        let wait = if self.has_more {
            Duration::ZERO
        } else {
            timeout
        };
        let is_told = self.signal.take(wait);
        self.has_more |= is_told || self.looked.is_none_or(|at| at.elapsed() >= LOOK);
        if !self.has_more {
            return Ok(Progress::Running);
        }
        if !(self.has_room)() {
            std::thread::sleep(timeout);
            return Ok(Progress::Running);
        }
        self.looked = Some(Instant::now());
        self.has_more = false;
        for place in 0..self.channels.len() {
            self.has_more |= self.read(place, sink);
        }
        Ok(Progress::Running)
    }

    /// What is in the channels stays there for the next run.
    fn finish(&mut self, _: &mut dyn FnMut(Event)) -> Result<()> {
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        let malformed = std::mem::take(&mut self.malformed);
        let overwritten = std::mem::take(&mut self.overwritten);
        [
            self.loss(malformed, "malformed record", "event log"),
            self.loss(
                overwritten,
                "overwritten before it was read",
                "full event log",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn mark(&mut self) -> bool {
        let mut has_any = false;
        for channel in &mut self.channels {
            has_any |= channel.mark(&mut self.buffer);
        }
        has_any
    }

    fn settle(&mut self) {
        for channel in &mut self.channels {
            channel.settle(&mut self.notices);
        }
    }

    fn step_back(&mut self) -> bool {
        for channel in &mut self.channels {
            channel.subscribe(&self.signal, &mut self.notices);
        }
        self.has_more = true;
        true
    }

    fn coverage(&self) -> Vec<Hook> {
        self.channels.iter().map(Channel::hook).collect()
    }

    fn new_coverage(&mut self) -> Option<Vec<Hook>> {
        let coverage = self.coverage();
        (coverage != self.coverage).then(|| {
            self.coverage.clone_from(&coverage);
            coverage
        })
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}
