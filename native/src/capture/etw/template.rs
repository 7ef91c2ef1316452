//! What the tables of [`templates`](super::templates) are made of.

/// Who writes events.
#[derive(Debug)]
pub struct Provider {
    /// Its name, as `Microsoft-Windows-Kernel-Process`.
    pub name: &'static str,
    /// Its GUID in capitals and braces.
    pub shown_guid: &'static str,
    /// The same as it stands in events.
    pub guid: [u8; 16],
    /// What may be asked of it, and the bit of that.
    pub keywords: &'static [(&'static str, u64)],
    /// Its events, in the order of their ids and versions.
    pub templates: &'static [Template],
}

/// How the data of one version of an event is laid out.
#[derive(Debug)]
pub struct Template {
    /// Number of the event; of a class of the classic logger, its opcode.
    pub id: u16,
    /// Version of its data.
    pub version: u8,
    /// What it has, without gaps.
    pub fields: &'static [Field],
}

/// A part of an event's data.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a field holds, and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number without a sign.
    UInt8,
    #[allow(missing_docs)]
    UInt16,
    #[allow(missing_docs)]
    UInt32,
    #[allow(missing_docs)]
    UInt64,
    /// A number with one.
    Int32,
    #[allow(missing_docs)]
    Int64,
    /// Four bytes that are shown as a hexadecimal number.
    HexInt32,
    /// Eight of them.
    HexInt64,
    /// An address of the host that wrote it, which has 4 or 8 bytes, shown so as well.
    Pointer,
    /// 100 ns since 1601.
    FileTime,
    /// Four bytes, 0 for false.
    Boolean,
    /// UTF-16 up to a NUL, or to the end of the data.
    UnicodeString,
    /// Bytes up to a NUL, or to the end of the data.
    AnsiString,
    /// A security identifier.
    Sid,
    /// One behind a `TOKEN_USER`, or nothing behind a 0.
    UserSid,
    /// An address of IPv4.
    IPv4,
    /// An address of IPv6.
    IPv6,
    /// A port in the network's byte order.
    Port,
    #[allow(missing_docs)]
    Guid,
    /// So many bytes.
    Bytes(u16),
    /// As many bytes as another field says, which stands before it at this place.
    Binary(usize),
    /// The same, of what is mostly text.
    Content(usize),
}

impl Provider {
    /// The bits of keywords; of one that it does not have, none.
    pub fn mask(&self, keywords: &[&str]) -> u64 {
        let bits = self.keywords.iter();
        bits.filter(|(name, _)| keywords.contains(name))
            .fold(0, |mask, (_, bit)| mask | bit)
    }

    /// Some version of an event is known.
    pub fn has(&self, id: u16) -> bool {
        self.templates.iter().any(|template| template.id == id)
    }

    /// The template of a version of an event.
    pub fn template(&self, id: u16, version: u8) -> Option<&'static Template> {
        let key = |template: &Template| (template.id, template.version);
        let at = self.templates.binary_search_by_key(&(id, version), key);
        at.ok().map(|at| &self.templates[at])
    }
}

/// A field, for the tables.
pub const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// A template, for the tables.
pub const fn template(id: u16, version: u8, fields: &'static [Field]) -> Template {
    Template {
        id,
        version,
        fields,
    }
}
