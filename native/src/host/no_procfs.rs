//! Where there is no /proc: nobody can be asked about a process.

use std::path::Path;

use crate::event::Event;

/// A process with what it runs now.
pub fn process(_root: &Path, _pid: u32) -> Option<Event> {
    None
}

/// The control group of a process.
pub fn group_of(_root: &Path, _pid: u32) -> Option<Vec<u8>> {
    None
}
