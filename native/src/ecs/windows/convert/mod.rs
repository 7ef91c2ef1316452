//! Values of records as values of fields.

mod database;
mod registry;
mod shell;

use std::borrow::Cow;
use std::net::IpAddr;

use super::command_line::split;

pub use database::{audited_account, audited_domain, client};
pub use registry::{data_strings, data_type, hive, key, key_of_value, registry_type};
pub use shell::{
    host_account, host_application, host_arguments, host_arguments_count, host_domain,
};

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(u64),
    /// True or false.
    Truth(bool),
    /// A list of texts.
    Texts(Vec<Cow<'a, str>>),
    /// Answers of DNS.
    Answers(Vec<Answer<'a>>),
}

/// An answer of DNS: of an address its data, of anything else the name that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The type's name, if it was told.
    pub kind: Option<Cow<'a, str>>,
    /// An address.
    pub data: Option<IpAddr>,
    /// A name, or other text.
    pub name: Option<&'a str>,
}

/// Makes the value of a field of that of a record; nothing, where it has not the form.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The function's name.
    pub name: &'static str,
    /// The function.
    pub make: for<'a> fn(&'a str) -> Option<Value<'a>>,
}

/// What providers write where they have nothing to say.
pub fn is_nothing(value: &str) -> bool {
    matches!(
        value.trim(),
        "" | "-" | "{00000000-0000-0000-0000-000000000000}"
    )
}

fn some<'a>(text: impl Into<Cow<'a, str>>) -> Option<Value<'a>> {
    let text = text.into();
    (!is_nothing(&text)).then_some(Value::Text(text))
}

/// As it is.
pub fn text(value: &str) -> Option<Value<'_>> {
    some(value)
}

/// In small letters.
pub fn lower(value: &str) -> Option<Value<'_>> {
    some(value.to_ascii_lowercase())
}

fn parsed(value: &str) -> Option<u64> {
    let value = value.trim();
    match value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"))
    {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

/// A number in decimal digits, or in hexadecimal ones behind `0x`.
pub fn number(value: &str) -> Option<Value<'_>> {
    parsed(value).map(Value::Number)
}

/// The same, where 0 stands for none, as of processes and ports.
pub fn positive(value: &str) -> Option<Value<'_>> {
    parsed(value)
        .filter(|&number| number > 0)
        .map(Value::Number)
}

/// It is the number 0.
pub fn is_zero(value: &str) -> bool {
    parsed(value) == Some(0)
}

/// `true` or `false`.
pub fn truth(value: &str) -> Option<Value<'_>> {
    value.to_ascii_lowercase().parse().ok().map(Value::Truth)
}

/// Whether a signature is `Valid`.
pub fn is_valid(value: &str) -> Option<Value<'_>> {
    Some(Value::Truth(value == "Valid"))
}

fn internet(value: &str) -> Option<IpAddr> {
    let value = value.trim();
    let plain = value.split_once('%').map_or(value, |(address, _)| address);
    plain
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

/// An address of IPv4 or IPv6. IPv4 in IPv6's notation is IPv4.
pub fn ip(value: &str) -> Option<Value<'_>> {
    internet(value).and_then(|address| some(address.to_string()))
}

/// The same, or another name of a host.
pub fn address(value: &str) -> Option<Value<'_>> {
    ip(value).or_else(|| some(value))
}

/// The part of a path behind its last separator.
pub fn file_name(value: &str) -> Option<Value<'_>> {
    some(name_of(value))
}

fn name_of(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or_default()
}

/// The part of a path before its last separator.
pub fn directory(value: &str) -> Option<Value<'_>> {
    value
        .rsplit_once('\\')
        .and_then(|(directory, _)| some(directory))
}

/// What follows the last dot of a path's name.
pub fn extension(value: &str) -> Option<Value<'_>> {
    match name_of(value).rsplit_once('.') {
        None | Some(("", _)) => None,
        Some((_, extension)) => some(extension),
    }
}

/// The arguments of a command line.
pub fn arguments(value: &str) -> Option<Value<'_>> {
    let all: Vec<_> = split(value).into_iter().map(Cow::Owned).collect();
    (!all.is_empty()).then_some(Value::Texts(all))
}

/// How many there are.
pub fn arguments_count(value: &str) -> Option<Value<'_>> {
    let count = split(value).len() as u64;
    (count > 0).then_some(Value::Number(count))
}

/// Of `DOMAIN\name` the domain.
pub fn domain(value: &str) -> Option<Value<'_>> {
    let (domain, _) = value.trim_start_matches('\\').rsplit_once('\\')?;
    some(domain)
}

/// Of `DOMAIN\name` the name.
pub fn account(value: &str) -> Option<Value<'_>> {
    some(name_of(value))
}

/// A SID, unless it is that of nobody.
pub fn sid(value: &str) -> Option<Value<'_>> {
    if value == "S-1-0-0" {
        None
    } else {
        some(value)
    }
}

/// Of a distinguished name the common name.
pub fn common_name(value: &str) -> Option<Value<'_>> {
    let Some(name) = value
        .strip_prefix("CN=")
        .or_else(|| value.strip_prefix("cn="))
    else {
        return some(value);
    };
    let mut escaped = false;
    let end = name.find(|char| {
        let ends = char == ',' && !escaped;
        escaped = char == '\\' && !escaped;
        ends
    });
    some(name[..end.unwrap_or(name.len())].replace('\\', ""))
}

