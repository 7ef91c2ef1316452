//! Events of Windows' event tracing, made by hand.

use std::borrow::Cow;

use endpoint_agent_native::capture::etw::recording::Frame;
use endpoint_agent_native::capture::etw::template::{Kind, Provider};
use endpoint_agent_native::capture::etw::templates::{FILE_CLASS, PROCESS_CLASS};

/// 2024-01-02T13:51:48.1394289Z, in 100 ns since 1601.
pub const TIME: u64 = 133_486_771_081_394_289;
/// The same of a second.
pub const SECOND: u64 = 10_000_000;
/// The SID of the system.
pub const SYSTEM: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];

/// A value of an event.
pub enum Data {
    Number(u64),
    Text(Cow<'static, str>),
    Bytes(&'static [u8]),
}

/// An event that is about to be written.
pub struct Made {
    pub provider: &'static Provider,
    pub id: u16,
    pub version: u8,
    /// Bytes of a pointer.
    pub pointer: usize,
    pub time: u64,
    pub process: u32,
    pub thread: u32,
    pub level: u8,
    pub keywords: u64,
    pub attached: Vec<(u16, &'static [u8])>,
    pub values: Vec<(&'static str, Data)>,
}

fn is_classic(provider: &'static Provider) -> bool {
    [&PROCESS_CLASS, &FILE_CLASS]
        .into_iter()
        .any(|class| std::ptr::eq(class, provider))
}

/// One of a layout, in which all is 0 or empty.
pub fn made(provider: &'static Provider, id: u16, version: u8) -> Made {
    let is_classic = is_classic(provider);
    Made {
        provider,
        id,
        version,
        pointer: 8,
        time: TIME,
        process: 8088,
        thread: 1480,
        level: if is_classic { 0 } else { 4 },
        keywords: if is_classic { 0 } else { 1 << 63 },
        attached: Vec::new(),
        values: Vec::new(),
    }
}

impl Made {
    /// By a process and its thread.
    pub fn by(self, process: u32, thread: u32) -> Self {
        Self {
            process,
            thread,
            ..self
        }
    }

    /// So long after [`TIME`].
    pub fn after(self, time: u64) -> Self {
        Self {
            time: TIME + time,
            ..self
        }
    }

    /// With a number.
    pub fn number(mut self, name: &'static str, value: u64) -> Self {
        self.values.push((name, Data::Number(value)));
        self
    }

    /// With a text.
    pub fn text(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.values.push((name, Data::Text(value.into())));
        self
    }

    /// With bytes.
    pub fn bytes(mut self, name: &'static str, value: &'static [u8]) -> Self {
        self.values.push((name, Data::Bytes(value)));
        self
    }

    /// Its `EVENT_HEADER`.
    pub fn header(&self) -> Vec<u8> {
        let is_classic = is_classic(self.provider);
        let flags = if self.pointer == 4 { 0x20_u16 } else { 0x40 } | u16::from(is_classic) << 8;
        let (id, opcode) = if is_classic {
            (0, self.id as u8)
        } else {
            (self.id, 0)
        };
        let descriptor = [
            &id.to_le_bytes()[..],
            &[self.version, 0, self.level, opcode],
            &0_u16.to_le_bytes(),
            &self.keywords.to_le_bytes(),
        ];
        [
            &[80, 0, 0, 0][..],
            &flags.to_le_bytes(),
            &[0; 2],
            &self.thread.to_le_bytes(),
            &self.process.to_le_bytes(),
            &self.time.to_le_bytes(),
            &self.provider.guid,
            &descriptor.concat(),
            &[0; 24],
        ]
        .concat()
    }

    /// The data by the template; what is not given is 0 or empty.
    pub fn data(&self) -> Vec<u8> {
        let template = self.provider.template(self.id, self.version).unwrap();
        for (name, _) in &self.values {
            assert!(
                template.fields.iter().any(|field| field.name == *name),
                "{name}"
            );
        }
        let mut bytes = Vec::new();
        for field in template.fields {
            let value = self.values.iter().find(|(name, _)| *name == field.name);
            match value.map(|(_, value)| value) {
                Some(Data::Number(number)) => {
                    let size = match field.kind {
                        Kind::UInt8 => 1,
                        Kind::UInt16 | Kind::Port => 2,
                        Kind::Pointer => self.pointer,
                        Kind::UInt64 | Kind::FileTime => 8,
                        _ => 4,
                    };
                    bytes.extend(&number.to_le_bytes()[..size]);
                }
                Some(Data::Text(text)) if field.kind == Kind::AnsiString => {
                    bytes.extend([text.as_bytes(), &[0]].concat());
                }
                Some(Data::Text(text)) => {
                    let units = text.encode_utf16().chain([0]);
                    bytes.extend(units.flat_map(u16::to_le_bytes));
                }
                Some(Data::Bytes(value)) => {
                    if field.kind == Kind::UserSid {
                        bytes.extend(vec![7; 2 * self.pointer]);
                    }
                    bytes.extend(*value);
                }
                None => bytes.extend(vec![
                    0;
                    match field.kind {
                        Kind::UInt16 | Kind::Port | Kind::UnicodeString => 2,
                        Kind::AnsiString | Kind::UInt8 => 1,
                        Kind::Pointer => self.pointer,
                        Kind::UInt64 | Kind::FileTime => 8,
                        Kind::IPv6 => 16,
                        Kind::Binary(_) | Kind::Content(_) => 0,
                        Kind::Bytes(count) => count.into(),
                        _ => 4,
                    }
                ]),
            }
            if field.kind == Kind::Sid && value.is_none() {
                bytes.truncate(bytes.len() - 4);
                bytes.extend(SYSTEM);
            }
        }
        bytes
    }

    /// Appends its frame.
    pub fn write(&self, file: &mut Vec<u8>) {
        let frame = Frame::Event {
            header: &self.header(),
            attached: &self.attached,
            data: &self.data(),
        };
        frame.write(file).unwrap();
    }
}
