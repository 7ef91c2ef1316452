//! A writer of JSON whose keys are known and whose values are hostile.

use std::fmt::Display;
use std::io::Write;

use crate::ecs::escape::{escape, hex};

/// Cuts nothing.
pub const UNLIMITED: usize = usize::MAX;

/// Bytes that the members of a process take, give or take.
const USUAL: usize = 512;

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
            out: Vec::with_capacity(USUAL),
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
    pub fn into_parts(mut self) -> (Vec<u8>, Vec<String>) {
        self.out.shrink_to_fit();
        (self.out, self.cut)
    }

    /// Dotted names of the fields that were cut, in the order of their writing.
    pub fn take_cut(&mut self) -> Vec<String> {
        std::mem::take(&mut self.cut)
    }

    /// Notes that a member of the open object has lost a part of its value.
    pub fn note_cut(&mut self, key: &str) {
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

    /// Opens a list of objects.
    pub fn open_list(&mut self, key: &'static str) {
        self.open.push((key, self.out.len()));
        self.key(key);
        self.out.push(b'[');
    }

    /// Closes the list that was opened last.
    pub fn close_list(&mut self) {
        self.open.pop();
        self.out.push(b']');
    }

    /// Opens an object in a list; it gets at least one member.
    pub fn open_item(&mut self) {
        self.separate();
        self.out.push(b'{');
    }

    /// Closes an object in a list.
    pub fn close_item(&mut self) {
        self.out.push(b'}');
    }

    /// A text that was never seen before: escaped, repaired, and cut to the limit.
    pub fn text(&mut self, key: &'static str, value: &[u8]) {
        self.short_text(key, value, UNLIMITED);
    }

    /// Like [`Json::text`], with a limit of its own where that is lower.
    pub fn short_text(&mut self, key: &'static str, value: &[u8], limit: usize) {
        self.key(key);
        if !self.quoted(value, limit.min(self.limit)) {
            self.note_cut(key);
        }
    }

    /// Like [`Json::text`], but an unknown value leaves no member.
    pub fn text_if_known(&mut self, key: &'static str, value: &[u8]) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    /// A text of printable ASCII without quotes and backslashes, as it is.
    pub fn word(&mut self, key: &'static str, value: impl AsRef<[u8]>) {
        self.key(key);
        self.put_word(value.as_ref());
    }

    /// A list of the same.
    pub fn words(&mut self, key: &'static str, values: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        self.key(key);
        self.out.push(b'[');
        for value in values {
            self.separate();
            self.put_word(value.as_ref());
        }
        self.out.push(b']');
    }

    /// What shows itself in printable ASCII without quotes and backslashes.
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

    /// Bytes as hexadecimal digits.
    pub fn hex(&mut self, key: &'static str, bytes: &[u8]) {
        self.key(key);
        self.hex_digits(bytes);
    }

    /// A list of the same.
    pub fn hex_list<'a>(&mut self, key: &'static str, values: impl IntoIterator<Item = &'a [u8]>) {
        self.key(key);
        self.out.push(b'[');
        for value in values {
            self.separate();
            self.hex_digits(value);
        }
        self.out.push(b']');
    }

    /// A list of whole numbers.
    pub fn numbers(&mut self, key: &'static str, values: impl IntoIterator<Item = u64>) {
        self.key(key);
        self.out.push(b'[');
        for value in values {
            self.separate();
            self.out
                .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        }
        self.out.push(b']');
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

    /// `false`.
    pub fn no(&mut self, key: &'static str) {
        self.key(key);
        self.out.extend_from_slice(b"false");
    }

    /// Like [`Json::text`], under a key that was never seen before.
    pub fn named_text(&mut self, key: &str, value: &[u8]) {
        self.name(key);
        if !self.quoted(value, self.limit) {
            self.note_cut(key);
        }
    }

    /// Like [`Json::texts`], under a key that was never seen before.
    pub fn named_texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a [u8]>) {
        self.name(key);
        self.put_texts(key, values);
    }

    /// A list of texts, cut as a whole to the limit.
    pub fn texts<'a>(&mut self, key: &'static str, values: impl IntoIterator<Item = &'a [u8]>) {
        self.key(key);
        self.put_texts(key, values);
    }

    fn put_texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a [u8]>) {
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

    fn put_word(&mut self, value: &[u8]) {
        self.out.reserve(value.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(value);
        self.out.push(b'"');
    }

    fn key(&mut self, key: &'static str) {
        self.out.reserve(key.len() + r#","":"#.len());
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn name(&mut self, key: &str) {
        self.separate();
        self.quoted(key.as_bytes(), UNLIMITED);
        self.out.push(b':');
    }

    fn hex_digits(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for &byte in bytes {
            self.out.extend_from_slice(&hex(byte));
        }
        self.out.push(b'"');
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

#[cfg(test)]
mod tests {
    use super::{Json, UNLIMITED};
    use serde_json::{Value, json};

    fn object(limit: usize, write: impl FnOnce(&mut Json)) -> (Value, Vec<String>) {
        let mut json = Json::new();
        json.start(limit);
        write(&mut json);
        json.finish();
        let (bytes, cut) = json.into_parts();
        (serde_json::from_slice(&bytes).unwrap(), cut)
    }

    #[test]
    fn writes_every_kind_of_value() {
        let (value, cut) = object(UNLIMITED, |json| {
            json.raw_members(b"");
            json.raw_members(br#""a":1"#);
            json.open("b");
            json.number("c", u64::MAX);
            json.digits("d", 7);
            json.yes("e");
            json.no("r");
            json.named_text("\"s", b"t");
            json.named_texts("\\", [&b"u"[..]]);
            json.open("f");
            json.plain("g", 1.5);
            json.close();
            json.close();
            json.texts("h", [&b""[..], b"x"]);
            json.plain_texts("i", [1, 2]);
            json.word("o", "p");
            json.words("q", ["r", "s"]);
            json.text_if_known("j", b"");
            json.numbers("l", [0, 1]);
            json.hex("m", &[0x0f, 0xa0]);
            json.hex_list("n", [&[][..], &[0xff]]);
        });
        let members = json!({"c": u64::MAX, "d": "7", "e": true, "r": false, "\"s": "t", "\\": ["u"],
            "f": {"g": "1.5"}});
        assert_eq!(
            value,
            json!({"a": 1, "b": members, "h": ["", "x"], "i": ["1", "2"], "l": [0, 1], "m": "0fa0", "n": ["", "ff"],
                "o": "p", "q": ["r", "s"]})
        );
        assert_eq!(cut, Vec::<String>::new());
    }

    #[test]
    fn an_object_without_members_leaves_no_trace() {
        let (value, _) = object(UNLIMITED, |json| {
            json.open("a");
            json.open("b");
            json.close();
            json.close();
            json.number("c", 1);
            json.open("d");
            json.close();
        });
        assert_eq!(value, json!({"c": 1}));
    }

    #[test]
    fn writes_a_list_of_objects() {
        let (value, cut) = object(2, |json| {
            json.open("dns");
            json.open_list("answers");
            for name in [&b"a"[..], b"long"] {
                json.open_item();
                json.text("name", name);
                json.close_item();
            }
            json.close_list();
            json.number("id", 1);
            json.close();
        });
        let answers = json!([{"name": "a"}, {"name": value["dns"]["answers"][1]["name"]}]);
        assert_eq!(value, json!({"dns": {"answers": answers, "id": 1}}));
        assert_eq!(cut, ["dns.answers.name"]);
    }

    #[test]
    fn cuts_a_list_as_a_whole() {
        let texts = [&b"aaaa"[..], b"bbbb", b"cccc"];
        for limit in 0..30 {
            let (value, cut) = object(limit, |json| json.texts("args", texts));
            let written = serde_json::to_string(&value["args"]).unwrap();
            assert!(
                written.len() <= limit + 2,
                "{written} is longer than {limit}"
            );
            assert_eq!(cut.is_empty(), written == r#"["aaaa","bbbb","cccc"]"#);
        }
    }

    #[test]
    fn names_a_cut_field_once() {
        let (_, cut) = object(1, |json| {
            json.open("process");
            json.open("parent");
            json.text("name", b"long");
            json.note_cut("name");
            json.close();
            json.note_all_cut(&["file.path".into()]);
            json.close();
        });
        assert_eq!(cut, ["process.parent.name", "file.path"]);
    }
}
