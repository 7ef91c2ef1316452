//! The class `Pipeline`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::errors::to_python;
use super::rules::PyRules;
use super::spool::PySpool;
use crate::capture::Source;
use crate::capture::audit::beside::Beside;
use crate::capture::audit::{self, Audit};
use crate::capture::ebpf::{Ebpf, Settings, Tier};
use crate::capture::recording::Replay;
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
        let tier = Tier::of_setting(tier)
            .ok_or_else(|| PyValueError::new_err(format!("no such tier: {tier}")))?;
        let boot_id = clock::boot_id(&root);
        let origin = match source.strip_prefix("replay:") {
            Some(path) => Origin::Recording(path.into()),
            None if source == "ebpf" => Origin::Ebpf {
                settings: Settings {
                    mute,
                    dns,
                    tier,
                    record,
                    boot_id,
                    root: root.clone(),
                },
                logins,
            },
            None if source == "audit" => Origin::Audit(audit::Settings {
                mute,
                record,
                boot_id,
                root: root.clone(),
            }),
            None => return Err(PyValueError::new_err(format!("no such source: {source}"))),
        };
        let hashes = hashes::Settings {
            max_size: hash_max_size,
            excluded: hash_excluded,
            root: root.clone(),
        };
        let spool = spool.shared();
        let rules = rules.map(|rules| rules.shared()).unwrap_or_default();
        let context = Context {
            agent_id,
            boot_id,
            envelope,
            root,
            live: true,
        };
        let made = py.detach(move || -> Result<Pipeline> {
            let counters = spool.counters();
            // Others do not tell which file it was, or it is not on this host.
            let hashes = match origin {
                Origin::Ebpf { .. } => Hashes::start(hashes)?,
                Origin::Audit(_) | Origin::Recording(_) => None,
            };
            let (source, context, patient) = open(origin, context)?;
            let mut engine = Engine::new(context, counters);
            engine.set_rules(rules);
            Ok(Pipeline::new(source, engine, spool, patient, hashes))
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

/// Opens a source; a recording brings the boot it was made in and never asks this host's /proc.
fn open(origin: Origin, mut context: Context) -> Result<(Box<dyn Source>, Context, bool)> {
    match origin {
        Origin::Ebpf { settings, logins } => {
            let ebpf = Box::new(Ebpf::open(settings)?);
            let source: Box<dyn Source> = if logins {
                Box::new(Beside::new(ebpf))
            } else {
                ebpf
            };
            Ok((source, context, false))
        }
        Origin::Audit(settings) => Ok((Box::new(Audit::open(settings)?), context, false)),
        Origin::Recording(path) => {
            let replay = open_recording(&path, &mut context)?;
            Ok((Box::new(replay), context, true))
        }
    }
}

/// Opens a recording and turns the context into that of the host it was made on.
pub fn open_recording(path: &Path, context: &mut Context) -> Result<Replay> {
    let replay = Replay::open(path)?;
    context.boot_id = replay.boot_id();
    context.live = false;
    Ok(replay)
}
