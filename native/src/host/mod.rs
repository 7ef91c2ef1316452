//! Readers of the host's state. Those of files take a root path, so that tests bring their own.

pub mod clock;
pub mod content;
pub mod files;
pub mod memory;
pub mod procfs;
pub mod runtimes;
pub mod senders;
pub mod thread;
