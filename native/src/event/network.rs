//! Who talks to whom.

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The process connected.
    Egress,
    /// The process accepted.
    Ingress,
}

/// An established TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Who opened it.
    pub direction: Direction,
    /// The end on this host.
    pub local: std::net::SocketAddr,
    /// The other end.
    pub peer: std::net::SocketAddr,
}
