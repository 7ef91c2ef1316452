//! One record of the audit system as the kernel writes it: `audit(SECONDS.MILLIS:SERIAL): key=value …`.
//!
//! The type stands in the message's header, so that parsers of audit's log lines would need a line
//! to be made for them first. Values are plain, in double quotes, or, where they hold spaces,
//! quotes or bytes beyond ASCII, in hexadecimal digits without quotes.

use std::borrow::Cow;

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its type (`linux/audit.h`).
    pub kind: u16,
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// Number of the event, which several records may tell.
    pub serial: u32,
    /// The fields.
    pub body: &'a [u8],
}

/// A value as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Without its quotes.
    pub raw: &'a [u8],
    /// It had double quotes, so it is no number and is not encoded.
    pub quoted: bool,
}

/// Takes a record apart; nothing if it is none.
pub fn parse(kind: u16, text: &[u8]) -> Option<Record<'_>> {
    let rest = text.strip_prefix(b"audit(")?;
    let close = rest.iter().position(|&byte| byte == b')')?;
    let (stamp, rest) = (&rest[..close], &rest[close + 1..]);
    let (seconds, rest_of_stamp) = split(stamp, b'.')?;
    let (millis, serial) = split(rest_of_stamp, b':')?;
    let millis = number(seconds)?
        .checked_mul(1000)?
        .checked_add(number(millis)?)?;
    let body = rest.strip_prefix(b":").unwrap_or(rest);
    let end = body.iter().rposition(|&byte| byte != 0 && byte != b'\n');
    Some(Record {
        kind,
        time: millis.checked_mul(1_000_000)?,
        serial: number(serial)?.try_into().ok()?,
        body: &body[..end.map_or(0, |end| end + 1)],
    })
}

impl<'a> Record<'a> {
    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.fields()
            .find_map(|(name, value)| (name == key.as_bytes()).then_some(value))
    }

    /// The value of a key as a decimal number.
    pub fn number<N: TryFrom<u64>>(&self, key: &str) -> Option<N> {
        self.get(key)?.number()
    }

    /// The fields in their order.
    pub fn fields(&self) -> Fields<'a> {
        Fields(self.body)
    }

    /// What a program has told, between the quotes of `msg='…'`: its own fields.
    pub fn message(&self) -> Option<Record<'a>> {
        let at = find(self.body, b"msg='")?;
        let told = &self.body[at + b"msg='".len()..];
        let end = told.iter().rposition(|&byte| byte == b'\'')?;
        Some(Record {
            body: &told[..end],
            ..*self
        })
    }

    /// The record without what a program has told, which could imitate the kernel's fields.
    pub fn without_message(&self) -> Record<'a> {
        let end = find(self.body, b"msg='").unwrap_or(self.body.len());
        Record {
            body: &self.body[..end],
            ..*self
        }
    }
}

impl<'a> Value<'a> {
    /// The text of a field that may be encoded.
    pub fn decoded(&self) -> Cow<'a, [u8]> {
        let digits = !self.quoted && !self.raw.is_empty() && self.raw.len().is_multiple_of(2);
        let decode = |pair: &[u8]| Some(hex(pair[0])? << 4 | hex(pair[1])?);
        let bytes: Option<Vec<u8>> = digits
            .then(|| self.raw.chunks_exact(2).map(decode).collect())
            .flatten();
        bytes.map_or(Cow::Borrowed(self.raw), Cow::Owned)
    }

    /// The value as a decimal number.
    pub fn number<N: TryFrom<u64>>(&self) -> Option<N> {
        number(self.raw)?.try_into().ok()
    }

    /// The value as a decimal number that may be negative.
    pub fn signed(&self) -> Option<i64> {
        str::from_utf8(self.raw).ok()?.parse().ok()
    }

    /// The value as a hexadecimal number.
    pub fn hexadecimal(&self) -> Option<u64> {
        u64::from_str_radix(str::from_utf8(self.raw).ok()?, 16).ok()
    }

    /// The value says that there is none.
    pub fn is_unknown(&self) -> bool {
        !self.quoted && matches!(self.raw, b"" | b"?" | b"(null)" | b"(none)")
    }
}

