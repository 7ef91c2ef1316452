//! How an event is laid out by what Windows says of it (`TRACE_EVENT_INFO`), for those that the tables of
//! this agent do not have, as they are of a newer Windows.
//!
//! What cannot be read ends the layout: what stands before it is told.

use super::payload::{MAX_FIELDS, number};
use super::template::{Field, Kind, Template};

/// Bytes before the first property, and of each.
const HEAD: usize = 112;
const PROPERTY: usize = 24;
/// Where the number of properties stands of which none is a part of another.
const COUNT: usize = 104;

/// Flags of a property: it is made of others; another says its length, or how many there are.
const STRUCT: u32 = 1;
const LENGTH_ELSEWHERE: u32 = 2;
const COUNT_ELSEWHERE: u32 = 4;
const HAS_COUNT: u32 = 0x20;

/// Units of a name.
const MAX_NAME: usize = 128;

/// The fields of an event, by what Windows says of it; nothing if that is damaged.
pub fn fields(info: &[u8]) -> Option<Vec<(String, Kind)>> {
    let count = number(info.get(COUNT..COUNT + 4)?) as usize;
    let mut fields = Vec::new();
    for place in 0..count.min(MAX_FIELDS) {
        let at = HEAD + place * PROPERTY;
        let property = info.get(at..at + PROPERTY)?;
        let Some(kind) = kind(property, place) else {
            break;
        };
        let name = name(info.get(number(&property[4..8]) as usize..)?)?;
        fields.push((name, kind));
    }
    Some(fields)
}

/// What a property holds, if that can be read.
fn kind(property: &[u8], place: usize) -> Option<Kind> {
    let u16_at = |at: usize| number(&property[at..at + 2]) as u16;
    let flags = number(&property[..4]) as u32;
    let (held, shown, count, length) = (u16_at(8), u16_at(10), u16_at(16), u16_at(18));
    if flags & (STRUCT | COUNT_ELSEWHERE | HAS_COUNT) != 0 || count > 1 {
        return None;
    }
    let is_sized = flags & LENGTH_ELSEWHERE != 0 || length > 0;
    Some(match (held, shown) {
        // Texts of a given length have no NUL.
        (1, _) if !is_sized => Kind::UnicodeString,
        (2, _) if !is_sized => Kind::AnsiString,
        (4, _) => Kind::UInt8,
        (6, 22) => Kind::Port,
        (6, _) => Kind::UInt16,
        (7, _) => Kind::Int32,
        (8, 18) | (20, _) => Kind::HexInt32,
        (8, 23) => Kind::IPv4,
        (8, _) => Kind::UInt32,
        (9, _) => Kind::Int64,
        (10, 19) | (21, _) => Kind::HexInt64,
        (10, _) => Kind::UInt64,
        (13, _) => Kind::Boolean,
        (14, 24) if flags & LENGTH_ELSEWHERE == 0 && length == 16 => Kind::IPv6,
        (14, _) if flags & LENGTH_ELSEWHERE != 0 => {
            let other = usize::from(length);
            // Only what stands before it is known by then.
            (other < place).then_some(Kind::Binary(other))?
        }
        (14, _) if length > 0 => Kind::Bytes(length),
        (15, _) => Kind::Guid,
        (16, _) => Kind::Pointer,
        (17, _) => Kind::FileTime,
        (19, _) => Kind::Sid,
        _ => return None,
    })
}

fn name(bytes: &[u8]) -> Option<String> {
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take(MAX_NAME).take_while(|&unit| unit != 0).collect();
    (!units.is_empty()).then(|| String::from_utf16_lossy(&units))
}

/// A template of these fields, for the rest of this process: there are few, and all share them.
pub(super) fn template(id: u16, version: u8, fields: Vec<(String, Kind)>) -> &'static Template {
    let fields = fields.into_iter().map(|(name, kind)| Field {
        name: Box::leak(name.into_boxed_str()),
        kind,
    });
    Box::leak(Box::new(Template {
        id,
        version,
        fields: Box::leak(fields.collect::<Box<[_]>>()),
    }))
}

