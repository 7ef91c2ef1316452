//! What happens to files besides their content.

use super::{Header, Name, RepeatKey};

/// `enum change_how`.
#[allow(missing_docs)] // event.h says what each means
pub mod how {
    pub const NOFOLLOW: u16 = 1 << 0;
    pub const REMOVED: u16 = 1 << 1;
}

/// `TIME_KEPT`.
pub const TIME_KEPT: u64 = u64::MAX;
/// `TIME_NOW`.
pub const TIME_NOW: u64 = u64::MAX - 1;

wire! {
    /// What the kernel knows of a file that a call named by a descriptor.
    struct Inode = "event_inode" {
        number: u64,
        size: u64,
        device: u32,
        mode: u32,
        uid: u32,
        gid: u32,
    }

    /// A file that was made or changed.
    struct Change = "event_change" {
        header: Header,
        key: RepeatKey,
        inode: Inode,
        name: Name,
        attribute_size: u16,
        how: u16,
        mode: u32,
        device: u32,
        uid: u32,
        gid: u32,
        size: u64,
        accessed: u64,
        modified: u64,
    }

    /// An act on a file that was refused.
    struct Refused = "event_refused" {
        header: Header,
        key: RepeatKey,
        name: Name,
        old: Name,
        error: u32,
        call: u32,
    }

    /// Another name for a file.
    struct Link = "event_link" {
        header: Header,
        from: Name,
        to: Name,
    }

    /// A new symbolic link.
    struct Symlink = "event_symlink" {
        header: Header,
        name: Name,
        target_size: u16,
        reserved: u16,
    }
}
