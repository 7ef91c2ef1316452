//! The class `StandBy`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::errors::to_python;
use super::pipeline::Given;
use crate::capture::gate::Moment;
use crate::enrich::hashes::Hashes;
use crate::error::Result;
use crate::pipeline::stand_by::StandBy;

#[pyclass(name = "StandBy", module = "endpoint_agent._native", frozen)]
pub struct PyStandBy(Mutex<Option<Waiting>>);

/// All that a pipeline is made of, but for the queue.
pub struct Waiting {
    pub stand_by: StandBy,
    pub hashes: Option<Hashes>,
    pub root: PathBuf,
}

#[pymethods]
impl PyStandBy {
    #[new]
    #[pyo3(signature = (*, before, root="/", dns=true, hash_max_size=0, hash_excluded=Vec::new(),
        tier="auto"))]
    fn new(
        py: Python<'_>,
        before: u32,
        root: &str,
        dns: bool,
        hash_max_size: u64,
        hash_excluded: Vec<PathBuf>,
        tier: &str,
    ) -> PyResult<Self> {
        let root = PathBuf::from(root);
        let given = Given {
            before: Some(before),
            root: root.clone(),
            mute: true,
            logins: true,
            dns,
            hash_max_size,
            hash_excluded,
            tier,
            ..Given::default()
        };
        let prepared = given.prepare("ebpf")?;
        let made = py.detach(move || -> Result<Waiting> {
            let opened = prepared.open()?;
            Ok(Waiting {
                stand_by: StandBy::new(opened.source)?,
                hashes: opened.hashes,
                root,
            })
        });
        made.map(|waiting| Self(Mutex::new(Some(waiting))))
            .map_err(|error| to_python(py, error))
    }

    fn tell_from(&self, py: Python<'_>, boot: u64, wall: u64) -> PyResult<bool> {
        let told = py.detach(|| {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = waiting.as_mut()?;
            Some(waiting.stand_by.tell_from(Moment { boot, wall }))
        });
        told.ok_or_else(taken)?
            .map_err(|error| to_python(py, error))
    }
}

impl PyStandBy {
    /// What it holds, once.
    pub fn take(&self) -> PyResult<Waiting> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take().ok_or_else(taken)
    }
}

fn taken() -> PyErr {
    PyValueError::new_err("a pipeline has taken it over")
}
