//! Why a program could not be loaded or attached.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use aya::programs::ProgramError;

use crate::capture::HookState;

/// Whether this kernel has no such place, or does not let the program there.
pub fn state_of(error: &ProgramError) -> HookState {
    match error {
        ProgramError::Btf(_) => HookState::Missing,
        ProgramError::LoadError { verifier_log, .. } if lacks_field(verifier_log) => {
            HookState::Missing
        }
        ProgramError::IOError(error) if error.kind() == ErrorKind::NotFound => HookState::Missing,
        _ if comes_of_absence(error) => HookState::Missing,
        _ => HookState::Failed,
    }
}

/// Whether a file or a function that was looked for is not there.
fn comes_of_absence(error: &ProgramError) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == ErrorKind::NotFound)
}

/// Whether a program would read a field that the running kernel's types have not: such an
/// instruction is replaced by the call of a function that no kernel has, and the verifier meets it.
fn lacks_field(log: &impl std::fmt::Display) -> bool {
    log.to_string().contains("unknown#195896080")
}

/// How lines of a verifier's log begin that tell of its work, not of the program.
const FIGURES: [&str; 3] = ["processed ", "stack depth ", "verification time "];

/// The chain of causes in one line; of a verifier's log only its last words.
pub fn explain(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        if lacks_field(verifier_log) {
            return "this kernel's types have not what it reads".into();
        }
        let log = verifier_log.to_string();
        let last = log
            .lines()
            .rev()
            .find(|line| !FIGURES.iter().any(|figure| line.starts_with(figure)))
            .unwrap_or("");
        return format!("{io_error} {last}").trim().to_owned();
    }
    if let ProgramError::TracePointError(_) = error
        && state_of(error) == HookState::Missing
    {
        return "this kernel has no such call".into();
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aya::programs::TracePointError;

    use super::*;

    #[test]
    fn a_call_that_the_kernel_has_not_is_missing_and_what_may_not_be_attached_has_failed() {
        let no = |kind: std::io::ErrorKind| {
            ProgramError::TracePointError(TracePointError::FileError {
                filename: "id".into(),
                io_error: kind.into(),
            })
        };
        let absent = no(std::io::ErrorKind::NotFound);
        assert_eq!(state_of(&absent), HookState::Missing);
        assert_eq!(explain(&absent), "this kernel has no such call");
        let denied = no(std::io::ErrorKind::PermissionDenied);
        assert_eq!(state_of(&denied), HookState::Failed);
        assert_eq!(explain(&denied), "`id`: permission denied");
    }
}
