//! The class `Pipeline`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::errors::to_python;
use super::rules::PyRules;
use super::spool::PySpool;
use super::stand_by::{PyStandBy, Waiting};
use crate::capture::audit::beside::Beside;
use crate::capture::audit::{self, Audit};
use crate::capture::ebpf::{Ebpf, Settings, Tier};
use crate::capture::gate::Moment;
use crate::capture::{self, Source};
use crate::engine::{Context, Engine};
use crate::enrich::hashes::{self, Hashes};
use crate::error::Result;
use crate::host::clock;
use crate::pipeline::Pipeline;

#[pyclass(name = "Pipeline", module = "endpoint_agent._native", frozen)]
pub struct PyPipeline(Mutex<Pipeline>);

/// Where events come from, as Python names it.
enum Origin {
    Ebpf { settings: Settings, logins: bool },
    Audit(audit::Settings),
    Recording(PathBuf),
}

/// What Python says of a source.
pub struct Given<'a> {
    pub before: Option<u32>,
    pub record: Option<PathBuf>,
    pub root: PathBuf,
    pub mute: bool,
    pub logins: bool,
    pub dns: bool,
    pub hash_max_size: u64,
    pub hash_excluded: Vec<PathBuf>,
    pub tier: &'a str,
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
    boot_id: Option<[u8; 16]>,
}

impl Given<'_> {
    pub fn prepare(self, source: &str) -> PyResult<Prepared> {
        let tier = Tier::of_setting(self.tier)
            .ok_or_else(|| PyValueError::new_err(format!("no such tier: {}", self.tier)))?;
        let boot_id = clock::boot_id(&self.root);
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
        // Others do not tell which file it was, or it is not on this host.
        let hashes = match origin {
            Origin::Ebpf { .. } => Hashes::start(hashes)?,
            Origin::Audit(_) | Origin::Recording(_) => None,
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

#[pymethods]
impl PyPipeline {
    #[new]
    #[pyo3(signature = (
        spool, *, source, agent_id, envelope, state_directory, rules=None, record=None, root="/",
        mute=true, logins=true, dns=true, hash_max_size=0, hash_excluded=Vec::new(),
        tier="auto"
    ))]
    #[allow(clippy::too_many_arguments)] // keywords of a constructor in Python
    fn new(
        py: Python<'_>,
        spool: &PySpool,
        source: &str,
        agent_id: String,
        envelope: Vec<u8>,
        state_directory: PathBuf,
        rules: Option<PyRef<'_, PyRules>>,
        record: Option<PathBuf>,
        root: &str,
        mute: bool,
        logins: bool,
        dns: bool,
        hash_max_size: u64,
        hash_excluded: Vec<PathBuf>,
        tier: &str,
    ) -> PyResult<Self> {
        let _ = state_directory;
        let root = PathBuf::from(root);
        let given = Given {
            before: None,
            record,
            root: root.clone(),
            mute,
            logins,
            dns,
            hash_max_size,
            hash_excluded,
            tier,
        };
        let prepared = given.prepare(source)?;
        let spool = spool.shared();
        let rules = rules.map(|rules| rules.shared()).unwrap_or_default();
        let made = py.detach(move || -> Result<Pipeline> {
            let opened = prepared.open()?;
            let context = Context {
                agent_id,
                boot_id: opened.boot_id.unwrap_or_else(|| clock::boot_id(&root)),
                envelope,
                root,
                // A recording never asks this host's /proc.
                live: opened.boot_id.is_none(),
            };
            let mut engine = Engine::new(context, spool.counters());
            engine.set_rules(rules);
            let patient = opened.boot_id.is_some();
            let Opened { source, hashes, .. } = opened;
            Ok(Pipeline::new(source, engine, spool, patient, hashes))
        });
        made.map(|pipeline| Self(Mutex::new(pipeline)))
            .map_err(|error| to_python(py, error))
    }

    #[staticmethod]
    #[pyo3(signature = (stand_by, spool, *, agent_id, envelope, rules=None))]
    fn take_over(
        py: Python<'_>,
        stand_by: &PyStandBy,
        spool: &PySpool,
        agent_id: String,
        envelope: Vec<u8>,
        rules: Option<PyRef<'_, PyRules>>,
    ) -> PyResult<Self> {
        let waiting = stand_by.take()?;
        let spool = spool.shared();
        let rules = rules.map(|rules| rules.shared()).unwrap_or_default();
        let made = py.detach(move || -> Result<Pipeline> {
            let Waiting {
                stand_by,
                hashes,
                root,
            } = waiting;
            let read = stand_by.take_over()?;
            let context = Context {
                agent_id,
                boot_id: clock::boot_id(&root),
                envelope,
                root,
                live: true,
            };
            let mut engine = Engine::new(context, spool.counters());
            engine.set_rules(rules);
            let pipeline = Pipeline::new(read.source, engine, spool, false, hashes);
            Ok(pipeline.beginning_with(read.events))
        });
        made.map(|pipeline| Self(Mutex::new(pipeline)))
            .map_err(|error| to_python(py, error))
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Pipeline::start)?
            .map_err(|error| to_python(py, error))
    }

    fn ready(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = Duration::try_from_secs_f64(timeout)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.with(py, move |pipeline| pipeline.ready(timeout))
    }

    fn finished(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |pipeline| pipeline.finished())
    }

    fn set_envelope(&self, py: Python<'_>, envelope: Vec<u8>) -> PyResult<()> {
        self.with(py, |pipeline| pipeline.set_envelope(envelope))
    }

    fn set_rules(&self, py: Python<'_>, rules: &PyRules) -> PyResult<()> {
        let rules = rules.shared();
        self.with(py, |pipeline| pipeline.set_rules(rules))
    }

    #[pyo3(signature = (cut))]
    fn tell_until(&self, py: Python<'_>, cut: Option<(u64, u64)>) -> PyResult<bool> {
        let cut = cut.map(|(boot, wall)| Moment { boot, wall });
        self.with(py, |pipeline| pipeline.tell_until(cut))?
            .map_err(|error| to_python(py, error))
    }

    fn coverage(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str, String)>> {
        self.with(py, |pipeline| {
            let hooks = pipeline.coverage().iter();
            hooks
                .map(|hook| (hook.name.clone(), hook.state.name(), hook.reason.clone()))
                .collect()
        })
    }

    fn notices(&self, py: Python<'_>) -> PyResult<Vec<(&'static str, String)>> {
        self.with(py, |pipeline| {
            let notices = pipeline.notices().into_iter();
            notices
                .map(|notice| {
                    (
                        if notice.fatal { "error" } else { "warning" },
                        notice.message,
                    )
                })
                .collect()
        })
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Pipeline::stop)
    }
}

impl PyPipeline {
    /// Runs `work` on the pipeline, alone, without the interpreter.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Pipeline) -> T + Send,
    ) -> PyResult<T> {
        py.detach(|| {
            let mut pipeline = self
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            Ok(work(&mut pipeline))
        })
    }
}
