//! A folder with an access list, for which Python has no call.

use std::path::PathBuf;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

#[pyfunction]
pub fn private_folder(path: PathBuf) -> PyResult<()> {
    let made = crate::spool::create_folder(&path);
    made.map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string())))
}
