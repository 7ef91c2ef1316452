//! What happens to files.

use super::Header;

wire! {
    /// A regular file opened for writing.
    struct Open = "event_open" {
        header: Header,
        key: RepeatKey,
        size: u64,
        mode: u32,
        uid: u32,
        gid: u32,
        path_size: u16,
        reserved: u16,
    }

    /// A file that is only in memory.
    struct MemoryFile = "event_memory_file" {
        header: Header,
        key: RepeatKey,
        options: u32,
        path_size: u16,
        reserved: u16,
    }

    /// A name below a folder.
    struct Name = "event_name" {
        base_size: u16,
        name_size: u16,
    }

    /// A name that was removed.
    struct Delete = "event_delete" {
        header: Header,
        name: Name,
        reserved: u32,
    }

    /// A name that was changed.
    struct Rename = "event_rename" {
        header: Header,
        from: Name,
        to: Name,
    }

    /// What a record begins with whose repeats may be counted.
    struct Repeatable = "event_repeatable" {
        header: Header,
        key: RepeatKey,
    }

    /// Which act a repeat repeats: the key of the map `repeats`.
    struct RepeatKey = "repeat_key" {
        inode: u64,
        start: u64,
        path: u64,
        device: u32,
        generation: u32,
        pid: u32,
        euid: u32,
        program: u32,
        filesystem: u32,
    }
}
