//! The class `Pipeline`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::errors::to_python;
use super::rules::PyRules;
use super::source;
use super::spool::PySpool;
#[cfg(target_os = "linux")]
use super::stand_by::{PyStandBy, Waiting};
#[cfg(target_os = "linux")]
use crate::capture::gate::Moment;
use crate::engine::{Context, Engine};
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::spool::Spool;

/// What Python says of a source; which of it matters, each platform knows.
#[derive(Default)]
#[allow(dead_code, reason = "each platform looks at a part of it")]
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
    pub channels: Channels,
    pub state_directory: PathBuf,
    /// The queue that events are for, if there is one yet.
    pub spool: Option<Arc<Spool>>,
}

/// Names of channels of the event log, and of each which numbers of events, from and to; all where
/// there is none.
pub type Channels = Vec<(String, Vec<(u32, u32)>)>;

#[pyclass(name = "Pipeline", module = "endpoint_agent._native", frozen)]
pub struct PyPipeline(Mutex<Pipeline>);

#[pymethods]
impl PyPipeline {
    #[new]
    #[pyo3(signature = (
        spool, *, source, agent_id, envelope, state_directory, rules=None, record=None, root="/",
        mute=true, logins=true, dns=true, hash_max_size=0, hash_excluded=Vec::new(),
        tier="auto", channels=Vec::new()
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
        channels: Channels,
    ) -> PyResult<Self> {
        let root = PathBuf::from(root);
        let spool = spool.shared();
        let given = Given {
            before: None,
            channels,
            state_directory,
            spool: Some(spool.clone()),
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
        let rules = rules.map(|rules| rules.shared()).unwrap_or_default();
        let made = py.detach(move || -> Result<Pipeline> {
            let opened = prepared.open()?;
            let context = Context {
                agent_id,
                boot_id: opened.boot_id.unwrap_or_else(|| source::boot_id(&root)),
                envelope,
                root,
                // A recording never asks this host's /proc.
                live: opened.boot_id.is_none(),
            };
            let mut engine = Engine::new(context, spool.counters());
            engine.set_rules(rules);
            Ok(opened.into_pipeline(engine, spool))
        });
        made.map(|pipeline| Self(Mutex::new(pipeline)))
            .map_err(|error| to_python(py, error))
    }

    #[cfg(target_os = "linux")]
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
                boot_id: source::boot_id(&root),
                envelope,
                root,
                live: true,
            };
            let mut engine = Engine::new(context, spool.counters());
            engine.set_rules(rules);
            let pipeline = Pipeline::new(read.source, engine, spool, false).hashing(hashes);
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

    #[cfg(target_os = "linux")]
    #[pyo3(signature = (cut))]
    fn tell_until(&self, py: Python<'_>, cut: Option<(u64, u64)>) -> PyResult<bool> {
        let cut = cut.map(|(boot, wall)| Moment { boot, wall });
        self.with(py, |pipeline| pipeline.tell_until(cut))?
            .map_err(|error| to_python(py, error))
    }

    fn coverage(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str, String)>> {
        self.with(py, |pipeline| {
            let hooks = pipeline.coverage().into_iter();
            hooks
                .map(|hook| (hook.name, hook.state.name(), hook.reason))
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
