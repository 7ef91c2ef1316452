//! The one error type of the crate. `python/errors.rs` maps it to the classes of `errors.py`.

use std::path::PathBuf;

/// What went wrong, where, and with what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the host could not be used.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// The verb, as in "cannot open".
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The queue cannot be used.
    #[error("queue: {0}")]
    Spool(String),
    /// The kernel or its settings lack what a source needs.
    #[error("{missing}; {remedy}")]
    Unsupported {
        /// What is missing.
        missing: String,
        /// What the reader of the message can do.
        remedy: String,
    },
    /// The process lacks a capability.
    #[error("{missing}; {remedy}")]
    Permission {
        /// What is missing.
        missing: String,
        /// What the reader of the message can do.
        remedy: String,
    },
    /// A recording cannot be replayed.
    #[error("recording: {0}")]
    Recording(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A closure for `map_err` that adds what was tried on which path.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }
}
