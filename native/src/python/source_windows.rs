//! The sources of Windows, as Python names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::pipeline::Given;
use crate::capture::eventlog::subscribe::{Query, Subscription};
use crate::capture::{self, Source};
use crate::engine::Engine;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::spool::Spool;

/// Below the state folder: how far each channel was read.
const BOOKMARKS: &str = "bookmarks";

/// The same, checked.
pub enum Prepared {
    Channels(Vec<Query>, PathBuf, Option<Arc<Spool>>),
    Recording(PathBuf),
}

/// A source.
pub struct Opened {
    source: Box<dyn Source>,
    /// The boot of a recording.
    pub boot_id: Option<[u8; 16]>,
}

impl Given<'_> {
    pub fn prepare(self, source: &str) -> PyResult<Prepared> {
        if let Some(path) = source.strip_prefix("replay:") {
            return Ok(Prepared::Recording(path.into()));
        }
        if source != "windows" {
            return Err(PyValueError::new_err(format!("no such source: {source}")));
        }
        let queries = self.channels.into_iter();
        let queries = queries.map(|(channel, ids)| Query { channel, ids });
        let folder = self.state_directory.join(BOOKMARKS);
        Ok(Prepared::Channels(queries.collect(), folder, self.spool))
    }
}

impl Prepared {
    pub fn open(self) -> Result<Opened> {
        match self {
            Self::Channels(queries, folder, spool) => {
                // What waits in the log is safe there: better that than evict it from the queue.
                let has_room =
                    Box::new(move || spool.as_ref().is_none_or(|spool| !spool.is_half_full()));
                let source = Subscription::open(queries, &folder, has_room)?;
                Ok(Opened {
                    source: Box::new(source),
                    boot_id: None,
                })
            }
            Self::Recording(path) => {
                let (source, boot_id) = capture::open(&path)?;
                Ok(Opened {
                    source,
                    boot_id: Some(boot_id),
                })
            }
        }
    }
}

impl Opened {
    /// A recording waits for room in the queue; a live source sees to that itself.
    pub fn into_pipeline(self, engine: Engine, spool: Arc<Spool>) -> Pipeline {
        let is_patient = self.boot_id.is_some();
        Pipeline::new(self.source, engine, spool, is_patient)
    }
}

/// Windows has no name for a boot.
pub fn boot_id(_: &Path) -> [u8; 16] {
    [0; 16]
}
