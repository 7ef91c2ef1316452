//! Values of BinXML, and how they look as text.

use std::fmt::Write;

use crate::ecs::time::Clock;

/// 1970-01-01 as a FILETIME: 100 ns since 1601-01-01.
const EPOCH: u64 = 116_444_736_000_000_000;

/// The bit that makes a type that of a list.
const LIST: u8 = 0x80;

/// The type of BinXML inside of BinXML.
pub const FRAGMENT: u8 = 0x21;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Nothing,
    /// Text in UTF-16.
    Wide(&'a [u8]),
    /// Text in an unknown code page.
    Narrow(&'a [u8]),
    /// A number.
    Signed(i64),
    /// A number.
    Unsigned(u64),
    /// A number that is shown with hexadecimal digits.
    Hex(u64),
    /// A number.
    Single(f32),
    /// A number.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// Bytes, and what has not the form of its type.
    Bytes(&'a [u8]),
    /// A GUID.
    Guid([u8; 16]),
    /// A FILETIME.
    Time(u64),
    /// A SYSTEMTIME: year, month, day of the week, day, hour, minute, second, millisecond.
    Date([u16; 8]),
    /// A security identifier.
    Sid(&'a [u8]),
}

/// A value of a type; of a list, each of its members.
pub fn each<'a>(kind: u8, bytes: &'a [u8], mut take: impl FnMut(Value<'a>)) {
    if kind & LIST == 0 {
        return take(Value::new(kind, bytes));
    }
    let kind = kind & !LIST;
    let size = match kind {
        0x01 => return each_wide(bytes, take),
        0x02 => return each_narrow(bytes, take),
        0x13 => return each_sid(bytes, take),
        0x03 | 0x04 => 1,
        0x05 | 0x06 => 2,
        0x07 | 0x08 | 0x0b | 0x0d | 0x14 => 4,
        0x09 | 0x0a | 0x0c | 0x11 | 0x15 => 8,
        0x0f | 0x12 => 16,
        _ => return take(Value::Bytes(bytes)),
    };
    bytes
        .chunks(size)
        .for_each(|item| take(Value::new(kind, item)));
}

/// Each text ends with a NUL.
fn each_wide<'a>(mut bytes: &'a [u8], mut take: impl FnMut(Value<'a>)) {
    while !bytes.is_empty() {
        let end = bytes.chunks(2).position(|unit| unit == [0, 0]);
        let end = end.map_or(bytes.len(), |at| 2 * at);
        take(Value::Wide(&bytes[..end]));
        bytes = bytes.get(end + 2..).unwrap_or_default();
    }
}

fn each_narrow<'a>(bytes: &'a [u8], take: impl FnMut(Value<'a>)) {
    let texts = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    texts
        .split(|&byte| byte == 0)
        .map(Value::Narrow)
        .for_each(take);
}

fn each_sid<'a>(mut bytes: &'a [u8], mut take: impl FnMut(Value<'a>)) {
    while !bytes.is_empty() {
        let size = bytes.get(1).map_or(1, |&count| 8 + 4 * usize::from(count));
        let (sid, rest) = bytes.split_at(size.min(bytes.len()));
        take(Value::Sid(sid));
        bytes = rest;
    }
}

impl<'a> Value<'a> {
    /// A value of a type that is no list.
    fn new(kind: u8, bytes: &'a [u8]) -> Self {
        Self::typed(kind, bytes).unwrap_or(Value::Bytes(bytes))
    }

    fn typed(kind: u8, bytes: &'a [u8]) -> Option<Self> {
        Some(match kind {
            0x00 => Value::Nothing,
            0x01 => Value::Wide(without_nuls(bytes)),
            0x02 => Value::Narrow(bytes.strip_suffix(&[0]).unwrap_or(bytes)),
            0x03 => Value::Signed(i8::from_le_bytes(bytes.try_into().ok()?).into()),
            0x04 => Value::Unsigned(u8::from_le_bytes(bytes.try_into().ok()?).into()),
            0x05 => Value::Signed(i16::from_le_bytes(bytes.try_into().ok()?).into()),
            0x06 => Value::Unsigned(u16::from_le_bytes(bytes.try_into().ok()?).into()),
            0x07 => Value::Signed(i32::from_le_bytes(bytes.try_into().ok()?).into()),
            0x08 => Value::Unsigned(u32::from_le_bytes(bytes.try_into().ok()?).into()),
            0x09 => Value::Signed(i64::from_le_bytes(bytes.try_into().ok()?)),
            0x0a => Value::Unsigned(u64::from_le_bytes(bytes.try_into().ok()?)),
            0x0b => Value::Single(f32::from_le_bytes(bytes.try_into().ok()?)),
            0x0c => Value::Double(f64::from_le_bytes(bytes.try_into().ok()?)),
            0x0d => Value::Boolean(bytes.iter().any(|&byte| byte != 0)),
            0x0f => Value::Guid(bytes.try_into().ok()?),
            0x10 | 0x14 | 0x15 => match bytes.len() {
                4 => Value::Hex(u32::from_le_bytes(bytes.try_into().ok()?).into()),
                _ => Value::Hex(u64::from_le_bytes(bytes.try_into().ok()?)),
            },
            0x11 => Value::Time(u64::from_le_bytes(bytes.try_into().ok()?)),
            0x12 => Value::Date(words(bytes.try_into().ok()?)),
            0x13 => Value::Sid(bytes),
            _ => return None,
        })
    }

    /// The number that it is; of a time, its nanoseconds since the epoch.
    pub fn number(self) -> Option<u64> {
        match self {
            Value::Unsigned(number) | Value::Hex(number) => Some(number),
            Value::Signed(number) => u64::try_from(number).ok(),
            Value::Time(time) => Some(nanoseconds(time)),
            _ => None,
        }
    }

    /// Appends it as text.
    pub fn write(self, text: &mut String) {
        // Writing to memory does not fail.
        let _ = match self {
            Value::Nothing => Ok(()),
            Value::Wide(bytes) => {
                write_wide(text, bytes);
                Ok(())
            }
            Value::Narrow(bytes) => {
                write_narrow(text, bytes);
                Ok(())
            }
            Value::Signed(number) => text.write_str(itoa::Buffer::new().format(number)),
            Value::Unsigned(number) => text.write_str(itoa::Buffer::new().format(number)),
            Value::Hex(number) => write!(text, "0x{number:X}"),
            Value::Single(number) => write!(text, "{number}"),
            Value::Double(number) => write!(text, "{number}"),
            Value::Boolean(is) => text.write_str(if is { "true" } else { "false" }),
            Value::Bytes(bytes) => write_bytes(text, bytes),
            Value::Guid(bytes) => write_guid(text, bytes),
            Value::Time(time) => write_time(text, time),
            Value::Date([year, month, _, day, hour, minute, second, millisecond]) => write!(
                text,
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
            ),
            Value::Sid(bytes) => write_sid(text, bytes),
        };
    }
}

/// The time of a FILETIME in nanoseconds since the epoch; what was before it is the epoch.
pub fn nanoseconds(time: u64) -> u64 {
    time.saturating_sub(EPOCH).saturating_mul(100)
}

fn words(bytes: [u8; 16]) -> [u16; 8] {
    std::array::from_fn(|at| u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]]))
}

