//! The sources of Linux, as Python names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::pipeline::Given;
use crate::capture::audit::beside::Beside;
use crate::capture::audit::{self, Audit};
use crate::capture::ebpf::{Ebpf, Settings, Tier};
use crate::capture::{self, Source};
use crate::engine::Engine;
use crate::enrich::hashes::{self, Hashes};
use crate::error::Result;
use crate::host::clock;
use crate::pipeline::Pipeline;
use crate::spool::Spool;

/// Where events come from, as Python names it.
enum Origin {
    Ebpf { settings: Settings, logins: bool },
    Audit(audit::Settings),
    Recording(PathBuf),
}

/// The same, checked.
pub struct Prepared {
    origin: Origin,
    hashes: hashes::Settings,
}

/// A source, and what its events wait for.
pub struct Opened {
    pub source: Box<dyn Source>,
    pub hashes: Option<Hashes>,
    /// The boot of a recording.
    pub boot_id: Option<[u8; 16]>,
}

impl Given<'_> {
    pub fn prepare(self, source: &str) -> PyResult<Prepared> {
        let tier = Tier::of_setting(self.tier)
            .ok_or_else(|| PyValueError::new_err(format!("no such tier: {}", self.tier)))?;
        let boot_id = boot_id(&self.root);
        let origin = match source.strip_prefix("replay:") {
            Some(path) => Origin::Recording(path.into()),
            None if source == "ebpf" => Origin::Ebpf {
                settings: Settings {
                    mute: self.mute,
                    dns: self.dns,
                    tier,
                    record: self.record,
                    boot_id,
                    root: self.root.clone(),
                    before: self.before,
                },
                logins: self.logins,
            },
            None if source == "audit" => Origin::Audit(audit::Settings {
                mute: self.mute,
                record: self.record,
                boot_id,
                root: self.root.clone(),
            }),
            None => return Err(PyValueError::new_err(format!("no such source: {source}"))),
        };
        let hashes = hashes::Settings {
            max_size: self.hash_max_size,
            excluded: self.hash_excluded,
            root: self.root,
        };
        Ok(Prepared { origin, hashes })
    }
}

impl Prepared {
    pub fn open(self) -> Result<Opened> {
        let Self { origin, hashes } = self;
        let hashes = match origin {
            Origin::Ebpf { .. } | Origin::Audit(_) => Hashes::start(hashes)?,
            // Its files are not on this host.
            Origin::Recording(_) => None,
        };
        let mut boot_id = None;
        let source: Box<dyn Source> = match origin {
            Origin::Ebpf { settings, logins } => {
                let ebpf = Box::new(Ebpf::open(settings)?);
                if logins {
                    Box::new(Beside::new(ebpf))
                } else {
                    ebpf
                }
            }
            Origin::Audit(settings) => Box::new(Audit::open(settings)?),
            Origin::Recording(path) => {
                let (source, boot) = capture::open(&path)?;
                boot_id = Some(boot);
                source
            }
        };
        Ok(Opened {
            source,
            hashes,
            boot_id,
        })
    }
}

impl Opened {
    /// A recording waits for room in the queue, as a kernel cannot.
    pub fn into_pipeline(self, engine: Engine, spool: Arc<Spool>) -> Pipeline {
        let is_patient = self.boot_id.is_some();
        Pipeline::new(self.source, engine, spool, is_patient).hashing(self.hashes)
    }
}

/// This boot.
pub fn boot_id(root: &Path) -> [u8; 16] {
    clock::boot_id(root)
}
