//! What was asked of the domain name system, and what it answered.

use std::net::{IpAddr, SocketAddr};

/// A message of DNS that a process has sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Whether it came from the peer, as an answer.
    pub answer: bool,
    /// It travelled over TCP, not UDP.
    pub tcp: bool,
    /// The end on this host.
    pub local: SocketAddr,
    /// The server.
    pub peer: SocketAddr,
    /// Tells which answer belongs to which question.
    pub id: u16,
    /// The second word of the header: flags, operation, response code.
    pub flags: u16,
    /// The code of the response, with the bits that EDNS adds.
    pub response_code: u16,
    /// The first question.
    pub question: Option<Question>,
    /// The answers, of the first of the sections that have records.
    pub answers: Vec<Answer>,
    /// The message was longer than what is known of it, or it is not well formed.
    pub truncated: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Name, without the last dot.
    pub name: String,
    /// Number of the type of records.
    pub kind: u16,
    /// Number of the class of records.
    pub class: u16,
}

/// A record of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Name, without the last dot.
    pub name: String,
    /// Number of the type.
    pub kind: u16,
    /// Seconds that it may be remembered.
    pub ttl: u32,
    /// What the name has.
    pub data: Data,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// Anything else, as zone files have it.
    Text(String),
}
