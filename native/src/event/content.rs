//! What files hold.

use std::sync::Arc;

/// A version of a file's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileVersion {
    /// Device, major and minor.
    pub device: (u32, u32),
    /// Inode number.
    pub inode: u64,
    /// Time of its last change (ctime), nanoseconds since the epoch; 0 if unknown.
    pub changed: u64,
    /// Bytes.
    pub size: u64,
    /// Magic number of the file system, 0 if unknown.
    pub filesystem: u32,
}

/// Digests of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // which algorithm's
pub struct Digests {
    pub md5: [u8; 16],
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    #[allow(missing_docs)]
    pub digests: Digests,
    /// Whether somebody signed it.
    pub signature: Signature,
}

/// What the host says of the signature of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    /// Nobody asked, or there was no answer.
    #[default]
    Unknown,
    /// It has none.
    Missing,
    /// It has one.
    Present {
        /// Who signed it, if that is known.
        subject: String,
        /// How the host verified it: 0, or the number of an error (`HRESULT` of Windows).
        status: u32,
    },
}

/// What is known of the content of the file that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// The event is about no content, or nobody wants to know.
    #[default]
    Unasked,
    /// It was read.
    Known(Arc<Inspection>),
    /// It was not.
    Unread(Unread),
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It has more bytes than are read.
    TooLarge,
    /// Reading it may wait for another host, or for a program.
    NotLocal,
    /// More was to be read than may be.
    TooMuch,
    /// It took too long.
    Late,
    /// Where it should be, there is none or another.
    NotFound,
    /// It was being changed.
    Changing,
}

impl Unread {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Unread::TooLarge => "too large",
            Unread::NotLocal => "not on a local file system",
            Unread::TooMuch => "too much to read",
            Unread::Late => "not known in time",
            Unread::NotFound => "not found as it was",
            Unread::Changing => "being changed",
        }
    }
}
