//! The crate's errors as the exceptions of `endpoint_agent.errors`.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error::Error;

/// The class in `endpoint_agent.errors` for an error.
fn class_of(error: &Error) -> &'static str {
    match error {
        Error::Io { .. } | Error::Spool(_) => "SpoolError",
        Error::Unsupported { .. } => "UnsupportedError",
        Error::Permission { .. } => "NotPermittedError",
        Error::Recording(_) => "RecordingError",
    }
}

/// The exception for an error. Its class is Python's, looked up by name.
pub fn to_python(py: Python<'_>, error: Error) -> PyErr {
    let raised = py
        .import("endpoint_agent.errors")
        .and_then(|module| module.getattr(class_of(&error)))
        .and_then(|class| class.call1((error.to_string(),)));
    match raised {
        Ok(exception) => PyErr::from_value(exception),
        // A package that is torn apart still tells what went wrong.
        Err(_) => PyRuntimeError::new_err(error.to_string()),
    }
}
