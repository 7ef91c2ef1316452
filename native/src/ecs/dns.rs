//! `dns.*`: what was asked, and what was answered. The words are those of the original agent.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::ecs::json::Json;
use crate::event::{Answer, Data, Dns, Question};

/// Flags of the header, by their bits.
const FLAGS: [(u16, &str); 6] = [
    (1 << 10, "AA"),
    (1 << 9, "TC"),
    (1 << 8, "RD"),
    (1 << 7, "RA"),
    (1 << 5, "AD"),
    (1 << 4, "CD"),
];

/// Writes `dns`.
pub fn write(json: &mut Json, dns: &Dns) {
    json.open("dns");
    json.word("type", if dns.answer { "answer" } else { "query" });
    json.number("id", dns.id.into());
    json.plain("op_code", operation(dns.flags >> 11 & 0xf));
    let flags = FLAGS.iter().filter(|(bit, _)| dns.flags & bit != 0);
    let mut flags = flags.map(|(_, name)| name).peekable();
    if flags.peek().is_some() {
        json.words("header_flags", flags);
    }
    if dns.answer {
        json.plain("response_code", response(dns.response_code));
    }
    if let Some(question) = &dns.question {
        write_question(json, question);
    }
    if !dns.answers.is_empty() {
        json.open_list("answers");
        for answer in &dns.answers {
            write_answer(json, answer);
        }
        json.close_list();
    }
    let mut resolved = resolved(dns).peekable();
    if resolved.peek().is_some() {
        json.plain_texts("resolved_ip", resolved);
    }
    if dns.truncated {
        json.note_cut("answers");
    }
    json.close();
}

/// The addresses of the answers.
pub fn resolved(dns: &Dns) -> impl Iterator<Item = IpAddr> {
    dns.answers.iter().filter_map(|answer| match answer.data {
        Data::Address(address) => Some(address),
        Data::Text(_) => None,
    })
}

fn write_question(json: &mut Json, question: &Question) {
    json.open("question");
    json.text("name", question.name.as_bytes());
    json.plain("type", kind(question.kind));
    json.plain("class", class(question.class));
    json.close();
}

fn write_answer(json: &mut Json, answer: &Answer) {
    json.open_item();
    json.text("name", answer.name.as_bytes());
    json.plain("type", kind(answer.kind));
    match &answer.data {
        Data::Address(address) => json.plain("data", address),
        Data::Text(text) => json.text("data", text.as_bytes()),
    }
    json.number("ttl", answer.ttl.into());
    json.close_item();
}

fn operation(code: u16) -> Cow<'static, str> {
    match code {
        0 => "Query".into(),
        1 => "Inverse Query".into(),
        2 => "Status".into(),
        4 => "Notify".into(),
        5 => "Update".into(),
        _ => code.to_string().into(),
    }
}

fn response(code: u16) -> Cow<'static, str> {
    match code {
        0 => "No Error".into(),
        1 => "Format Error".into(),
        2 => "Server Failure".into(),
        3 => "Non-Existent Domain".into(),
        4 => "Not Implemented".into(),
        5 => "Query Refused".into(),
        6 => "Name Exists when it should not".into(),
        7 => "RR Set Exists when it should not".into(),
        8 => "RR Set that should exist does not".into(),
        9 => "Server Not Authoritative for zone".into(),
        10 => "Name not contained in zone".into(),
        16 => "Bad OPT Version".into(),
        23 => "Bad Cookie".into(),
        _ => code.to_string().into(),
    }
}

fn class(number: u16) -> Cow<'static, str> {
    match number {
        1 => "IN".into(),
        3 => "CH".into(),
        4 => "HS".into(),
        255 => "Any".into(),
        // RFC 3597
        _ => format!("CLASS{number}").into(),
    }
}

/// The name of a type of records.
pub(super) fn kind(number: u16) -> Cow<'static, str> {
    let name = match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        39 => "DNAME",
        41 => "OPT",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        // RFC 3597
        _ => return format!("TYPE{number}").into(),
    };
    name.into()
}
