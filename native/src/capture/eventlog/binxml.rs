//! BinXML: the XML of an event as tokens, with templates and the values for their places.

use super::Malformed;
use super::builder::Builder;
use super::cursor::Cursor;
use super::value::{self, FRAGMENT, Value};

/// What a record may cost: tokens, values of its templates, templates within each other. The largest
/// record that Windows writes has some hundreds, and two within each other.
const MAX_TOKENS: u32 = 20_000;
const MAX_VALUES: usize = 4_096;
const MAX_NESTED: u8 = 8;

/// Bytes of what stands before a template's elements: the offset of the next, a GUID, its size.
const TEMPLATE_HEAD: usize = 24;

/// Reads records of one chunk after the other.
#[derive(Debug, Default)]
pub struct Reader {
    /// Takes what is read.
    pub builder: Builder,
    name: String,
    values: Vec<Typed>,
    tokens: u32,
}

/// Where a value is in the chunk, and its type.
#[derive(Clone, Copy, Debug)]
struct Typed {
    kind: u8,
    begin: usize,
    end: usize,
}

/// What the tokens stand in.
#[derive(Clone, Copy, Debug)]
struct Scope {
    /// The values of the template are from here to there.
    first: usize,
    count: usize,
    /// Elements have two bytes more in a template than elsewhere.
    in_template: bool,
    nested: u8,
}

impl Reader {
    /// Reads the event that stands from `begin` to `end` of a chunk into the builder.
    pub fn read(&mut self, chunk: &[u8], begin: usize, end: usize) -> Result<(), Malformed> {
        self.tokens = 0;
        self.values.clear();
        let scope = Scope {
            first: 0,
            count: 0,
            in_template: false,
            nested: 0,
        };
        self.fragment(chunk, Cursor::new(chunk, begin, end), scope)
    }

    /// Reads tokens until the last one, or the end. All elements that begin have to end.
    fn fragment(
        &mut self,
        chunk: &[u8],
        mut cursor: Cursor,
        scope: Scope,
    ) -> Result<(), Malformed> {
        let depth = self.builder.depth();
        while cursor.at() < cursor.end() {
            self.tokens += 1;
            if self.tokens > MAX_TOKENS {
                return Err(Malformed("it has too many parts"));
            }
            match cursor.u8()? {
                0x00 => break,
                0x0f => {
                    cursor.take(3)?;
                }
                0x0c => self.template(chunk, &mut cursor, scope.nested)?,
                token @ (0x01 | 0x41) => {
                    // Which values the element depends on, and its size.
                    cursor.take(if scope.in_template { 6 } else { 4 })?;
                    self.name(chunk, &mut cursor)?;
                    if token == 0x41 {
                        cursor.take(4)?;
                    }
                    self.builder.open(&self.name)?;
                }
                0x02 => self.builder.content(),
                0x03 | 0x04 if self.builder.depth() > depth => self.builder.close()?,
                0x05 | 0x45 => match cursor.u8()? {
                    0x01 => self.builder.value(Value::Wide(cursor.text()?)),
                    _ => return Err(Malformed("it has a literal that is no text")),
                },
                0x06 | 0x46 => {
                    self.name(chunk, &mut cursor)?;
                    self.builder.attribute(&self.name);
                }
                0x07 | 0x47 => self.builder.value(Value::Wide(cursor.text()?)),
                0x08 | 0x48 => self.builder.value(Value::Wide(cursor.take(2)?)),
                0x09 | 0x49 => {
                    self.name(chunk, &mut cursor)?;
                    self.builder.value(Value::Narrow(entity(&self.name)));
                }
                // A processing instruction is no part of what happened.
                0x0a => self.name(chunk, &mut cursor)?,
                0x0b => {
                    cursor.text()?;
                }
                0x0d | 0x0e => {
                    let number = cursor.u16()?;
                    cursor.take(1)?;
                    self.substitute(chunk, usize::from(number), scope)?;
                }
                _ => return Err(Malformed("it has a token that is none")),
            }
        }
        if self.builder.depth() == depth {
            Ok(())
        } else {
            Err(Malformed("it has an element without an end"))
        }
    }

