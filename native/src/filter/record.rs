//! Looks fields up in a finished record: JSON without white space, as the encoder writes it.

use std::borrow::Cow;

/// A value of a field, or a member of its list.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, [u8]>),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// Hands the values of a dotted name to `each` until it returns true; whether it has. A field that
/// the record lacks has none.
pub fn any(record: &[u8], name: &str, each: &mut dyn FnMut(Value) -> bool) -> bool {
    let found = name
        .split('.')
        .try_fold(record, |object, key| member(object, key.as_bytes()));
    match found {
        Some(list @ [b'[', ..]) => {
            members(&list[1..]).any(|raw| value(raw).is_some_and(&mut *each))
        }
        Some(raw) => value(raw).is_some_and(each),
        None => false,
    }
}

/// The raw value of a member of an object.
fn member<'a>(object: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = object.strip_prefix(b"{")?;
    loop {
        let name = &rest[..length(rest)];
        let raw = rest[name.len()..].strip_prefix(b":")?;
        let size = length(raw);
        if name.get(1..name.len().checked_sub(1)?)? == key {
            return Some(&raw[..size]);
        }
        rest = raw[size..].strip_prefix(b",")?;
    }
}

/// The raw members of a list whose bracket is gone.
fn members(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = length(list);
        let (raw, rest) = list.split_at(size);
        list = rest.strip_prefix(b",").unwrap_or_default();
        (size > 0).then_some(raw)
    })
}

/// Bytes of the value that stands first; of none, 0.
fn length(json: &[u8]) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, &byte) in json.iter().enumerate() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            match byte {
                b'"' => quoted = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' | b':' if depth == 0 => return at,
                b'}' | b']' => depth -= 1,
                _ => continue,
            }
        }
        if depth == 0 && !quoted {
            return at + 1;
        }
    }
    json.len()
}

fn value(raw: &[u8]) -> Option<Value<'_>> {
    match raw {
        b"true" => Some(Value::Boolean(true)),
        b"false" => Some(Value::Boolean(false)),
        [b'"', text @ .., b'"'] => Some(Value::Text(unescaped(text))),
        number => str::from_utf8(number).ok()?.parse().ok().map(Value::Number),
    }
}

fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return text.into();
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        let escape = if byte == b'\\' { rest.next() } else { None };
        match escape {
            None => plain.push(byte),
            Some(b'n') => plain.push(b'\n'),
            Some(b't') => plain.push(b'\t'),
            Some(b'r') => plain.push(b'\r'),
            Some(b'b') => plain.push(8),
            Some(b'f') => plain.push(12),
            // Only control characters are written by their number.
            Some(b'u') => {
                let digits = rest
                    .as_slice()
                    .get(..4)
                    .and_then(|it| str::from_utf8(it).ok());
                plain.push(digits.map_or(b'?', |it| u8::from_str_radix(it, 16).unwrap_or(b'?')));
                rest = rest.as_slice().get(4..).unwrap_or_default().iter();
            }
            Some(&other) => plain.push(other),
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::{Value, any};

    const RECORD: &[u8] = br#"{"@timestamp":"x","process":{"pid":7,"args":["a","\"q\"\u0001\\",""],"parent":{"name":"a\nb"},"e":[]},"share":-1.5,"flag":true,"no":false,"tags":["one"]}"#;

    fn values(name: &str) -> Vec<String> {
        let mut all = Vec::new();
        any(RECORD, name, &mut |value| {
            all.push(match value {
                Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
                other => format!("{other:?}"),
            });
            false
        });
        all
    }

    #[test]
    fn finds_values_of_any_type_at_any_depth() {
        assert_eq!(values("@timestamp"), ["x"]);
        assert_eq!(values("process.pid"), ["Number(7.0)"]);
        assert_eq!(values("process.args"), ["a", "\"q\"\u{1}\\", ""]);
        assert_eq!(values("process.parent.name"), ["a\nb"]);
        assert_eq!(values("share"), ["Number(-1.5)"]);
        assert_eq!(values("flag"), ["Boolean(true)"]);
        assert_eq!(values("no"), ["Boolean(false)"]);
        assert_eq!(values("tags"), ["one"]);
    }

    #[test]
    fn what_is_not_there_has_no_value() {
        for name in [
            "",
            "pid",
            "process",
            "process.e",
            "process.pid.x",
            "tags.one",
            "process.par",
        ] {
            assert_eq!(values(name), [""; 0], "{name}");
        }
    }

    #[test]
    fn survives_what_is_no_record() {
        let whole = RECORD;
        for end in 0..whole.len() {
            any(&whole[..end], "process.parent.name", &mut |_| false);
            any(&whole[end..], "tags", &mut |_| false);
        }
        for odd in [
            &b"{"[..],
            b"{\"",
            b"{\"a\"",
            b"{\"a\":",
            b"{a:1}",
            b"{\"a\":[",
            b"}",
            b"{}}",
        ] {
            any(odd, "a", &mut |_| false);
        }
    }
}
