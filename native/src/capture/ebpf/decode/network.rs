//! Who talks to whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Malformed, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, Connection, Direction};

pub fn connection(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, _) = take::<wire::Connection>(record)?;
    let address = |bytes: [u8; 16]| match wire.family {
        wire::FAMILY_IPV4 => {
            let [a, b, c, d, ..] = bytes;
            Ok(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        // A socket of both families names IPv4 peers in IPv6's notation.
        wire::FAMILY_IPV6 => Ok(Ipv6Addr::from(bytes).to_canonical()),
        _ => Err(Malformed::Unknown("family")),
    };
    let accepted = wire.header.flags & flag::ACCEPTED != 0;
    Ok(Action::Connection(Connection {
        direction: if accepted {
            Direction::Ingress
        } else {
            Direction::Egress
        },
        local: SocketAddr::new(address(wire.local)?, wire.local_port),
        peer: SocketAddr::new(address(wire.peer)?, wire.peer_port),
    }))
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;
    use crate::capture::ebpf::decode::tests::{action, header};
    use crate::capture::ebpf::decode::{Clock, decode};
    use crate::capture::ebpf::wire::kind;

    #[test]
    fn addresses_of_both_families() {
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
        let wire = wire::Connection {
            header: header(kind::CONNECTION, flag::ACCEPTED),
            local: mapped,
            peer: Ipv6Addr::LOCALHOST.octets(),
            local_port: 443,
            peer_port: 50_000,
            family: wire::FAMILY_IPV6,
            reserved: 0,
        };
        let Action::Connection(connection) = action(wire.as_bytes()) else {
            panic!()
        };
        assert_eq!(connection.direction, Direction::Ingress);
        assert_eq!(connection.local.to_string(), "10.0.0.1:443");
        assert_eq!(connection.peer.to_string(), "[::1]:50000");
        let strange = wire::Connection { family: 1, ..wire };
        assert_eq!(
            decode(strange.as_bytes(), Clock::default()),
            Err(Malformed::Unknown("family"))
        );
    }
}
