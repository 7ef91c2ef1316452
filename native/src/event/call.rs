//! The system call behind an event.

use std::net::SocketAddr;

/// A system call of x86-64, where the source tells it: the audit system does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// Its name.
    pub name: &'static str,
    /// Its first arguments as they stood in registers.
    pub arguments: [u64; 4],
    /// What it returned, the number of an error negated.
    pub exit: i64,
    /// The process's terminal, empty if it has none.
    pub terminal: Vec<u8>,
    /// The address that it was given, or gave back.
    pub socket: Option<SocketAddr>,
}
