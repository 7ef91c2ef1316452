//! Who talks to whom.

use super::Header;

wire! {
    /// An established TCP connection.
    struct Connection = "event_connection" {
        header: Header,
        local: [u8; 16],
        peer: [u8; 16],
        local_port: u16,
        peer_port: u16,
        family: u16,
        reserved: u16,
    }
}
