//! The program with a bundle behind it: it installs that, or has it look at the host.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bundle::Bundle;
use crate::places::{self, PROGRAM};
use crate::words;
use crate::{Failure, python};

/// From where the agent takes the key that its command line does not have.
const KEY: &str = "ENDPOINT_AGENT_INTAKE_KEY";

/// The exit status of what the words ask for.
pub fn run(bundle: &Bundle, words: &[OsString]) -> Result<i32, Failure> {
    let command = words::command(words).unwrap_or_default();
    let program_files = places::program_files()
        .ok_or_else(|| Failure::new("this host has no folder for programs"))?;
    let versions = places::versions(&program_files);
    let installed = versions.join(PROGRAM);
    match command.as_str() {
        "" | "-h" | "help" => usage(bundle),
        "version" => println!("endpoint-agent {}", bundle.version),
        "install" => return run_unpacked(bundle, &places::unpacked(&program_files), words),
        "check" | "replay" => {
            let same = versions.join(&bundle.version).join(PROGRAM);
            if same.exists() {
                return child(&same, words);
            }
            return match run_unpacked(bundle, &places::unpacked(&program_files), words) {
                // Who may not write there may still look; nothing is given to others to run.
                Err(failure) if failure.status == crate::NOT_PERMITTED => {
                    run_unpacked(bundle, &own_folder(), words)
                }
                done => done,
            };
        }
        _ if installed.exists() => return child(&installed, words),
        _ => {
            let own = std::env::current_exe().unwrap_or_else(|_| PROGRAM.into());
            return Err(Failure::new(format!(
                "no agent is installed here; install it with: {} install",
                own.display()
            )));
        }
    }
    Ok(0)
}

fn usage(bundle: &Bundle) {
    println!(
        "endpoint-agent {}, as one file. As administrator:

  agent.exe install --intake-key-file FILE    install it as a service of this host
  agent.exe check                             say what this host supports, and prove it

As any user:

  agent.exe replay FILE                       turn a file of events into ECS
  agent.exe --version

Any other command is carried out by the agent that is installed.",
        bundle.version
    );
}

fn own_folder() -> PathBuf {
    std::env::temp_dir().join(format!("endpoint-agent-{}.part", std::process::id()))
}

fn run_unpacked(bundle: &Bundle, folder: &Path, words: &[OsString]) -> Result<i32, Failure> {
    make_anew(folder)?;
    let done = bundle
        .unpack(folder)
        .and_then(|()| child(&folder.join(&bundle.version).join(PROGRAM), words));
    remove(folder);
    done
}

/// A folder of this process alone.
pub fn make_anew(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        // What a kill has left. It cannot have another name as long as a program in it runs.
        let aside = folder.with_extension(format!("{}.old", std::process::id()));
        fs::rename(folder, &aside).map_err(|error| Failure::io("replace", folder, &error))?;
        remove(&aside);
    }
    fs::create_dir(folder).map_err(|error| Failure::io("make", folder, &error))
}

/// Removes a folder, now or, where something in it is in use still, a moment after the end of this.
pub fn remove(folder: &Path) {
    for _ in 0..20 {
        match fs::remove_dir_all(folder) {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            // Of a program that has ended a scanner may hold a file for a moment.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    if python::remove_later(folder).is_err() {
        eprintln!(
            "endpoint-agent: warning: {} is left; remove it",
            folder.display()
        );
    }
}

/// The exit status of another program of the agent's with these words, but for the key: everyone
/// could read it in the list of processes.
pub fn child(program: &Path, words: &[OsString]) -> Result<i32, Failure> {
    let (words, key) = words::without_key(words);
    let mut command = Command::new(program);
    command.args(words);
    if let Some(key) = key {
        command.env(KEY, key);
    }
    python::leave_interrupts_to_children();
    let status = command
        .status()
        .map_err(|error| Failure::io("run", program, &error))?;
    Ok(status.code().unwrap_or(crate::FAILED))
}
