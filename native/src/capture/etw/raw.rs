//! An event as Windows hands it over: an `EVENT_HEADER`, what is attached, and data.

use super::Malformed;
use super::template::Provider;
use super::templates;

/// Bytes of an `EVENT_HEADER`, the same for 32 and 64 bits.
pub const HEADER: usize = 80;

/// Flags of a header.
const FLAG_32_BIT: u16 = 0x20;
const FLAG_CLASSIC: u16 = 0x100;

/// 100 ns between 1601 and the epoch.
const EPOCH: u64 = 116_444_736_000_000_000;

/// What a header says.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Who wrote it.
    pub provider: [u8; 16],
    /// Number of the event; of a class of the classic logger, its opcode.
    pub id: u16,
    #[allow(missing_docs)]
    pub version: u8,
    #[allow(missing_docs)]
    pub level: u8,
    #[allow(missing_docs)]
    pub opcode: u8,
    #[allow(missing_docs)]
    pub task: u16,
    #[allow(missing_docs)]
    pub keywords: u64,
    /// The process that wrote it, and its thread.
    pub process: u32,
    #[allow(missing_docs)]
    pub thread: u32,
    /// 100 ns since 1601.
    pub time: u64,
    /// What it is a part of.
    pub activity: [u8; 16],
    /// Bytes of a pointer in its data.
    pub pointer: usize,
}

impl Header {
    /// Reads one.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &[u8; HEADER] = bytes
            .get(..HEADER)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Malformed("its header is short"))?;
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let u64_at = |at| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let guid_at = |at: usize| std::array::from_fn(|index| bytes[at + index]);
        let flags = u16_at(4);
        let opcode = bytes[45];
        Ok(Self {
            provider: guid_at(24),
            id: if flags & FLAG_CLASSIC == 0 {
                u16_at(40)
            } else {
                opcode.into()
            },
            version: bytes[42],
            level: bytes[44],
            opcode,
            task: u16_at(46),
            keywords: u64_at(48),
            process: u32_at(12),
            thread: u32_at(8),
            time: u64_at(16),
            activity: guid_at(64),
            pointer: if flags & FLAG_32_BIT == 0 { 8 } else { 4 },
        })
    }

    /// What says how its data is laid out: its provider, number and version.
    pub fn version_key(&self) -> ([u8; 16], u16, u8) {
        (self.provider, self.id, self.version)
    }

    /// Its provider, if that is known.
    pub fn known_provider(&self) -> Option<&'static Provider> {
        let mut all = templates::ALL.iter();
        all.find(|provider| provider.guid == self.provider).copied()
    }
}

/// Nanoseconds since the epoch of a time of Windows; of one before it, 0.
pub fn since_epoch(time: u64) -> u64 {
    time.saturating_sub(EPOCH).saturating_mul(100)
}

/// A time of Windows of nanoseconds since the epoch.
pub fn of_epoch(time: u64) -> u64 {
    time / 100 + EPOCH
}
