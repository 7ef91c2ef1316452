//! `source.*`, `destination.*` and `network.*`: who talked to whom.

use std::net::{IpAddr, SocketAddr};

use crate::ecs::json::Json;
use crate::event::{Connection, Direction};

/// Writes the ends and the network between them.
pub fn write(json: &mut Json, connection: &Connection) {
    let (source, destination) = ends(connection);
    write_end(json, "source", source);
    write_end(json, "destination", destination);
    let direction = match connection.direction {
        Direction::Egress => "egress",
        Direction::Ingress => "ingress",
    };
    json.open("network");
    json.plain("direction", direction);
    json.plain("transport", "tcp");
    json.plain(
        "type",
        if address(connection.peer).is_ipv4() {
            "ipv4"
        } else {
            "ipv6"
        },
    );
    json.close();
}

/// The addresses of both ends, each once.
pub fn addresses(connection: &Connection) -> impl Iterator<Item = IpAddr> {
    let (source, destination) = ends(connection);
    let (source, destination) = (address(source), address(destination));
    [source]
        .into_iter()
        .chain((destination != source).then_some(destination))
}

/// The source is the end that opened the connection.
fn ends(connection: &Connection) -> (SocketAddr, SocketAddr) {
    match connection.direction {
        Direction::Egress => (connection.local, connection.peer),
        Direction::Ingress => (connection.peer, connection.local),
    }
}

fn write_end(json: &mut Json, key: &'static str, end: SocketAddr) {
    let address = address(end);
    json.open(key);
    json.plain("address", address);
    json.plain("ip", address);
    json.number("port", end.port().into());
    json.close();
}

/// A socket of both families shows IPv4 peers in IPv6's notation.
fn address(end: SocketAddr) -> IpAddr {
    end.ip().to_canonical()
}
