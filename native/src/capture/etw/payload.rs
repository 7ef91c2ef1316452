//! The data of an event, by its template.
//!
//! It is walked once, and nothing is copied: a field is where it begins and ends. A number is read
//! where it is asked for.

use super::Malformed;
use super::show;
use super::template::{Field, Kind, Template};

/// Fields that a template may have.
pub const MAX_FIELDS: usize = 32;

/// The data of an event that fits its template.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    template: &'static Template,
    data: &'a [u8],
    /// Where each field ends.
    ends: [u16; MAX_FIELDS],
    pointer: usize,
}

impl<'a> Payload<'a> {
    /// Finds the fields. `pointer`: bytes of a pointer.
    ///
    /// Bytes behind the last of them are left alone: providers may add some. An event has at most
    /// 64 KiB.
    pub fn new(
        template: &'static Template,
        data: &'a [u8],
        pointer: usize,
    ) -> Result<Self, Malformed> {
        if data.len() > usize::from(u16::MAX) {
            return Err(Malformed("it is too long"));
        }
        let mut this = Self {
            template,
            data,
            ends: [0; MAX_FIELDS],
            pointer,
        };
        let mut at = 0;
        for (place, field) in template.fields.iter().enumerate().take(MAX_FIELDS) {
            let size = this.size(field.kind, &data[at..])?;
            if size > data.len() - at {
                return Err(Malformed("it ends too early"));
            }
            at += size;
            this.ends[place] = at as u16;
        }
        Ok(this)
    }

    /// Bytes of a field at the begin of what is left.
    fn size(&self, kind: Kind, rest: &[u8]) -> Result<usize, Malformed> {
        Ok(match kind {
            Kind::UInt8 => 1,
            Kind::UInt16 | Kind::Port => 2,
            Kind::UInt32 | Kind::Int32 | Kind::HexInt32 | Kind::Boolean | Kind::IPv4 => 4,
            Kind::UInt64 | Kind::Int64 | Kind::HexInt64 | Kind::FileTime => 8,
            Kind::IPv6 | Kind::Guid => 16,
            Kind::Bytes(count) => count.into(),
            Kind::Pointer => self.pointer,
            Kind::UnicodeString => {
                let mut units = rest.chunks_exact(2);
                match units.position(|unit| unit == [0, 0]) {
                    Some(count) => 2 * (count + 1),
                    None => rest.len(),
                }
            }
            Kind::AnsiString => match rest.iter().position(|&byte| byte == 0) {
                Some(count) => count + 1,
                None => rest.len(),
            },
            Kind::Sid => sid_size(rest)?,
            Kind::UserSid => match number(rest.get(..4).unwrap_or_default()) {
                // Nobody: four bytes stand in place of all.
                0 => 4,
                _ => {
                    let user = 2 * self.pointer;
                    user + sid_size(rest.get(user..).unwrap_or_default())?
                }
            },
            Kind::Binary(place) | Kind::Content(place) => number(self.bytes(place)) as usize,
        })
    }

    /// Bytes of all of it.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Bytes of the field at a place.
    fn bytes(&self, place: usize) -> &'a [u8] {
        let begin = match place {
            0 => 0,
            place => self.ends[place - 1],
        };
        &self.data[begin.into()..self.ends[place].into()]
    }

    fn place(&self, name: &str) -> Option<usize> {
        let mut fields = self.template.fields.iter();
        fields.position(|field| field.name == name)
    }

    /// All fields, each with its bytes.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, &'a [u8])> {
        let fields = self.template.fields.iter().enumerate().take(MAX_FIELDS);
        fields.map(|(place, field)| (field, self.bytes(place)))
    }

    /// A number; 0 if there is no such field.
    pub fn number(&self, name: &str) -> u64 {
        self.place(name)
            .map_or(0, |place| number(self.bytes(place)))
    }

    /// The same, where it cannot be longer than that.
    pub fn short(&self, name: &str) -> u32 {
        self.number(name) as u32
    }

    /// The bytes of a field; none if there is no such field.
    pub fn bytes_of(&self, name: &str) -> &'a [u8] {
        self.place(name).map_or(&[], |place| self.bytes(place))
    }

    /// A text, as [`show::value`] makes it; empty if there is no such field.
    pub fn text(&self, name: &str) -> String {
        let mut text = String::new();
        if let Some(place) = self.place(name) {
            show::value(
                &mut text,
                self.template.fields[place].kind,
                self.bytes(place),
            );
        }
        text
    }
}

/// Bytes of a SID: its head, and 4 for each of its parts.
fn sid_size(bytes: &[u8]) -> Result<usize, Malformed> {
    match bytes {
        &[1, count @ 0..=15, ..] => Ok(8 + 4 * usize::from(count)),
        _ => Err(Malformed("it has no SID where one has to be")),
    }
}

/// A number of up to 8 bytes.
pub fn number(bytes: &[u8]) -> u64 {
    // Nearly all have 4 or 8.
    if let Ok(whole) = bytes.try_into() {
        return u64::from_le_bytes(whole);
    }
    if let Ok(half) = bytes.try_into() {
        return u32::from_le_bytes(half).into();
    }
    let low = bytes.iter().take(8).rev();
    low.fold(0, |whole, byte| whole << 8 | u64::from(*byte))
}
