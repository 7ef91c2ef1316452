//! Messages as servers send them, and as nobody should.

use zerocopy::IntoBytes;

use super::super::tests::{action, header, record};
use super::*;
use crate::capture::ebpf::decode::{Clock, decode};
use crate::capture::ebpf::wire::kind::DNS;

/// A header with these flags and numbers of records.
fn head(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let words = [0x1234, flags].into_iter().chain(counts);
    words.flat_map(u16::to_be_bytes).collect()
}

/// A record's fixed part and data behind a name.
fn resource(name: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let size = (data.len() as u16).to_be_bytes();
    let fixed = [&kind.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes(), &size];
    [name, &fixed.concat(), data].concat()
}

fn wire(size: usize, whole: usize) -> wire::Dns {
    wire::Dns {
        connection: wire::Connection {
            header: header(DNS, flag::ACCEPTED),
            local_port: 40_000,
            peer_port: 53,
            family: wire::FAMILY_IPV4,
            ..Default::default()
        },
        size: size as u16,
        transport: 17,
        whole: whole as u32,
    }
}

fn read(message: &[u8]) -> Dns {
    let wire = wire(message.len(), message.len());
    match action(&record(wire.as_bytes(), &[message])) {
        Action::Dns(dns) => dns,
        other => panic!("not DNS: {other:?}"),
    }
}

fn texts(dns: &Dns) -> Vec<String> {
    let text = |answer: &Answer| match &answer.data {
        Data::Address(address) => address.to_string(),
        Data::Text(text) => text.clone(),
    };
    dns.answers.iter().map(text).collect()
}

const NAME: &[u8] = b"\x03www\x07example\x03org\x00";
/// Points to the name of the first question.
const SAME: &[u8] = b"\xc0\x0c";

#[test]
fn a_question() {
    let dns = read(&[&head(0x0100, [1, 0, 0, 0]), NAME, &[0, 28, 0, 1]].concat());
    assert_eq!((dns.id, dns.flags, dns.truncated), (0x1234, 0x0100, false));
    let question = dns.question.unwrap();
    assert_eq!(question.name, "www.example.org");
    assert_eq!((question.kind, question.class), (28, 1));
    assert!(!dns.tcp && dns.answer && dns.answers.is_empty());
}

#[test]
fn answers_of_every_type() {
    let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
    let records = [
        resource(SAME, kind::CNAME, 300, b"\x03cdn\xc0\x10"),
        resource(b"\x03cdn\xc0\x10", kind::A, 60, &[192, 0, 2, 1]),
        resource(SAME, kind::AAAA, 60, &loopback),
        resource(SAME, kind::MX, 1, b"\x00\x0a\x04mail\xc0\x10"),
        resource(SAME, kind::SRV, 1, b"\x00\x01\x00\x02\x14\xe9\xc0\x0c"),
        resource(SAME, kind::TXT, 1, b"\x02a\"\x03\x07b\\"),
        resource(
            SAME,
            kind::SOA,
            1,
            b"\x02ns\x00\x05admin\x00\x00\x00\x00\x07",
        ),
        resource(b"\x00", 65, 1, &[0, 1, 0]),
        resource(SAME, kind::A, 1, &[1, 2, 3]),
    ];
    let head = head(0x8183, [1, records.len() as u16, 0, 1]);
    let edns = resource(b"\x00", kind::OPT, 1 << 24, b"");
    let message = [&head, NAME, &[0, 1, 0, 1], &records.concat(), &edns].concat();
    let dns = read(&message);
    assert_eq!(dns.response_code, 0x13);
    assert!(!dns.truncated);
    assert_eq!(dns.answers[1].name, "cdn.example.org");
    assert_eq!(dns.answers[7].name, ".");
    assert_eq!(
        texts(&dns),
        [
            "cdn.example.org",
            "192.0.2.1",
            "::1",
            "10 mail.example.org",
            "1 2 5353 www.example.org",
            r#"a"\007b\\"#,
            "ns admin 7",
            r"\# 3 000100",
            r"\# 3 010203",
        ]
    );
    // Whatever is missing, the rest is told and marked.
    for size in 0..message.len() {
        assert!(read(&message[..size]).truncated);
    }
}

#[test]
fn names_of_odd_bytes() {
    let name = b"\x05a.b\\\x00\x02\xff \x00";
    let dns = read(&[&head(0, [1, 0, 0, 0]), &name[..], &[0, 1, 0, 1]].concat());
    assert_eq!(dns.question.unwrap().name, r"a\.b\\\000.\255 ");
}

#[test]
fn names_that_lead_nowhere() {
    let loops: [&[u8]; 6] = [
        b"\xc0\x0c",         // to itself
        b"\x01a\xc0\x0c",    // round
        b"\xc0\x0e\xc0\x0c", // forwards
        b"\xff\xff",         // behind the end
        b"\x80\x00",         // a label of no known form
        b"\x3fshort",        // longer than the message
    ];
    for name in loops {
        let dns = read(&[&head(0, [1, 0, 0, 0]), name, &[0, 1, 0, 1]].concat());
        assert_eq!((dns.question, dns.truncated), (None, true), "{name:?}");
    }
    let long = [&b"\x3f"[..], &[b'x'; 63]].concat().repeat(5);
    let dns = read(&[&head(0, [1, 0, 0, 0]), &long[..], &[0, 0, 1, 0, 1]].concat());
    assert_eq!(dns.question, None);
}

#[test]
fn no_more_answers_than_are_told() {
    let one = resource(SAME, kind::A, 1, &[192, 0, 2, 1]);
    let message = [&head(0x8180, [1, 300, 0, 0]), NAME, &[0, 1, 0, 1]].concat();
    let dns = read(&[&message[..], &one.repeat(300)].concat());
    assert_eq!(dns.answers.len(), MAX_ANSWERS);
    assert!(dns.truncated);
}

#[test]
fn a_message_that_was_cut_is_marked() {
    let message = [&head(0, [1, 0, 0, 0]), NAME, &[0, 1, 0, 1]].concat();
    let mut cut = wire(message.len(), 5_000);
    cut.transport = PROTOCOL_TCP;
    let Action::Dns(dns) = action(&record(cut.as_bytes(), &[&message])) else {
        panic!()
    };
    assert!(dns.tcp && dns.truncated && dns.question.is_some());
    assert_eq!(
        decode(cut.as_bytes(), Clock::default()),
        Err(Malformed::Short)
    );
}
