//! The system call behind an event.

use std::net::SocketAddr;

/// A system call, where the source tells it: the audit system does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// Its name.
    pub name: &'static str,
    /// Whose call it is: `x86_64` for 64-bit programs, `i386` for 32-bit ones.
    pub arch: &'static str,
    /// Its first arguments as they stood in registers.
    pub arguments: [u64; 4],
    /// What it returned, the number of an error negated.
    pub exit: i64,
    /// The process's terminal, empty if it has none.
    pub terminal: Vec<u8>,
    /// Key of somebody else's rule of the audit system that asks for the call too, empty if none.
    pub key: Vec<u8>,
    /// The address that it was given, or gave back.
    pub socket: Option<SocketAddr>,
}
