//! Values of events as text, as the original agent has it: numbers in digits, pointers and GUIDs in
//! capitals.

use std::fmt::Write;
use std::net::Ipv6Addr;

use super::payload::number;
use super::raw::since_epoch;
use super::template::Kind;
use crate::ecs::time::Clock;

/// Appends the value of a field.
pub fn value(text: &mut String, kind: Kind, bytes: &[u8]) {
    match kind {
        Kind::UInt8 | Kind::UInt16 | Kind::UInt32 | Kind::UInt64 => {
            text.push_str(itoa::Buffer::new().format(number(bytes)));
        }
        Kind::Int32 => text.push_str(itoa::Buffer::new().format(number(bytes) as i32)),
        Kind::Int64 => text.push_str(itoa::Buffer::new().format(number(bytes) as i64)),
        Kind::HexInt32 | Kind::HexInt64 | Kind::Pointer => hexadecimal(text, number(bytes)),
        Kind::FileTime => {
            text.push_str(&Clock::new().show_exactly(since_epoch(number(bytes))));
        }
        Kind::Boolean => text.push_str(if number(bytes) == 0 { "false" } else { "true" }),
        Kind::UnicodeString => unicode(text, bytes),
        Kind::AnsiString => {
            let whole = bytes.strip_suffix(&[0]).unwrap_or(bytes);
            text.push_str(&String::from_utf8_lossy(whole));
        }
        Kind::Sid => sid(text, bytes),
        // Two pointers are before it, of either size.
        Kind::UserSid => match bytes.get(16) {
            Some(1) if bytes.len() == 24 + 4 * usize::from(bytes[17]) => sid(text, &bytes[16..]),
            _ => sid(text, bytes.get(8..).unwrap_or_default()),
        },
        Kind::IPv4 => numbers(text, '.', bytes.iter().map(|&byte| byte.into())),
        Kind::IPv6 => {
            let whole = <[u8; 16]>::try_from(bytes).unwrap_or_default();
            // Writing into a text never fails.
            let _ = write!(text, "{}", Ipv6Addr::from(whole));
        }
        Kind::Port => {
            let port = (number(bytes) as u16).swap_bytes();
            text.push_str(itoa::Buffer::new().format(port));
        }
        Kind::Guid => text.push_str(&guid(<[u8; 16]>::try_from(bytes).unwrap_or_default())),
        Kind::Content(_) if is_text(bytes) => unicode(text, bytes),
        Kind::Binary(_) | Kind::Content(_) | Kind::Bytes(_) => {
            for byte in bytes {
                push_hex(text, u64::from(*byte), 2);
            }
        }
    }
}

/// Bytes are text of UTF-16: its characters are those that texts have.
fn is_text(bytes: &[u8]) -> bool {
    let whole = bytes.strip_suffix(&[0, 0]).unwrap_or(bytes);
    let units = whole
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let is_fit = |char: char| !char.is_control() || matches!(char, '\t' | '\n' | '\r');
    whole.len().is_multiple_of(2) && char::decode_utf16(units).all(|char| char.is_ok_and(is_fit))
}

/// Appends what a value of the registry holds, by its type: texts with a NUL between them, numbers as
/// Sysmon has them, and nothing of bytes.
pub fn registry_data(text: &mut String, kind: u64, bytes: &[u8]) {
    match (kind, bytes.len()) {
        (1 | 2, _) => unicode(text, bytes),
        (4, 4) => {
            text.push_str("0x");
            push_hex(text, number(bytes), 8);
        }
        (11, 8) => {
            text.push_str("0x");
            push_hex(text, number(bytes), 16);
        }
        (7, _) => {
            unicode(text, bytes);
            text.truncate(text.trim_end_matches('\0').len());
        }
        _ => {}
    }
}

/// Appends numbers with this between them.
fn numbers(text: &mut String, between: char, all: impl Iterator<Item = u64>) {
    for (place, number) in all.enumerate() {
        if place > 0 {
            text.push(between);
        }
        text.push_str(itoa::Buffer::new().format(number));
    }
}

/// `0x1F`.
fn hexadecimal(text: &mut String, value: u64) {
    let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
    text.push_str("0x");
    push_hex(text, value, digits);
}

fn push_hex(text: &mut String, value: u64, digits: u32) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for place in (0..digits).rev() {
        text.push(char::from(DIGITS[(value >> (4 * place)) as usize & 15]));
    }
}

/// Appends UTF-16, without the NUL at its end.
fn unicode(text: &mut String, bytes: &[u8]) {
    let whole = bytes.strip_suffix(&[0, 0]).unwrap_or(bytes);
    text.reserve(whole.len() / 2);
    // Nearly all of it is ASCII, which needs no more than every other byte.
    let mut rest = whole;
    let mut plain = [0; 64];
    while let Some((part, after)) = rest.split_at_checked(2 * plain.len().min(rest.len() / 2))
        && !part.is_empty()
    {
        let mut bits = 0;
        for (unit, byte) in part.chunks_exact(2).zip(&mut plain) {
            *byte = unit[0];
            bits |= u16::from_le_bytes([unit[0], unit[1]]);
        }
        if bits >= 0x80 {
            break;
        }
        let ascii = str::from_utf8(&plain[..part.len() / 2]);
        text.push_str(ascii.unwrap_or_default());
        rest = after;
    }
    let units = rest
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let chars = char::decode_utf16(units);
    text.extend(chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

/// Appends a SID: `S-1-5-18`; nothing, of bytes that are none.
pub fn sid(text: &mut String, bytes: &[u8]) {
    let Some((head, parts)) = bytes.split_at_checked(8) else {
        return;
    };
    let authority = head[2..]
        .iter()
        .fold(0_u64, |whole, byte| whole << 8 | u64::from(*byte));
    text.reserve(2 * bytes.len());
    text.push_str("S-");
    let parts = parts.chunks_exact(4).map(number);
    numbers(
        text,
        '-',
        [head[0].into(), authority].into_iter().chain(parts),
    );
}

/// A GUID as events hold it, in capitals and braces.
pub fn guid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(38);
    text.push('{');
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    for (place, at) in order.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        push_hex(&mut text, bytes[at].into(), 2);
    }
    text.push('}');
    text
}