/// One of `SHA1=…,MD5=…`, in small letters.
fn digest<'a>(value: &'a str, algorithm: &str) -> Option<Value<'a>> {
    let mut all = value
        .split(',')
        .filter_map(|one| one.trim().split_once('='));
    let (_, digits) = all.find(|(name, _)| name.eq_ignore_ascii_case(algorithm))?;
    let is_known = digits.bytes().any(|digit| digit != b'0');
    if is_known { lower(digits) } else { None }
}

/// The MD5 among digests.
pub fn md5(value: &str) -> Option<Value<'_>> {
    digest(value, "MD5")
}

/// The SHA-1 among digests.
pub fn sha1(value: &str) -> Option<Value<'_>> {
    digest(value, "SHA1")
}

/// The SHA-256 among digests.
pub fn sha256(value: &str) -> Option<Value<'_>> {
    digest(value, "SHA256")
}

/// The digest of imported functions among digests.
pub fn imphash(value: &str) -> Option<Value<'_>> {
    digest(value, "IMPHASH")
}

/// Whether the process has opened the connection.
pub fn initiated(value: &str) -> Option<Value<'_>> {
    match value {
        "true" => some("egress"),
        "false" => some("ingress"),
        _ => None,
    }
}

/// Inbound or outbound, as messages of the Security log have it.
pub fn direction(value: &str) -> Option<Value<'_>> {
    match value {
        "%%14592" => some("ingress"),
        "%%14593" => some("egress"),
        _ => None,
    }
}

/// Whether an address is one of IPv6.
pub fn internet_type(value: &str) -> Option<Value<'_>> {
    match value {
        "true" => some("ipv6"),
        "false" => some("ipv4"),
        _ => None,
    }
}

/// The name of a protocol that is told by its number or by its name.
pub fn transport(value: &str) -> Option<Value<'_>> {
    match value {
        "1" => some("icmp"),
        "6" => some("tcp"),
        "17" => some("udp"),
        "58" => some("ipv6-icmp"),
        name if name.bytes().all(|byte| byte.is_ascii_digit()) => None,
        name => lower(name),
    }
}

/// A time as Sysmon writes it: `2022-06-02 12:23:18.607`.
pub fn time(value: &str) -> Option<Value<'_>> {
    let digits = value
        .bytes()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if !digits.eq(b"0000-00-00 00:00:00.000".iter().copied()) {
        return None;
    }
    some(format!("{}T{}Z", &value[..10], &value[11..]))
}

/// The same, as nanoseconds since the epoch.
pub fn nanoseconds(value: &str) -> Option<u64> {
    match time(value)? {
        Value::Text(text) => crate::ecs::time::parse(&text),
        _ => None,
    }
}

/// Texts with a NUL between them.
pub fn texts(value: &str) -> Option<Value<'_>> {
    Some(Value::Texts(value.split('\0').map(Into::into).collect()))
}

/// A number of 32 bits that may be told as one with a sign.
pub fn exit_code(value: &str) -> Option<Value<'_>> {
    let code: i64 = value.parse().ok()?;
    Some(Value::Number(u64::from(code as u32)))
}

/// How many characters it has.
pub fn length(value: &str) -> Option<Value<'_>> {
    Some(Value::Number(value.chars().count() as u64))
}

/// What a name was resolved to: `type:  5 name;::ffff:192.0.2.1;2001:db8::1;`.
fn results(value: &str) -> impl Iterator<Item = Answer<'_>> {
    let items = value
        .split(';')
        .map(str::trim)
        .filter(|item| !is_nothing(item));
    items.map(|item| {
        if let Some(address) = internet(item) {
            return Answer {
                kind: Some(if address.is_ipv4() { "A" } else { "AAAA" }.into()),
                data: Some(address),
                name: None,
            };
        }
        let typed = item
            .strip_prefix("type:")
            .and_then(|rest| rest.trim_start().split_once(' '));
        match typed.and_then(|(kind, name)| Some((kind.parse().ok()?, name.trim()))) {
            Some((kind, name)) => Answer {
                kind: Some(crate::ecs::dns::kind(kind)),
                data: None,
                name: Some(name),
            },
            None => Answer {
                kind: None,
                data: None,
                name: Some(item),
            },
        }
    })
}

/// The answers of DNS.
pub fn answers(value: &str) -> Option<Value<'_>> {
    let all: Vec<_> = results(value).collect();
    (!all.is_empty()).then_some(Value::Answers(all))
}

/// The addresses among them.
pub fn resolved(value: &str) -> Option<Value<'_>> {
    let addresses = results(value).filter_map(|answer| answer.data);
    let all: Vec<_> = addresses
        .map(|address| address.to_string().into())
        .collect();
    (!all.is_empty()).then_some(Value::Texts(all))
}

/// The first file of what Defender says it was found in: `file:_C:\x.exe; process:_pid:1`.
pub fn found_path(value: &str) -> Option<Value<'_>> {
    let mut items = value.split("; ").map(str::trim);
    match items.clone().find_map(|item| item.strip_prefix("file:_")) {
        Some(path) => some(path),
        None => items
            .find(|item| item.get(1..3) == Some(":\\"))
            .and_then(text),
    }
}

/// The name of what [`found_path`] finds.
pub fn found_name(value: &str) -> Option<Value<'_>> {
    match found_path(value)? {
        Value::Text(Cow::Borrowed(path)) => file_name(path),
        _ => None,
    }
}

/// As it is, unless it is `Unknown`.
pub fn known(value: &str) -> Option<Value<'_>> {
    if value == "Unknown" {
        None
    } else {
        some(value)
    }
}

/// The name of a path, unless that is `Unknown`.
pub fn known_name(value: &str) -> Option<Value<'_>> {
    if value == "Unknown" {
        None
    } else {
        file_name(value)
    }
}
