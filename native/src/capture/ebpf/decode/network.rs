//! Who talks to whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Malformed, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, Connection, Direction, Stage, Traffic};

pub fn connection(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, _) = take::<wire::Connection>(record)?;
    staged(&wire, Stage::Established)
}

pub fn failure(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, _) = take::<wire::Attempt>(record)?;
    staged(&wire.connection, Stage::Failed(wire.connection.error))
}

pub fn datagram(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, _) = take::<wire::Datagram>(record)?;
    staged(&wire.connection, Stage::Datagram)
}

pub fn end(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, _) = take::<wire::Disconnection>(record)?;
    let traffic = Traffic {
        duration: wire.duration,
        sent: wire.sent,
        received: wire.received,
    };
    staged(&wire.connection, Stage::Ended(traffic))
}

pub fn listen(record: &[u8]) -> Result<Action, Malformed> {
    let (wire::Attempt { connection, .. }, _) = take(record)?;
    let local = end_of(connection.family, connection.local, connection.local_port)?;
    Ok(Action::Listen(local))
}

fn staged(wire: &wire::Connection, stage: Stage) -> Result<Action, Malformed> {
    let accepted = wire.header.flags & flag::ACCEPTED != 0;
    Ok(Action::Connection(Connection {
        direction: if accepted {
            Direction::Ingress
        } else {
            Direction::Egress
        },
        // A connect that fails before anything is sent has none.
        local: (wire.local_port != 0)
            .then(|| end_of(wire.family, wire.local, wire.local_port))
            .transpose()?,
        peer: end_of(wire.family, wire.peer, wire.peer_port)?,
        stage,
    }))
}

pub fn end_of(family: u16, address: [u8; 16], port: u16) -> Result<SocketAddr, Malformed> {
    let address = match family {
        wire::FAMILY_IPV4 => {
            let [a, b, c, d, ..] = address;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        // A socket of both families names IPv4 peers in IPv6's notation.
        wire::FAMILY_IPV6 => Ipv6Addr::from(address).to_canonical(),
        _ => return Err(Malformed::Unknown("family")),
    };
    Ok(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;
    use crate::capture::ebpf::decode::tests::{action, header};
    use crate::capture::ebpf::decode::{Clock, decode};
    use crate::capture::ebpf::wire::kind;

    fn wire(kind: u16, flags: u16) -> wire::Connection {
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
        wire::Connection {
            header: header(kind, flags),
            local: mapped,
            peer: Ipv6Addr::LOCALHOST.octets(),
            local_port: 443,
            peer_port: 50_000,
            family: wire::FAMILY_IPV6,
            error: 111,
        }
    }

    fn connection(record: &[u8]) -> Connection {
        match action(record) {
            Action::Connection(connection) => connection,
            other => panic!("not a connection: {other:?}"),
        }
    }

    #[test]
    fn addresses_of_both_families() {
        let wire = wire(kind::CONNECTION, flag::ACCEPTED);
        let connection = connection(wire.as_bytes());
        assert_eq!(connection.direction, Direction::Ingress);
        assert_eq!(connection.stage, Stage::Established);
        assert_eq!(connection.local.unwrap().to_string(), "10.0.0.1:443");
        assert_eq!(connection.peer.to_string(), "[::1]:50000");
        let strange = wire::Connection { family: 1, ..wire };
        assert_eq!(
            decode(strange.as_bytes(), Clock::default()),
            Err(Malformed::Unknown("family"))
        );
    }

    #[test]
    fn what_became_of_it() {
        let attempt = |kind| wire::Attempt {
            connection: wire(kind, 0),
            ..Default::default()
        };
        let failed = connection(attempt(kind::CONNECT_FAILURE).as_bytes());
        assert_eq!(failed.stage, Stage::Failed(111));
        assert_eq!(failed.direction, Direction::Egress);
        let ended = wire::Disconnection {
            connection: wire(kind::DISCONNECTION, 0),
            duration: 1,
            sent: 2,
            received: 3,
        };
        let traffic = Traffic {
            duration: 1,
            sent: 2,
            received: 3,
        };
        assert_eq!(connection(ended.as_bytes()).stage, Stage::Ended(traffic));
        let datagram = wire::Datagram {
            connection: wire(kind::DATAGRAM, flag::TRACKED),
            ..Default::default()
        };
        let datagram = connection(datagram.as_bytes());
        assert_eq!(datagram.stage, Stage::Datagram);
        assert_eq!(datagram.direction, Direction::Egress);
        let listens = action(attempt(kind::LISTEN).as_bytes());
        assert_eq!(listens, Action::Listen("10.0.0.1:443".parse().unwrap()));
    }
}
