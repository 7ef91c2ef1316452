//! What the queue asks of a file system, in the words of each platform.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{Positioned, create_folder, options, sync_folder};
#[cfg(windows)]
pub(crate) use windows::create_folder;
#[cfg(windows)]
pub(super) use windows::{Positioned, options, sync_folder};
