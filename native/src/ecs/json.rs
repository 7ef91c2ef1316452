//! A writer of JSON whose keys are known and whose values are hostile.
//!
//! Its output is valid JSON in UTF-8 whatever the bytes were: what is no UTF-8 becomes U+FFFD as
//! `String::from_utf8_lossy` does it, and only `"`, `\` and control characters are escaped.

use std::fmt::Display;
use std::io::Write;

/// Cuts nothing.
pub const UNLIMITED: usize = usize::MAX;

/// U+FFFD, which stands for bytes that are no UTF-8.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// One JSON object under construction, or members to be put into one.
///
/// Commas need no state: one is due unless the last byte opened an object or a list.
#[derive(Debug)]
pub struct Json {
    out: Vec<u8>,
    /// Most bytes that one text, or one list of texts, may take.
    limit: usize,
    /// The objects that are open: their names, and where they begin.
    open: Vec<(&'static str, usize)>,
    /// Dotted names of the fields that were cut.
    cut: Vec<String>,
}

impl Json {
    /// Members of an object that is called `name` where they will be used.
    pub fn members_of(name: &'static str, limit: usize) -> Self {
        Self {
            out: Vec::new(),
            limit,
            open: vec![(name, 0)],
            cut: Vec::new(),
        }
    }

    /// A writer for whole records, see [`Json::start`].
    pub fn new() -> Self {
        Self {
            out: Vec::new(),
            limit: UNLIMITED,
            open: Vec::new(),
            cut: Vec::new(),
        }
    }

    /// Forgets everything and opens the root object.
    pub fn start(&mut self, limit: usize) {
        self.out.clear();
        self.open.clear();
        self.cut.clear();
        self.limit = limit;
        self.out.push(b'{');
    }

    /// Closes the root object.
    pub fn finish(&mut self) {
        self.out.push(b'}');
    }

    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// What has been written, and the names of what was cut.
    pub fn into_parts(self) -> (Vec<u8>, Vec<String>) {
        (self.out, self.cut)
    }

    /// Dotted names of the fields that were cut, in the order of their writing.
    pub fn take_cut(&mut self) -> Vec<String> {
        std::mem::take(&mut self.cut)
    }

    /// Notes that a member of the open object has lost a part of its value.
    pub fn note_cut(&mut self, key: &'static str) {
        let names = self.open.iter().map(|&(name, _)| name).chain([key]);
        let name = names.collect::<Vec<_>>().join(".");
        if !self.cut.contains(&name) {
            self.cut.push(name);
        }
    }

    /// Notes names that another writer has cut.
    pub fn note_all_cut(&mut self, names: &[String]) {
        self.cut.extend_from_slice(names);
    }

    /// Opens an object.
    pub fn open(&mut self, key: &'static str) {
        self.open.push((key, self.out.len()));
        self.key(key);
        self.out.push(b'{');
    }

    /// Closes the object that was opened last. One without members leaves no trace.
    pub fn close(&mut self) {
        let begin = self.open.pop().map_or(0, |(_, begin)| begin);
        if self.out.last() == Some(&b'{') {
            self.out.truncate(begin);
        } else {
            self.out.push(b'}');
        }
    }

    /// A text that was never seen before: escaped, repaired, and cut to the limit.
    pub fn text(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        if !self.quoted(value, self.limit) {
            self.note_cut(key);
        }
    }

    /// Like [`Json::text`], but an unknown value leaves no member.
    pub fn text_if_known(&mut self, key: &'static str, value: &[u8]) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    /// A text of printable ASCII without quotes and backslashes.
    pub fn plain(&mut self, key: &'static str, value: impl Display) {
        self.key(key);
        self.display(value);
    }

    /// A list of texts of printable ASCII without quotes and backslashes.
    pub fn plain_texts(
        &mut self,
        key: &'static str,
        values: impl IntoIterator<Item = impl Display>,
    ) {
        self.key(key);
        self.out.push(b'[');
        for value in values {
            self.separate();
            self.display(value);
        }
        self.out.push(b']');
    }

    /// A whole number.
    pub fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A whole number as text, as ECS wants identifiers.
    pub fn digits(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.out.push(b'"');
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.out.push(b'"');
    }

    /// `true`.
    pub fn yes(&mut self, key: &'static str) {
        self.key(key);
        self.out.extend_from_slice(b"true");
    }

    /// A list of texts, cut as a whole to the limit.
    pub fn texts<'a>(&mut self, key: &'static str, values: impl IntoIterator<Item = &'a [u8]>) {
        self.key(key);
        self.out.push(b'[');
        let end = self.out.len().saturating_add(self.limit);
        for value in values {
            let room = end.saturating_sub(self.out.len() + r#","""#.len());
            if room == 0 {
                self.note_cut(key);
                break;
            }
            self.separate();
            if !self.quoted(value, room) {
                self.note_cut(key);
                break;
            }
        }
        self.out.push(b']');
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(value);
    }

    /// Members that are JSON already; there may be none.
    pub fn raw_members(&mut self, members: &[u8]) {
        if !members.is_empty() {
            self.separate();
            self.out.extend_from_slice(members);
        }
    }

    fn display(&mut self, value: impl Display) {
        self.out.push(b'"');
        // Writing to memory does not fail.
        let _ = write!(self.out, "{value}");
        self.out.push(b'"');
    }

    fn key(&mut self, key: &'static str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// Writes a text in quotes; whether all of it was written.
    fn quoted(&mut self, value: &[u8], limit: usize) -> bool {
        self.out.push(b'"');
        let whole = escape(&mut self.out, value, limit);
        self.out.push(b'"');
        whole
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends the inside of a JSON string, at most `limit` bytes of it; whether that was all.
fn escape(out: &mut Vec<u8>, value: &[u8], limit: usize) -> bool {
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
    let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
    match byte {
        b'"' | b'\\' => append_whole(out, &[b'\\', byte], end),
        b'\n' => append_whole(out, b"\\n", end),
        b'\t' => append_whole(out, b"\\t", end),
        _ => append_whole(
            out,
            &[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)],
            end,
        ),
    }
}

/// Appends all or nothing.
fn append_whole(out: &mut Vec<u8>, bytes: &[u8], end: usize) -> bool {
    let fits = bytes.len() <= end.saturating_sub(out.len());
    if fits {
        out.extend_from_slice(bytes);
    }
    fits
}
