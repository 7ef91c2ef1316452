//! The functions that tell who sent a signal.

use pyo3::prelude::*;

use crate::host::senders;

#[pyfunction]
pub fn note_sender(number: i32) -> PyResult<()> {
    Ok(senders::note(number)?)
}

#[pyfunction]
pub fn last_sender(number: i32) -> Option<(u32, u32)> {
    senders::last(number)
}
