//! Any bytes as the inside of a JSON string.
//!
//! What is no UTF-8 becomes U+FFFD, as `String::from_utf8_lossy` does it. Only `"`, `\` and control
//! characters are escaped.

/// U+FFFD, which stands for bytes that are no UTF-8.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Appends the inside of a JSON string, at most `limit` bytes of it; whether that was all.
pub fn escape(out: &mut Vec<u8>, value: &[u8], limit: usize) -> bool {
    if value.len() <= limit && is_clean(value) {
        out.extend_from_slice(value);
        return true;
    }
    let end = out.len().saturating_add(limit);
    value.utf8_chunks().all(|chunk| {
        escape_text(out, chunk.valid(), end)
            && (chunk.invalid().is_empty() || append_whole(out, REPLACEMENT, end))
    })
}

/// No byte needs a second look. Written without an early exit, so that it runs on many at a time.
fn is_clean(value: &[u8]) -> bool {
    !value.iter().fold(false, |dirty, &byte| {
        dirty | needs_escape(byte) | (byte >= 0x80)
    })
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escape_text(out: &mut Vec<u8>, mut text: &str, end: usize) -> bool {
    while let Some(at) = text.bytes().position(needs_escape) {
        if !append(out, &text[..at], end) || !append_code(out, text.as_bytes()[at], end) {
            return false;
        }
        text = &text[at + 1..];
    }
    append(out, text, end)
}

/// Appends as many characters as fit before `end`; whether all did.
fn append(out: &mut Vec<u8>, text: &str, end: usize) -> bool {
    let fitting = &text[..text.floor_char_boundary(end.saturating_sub(out.len()))];
    out.extend_from_slice(fitting.as_bytes());
    fitting.len() == text.len()
}

fn append_code(out: &mut Vec<u8>, byte: u8, end: usize) -> bool {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let [high, low] = hex(byte);
            let code = [b'\\', b'u', b'0', b'0', high, low];
            return append_whole(out, &code, end);
        }
    };
    append_whole(out, &[b'\\', short], end)
}

/// A byte as hexadecimal digits.
pub fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)])
}

/// Appends all or nothing.
fn append_whole(out: &mut Vec<u8>, bytes: &[u8], end: usize) -> bool {
    let fits = bytes.len() <= end.saturating_sub(out.len());
    if fits {
        out.extend_from_slice(bytes);
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::escape;

    fn escaped(value: &[u8], limit: usize) -> (String, bool) {
        let mut out = Vec::new();
        let whole = escape(&mut out, value, limit);
        (String::from_utf8(out).unwrap(), whole)
    }

    #[test]
    fn repairs_as_the_standard_library_does() {
        let all: Vec<u8> = (0..=255).collect();
        let euro = "\u{20ac}".as_bytes();
        for value in [
            &all[..],
            euro,
            &euro[..2],
            b"a\xc0\x80b",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
        ] {
            let (escaped, whole) = escaped(value, usize::MAX);
            let text: String = serde_json::from_str(&format!("\"{escaped}\"")).unwrap();
            assert_eq!(text, String::from_utf8_lossy(value));
            assert!(whole);
        }
    }

    #[test]
    fn escapes_as_other_writers_do() {
        let text: String = (0..=0x2100).filter_map(char::from_u32).collect();
        let (escaped, _) = escaped(text.as_bytes(), usize::MAX);
        assert_eq!(
            format!("\"{escaped}\""),
            serde_json::to_string(&text).unwrap()
        );
    }

    #[test]
    fn cuts_between_characters_and_escapes() {
        let cut = |value: &[u8], limit| {
            let (text, whole) = escaped(value, limit);
            assert!(text.len() <= limit);
            (text, whole)
        };
        assert_eq!(cut(b"abc", 3), ("abc".into(), true));
        assert_eq!(cut(b"abc", 2), ("ab".into(), false));
        assert_eq!(cut("a\u{20ac}".as_bytes(), 3), ("a".into(), false));
        assert_eq!(cut(b"a\x01b", 6), ("a".into(), false));
        assert_eq!(cut(b"a\x01b", 7), ("a\\u0001".into(), false));
        assert_eq!(cut(b"a\xffb", 3), ("a".into(), false));
        assert_eq!(cut(b"a", 0), (String::new(), false));
    }
}
