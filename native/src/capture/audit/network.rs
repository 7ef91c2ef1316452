//! Connections, as far as addresses tell of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::call::{Act, Call};
use super::join::kind;
use crate::event::{Direction, Stage};

/// `MSG_FASTOPEN`: what is sent opens a connection.
const FAST_OPEN: u64 = 0x2000_0000;

/// What becomes of the connection is not told.
const UNDERWAY: [i32; 3] = [libc::EINPROGRESS, libc::EALREADY, libc::EINTR];

/// Calls of socketcall(2).
mod socket_call {
    pub const CONNECT: u64 = 3;
    pub const LISTEN: u64 = 4;
    pub const ACCEPT: u64 = 5;
    pub const ACCEPT4: u64 = 18;
}

pub fn connect(call: &Call) -> Option<Act> {
    let stage = match u16::try_from(call.exit.unsigned_abs()) {
        _ if call.exit >= 0 => Stage::Established,
        Ok(error) if !UNDERWAY.contains(&error.into()) => Stage::Failed(error),
        _ => Stage::Begun,
    };
    connection(call, Direction::Egress, stage)
}

pub fn accept(call: &Call) -> Option<Act> {
    connection(call, Direction::Ingress, Stage::Established)
}

/// `flags`: the number of the argument.
pub fn send(call: &Call, flags: usize) -> Option<Act> {
    let stage = if call.arguments[flags] & FAST_OPEN != 0 {
        Stage::Established
    } else {
        Stage::Datagram
    };
    connection(call, Direction::Egress, stage)
}

/// The first argument says which call it is, the others are in memory, and recorded apart.
pub fn socket_call(call: &Call) -> Option<Act> {
    match call.arguments[0] {
        socket_call::CONNECT => connect(call),
        _ if call.exit < 0 => None,
        socket_call::ACCEPT | socket_call::ACCEPT4 => accept(call),
        socket_call::LISTEN => {
            let apart = call.group.first(kind::SOCKETCALL)?.get("a0")?;
            Some(Act::Listen(apart.hexadecimal()? as i32))
        }
        _ => None,
    }
}

fn connection(call: &Call, direction: Direction, stage: Stage) -> Option<Act> {
    let address = call.group.first(kind::SOCKADDR)?.get("saddr")?.decoded();
    Some(Act::Connection {
        direction,
        peer: socket_address(&address)?,
        stage,
    })
}

/// `sockaddr_in` and `sockaddr_in6`.
fn socket_address(address: &[u8]) -> Option<SocketAddr> {
    let (&family, rest) = address.split_first_chunk::<2>()?;
    let (&port, rest) = rest.split_first_chunk::<2>()?;
    let ip: IpAddr = match libc::c_int::from(u16::from_ne_bytes(family)) {
        libc::AF_INET => Ipv4Addr::from(*rest.first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(port)))
}
