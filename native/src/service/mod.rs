//! The agent as a service of Windows: [`run`] is the service itself, as long as it runs, and [`manage`]
//! what whoever installs it asks of the service manager. Both know nothing of the agent's work.

pub mod manage;
pub mod run;

use std::io;

/// What a call of the service manager has failed by.
fn to_io(error: windows_service::Error) -> io::Error {
    match error {
        windows_service::Error::Winapi(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}
