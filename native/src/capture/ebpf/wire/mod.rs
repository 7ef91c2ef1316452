//! The structs of `bpf/event.h` and `bpf/maps.h`, field by field. A test compares them with the BTF of the object.

/// Declares the kinds: their numbers, and their names in loss records by number.
macro_rules! kinds {
    ($($constant:ident = $number:literal $name:literal,)+) => {
        /// `enum event_kind`.
        #[allow(missing_docs)] // event.h says what each means
        pub mod kind {
            $(pub const $constant: u16 = $number;)+

            /// One more than the highest number.
            pub const COUNT: usize = {
                let mut most = 0;
                $(if $number > most { most = $number; })+
                most + 1
            };

            /// Names in loss records, by number; `record` for numbers that no kind has.
            pub const NAMES: [&str; COUNT] = {
                let mut names = ["record"; COUNT];
                $(names[$number] = $name;)+
                names
            };
        }
    };
}

kinds! {
    CLOCK = 1 "clock",
    SNAPSHOT = 2 "snapshot",
    FORK = 3 "fork",
    EXEC = 4 "exec",
    EXIT = 5 "exit",
    OPEN = 6 "open",
    DELETE = 7 "delete",
    RENAME = 8 "rename",
    CONNECTION = 9 "connection",
    DIRECTORY_MADE = 10 "directory made",
    NODE_MADE = 11 "node made",
    LINK = 12 "link",
    SYMLINK = 13 "symlink",
    MODE = 14 "mode",
    OWNER = 15 "owner",
    TIMES = 16 "times",
    ATTRIBUTE = 17 "attribute",
    TRUNCATE = 18 "truncate",
    MOUNT = 19 "mount",
    CONNECT_FAILURE = 20 "connect failure",
    LISTEN = 21 "listen",
    DISCONNECTION = 22 "disconnection",
    DATAGRAM = 23 "datagram",
    DNS = 24 "dns",
    REFUSED = 25 "refused",
    EXEC_FAILED = 30 "exec failed",
    IDENTITY = 31 "identity",
    CAPABILITIES = 32 "capabilities",
    NAMESPACE = 33 "namespace",
    INJECTION = 34 "injection",
    SIGNAL = 35 "signal",
    MODULE = 36 "module",
    BPF = 37 "bpf",
    MEMORY_FILE = 38 "memory file",
    REQUEST = 45 "request",
    ANSWER = 46 "answer",
    AUDIT = 50 "audit",
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
    pub const EXCHANGED: u16 = 1 << 8;
}

/// `enum audit_reading`.
#[allow(missing_docs)] // event.h says what each means
pub mod reading {
    pub const BEGIN: u32 = 1;
    pub const MESSAGE: u32 = 2;
    pub const PROCESS: u32 = 3;
    pub const ANSWER: u32 = 4;
    pub const TURN: u32 = 5;
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
            #[derive(zerocopy::FromBytes, zerocopy::IntoBytes)]
            #[derive(zerocopy::Immutable, zerocopy::KnownLayout)]
            #[repr(C)]
            #[allow(missing_docs)] // event.h says what each field means
            pub struct $name { $(pub $field: $type,)+ }
        )+

        /// Every struct here: its name in C, its size, and its fields with their offsets.
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

// Behind the macro, which they use.
mod change;
mod file;
mod mount;
mod network;
mod process;
mod system;
mod uring;

pub use change::*;
pub use file::*;
pub use mount::*;
pub use network::*;
pub use process::*;
pub use system::*;
pub use uring::*;

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
        login_uid: u32,
        session: u32,
        reserved: u32,
    }

    /// The offset between the clocks, in recordings.
    struct Clock = "event_clock" {
        header: Header,
        offset: u64,
    }

    /// Something that the audit source has read; its section follows.
    struct Audit = "event_audit" {
        header: Header,
        wall: u64,
        reading: u32,
        number: u32,
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
        lost_shed: u64,
        coalesced: u64,
        spared: u64,
    }

    /// The value of the map `rule_states`.
    struct RuleState = "rule_state" {
        generation: u64,
        any_program: u64,
        any_user: u64,
        of_folder: u64,
    }

    /// The value of the map `gates`.
    struct Gate = "gate" {
        learn: u64,
        from: u64,
        until: u64,
    }

    /// A value of the map `verdicts`.
    struct Verdict = "verdict" {
        generation: u64,
        start: u64,
        rules: u64,
    }
}

// SAFETY: integers only, without padding (IntoBytes proves it), so any bytes are valid.
unsafe impl aya::Pod for RepeatKey {}
// SAFETY: as above.
unsafe impl aya::Pod for PeerKey {}
// SAFETY: as above.
unsafe impl aya::Pod for RepeatValue {}
// SAFETY: as above.
unsafe impl aya::Pod for Tally {}
// SAFETY: as above.
unsafe impl aya::Pod for RuleState {}
// SAFETY: as above.
unsafe impl aya::Pod for Gate {}
// SAFETY: as above.
unsafe impl aya::Pod for Verdict {}

#[cfg(test)]
mod tests;
