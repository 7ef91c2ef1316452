//! The sources of Windows, as Python names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::pipeline::Given;
use crate::capture::etw::live::Live;
use crate::capture::etw::recorder::Recorder;
use crate::capture::etw::session;
use crate::capture::eventlog::subscribe::{Query, Subscription};
use crate::capture::together::Together;
use crate::capture::{self, Source};
use crate::engine::Engine;
use crate::enrich::hashes::{self, Hashes};
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::spool::Spool;

/// Below the state folder: how far each channel was read.
const BOOKMARKS: &str = "bookmarks";

/// The same, checked.
pub enum Prepared {
    Live(Log, Option<Tracing>),
    Recording(PathBuf),
}

/// What is read of the event log.
pub struct Log {
    queries: Vec<Query>,
    folder: PathBuf,
    spool: Option<Arc<Spool>>,
}

/// What is asked of event tracing, where that is read as well.
pub struct Tracing {
    /// Names that are looked up are told.
    with_dns: bool,
    /// A new file for what it tells.
    record: Option<PathBuf>,
    /// Which programs are read.
    hashes: hashes::Settings,
}

/// A source, and what its events wait for.
pub struct Opened {
    source: Box<dyn Source>,
    hashes: Option<Hashes>,
    /// The boot of a recording.
    pub boot_id: Option<[u8; 16]>,
}

impl Given<'_> {
    pub fn prepare(self, source: &str) -> PyResult<Prepared> {
        if let Some(path) = source.strip_prefix("replay:") {
            return Ok(Prepared::Recording(path.into()));
        }
        let tracing = match source {
            "windows" => Some(Tracing {
                with_dns: self.dns,
                record: self.record,
                hashes: hashes::Settings {
                    max_size: self.hash_max_size,
                    excluded: self.hash_excluded,
                    root: self.root,
                },
            }),
            "eventlog" => None,
            _ => return Err(PyValueError::new_err(format!("no such source: {source}"))),
        };
        let queries = self.channels.into_iter();
        let queries = queries.map(|(channel, ids)| Query { channel, ids });
        let log = Log {
            queries: queries.collect(),
            folder: self.state_directory.join(BOOKMARKS),
            spool: self.spool,
        };
        Ok(Prepared::Live(log, tracing))
    }
}

impl Prepared {
    pub fn open(self) -> Result<Opened> {
        match self {
            Self::Live(log, tracing) => {
                let mut together = Together::default();
                let (mut hashing, mut live_tracing) = (None, None);
                if let Some(Tracing {
                    with_dns,
                    record,
                    hashes,
                }) = tracing
                {
                    let recorder = record.map(|path| Recorder::create(&path)).transpose()?;
                    let names = log.queries.iter().map(|query| query.channel.as_str());
                    let names: Vec<&str> = names.collect();
                    let live = Live::open(&session::WINDOWS, &names, with_dns, recorder);
                    if live.is_ok() {
                        hashing = Hashes::start(hashes)?;
                    }
                    live_tracing = Some(live);
                }
                // What it tells of the processes that a record names comes later than that.
                let is_traced = live_tracing.as_ref().is_some_and(Result::is_ok);
                let age = if is_traced {
                    session::DELAY
                } else {
                    Duration::ZERO
                };
                together.add("event log", Ok(log.open(age)?));
                if let Some(live) = live_tracing {
                    together.add("event tracing", live.map(|live| Box::new(live) as Box<_>));
                }
                Ok(Opened {
                    source: Box::new(together),
                    hashes: hashing,
                    boot_id: None,
                })
            }
            Self::Recording(path) => {
                let (source, boot_id) = capture::open(&path)?;
                Ok(Opened {
                    source,
                    hashes: None,
                    boot_id: Some(boot_id),
                })
            }
        }
    }
}

impl Log {
    /// `age`: of the records that are told, at least.
    fn open(self, age: Duration) -> Result<Box<dyn Source>> {
        let spool = self.spool;
        // What waits in the log is safe there: better that than evict it from the queue.
        let has_room = move || spool.as_ref().is_none_or(|spool| !spool.is_half_full());
        let log = Subscription::open(self.queries, &self.folder, Box::new(has_room))?;
        Ok(Box::new(log.waiting(age)))
    }
}

impl Opened {
    /// A recording waits for room in the queue; a live source sees to that itself.
    pub fn into_pipeline(self, engine: Engine, spool: Arc<Spool>) -> Pipeline {
        let is_patient = self.boot_id.is_some();
        Pipeline::new(self.source, engine, spool, is_patient).hashing(self.hashes)
    }
}

/// Windows has no name for a boot.
pub fn boot_id(_: &Path) -> [u8; 16] {
    [0; 16]
}
