//! The program of a version, and of the folder of versions: it runs the agent in this process.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::places::{self, CURRENT, GOOD, PROGRAM, PYTHON};
use crate::{Failure, carrier, python, words};

/// The exit status of the agent with these words.
pub fn run(words: &[OsString]) -> Result<i32, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
    let folder = own.parent().unwrap_or(Path::new(""));
    if folder.join(PYTHON).exists() {
        return python::run(folder, words);
    }
    let command = words::command(words).unwrap_or_default();
    let Some(version) = in_use(folder, &command) else {
        return Err(Failure::new(format!(
            "{} has no version of the agent; install it again",
            folder.display()
        )));
    };
    if command == "uninstall" {
        return uninstall(&version, folder, words);
    }
    python::run(&version, words)
}

/// The version that a command is run by.
///
/// Nobody sees to the end of a trial that the host went down in: the service is the last good version then,
/// which takes that up again once it works.
fn in_use(versions: &Path, command: &str) -> Option<PathBuf> {
    let good = (command == "service" && !places::is_changing(versions))
        .then(|| places::named(versions, GOOD));
    good.flatten().or_else(|| places::named(versions, CURRENT))
}

/// What runs cannot be removed: a copy of it does that, and is removed in the end.
fn uninstall(version: &Path, versions: &Path, words: &[OsString]) -> Result<i32, Failure> {
    let name = version.file_name().unwrap_or_default();
    let above = versions.parent().unwrap_or(versions);
    let folder = places::unpacked(above);
    carrier::make_anew(&folder)?;
    let copy = folder.join(name);
    let done = copy_all(version, &copy)
        .map_err(|error| Failure::io("copy to", &copy, &error))
        .and_then(|()| carrier::child(&copy.join(PROGRAM), words));
    carrier::remove(&folder);
    done
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
