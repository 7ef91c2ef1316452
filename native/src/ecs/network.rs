//! `source.*`, `destination.*` and `network.*`: who talked to whom.

use std::net::{IpAddr, SocketAddr};

use crate::ecs::errno;
use crate::ecs::json::Json;
use crate::event::{Action, Connection, Direction, Stage};

/// Writes the ends and the network between them.
pub fn write(json: &mut Json, connection: &Connection) {
    let (source, destination) = ends(connection);
    let (mut from_source, mut from_destination) = (None, None);
    if let Stage::Ended(traffic) = connection.stage {
        (from_source, from_destination) = match connection.direction {
            Direction::Egress => (Some(traffic.sent), Some(traffic.received)),
            Direction::Ingress => (Some(traffic.received), Some(traffic.sent)),
        };
    }
    if let Some(source) = source {
        write_end(json, "source", source, from_source);
    }
    if let Some(destination) = destination {
        write_end(json, "destination", destination, from_destination);
    }
    json.open("network");
    json.plain(
        "direction",
        match connection.direction {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        },
    );
    // A source that does not tell the own end does not tell the protocol either.
    if connection.local.is_some() {
        json.plain("transport", "tcp");
    }
    write_type(json, connection.peer);
    json.close();
}

/// Writes the end that others may connect to.
pub fn write_listening(json: &mut Json, local: SocketAddr) {
    write_end(json, "destination", local, None);
    json.open("network");
    json.plain("transport", "tcp");
    write_type(json, local);
    json.close();
}

/// Writes why there is no connection, if it is known.
pub fn write_error(json: &mut Json, connection: &Connection) {
    if let Stage::Failed(error @ 1..) = connection.stage {
        json.plain("exit", errno::name(error));
    }
}

/// How long the connection lasted, nanoseconds.
pub fn duration(action: &Action) -> Option<u64> {
    match action {
        Action::Connection(Connection {
            stage: Stage::Ended(traffic),
            ..
        }) => Some(traffic.duration),
        _ => None,
    }
}

/// The addresses that an act is about, each once.
pub fn addresses(action: &Action) -> impl Iterator<Item = IpAddr> {
    let (source, destination) = match action {
        Action::Connection(connection) => {
            let (source, destination) = ends(connection);
            (source.map(address), destination.map(address))
        }
        Action::Listen(local) => (None, Some(address(*local))),
        Action::Login(login) => (login.source, None),
        _ => (None, None),
    };
    let another = destination.filter(|&destination| Some(destination) != source);
    source.into_iter().chain(another)
}

/// The source is the end that opened the connection.
fn ends(connection: &Connection) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let (local, peer) = (connection.local, Some(connection.peer));
    match connection.direction {
        Direction::Egress => (local, peer),
        Direction::Ingress => (peer, local),
    }
}

fn write_type(json: &mut Json, end: SocketAddr) {
    let kind = if address(end).is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    json.plain("type", kind);
}

/// `bytes`: how many it has sent.
fn write_end(json: &mut Json, key: &'static str, end: SocketAddr, bytes: Option<u64>) {
    let address = address(end);
    json.open(key);
    json.plain("address", address);
    json.plain("ip", address);
    json.number("port", end.port().into());
    if let Some(bytes) = bytes {
        json.number("bytes", bytes);
    }
    json.close();
}

/// A socket of both families shows IPv4 peers in IPv6's notation.
fn address(end: SocketAddr) -> IpAddr {
    end.ip().to_canonical()
}