/// `key=value`, separated by spaces; words without a value are passed over.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let begin = self.0.iter().position(|&byte| !is_space(byte))?;
            let rest = &self.0[begin..];
            let end = rest
                .iter()
                .position(|&byte| is_space(byte) || byte == b'=')
                .unwrap_or(rest.len());
            if rest.get(end) != Some(&b'=') {
                self.0 = &rest[end..];
                continue;
            }
            let (value, rest_of_body) = value(&rest[end + 1..]);
            self.0 = rest_of_body;
            return Some((&rest[..end], value));
        }
    }
}

/// The value at the begin of a text, and what follows it.
fn value(text: &[u8]) -> (Value<'_>, &[u8]) {
    if let Some(quoted) = text.strip_prefix(b"\"")
        && let Some((raw, rest)) = split(quoted, b'"')
    {
        return (Value { raw, quoted: true }, rest);
    }
    let end = text.iter().position(|&byte| is_space(byte));
    let (raw, rest) = text.split_at(end.unwrap_or(text.len()));
    (Value { raw, quoted: false }, rest)
}

/// A decimal number.
fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == at)?;
    Some((&text[..at], &text[at + 1..]))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\n'
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .map(|digit| digit as u8)
        .filter(|_| !digit.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &[u8] = b"audit(1687505769.858:4711): pid=1750 uid=0 auid=1063 ses=3 \
        msg='op=login acct=28696E76616C6964207573657229 exe=\"/usr/sbin/sshd\" hostname=? res=failed'\0";

    #[test]
    fn has_a_time_and_a_serial() {
        let record = parse(1112, LOGIN).unwrap();
        assert_eq!(record.time, 1_687_505_769_858_000_000);
        assert_eq!((record.kind, record.serial), (1112, 4711));
        assert_eq!(record.number::<u32>("pid"), Some(1750));
        assert_eq!(record.number::<u8>("auid"), None);
    }

    #[test]
    fn a_program_speaks_for_itself_only() {
        let text = b"audit(1.000:1): pid=7 uid=1000 msg='uid=0 x'y res=success'";
        let record = parse(1112, text).unwrap();
        assert_eq!(record.without_message().number::<u32>("uid"), Some(1000));
        assert_eq!(record.message().unwrap().body, b"uid=0 x'y res=success");
        let told = parse(1112, LOGIN).unwrap().message().unwrap();
        assert_eq!(&*told.get("acct").unwrap().decoded(), b"(invalid user)");
        assert_eq!(&*told.get("exe").unwrap().decoded(), b"/usr/sbin/sshd");
        assert!(told.get("hostname").unwrap().is_unknown());
    }

    #[test]
    fn only_what_has_no_quotes_is_encoded() {
        let value = |raw, quoted| Value { raw, quoted };
        assert_eq!(&*value(b"4142", false).decoded(), b"AB");
        assert_eq!(&*value(b"4142", true).decoded(), b"4142");
        assert_eq!(&*value(b"414", false).decoded(), b"414");
        assert_eq!(&*value(b"root", false).decoded(), b"root");
        assert_eq!(&*value(b"cafe", false).decoded(), b"cafe");
    }

    #[test]
    fn hostile_text_is_no_record_or_an_odd_one() {
        for text in [
            &b""[..],
            b"audit(",
            b"audit()",
            b"audit(1:1): x",
            b"audit(1.x:1): ",
            b"audit(99999999999999999999.0:1): ",
            b"audit(18446744073709551.615:1): ",
            b"audit(1.0:4294967296): ",
        ] {
            assert_eq!(parse(1300, text), None, "{text:?}");
        }
        let odd = parse(1, b"audit(1.5:2) =\" a= =b\"word c=\"d e=").unwrap();
        let fields: Vec<_> = odd.fields().map(|(key, value)| (key, value.raw)).collect();
        let expected = [(&b""[..], &b" a= =b"[..]), (b"c", b"\"d"), (b"e", b"")];
        assert_eq!(fields, expected);
    }
}