#[cfg(test)]
mod tests {
    use super::{COUNT, HEAD, PROPERTY, fields};
    use crate::capture::etw::template::Kind::*;

    /// What Windows says of an event: of each property its name, its flags, what it holds, how that is
    /// shown, how many there are, and the length.
    fn info(properties: &[(&str, u32, u16, u16, u16, u16)]) -> Vec<u8> {
        let mut info = vec![0; HEAD + properties.len() * PROPERTY];
        info[COUNT..COUNT + 4].copy_from_slice(&(properties.len() as u32).to_le_bytes());
        for (place, &(name, flags, held, shown, count, length)) in properties.iter().enumerate() {
            let at = HEAD + place * PROPERTY;
            let name_at = info.len() as u32;
            info[at..at + 4].copy_from_slice(&flags.to_le_bytes());
            info[at + 4..at + 8].copy_from_slice(&name_at.to_le_bytes());
            for (offset, value) in [(8, held), (10, shown), (16, count), (18, length)] {
                info[at + offset..at + offset + 2].copy_from_slice(&value.to_le_bytes());
            }
            info.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        }
        info
    }

    fn kinds(properties: &[(&str, u32, u16, u16, u16, u16)]) -> Vec<super::Kind> {
        let fields = fields(&info(properties)).unwrap();
        fields.into_iter().map(|(_, kind)| kind).collect()
    }

    #[test]
    fn properties_are_fields() {
        let told = fields(&info(&[("PID", 0, 8, 20, 1, 4), ("daddr", 0, 8, 23, 1, 4)])).unwrap();
        assert_eq!(told, [("PID".into(), UInt32), ("daddr".into(), IPv4)]);
        let all = kinds(&[
            ("a", 0, 1, 0, 1, 0),
            ("b", 0, 2, 0, 1, 0),
            ("c", 0, 4, 0, 1, 1),
            ("d", 0, 6, 22, 1, 2),
            ("e", 0, 6, 0, 1, 2),
            ("f", 0, 7, 0, 1, 4),
            ("g", 0, 9, 0, 1, 8),
            ("h", 0, 10, 0, 1, 8),
            ("i", 0, 10, 19, 1, 8),
            ("j", 0, 13, 0, 1, 4),
            ("k", 0x10, 14, 24, 1, 16),
            ("l", 0x10, 14, 15, 1, 9),
            ("m", 2, 14, 15, 1, 4),
            ("n", 0, 15, 0, 1, 16),
            ("o", 0, 16, 0, 1, 8),
            ("p", 0, 17, 0, 1, 8),
            ("q", 0, 19, 0, 1, 0),
            ("r", 0, 20, 0, 1, 4),
            ("s", 0, 21, 0, 0, 8),
        ]);
        let expected = [
            UnicodeString,
            AnsiString,
            UInt8,
            Port,
            UInt16,
            Int32,
            Int64,
            UInt64,
            HexInt64,
            Boolean,
            IPv6,
            Bytes(9),
            Binary(4),
            Guid,
            Pointer,
            FileTime,
            Sid,
            HexInt32,
            HexInt64,
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_cannot_be_read_ends_the_layout() {
        for odd in [
            ("struct", 1, 0, 0, 1, 0),
            ("many", 4, 8, 0, 1, 4),
            ("three", 0x20, 8, 0, 3, 4),
            ("counted", 2, 1, 0, 1, 0),
            ("behind", 2, 14, 0, 1, 1),
            ("float", 0, 11, 0, 1, 4),
            ("endless", 0, 14, 0, 1, 0),
        ] {
            let one = ("one", 0, 8, 0, 1, 4);
            assert_eq!(kinds(&[one, odd, one]), [UInt32], "{}", odd.0);
        }
        let many = vec![("x", 0, 8, 0, 1, 4); 99];
        assert_eq!(kinds(&many).len(), 32);
        let whole = info(&[("one", 0, 8, 0, 1, 4)]);
        for size in [0, COUNT, HEAD, HEAD + PROPERTY - 1, HEAD + PROPERTY] {
            assert_eq!(fields(&whole[..size]), None, "{size}");
        }
    }
}
