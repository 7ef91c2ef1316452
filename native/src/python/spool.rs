//! The classes `Spool` and `Batch`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::errors::to_python;
use crate::counters::{Counter, Counters};
use crate::ecs::MAX_RECORD;
use crate::error::{Error, Result};
use crate::spool::{Batch, Limits, Settings, Spool};

#[pyclass(name = "Batch", module = "endpoint_agent._native", frozen)]
pub struct PyBatch(Arc<Batch>);

#[pymethods]
impl PyBatch {
    #[getter]
    fn id(&self) -> String {
        self.0.id().to_string()
    }

    #[getter]
    fn count(&self) -> usize {
        self.0.count()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.body())
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }
}

#[pyclass(name = "Spool", module = "endpoint_agent._native", frozen)]
pub struct PySpool(Arc<Spool>);

#[pymethods]
impl PySpool {
    #[new]
    #[pyo3(signature = (directory, *, max_bytes=100_000_000, sync_interval=1.0))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        max_bytes: u64,
        sync_interval: f64,
    ) -> PyResult<Self> {
        let settings = Settings::new(directory, max_bytes, seconds(sync_interval)?);
        let opened = py.detach(|| Spool::open(settings, Arc::new(Counters::default())));
        opened
            .map(|spool| Self(Arc::new(spool)))
            .map_err(|error| to_python(py, error))
    }

    fn next_sequence(&self) -> u64 {
        self.0.next_sequence()
    }

    fn append(&self, py: Python<'_>, record: &[u8]) -> PyResult<bool> {
        check(record)?;
        self.run(py, || {
            self.0.counters().add(Counter::Reported, 1);
            Ok(self.0.write(record))
        })
    }

    #[pyo3(signature = (timeout, *, enough=250, max_records=1000, max_wait=5.0, max_bytes=10_485_760))]
    fn next_batch(
        &self,
        py: Python<'_>,
        timeout: f64,
        enough: usize,
        max_records: usize,
        max_wait: f64,
        max_bytes: usize,
    ) -> PyResult<Option<PyBatch>> {
        let limits = Limits {
            enough,
            max_records,
            max_bytes,
            max_wait: seconds(max_wait)?,
        };
        let timeout = seconds(timeout)?;
        let next = self.run(py, || self.0.next_batch(&limits, timeout))?;
        Ok(next.map(PyBatch))
    }

    fn split(&self, py: Python<'_>, batch: &PyBatch) -> PyResult<(PyBatch, PyBatch)> {
        let halves = self.run(py, || self.0.split(&batch.0))?;
        let (first, second) = halves.ok_or_else(|| {
            PyValueError::new_err("the batch holds one record, or is not at the queue's head")
        })?;
        Ok((PyBatch(first), PyBatch(second)))
    }

    fn ack(&self, py: Python<'_>, batch: &PyBatch) -> PyResult<()> {
        head(self.run(py, || Ok(self.0.ack(&batch.0)))?)
    }

    fn reject(&self, py: Python<'_>, batch: &PyBatch) -> PyResult<()> {
        head(self.run(py, || Ok(self.0.reject(&batch.0)))?)
    }

    fn wake(&self, py: Python<'_>) {
        py.detach(|| self.0.wake());
    }

    fn counters(&self, py: Python<'_>) -> BTreeMap<&'static str, u64> {
        py.detach(|| {
            let counters = self.0.counters();
            let mut values: BTreeMap<_, _> = Counter::ALL
                .iter()
                .map(|&counter| (counter.name(), counters.get(counter)))
                .collect();
            values.insert("queued", self.0.queued());
            values.insert("queued_bytes", self.0.queued_bytes());
            values
        })
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

impl PySpool {
    /// The queue itself, for a pipeline.
    pub fn shared(&self) -> Arc<Spool> {
        self.0.clone()
    }

    /// Runs `work` without the interpreter, and tells its failure, or that the queue is closed, as
    /// Python's.
    fn run<T: Send>(&self, py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
        // The queue's lock may be held by a thread that writes: no other Python thread waits for it.
        let done = py.detach(|| match self.0.is_closed() {
            true => Err(Error::Spool("it is closed".into())),
            false => work(),
        });
        done.map_err(|error| to_python(py, error))
    }
}

/// Fails for what an intake would not take.
fn check(record: &[u8]) -> PyResult<()> {
    if record.is_empty() || record.contains(&b'\n') {
        return Err(PyValueError::new_err(
            "a record is one line, without its line feed",
        ));
    }
    if record.len() > MAX_RECORD {
        return Err(PyValueError::new_err(format!(
            "a record of {} bytes is too long: an intake drops those of more than {MAX_RECORD}",
            record.len()
        )));
    }
    Ok(())
}

/// Fails when a batch was not settled, for it was not at the head.
fn head(settled: bool) -> PyResult<()> {
    match settled {
        true => Ok(()),
        false => Err(PyValueError::new_err(
            "the batch is not at the queue's head",
        )),
    }
}

/// A time that may have run out: less than nothing is nothing.
fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value.max(0.0))
        .map_err(|error| PyValueError::new_err(error.to_string()))
}
