//! The functions that change files. Each returns 0, or the number of the error.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use pyo3::prelude::*;

use crate::host::files;

#[pyfunction]
pub fn exchange(one: &[u8], other: &[u8]) -> PyResult<i32> {
    let (one, other) = (CString::new(one)?, CString::new(other)?);
    Ok(number(files::exchange(&one, &other)))
}

#[pyfunction]
pub fn sync_file_system(py: Python<'_>, descriptor: RawFd) -> i32 {
    if descriptor < 0 {
        return libc::EBADF;
    }
    // SAFETY: it is not -1, and the caller keeps it open; of a closed one the kernel says so.
    let file = unsafe { BorrowedFd::borrow_raw(descriptor) };
    number(py.detach(|| files::sync_file_system(file)))
}

fn number(done: io::Result<()>) -> i32 {
    done.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
}
