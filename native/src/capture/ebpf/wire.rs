//! The structs of `bpf/event.h`, field by field. A test compares them with the BTF of the object.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `enum event_kind`.
#[allow(missing_docs)] // event.h says what each means
pub mod kind {
    pub const CLOCK: u16 = 1;
    pub const SNAPSHOT: u16 = 2;
    pub const FORK: u16 = 3;
    pub const EXEC: u16 = 4;
    pub const EXIT: u16 = 5;
    pub const OPEN: u16 = 6;
    pub const DELETE: u16 = 7;
    pub const RENAME: u16 = 8;
    pub const CONNECTION: u16 = 9;

    /// Names in loss records, by number.
    pub const NAMES: [&str; 10] = [
        "record",
        "clock",
        "snapshot",
        "fork",
        "exec",
        "exit",
        "open",
        "delete",
        "rename",
        "connection",
    ];
}

/// `enum event_flag`.
#[allow(missing_docs)] // event.h says what each means
pub mod flag {
    pub const ARGUMENTS_CUT: u16 = 1 << 0;
    pub const PATH_CUT: u16 = 1 << 1;
    pub const CREATED: u16 = 1 << 2;
    pub const TRACKED: u16 = 1 << 3;
    pub const ACCEPTED: u16 = 1 << 4;
    pub const DIRECTORY: u16 = 1 << 5;
    pub const NAMELESS: u16 = 1 << 6;
    pub const OLD_PATH_CUT: u16 = 1 << 7;
}

/// `AF_INET`.
pub const FAMILY_IPV4: u16 = 2;
/// `AF_INET6`.
pub const FAMILY_IPV6: u16 = 10;

/// Declares a struct of the wire format together with the list of its fields for the layout test.
macro_rules! wire {
    ($(#[doc = $doc:literal] struct $name:ident = $c_name:literal { $($field:ident: $type:ty,)+ })+) => {
        $(
            #[doc = $doc]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C)]
            #[allow(missing_docs)] // event.h says what each field means
            pub struct $name { $(pub $field: $type,)+ }
        )+

        /// Every struct: its name in C, its size, and its fields with their offsets.
        #[cfg(test)]
        pub const LAYOUT: &[(&str, usize, &[(&str, usize)])] = &[
            $((
                $c_name,
                size_of::<$name>(),
                &[$((stringify!($field), std::mem::offset_of!($name, $field)),)+],
            ),)+
        ];
    };
}

wire! {
    /// What every record begins with.
    struct Header = "event_header" {
        size: u32,
        kind: u16,
        flags: u16,
        time: u64,
        sequence: u64,
        start: u64,
        cpu: u32,
        pid: u32,
        tid: u32,
        uid: u32,
        euid: u32,
        gid: u32,
        egid: u32,
        reserved: u32,
    }

    /// The offset between the clocks, in recordings.
    struct Clock = "event_clock" {
        header: Header,
        offset: u64,
    }

    /// A new process.
    struct Fork = "event_fork" {
        header: Header,
        child_start: u64,
        child_pid: u32,
        reserved: u32,
    }

    /// A new program; also a process of the snapshot.
    struct Exec = "event_exec" {
        header: Header,
        parent_start: u64,
        parent_pid: u32,
        arguments_count: u32,
        arguments_size: u32,
        executable_size: u16,
        directory_size: u16,
    }

    /// The end of a process.
    struct Exit = "event_exit" {
        header: Header,
        status: u32,
        reserved: u32,
    }

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

    /// An established TCP connection.
    struct Connection = "event_connection" {
        header: Header,
        local: [u8; 16],
        peer: [u8; 16],
        local_port: u16,
        peer_port: u16,
        family: u16,
        reserved: u16,
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
        reserved: u32,
    }

    /// A value of the map `repeats`.
    struct RepeatValue = "repeat" {
        since: u64,
        last: u64,
        count: u64,
    }

    /// A value of the map `tallies`, of one CPU.
    struct Tally = "tally" {
        sent: u64,
        lost_ring: u64,
        lost_kernel: u64,
        coalesced: u64,
    }
}

// SAFETY: integers only, without padding (IntoBytes proves it), so any bytes are valid.
unsafe impl aya::Pod for RepeatKey {}
// SAFETY: as above.
unsafe impl aya::Pod for RepeatValue {}
// SAFETY: as above.
unsafe impl aya::Pod for Tally {}

#[cfg(test)]
mod tests;
