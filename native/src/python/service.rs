//! The service of Windows, and who may open its files.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::host::access;
use crate::service::{manage, run};

#[pyclass(name = "Service", module = "endpoint_agent._native", frozen)]
pub struct PyService(Mutex<run::Service>);

#[pymethods]
impl PyService {
    #[staticmethod]
    fn begin(py: Python<'_>, name: &str) -> PyResult<Self> {
        let service = py.detach(|| run::Service::begin(name))?;
        Ok(Self(Mutex::new(service)))
    }

    fn running(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .running();
    }

    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(timeout)?;
        let waiting = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting();
        Ok(py.detach(|| waiting.wait(timeout)))
    }

    fn end(&self, py: Python<'_>, exit: u32) {
        py.detach(|| {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .end(exit)
        });
    }
}

#[pyfunction]
pub fn service_install(
    name: String,
    title: String,
    description: String,
    program: PathBuf,
    arguments: Vec<String>,
) -> PyResult<Vec<&'static str>> {
    Ok(manage::install(&manage::Wanted {
        name,
        title,
        description,
        program,
        arguments,
    })?)
}

/// Its command, whether it starts with the host, the seconds before its restarts, and whether an end by
/// an error is followed by one.
type Known = (String, bool, Option<Vec<f64>>, bool);

#[pyfunction]
pub fn service_known(name: &str) -> PyResult<Option<Known>> {
    let known = manage::known(name)?;
    Ok(known.map(|one| {
        (
            one.command,
            one.is_automatic,
            one.restarts,
            one.after_errors,
        )
    }))
}

#[pyfunction]
pub fn service_status(name: &str) -> PyResult<Option<manage::Status>> {
    Ok(manage::status(name)?)
}

#[pyfunction]
pub fn service_start(py: Python<'_>, name: &str) -> PyResult<()> {
    Ok(py.detach(|| manage::start(name))?)
}

#[pyfunction]
pub fn service_stop(py: Python<'_>, name: &str, timeout: f64) -> PyResult<()> {
    let timeout = seconds(timeout)?;
    Ok(py.detach(|| manage::stop(name, timeout))?)
}

#[pyfunction]
pub fn service_delete(name: &str) -> PyResult<()> {
    Ok(manage::delete(name)?)
}

#[pyfunction]
pub fn make_private(path: PathBuf) -> PyResult<()> {
    Ok(access::make_private(&path)?)
}

#[pyfunction]
pub fn access_of(path: PathBuf) -> PyResult<String> {
    Ok(access::access(&path)?)
}

#[pyfunction]
pub fn host_folders() -> PyResult<(String, String)> {
    let (programs, system) = access::folders()?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    Ok((text(programs), text(system)))
}

#[pyfunction]
pub fn is_administrator() -> bool {
    access::is_administrator()
}

fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|error| PyValueError::new_err(error.to_string()))
}