fn without_nuls(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., 0, 0] = bytes
        && bytes.len().is_multiple_of(2)
    {
        bytes = rest;
    }
    bytes
}

/// Appends text of UTF-16. Halves of pairs without the other one become U+FFFD, as half a unit does.
pub fn write_wide(text: &mut String, bytes: &[u8]) {
    const UNITS: usize = 64;
    let mut at = 0;
    // Most of it is ASCII, which needs no look at single characters.
    while at < bytes.len() {
        let units = &bytes[at..bytes.len().min(at + 2 * UNITS)];
        let mut block = [0_u8; UNITS];
        let mut odd = (units.len() % 2) as u8;
        for (byte, unit) in block.iter_mut().zip(units.chunks_exact(2)) {
            *byte = unit[0];
            odd |= unit[1] | (unit[0] & 0x80);
        }
        let Some(ascii) = str::from_utf8(&block[..units.len() / 2])
            .ok()
            .filter(|_| odd == 0)
        else {
            break;
        };
        text.push_str(ascii);
        at += units.len();
    }
    let units = bytes[at..].chunks(2).map(|unit| match *unit {
        [low, high] => u16::from_le_bytes([low, high]),
        _ => 0xfffd,
    });
    text.extend(char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

/// Appends text whose code page nobody knows: UTF-8 if it is that, else Latin-1.
fn write_narrow(text: &mut String, bytes: &[u8]) {
    match str::from_utf8(bytes) {
        Ok(valid) => text.push_str(valid),
        Err(_) => text.extend(bytes.iter().map(|&byte| char::from(byte))),
    }
}

fn write_guid(text: &mut String, bytes: [u8; 16]) -> std::fmt::Result {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    text.push('{');
    for (place, at) in ORDER.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [bytes[at] >> 4, bytes[at] & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text.write_char('}')
}

fn write_time(text: &mut String, time: u64) -> std::fmt::Result {
    let mut clock = Clock::new();
    let shown = clock.show(nanoseconds(time));
    write!(text, "{}.{:07}Z", &shown[..19], time % 10_000_000)
}

fn write_bytes(text: &mut String, bytes: &[u8]) -> std::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02X}"))
}

fn write_sid(text: &mut String, bytes: &[u8]) -> std::fmt::Result {
    let [revision, count, rest @ ..] = bytes else {
        return write_bytes(text, bytes);
    };
    if rest.len() != 6 + 4 * usize::from(*count) {
        return write_bytes(text, bytes);
    }
    let (authority, parts) = rest.split_at(6);
    let authority = authority
        .iter()
        .fold(0_u64, |all, &byte| all << 8 | u64::from(byte));
    write!(text, "S-{revision}-{authority}")?;
    parts.chunks_exact(4).try_for_each(|part| {
        write!(
            text,
            "-{}",
            u32::from_le_bytes([part[0], part[1], part[2], part[3]])
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{Value, each};

    fn shown(kind: u8, bytes: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        each(kind, bytes, |value| {
            let mut text = String::new();
            value.write(&mut text);
            all.push(text);
        });
        all
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn shows_each_type_as_windows_does() {
        let guid = [
            0x12, 0xb1, 0x3f, 3, 0x3e, 0x65, 0x98, 0x62, 0x83, 1, 0, 0, 0, 0, 0x10, 0,
        ];
        let sid = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        let time = 132_651_481_990_978_680_u64.to_le_bytes();
        let date = [2022_u16, 6, 4, 2, 12, 23, 19, 97]
            .map(u16::to_le_bytes)
            .concat();
        let check = |kind, bytes: &[u8], text| assert_eq!(shown(kind, bytes), [text], "{kind:#x}");
        check(0x00, &[], "");
        check(
            0x01,
            &wide("caf\u{e9} \u{1f600}\0\0"),
            "caf\u{e9} \u{1f600}",
        );
        check(0x02, b"caf\xe9\0", "caf\u{e9}");
        check(0x03, &[0xff], "-1");
        check(0x04, &[0xff], "255");
        check(0x05, &[0, 0x80], "-32768");
        check(0x06, &[0, 0x80], "32768");
        check(0x07, &[0xfe, 0xff, 0xff, 0xff], "-2");
        check(0x08, &[0xfe, 0xff, 0xff, 0xff], "4294967294");
        check(0x0a, &[0xff; 8], "18446744073709551615");
        check(0x0b, &0.1_f32.to_le_bytes(), "0.1");
        check(0x0c, &(-2.5_f64).to_le_bytes(), "-2.5");
        check(0x0d, &[1, 0, 0, 0], "true");
        check(0x0e, b"\x00\xab", "00AB");
        check(0x0f, &guid, "{033fb112-653e-6298-8301-000000001000}");
        check(0x11, &time, "2021-05-10T19:23:19.0978680Z");
        check(0x12, &date, "2022-06-02T12:23:19.097Z");
        check(0x13, &sid, "S-1-5-32-544");
        check(0x14, &[0xe7, 3, 0, 0], "0x3E7");
        check(0x15, &[0, 0, 0, 0, 0, 0, 0x20, 0x80], "0x8020000000000000");
    }

    #[test]
    fn shows_each_member_of_a_list() {
        assert_eq!(
            shown(0x81, &wide("a\0\0b\u{e9}\0c")),
            ["a", "", "b\u{e9}", "c"]
        );
        assert_eq!(shown(0x82, b"a\0b\0"), ["a", "b"]);
        assert_eq!(shown(0x86, &[1, 0, 2, 0, 3]), ["1", "2", "03"]);
        assert_eq!(shown(0x93, &[1, 0, 0, 0, 0, 0, 0, 5, 1]), ["S-1-5", "01"]);
        assert_eq!(shown(0xa1, &[1, 2]), ["0102"]);
        assert_eq!(shown(0x81, &[]), [""; 0]);
    }

    #[test]
    fn shows_the_bytes_of_what_has_not_the_form_of_its_type() {
        for kind in [0x03, 0x08, 0x0a, 0x0f, 0x11, 0x12, 0x13, 0x15, 0x7f] {
            assert_eq!(shown(kind, &[0xab, 0xcd, 0xef]), ["ABCDEF"], "{kind:#x}");
        }
    }

    #[test]
    fn half_characters_are_replaced_and_nothing_is_hidden_behind_a_nul() {
        assert_eq!(shown(0x01, &[0x00, 0xd8]), ["\u{fffd}"]);
        assert_eq!(shown(0x01, b"a"), ["\u{fffd}"]);
        assert_eq!(shown(0x01, &wide("a\0b")), ["a\0b"]);
        let long = "x".repeat(200) + "\u{e9}" + &"y".repeat(200);
        assert_eq!(shown(0x01, &wide(&long)), [long]);
    }

    #[test]
    fn a_time_is_a_number_of_nanoseconds() {
        assert_eq!(Value::Time(116_444_736_000_000_001).number(), Some(100));
        assert_eq!(Value::Time(0).number(), Some(0));
        assert_eq!(Value::Time(u64::MAX).number(), Some(u64::MAX));
    }
}
