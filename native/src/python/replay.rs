//! The function `replay` and the iterator it returns.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::errors::to_python;
use super::rules::PyRules;
use crate::capture::{self, Progress, Source};
use crate::counters::Counters;
use crate::engine::{Context, Engine};
use crate::error::Result;

#[pyclass(name = "Replay", module = "endpoint_agent._native", frozen)]
pub struct PyReplay(Mutex<Player>);

#[pyfunction]
#[pyo3(signature = (path, *, agent_id, envelope, rules=None, root="/"))]
pub fn replay(
    py: Python<'_>,
    path: PathBuf,
    agent_id: String,
    envelope: Vec<u8>,
    rules: Option<PyRef<'_, PyRules>>,
    root: &str,
) -> PyResult<PyReplay> {
    let mut context = Context {
        agent_id,
        boot_id: [0; 16],
        envelope,
        root: root.into(),
        live: false,
    };
    let replay = open_recording(&path, &mut context).map_err(|error| to_python(py, error))?;
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    if let Some(rules) = rules {
        engine.set_rules(rules.shared());
    }
    Ok(PyReplay(Mutex::new(Player {
        replay,
        engine,
        sequence: 0,
        ready: VecDeque::new(),
        ended: false,
    })))
}

#[pymethods]
impl PyReplay {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let next = py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).next());
        let next = next.map_err(|error| to_python(py, error))?;
        Ok(next.map(|record| PyBytes::new(py, &record)))
    }
}

/// A recording, the engine it runs through, and the records that are ready.
struct Player {
    replay: Box<dyn Source>,
    engine: Engine,
    sequence: u64,
    ready: VecDeque<Vec<u8>>,
    ended: bool,
}

impl Player {
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        while self.ready.is_empty() && !self.ended {
            self.refill()?;
        }
        Ok(self.ready.pop_front())
    }

    fn refill(&mut self) -> Result<()> {
        let Self {
            replay,
            engine,
            sequence,
            ready,
            ..
        } = self;
        let mut number = || {
            *sequence += 1;
            *sequence
        };
        let mut keep = |record: &[u8]| ready.push_back(record.to_vec());
        let progress = replay.drain(Duration::ZERO, &mut |event| {
            engine.feed(&event, &mut number, &mut keep);
        })?;
        for loss in replay.losses() {
            engine.loss(&loss, &mut number, &mut keep);
        }
        self.ended = progress == Progress::Ended;
        Ok(())
    }
}

/// Opens a file of events and turns the context into that of the host it was made on.
fn open_recording(path: &Path, context: &mut Context) -> Result<Box<dyn Source>> {
    let (source, boot_id) = capture::open(path)?;
    context.boot_id = boot_id;
    context.live = false;
    Ok(source)
}
