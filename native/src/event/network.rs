//! Who talks to whom.

use std::net::SocketAddr;

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The process connected.
    Egress,
    /// The process accepted.
    Ingress,
}

/// A TCP connection, or datagrams of UDP between two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Who opened it.
    pub direction: Direction,
    /// The end on this host, where the source tells it.
    pub local: Option<SocketAddr>,
    /// The other end.
    pub peer: SocketAddr,
    /// What became of it.
    pub stage: Stage,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was established.
    Established,
    /// It was begun, and what became of it is not known: the process did not wait.
    Begun,
    /// It was not: the error's number, or 0 where the process gave up before there was one.
    Failed(u16),
    /// It has ended.
    Ended(Traffic),
    /// There is none: the process sent a datagram.
    Datagram,
}

/// What went over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Nanoseconds from its establishment to its end.
    pub duration: u64,
    /// Bytes of data from this host, each counted once.
    pub sent: u64,
    /// Bytes of data to this host.
    pub received: u64,
}
