//! The Python module `endpoint_agent._native`, and the only code that names pyo3.
//!
//! What Python sees is documented once, in `python/endpoint_agent/_native.pyi`.

mod errors;
#[cfg(target_os = "linux")]
mod files;
#[cfg(windows)]
mod folders;
mod pipeline;
mod replay;
mod rules;
#[cfg(target_os = "linux")]
mod senders;
#[cfg(windows)]
mod service;
#[cfg(target_os = "linux")]
mod source;
#[cfg(windows)]
#[path = "source_windows.rs"]
mod source;
mod spool;
#[cfg(target_os = "linux")]
mod stand_by;

use pyo3::prelude::*;

use crate::counters::Counter;

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[cfg(target_os = "linux")]
    use crate::host::memory::share_one_arena;

    #[pymodule_export]
    use super::counter_names;
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::files::{exchange, sync_file_system};
    #[cfg(windows)]
    #[pymodule_export]
    use super::folders::private_folder;
    #[pymodule_export]
    use super::pipeline::PyPipeline;
    #[pymodule_export]
    use super::replay::{PyReplay, replay};
    #[pymodule_export]
    use super::rules::{PyRules, event_actions, event_details, event_syscalls, rule_fields};
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::senders::{last_sender, note_sender};
    #[cfg(windows)]
    #[pymodule_export]
    use super::service::{
        PyService, access_of, host_folders, is_administrator, make_private, service_delete,
        service_install, service_known, service_start, service_status, service_stop,
    };
    #[pymodule_export]
    use super::spool::{PyBatch, PySpool};
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::stand_by::PyStandBy;
    #[pymodule_export]
    #[allow(non_upper_case_globals)] // Python's name
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Before any thread is started.
    #[pymodule_init]
    #[allow(clippy::unnecessary_wraps)] // asked for
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        #[cfg(target_os = "linux")]
        share_one_arena();
        Ok(())
    }
}

#[pyfunction]
fn counter_names() -> Vec<(&'static str, &'static str)> {
    Counter::ALL
        .iter()
        .map(|counter| (counter.name(), counter.doc()))
        .collect()
}
