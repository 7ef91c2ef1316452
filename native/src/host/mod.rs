//! Readers of the host's state. Those of files take a root path, so that tests bring their own.

#[cfg(windows)]
pub mod access;
#[cfg(target_os = "linux")]
pub mod clock;
pub mod content;
#[cfg(target_os = "linux")]
pub mod files;
#[cfg(target_os = "linux")]
pub mod memory;
#[cfg(target_os = "linux")]
pub mod procfs;
#[cfg(not(target_os = "linux"))]
#[path = "no_procfs.rs"]
pub mod procfs;
pub mod runtimes;
#[cfg(target_os = "linux")]
pub mod senders;
#[cfg(target_os = "linux")]
pub mod thread;
#[cfg(windows)]
#[path = "thread_windows.rs"]
pub mod thread;
pub mod wall;
