//! `agent.exe`: one program with three lives, told apart by what it carries and what lies beside it.
//!
//! With a bundle behind it, as it is downloaded, it unpacks that and has it install or check. Beside
//! Python's library it is a version's own program. In the folder of versions it is what users and the
//! service manager start: it runs the version that the file `current` names.

#[cfg(windows)]
mod bundle;
#[cfg(windows)]
mod carrier;
#[cfg(windows)]
mod places;
#[cfg(windows)]
mod python;
#[cfg(windows)]
mod runner;
#[cfg(any(windows, test))]
mod words;

/// As the agent's own command line does.
#[cfg(windows)]
const FAILED: i32 = 1;
const NOT_PERMITTED: i32 = 3;

#[cfg(windows)]
fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let done = match bundle::Bundle::carried() {
        Some(bundle) => carrier::run(&bundle, &words),
        None => runner::run(&words),
    };
    std::process::exit(done.unwrap_or_else(|failure| {
        eprintln!("endpoint-agent: {}", failure.message);
        failure.status
    }));
}

#[cfg(not(windows))]
fn main() {
    eprintln!("endpoint-agent: this program is for Windows");
    std::process::exit(NOT_PERMITTED);
}

/// Why a command could not be done.
#[cfg(windows)]
struct Failure {
    status: i32,
    message: String,
}

#[cfg(windows)]
impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self {
            status: FAILED,
            message: message.into(),
        }
    }

    /// `what` failed by an error of a file; its exit status tells where rights are missing.
    fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        let remedy = if denied {
            "; run it as administrator"
        } else {
            ""
        };
        Self {
            status: if denied { NOT_PERMITTED } else { FAILED },
            message: format!("cannot {what} {}: {error}{remedy}", path.display()),
        }
    }
}
