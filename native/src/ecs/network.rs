//! `source.*`, `destination.*` and `network.*`: who talked to whom.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use crate::ecs::json::Json;
use crate::ecs::{dns, errno};
use crate::event::{Action, Connection, Direction, Dns, Stage};

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
    json.word(
        "direction",
        match connection.direction {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        },
    );
    // A source that does not tell the own end does not tell the protocol either.
    if connection.local.is_some() {
        json.word("transport", transport(connection));
    }
    write_type(json, connection.peer);
    json.close();
}

/// Writes the ends of a message, and the network between them.
pub fn write_dns(json: &mut Json, dns: &Dns) {
    let (source, destination) = ends_of_message(dns);
    write_end(json, "source", source, None);
    write_end(json, "destination", destination, None);
    json.open("network");
    json.word("direction", if dns.answer { "ingress" } else { "egress" });
    json.word("protocol", "dns");
    json.word("transport", if dns.tcp { "tcp" } else { "udp" });
    write_type(json, dns.peer);
    json.close();
}

/// Writes the end that others may connect to.
pub fn write_listening(json: &mut Json, local: SocketAddr) {
    write_end(json, "destination", local, None);
    json.open("network");
    json.word("transport", "tcp");
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
pub fn addresses(action: &Action) -> Vec<IpAddr> {
    let mut all = Vec::new();
    match action {
        Action::Connection(connection) => {
            let (source, destination) = ends(connection);
            all.extend([source, destination].into_iter().flatten().map(address));
        }
        Action::Listen(local) => all.push(address(*local)),
        Action::Login(login) => all.extend(login.source),
        Action::Dns(message) => {
            let (source, destination) = ends_of_message(message);
            all.extend([address(source), address(destination)]);
            all.extend(dns::resolved(message));
        }
        _ => {}
    }
    let mut known = HashSet::new();
    all.retain(|&address| known.insert(address));
    all
}

/// The source is the end that opened the connection.
fn ends(connection: &Connection) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let (local, peer) = (connection.local, Some(connection.peer));
    match connection.direction {
        Direction::Egress => (local, peer),
        Direction::Ingress => (peer, local),
    }
}

fn transport(connection: &Connection) -> &'static str {
    match connection.stage {
        Stage::Datagram => "udp",
        _ => "tcp",
    }
}

/// The source is the end that sent the message.
fn ends_of_message(dns: &Dns) -> (SocketAddr, SocketAddr) {
    if dns.answer {
        (dns.peer, dns.local)
    } else {
        (dns.local, dns.peer)
    }
}

fn write_type(json: &mut Json, end: SocketAddr) {
    json.word("type", kind(end));
}

/// What [`kind`] may be.
pub const KINDS: [&str; 2] = ["ipv4", "ipv6"];

/// `network.type`.
pub fn kind(end: SocketAddr) -> &'static str {
    let [fourth, sixth] = KINDS;
    if address(end).is_ipv4() {
        fourth
    } else {
        sixth
    }
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
