//! What is seen where.

use super::{Header, Name};

/// `enum mount_act`.
#[allow(missing_docs)] // event.h says what each means
pub mod act {
    pub const MADE: u32 = 1;
    pub const ATTACHED: u32 = 2;
    pub const REMOVED: u32 = 3;
    pub const ROOT_SWAPPED: u32 = 4;
    pub const ROOT_CHANGED: u32 = 5;
}

wire! {
    /// A change of the tree of folders.
    struct Mount = "event_mount" {
        header: Header,
        place: Name,
        source: Name,
        options: u64,
        device_size: u16,
        type_size: u16,
        act: u32,
    }
}
