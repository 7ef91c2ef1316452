//! Who talks to whom.

use super::{Header, RepeatKey};

wire! {
    /// A TCP connection that was made.
    struct Connection = "event_connection" {
        header: Header,
        local: [u8; 16],
        peer: [u8; 16],
        local_port: u16,
        peer_port: u16,
        family: u16,
        error: u16,
    }

    /// A TCP connection that was refused, or a socket that listens.
    struct Attempt = "event_attempt" {
        connection: Connection,
        key: RepeatKey,
    }

    /// A TCP connection that has ended.
    struct Disconnection = "event_disconnection" {
        connection: Connection,
        duration: u64,
        sent: u64,
        received: u64,
    }

    /// Which act a datagram repeats: the key of the map `peers`.
    struct PeerKey = "peer_key" {
        start: u64,
        peer: [u8; 16],
        pid: u32,
        euid: u32,
        program: u32,
        port: u16,
        family: u16,
    }

    /// A datagram of UDP.
    struct Datagram = "event_datagram" {
        connection: Connection,
        key: PeerKey,
    }

    /// A message of DNS.
    struct Dns = "event_dns" {
        connection: Connection,
        size: u16,
        transport: u16,
        whole: u32,
    }
}