    /// Reads a template and the values that stand behind it, or behind where it is referred to.
    fn template(&mut self, chunk: &[u8], cursor: &mut Cursor, nested: u8) -> Result<(), Malformed> {
        if nested == MAX_NESTED {
            return Err(Malformed("its templates are too deep"));
        }
        cursor.take(5)?;
        let begin = cursor.u32()? as usize;
        let mut head = Cursor::new(chunk, begin, chunk.len());
        head.take(TEMPLATE_HEAD - 4)?;
        let size = head.u32()? as usize;
        if begin == cursor.at() {
            cursor.take(TEMPLATE_HEAD)?;
            cursor.take(size)?;
        }
        let first = self.values.len();
        let count = self.take_values(cursor)?;
        let body = Cursor::new(chunk, head.at(), head.at().saturating_add(size));
        let scope = Scope {
            first,
            count,
            in_template: true,
            nested: nested + 1,
        };
        let read = self.fragment(chunk, body, scope);
        self.values.truncate(first);
        read
    }

    /// Notes where values are, and how many.
    fn take_values(&mut self, cursor: &mut Cursor) -> Result<usize, Malformed> {
        let count = cursor.u32()? as usize;
        if count > MAX_VALUES - self.values.len() {
            return Err(Malformed("it has too many values"));
        }
        let sizes = cursor.take(4 * count)?;
        for size in sizes.chunks_exact(4) {
            let begin = cursor.at();
            cursor.take(usize::from(u16::from_le_bytes([size[0], size[1]])))?;
            self.values.push(Typed {
                kind: size[2],
                begin,
                end: cursor.at(),
            });
        }
        Ok(count)
    }

    /// Puts a value in its place. One that is not there is empty.
    fn substitute(&mut self, chunk: &[u8], number: usize, scope: Scope) -> Result<(), Malformed> {
        if number >= scope.count {
            return Ok(());
        }
        let Typed { kind, begin, end } = self.values[scope.first + number];
        if kind == FRAGMENT {
            return self.nested(chunk, Cursor::new(chunk, begin, end), scope.nested);
        }
        let builder = &mut self.builder;
        let mut is_first = true;
        value::each(kind, &chunk[begin..end], |value| {
            if !std::mem::take(&mut is_first) {
                builder.again();
            }
            builder.value(value);
        });
        Ok(())
    }

    /// Reads BinXML that is a value.
    fn nested(&mut self, chunk: &[u8], cursor: Cursor, nested: u8) -> Result<(), Malformed> {
        if nested == MAX_NESTED {
            return Err(Malformed("its templates are too deep"));
        }
        let scope = Scope {
            first: 0,
            count: 0,
            in_template: false,
            nested: nested + 1,
        };
        self.fragment(chunk, cursor, scope)
    }

    /// Reads a name, which stands here or elsewhere in the chunk.
    fn name(&mut self, chunk: &[u8], cursor: &mut Cursor) -> Result<(), Malformed> {
        let begin = cursor.u32()? as usize;
        let text = if begin == cursor.at() {
            let text = named(cursor)?;
            cursor.take(2)?;
            text
        } else {
            named(&mut Cursor::new(chunk, begin, chunk.len()))?
        };
        self.name.clear();
        value::write_wide(&mut self.name, text);
        Ok(())
    }
}

/// The text of a name, behind the offset of the next one and a hash.
fn named<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Malformed> {
    cursor.take(6)?;
    cursor.text()
}

/// What an entity of XML stands for.
fn entity(name: &str) -> &'static [u8] {
    match name {
        "amp" => b"&",
        "lt" => b"<",
        "gt" => b">",
        "quot" => b"\"",
        "apos" => b"'",
        _ => "\u{fffd}".as_bytes(),
    }
}
