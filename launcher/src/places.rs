//! Where things lie on a host.

use std::fs;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::UI::Shell::{FOLDERID_ProgramFiles, SHGetKnownFolderPath};

/// The library of the Python that is brought along.
pub const PYTHON: &str = "python311.dll";

/// The program of a version, and of the folder of versions.
pub const PROGRAM: &str = "agent.exe";

const MAX_NAME: usize = 64;

/// `Program Files`, as the system knows it and not a variable that anybody may set.
pub fn program_files() -> Option<PathBuf> {
    let mut text = null_mut();
    // SAFETY: `text` is writable, and the folder's id is a constant.
    let failed =
        unsafe { SHGetKnownFolderPath(&FOLDERID_ProgramFiles, 0, null_mut(), &raw mut text) };
    let path = (failed == 0).then(|| {
        // SAFETY: on success it is a text that ends in a zero.
        let units = unsafe {
            let length = (0..).take_while(|&at| *text.add(at) != 0).count();
            std::slice::from_raw_parts(text, length)
        };
        PathBuf::from(String::from_utf16_lossy(units))
    });
    // SAFETY: it is the caller's to free, also where it failed.
    unsafe { CoTaskMemFree(text.cast()) };
    path
}

/// The folder of versions.
pub fn versions(program_files: &Path) -> PathBuf {
    program_files.join("EndpointAgent")
}

/// Where a bundle lies unpacked while it installs, and an agent that removes itself.
pub fn unpacked(program_files: &Path) -> PathBuf {
    program_files.join(".EndpointAgent.part")
}

/// The files that name a version: the one in use, and the last that has proved itself.
pub const CURRENT: &str = "current";
pub const GOOD: &str = "good";

/// Held by who installs or updates.
const LOCK: &str = ".lock";

/// Whether somebody installs or updates below a folder of versions.
pub fn is_changing(versions: &Path) -> bool {
    let held = |file: fs::File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
    fs::File::open(versions.join(LOCK)).is_ok_and(held)
}

/// The version that one of these files names, below a folder of versions.
pub fn named(versions: &Path, file: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(versions.join(file)).ok()?;
    let name = text.trim_end();
    let is_plain = |one: char| one.is_ascii_alphanumeric() || ".+-_".contains(one);
    let is_name = !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.');
    let version = (is_name && name.chars().all(is_plain)).then(|| versions.join(name))?;
    version.join(PYTHON).exists().then_some(version)
}
