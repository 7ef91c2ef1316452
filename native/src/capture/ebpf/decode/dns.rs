//! What was asked of the domain name system, and what it answered (RFC 1035).
//!
//! A message is bytes that a peer has chosen. What can be read of it before it ends, or stops being
//! well formed, is told; a pointer in a name leads only backwards, so every name ends.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::network::end_of;
use super::{Malformed, section, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, Answer, Data, Dns, Question};

/// Answers that are told of one message.
const MAX_ANSWERS: usize = 64;
/// Bytes of a name (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;
/// Bytes of a record's data that are told where it is no name or address.
const MAX_DATA: usize = 512;

const PROTOCOL_TCP: u16 = 6;

/// Types of records.
mod kind {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const PTR: u16 = 12;
    pub const MX: u16 = 15;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const DNAME: u16 = 39;
    pub const OPT: u16 = 41;
}

pub fn dns(record: &[u8]) -> Result<Action, Malformed> {
    let (wire, rest) = take::<wire::Dns>(record)?;
    let (bytes, _) = section(rest, wire.size.into())?;
    let connection = wire.connection;
    let mut dns = Dns {
        answer: connection.header.flags & flag::ACCEPTED != 0,
        tcp: wire.transport == PROTOCOL_TCP,
        local: end_of(connection.family, connection.local, connection.local_port)?,
        peer: end_of(connection.family, connection.peer, connection.peer_port)?,
        id: 0,
        flags: 0,
        response_code: 0,
        question: None,
        answers: Vec::new(),
        truncated: u32::from(wire.size) < wire.whole,
    };
    let reader = Reader { bytes, at: 0 };
    if reader.message(&mut dns).is_none() {
        dns.truncated = true;
    }
    Ok(Action::Dns(dns))
}

/// Reads a message from its begin. Nothing means that it has ended too early or is malformed.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn message(mut self, dns: &mut Dns) -> Option<()> {
        dns.id = self.u16()?;
        dns.flags = self.u16()?;
        dns.response_code = dns.flags & 0xf;
        let [questions, answers, authorities, additional] =
            [self.u16()?, self.u16()?, self.u16()?, self.u16()?];
        for number in 0..questions {
            let question = Question {
                name: self.name()?,
                kind: self.u16()?,
                class: self.u16()?,
            };
            if number == 0 {
                dns.question = Some(question);
            }
        }
        for number in 0..answers {
            let answer = self.record(dns)?;
            if usize::from(number) < MAX_ANSWERS {
                dns.answers.push(answer);
            } else {
                dns.truncated = true;
            }
        }
        // Of the other sections only the bits of the response code are of interest.
        for _ in 0..u32::from(authorities) + u32::from(additional) {
            self.record(dns)?;
        }
        Some(())
    }

    fn record(&mut self, dns: &mut Dns) -> Option<Answer> {
        let name = self.name()?;
        let kind = self.u16()?;
        self.u16()?;
        let ttl = self.u32()?;
        let size = usize::from(self.u16()?);
        if kind == kind::OPT {
            // RFC 6891: the upper bits are where others have the time to live.
            dns.response_code |= (ttl >> 24 << 4) as u16;
        }
        let end = self.at.checked_add(size)?;
        let inside = Reader {
            bytes: self.bytes.get(..end)?,
            at: self.at,
        };
        self.at = end;
        Some(Answer {
            name,
            kind,
            ttl,
            data: inside
                .data(kind)
                .unwrap_or_else(|| Data::Text(inside.unknown())),
        })
    }

    /// What a record of a known type holds.
    fn data(mut self, kind: u16) -> Option<Data> {
        let text = match kind {
            kind::A => {
                return Some(Data::Address(IpAddr::V4(Ipv4Addr::from(self.take::<4>()?))));
            }
            kind::AAAA => {
                return Some(Data::Address(IpAddr::V6(Ipv6Addr::from(
                    self.take::<16>()?,
                ))));
            }
            kind::NS | kind::CNAME | kind::PTR | kind::DNAME => self.name()?,
            kind::MX => format!("{} {}", self.u16()?, self.name()?),
            kind::SRV => {
                let [priority, weight, port] = [self.u16()?, self.u16()?, self.u16()?];
                format!("{priority} {weight} {port} {}", self.name()?)
            }
            kind::SOA => format!("{} {} {}", self.name()?, self.name()?, self.u32()?),
            kind::TXT => self.strings()?,
            _ => return None,
        };
        Some(Data::Text(text))
    }

    fn strings(mut self) -> Option<String> {
        let mut text = String::new();
        while self.at < self.bytes.len() {
            let size = usize::from(self.u8()?);
            let string = self.bytes.get(self.at..)?.get(..size)?;
            self.at += size;
            show(&mut text, string, b"\\");
        }
        Some(text)
    }

    /// RFC 3597: the bytes in hexadecimal.
    fn unknown(self) -> String {
        let bytes = self.bytes.get(self.at..).unwrap_or_default();
        let mut text = format!("\\# {}", bytes.len());
        for (number, byte) in bytes.iter().take(MAX_DATA).enumerate() {
            let space = if number == 0 { " " } else { "" };
            let _ = write!(text, "{space}{byte:02x}");
        }
        text
    }

    /// A name, its labels joined by dots; of the root a dot.
    fn name(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut reader = *self;
        let (mut length, mut jumped) = (0, false);
        loop {
            let here = reader.at;
            let size = reader.u8()?;
            match size {
                0 => break,
                1..=63 => {
                    let label = reader.bytes.get(reader.at..)?.get(..size.into())?;
                    reader.at += label.len();
                    length += label.len() + 1;
                    if length > MAX_NAME {
                        return None;
                    }
                    if !text.is_empty() {
                        text.push('.');
                    }
                    show(&mut text, label, b".\\");
                }
                192.. => {
                    let target = usize::from(size & 63) << 8 | usize::from(reader.u8()?);
                    if !jumped {
                        self.at = reader.at;
                        jumped = true;
                    }
                    if target >= here {
                        return None;
                    }
                    reader.at = target;
                }
                _ => return None,
            }
        }
        if !jumped {
            self.at = reader.at;
        }
        if text.is_empty() {
            text.push('.');
        }
        Some(text)
    }

    fn take<const SIZE: usize>(&mut self) -> Option<[u8; SIZE]> {
        let bytes = *self.bytes.get(self.at..)?.first_chunk()?;
        self.at += SIZE;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }
}

/// Appends bytes as zone files have them: what is not printable in decimal, `\007`.
fn show(text: &mut String, bytes: &[u8], special: &[u8]) {
    for &byte in bytes {
        match byte {
            _ if special.contains(&byte) => text.extend(['\\', byte.into()]),
            b' '..=b'~' => text.push(byte.into()),
            _ => {
                // Writing to memory does not fail.
                let _ = write!(text, "\\{byte:03}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
