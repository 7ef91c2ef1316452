//! The system calls that are watched: their numbers in both ABIs of x86-64, what they tell, and
//! which of them are of interest. The agent's rules and the decoder are made of this one table.

/// A call.
#[derive(Debug)]
pub struct Row {
    /// Its number for 64-bit programs, and for 32-bit ones; [`NONE`] where it does not exist.
    pub numbers: [u16; 2],
    /// Its name.
    pub name: &'static str,
    /// What it tells.
    pub tells: Tells,
    /// When it is recorded.
    pub when: When,
}

/// No such call.
pub const NONE: u16 = u16::MAX;

/// What a name counts from: the number of the argument with the folder's descriptor. Of calls that
/// take no name, the file's own.
pub type Folder = Option<usize>;

/// The working directory.
const HERE: Folder = None;

/// What a call tells. The numbers are those of its arguments.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the calls that have them are their documentation
pub enum Tells {
    Exec(Folder),
    Open(Folder, Flags),
    /// The options.
    Memory(usize),
    Delete(Folder),
    Rename(Folder, Folder),
    Link(Folder, Folder),
    Symlink(Folder),
    Directory(Folder),
    /// The mode; the device follows.
    Node(Folder, usize),
    Mode(Folder, usize),
    /// The user; the group follows.
    Owner(Folder, usize),
    /// Owners of 16 bits.
    ShortOwner(Folder, usize),
    /// The new times, none for now.
    Times(Folder, usize),
    Attribute(Folder, Removed),
    /// The size, of so many arguments.
    Truncate(usize),
    Mount,
    MoveMount,
    Unmount,
    PivotRoot,
    Chroot,
    Connect,
    Accept,
    Listen,
    /// The flags.
    Send(usize),
    SocketCall,
    Identity,
    Groups,
    Capabilities,
    Clone,
    Unshare,
    SetNamespace,
    Ptrace,
    WriteMemory,
    /// The signal.
    Signal(usize),
    LoadModule,
    /// From a file.
    LoadModuleFile,
    UnloadModule,
    Bpf,
}

/// Where the flags of an open are.
#[derive(Clone, Copy, Debug)]
pub enum Flags {
    /// In this argument.
    In(usize),
    /// In a record of their own.
    Apart,
    /// Nowhere: it writes.
    Writes,
}

/// An attribute was removed, else set.
pub type Removed = bool;

/// Which calls are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All.
    Always,
    /// Those that succeed.
    Done,
    /// Those that open to write; the argument has the flags.
    Writes(usize),
    /// Those that name another end: of sockets of the host's own, and of the kernel, none.
    Connects,
    /// Those of `socketcall` that connect, listen and accept.
    Sockets,
    /// Signals that may end or stop a process; the argument has the signal.
    Kills(usize),
    /// Requests that change another process.
    Reaches,
    /// Commands that load and link programs.
    Loads,
    /// Those that make a process in namespaces of its own.
    Parts,
}

impl Row {
    /// Whether it is told, too, when the process may not do it: what is done by a name.
    pub fn tells_refusals(&self) -> bool {
        matches!(
            self.name,
            "open"
                | "openat"
                | "openat2"
                | "creat"
                | "mkdir"
                | "mkdirat"
                | "mknod"
                | "mknodat"
                | "link"
                | "linkat"
                | "symlink"
                | "symlinkat"
                | "unlink"
                | "unlinkat"
                | "rmdir"
                | "rename"
                | "renameat"
                | "renameat2"
                | "truncate"
                | "chmod"
                | "fchmodat"
                | "fchmodat2"
                | "chown"
                | "lchown"
                | "fchownat"
                | "setxattr"
                | "lsetxattr"
                | "removexattr"
                | "lremovexattr"
                | "setxattrat"
                | "removexattrat"
                | "truncate64"
        )
    }

    /// What the names count from, of an act with two of them the new one and the old one.
    pub fn folders(&self) -> (Folder, Folder) {
        match self.tells {
            Tells::Rename(old, new) | Tells::Link(old, new) => (new, old),
            Tells::Open(folder, _)
            | Tells::Delete(folder)
            | Tells::Symlink(folder)
            | Tells::Directory(folder)
            | Tells::Node(folder, _)
            | Tells::Mode(folder, _)
            | Tells::Owner(folder, _)
            | Tells::ShortOwner(folder, _)
            | Tells::Attribute(folder, _) => (folder, HERE),
            _ => (HERE, HERE),
        }
    }
}

macro_rules! calls {
    ($($wide:tt $narrow:tt $name:literal $tells:expr, $when:expr;)+) => {
        /// The table.
        pub const CALLS: &[Row] = &[$(
            Row { numbers: [calls!(@ $wide), calls!(@ $narrow)], name: $name, tells: $tells, when: $when },
        )+];
    };
    (@ _) => { NONE };
    (@ $number:literal) => { $number };
}

use Flags::{Apart, In};
use Tells::*;
use When::{Always, Connects, Done, Kills, Loads, Parts, Reaches, Sockets, Writes};

calls! {
    59  11  "execve" Exec(HERE), Always;
    322 358 "execveat" Exec(Some(0)), Always;
    2   5   "open" Open(HERE, In(1)), Writes(1);
    257 295 "openat" Open(Some(0), In(2)), Writes(2);
    304 342 "open_by_handle_at" Open(HERE, In(2)), Writes(2);
    319 356 "memfd_create" Memory(1), Done;
    85  8   "creat" Open(HERE, Flags::Writes), Done;
    437 437 "openat2" Open(Some(0), Apart), Done;
    87  10  "unlink" Delete(HERE), Done;
    84  40  "rmdir" Delete(HERE), Done;
    263 301 "unlinkat" Delete(Some(0)), Done;
    82  38  "rename" Rename(HERE, HERE), Done;
    264 302 "renameat" Rename(Some(0), Some(2)), Done;
    316 353 "renameat2" Rename(Some(0), Some(2)), Done;
    86  9   "link" Link(HERE, HERE), Done;
    265 303 "linkat" Link(Some(0), Some(2)), Done;
    88  83  "symlink" Symlink(HERE), Done;
    266 304 "symlinkat" Symlink(Some(1)), Done;
    83  39  "mkdir" Directory(HERE), Done;
    258 296 "mkdirat" Directory(Some(0)), Done;
    133 14  "mknod" Node(HERE, 1), Done;
    259 297 "mknodat" Node(Some(0), 2), Done;
    90  15  "chmod" Mode(HERE, 1), Done;
    91  94  "fchmod" Mode(Some(0), 1), Done;
    268 306 "fchmodat" Mode(Some(0), 2), Done;
    452 452 "fchmodat2" Mode(Some(0), 2), Done;
    92  212 "chown" Owner(HERE, 1), Done;
    93  207 "fchown" Owner(Some(0), 1), Done;
    94  198 "lchown" Owner(HERE, 1), Done;
    260 298 "fchownat" Owner(Some(0), 2), Done;
    _   182 "chown" ShortOwner(HERE, 1), Done;
    _   95  "fchown" ShortOwner(Some(0), 1), Done;
    _   16  "lchown" ShortOwner(HERE, 1), Done;
    132 30  "utime" Times(HERE, 1), Done;
    235 271 "utimes" Times(HERE, 1), Done;
    261 299 "futimesat" Times(Some(0), 2), Done;
    280 320 "utimensat" Times(Some(0), 2), Done;
    _   412 "utimensat" Times(Some(0), 2), Done;
    188 226 "setxattr" Attribute(HERE, false), Done;
    189 227 "lsetxattr" Attribute(HERE, false), Done;
    190 228 "fsetxattr" Attribute(Some(0), false), Done;
    463 463 "setxattrat" Attribute(Some(0), false), Done;
    197 235 "removexattr" Attribute(HERE, true), Done;
    198 236 "lremovexattr" Attribute(HERE, true), Done;
    199 237 "fremovexattr" Attribute(Some(0), true), Done;
    466 466 "removexattrat" Attribute(Some(0), true), Done;
    76  92  "truncate" Truncate(1), Done;
    _   193 "truncate64" Truncate(2), Done;
    165 21  "mount" Mount, Done;
    429 429 "move_mount" MoveMount, Done;
    _   22  "umount" Unmount, Done;
    166 52  "umount2" Unmount, Done;
    155 217 "pivot_root" PivotRoot, Done;
    161 61  "chroot" Chroot, Done;
    42  362 "connect" Connect, Connects;
    43  _   "accept" Accept, Done;
    288 364 "accept4" Accept, Done;
    50  363 "listen" Listen, Done;
    44  369 "sendto" Send(3), Connects;
    46  370 "sendmsg" Send(2), Connects;
    307 345 "sendmmsg" Send(3), Connects;
    _   102 "socketcall" SocketCall, Sockets;
    105 213 "setuid" Identity, Done;
    106 214 "setgid" Identity, Done;
    113 203 "setreuid" Identity, Done;
    114 204 "setregid" Identity, Done;
    117 208 "setresuid" Identity, Done;
    119 210 "setresgid" Identity, Done;
    122 215 "setfsuid" Identity, Done;
    123 216 "setfsgid" Identity, Done;
    116 206 "setgroups" Groups, Done;
    _   23  "setuid" Identity, Done;
    _   46  "setgid" Identity, Done;
    _   70  "setreuid" Identity, Done;
    _   71  "setregid" Identity, Done;
    _   164 "setresuid" Identity, Done;
    _   170 "setresgid" Identity, Done;
    _   138 "setfsuid" Identity, Done;
    _   139 "setfsgid" Identity, Done;
    _   81  "setgroups" Groups, Done;
    126 185 "capset" Capabilities, Done;
    56  120 "clone" Clone, Parts;
    272 310 "unshare" Unshare, Done;
    308 346 "setns" SetNamespace, Done;
    101 26  "ptrace" Ptrace, Reaches;
    311 348 "process_vm_writev" WriteMemory, Done;
    62  37  "kill" Signal(1), Kills(1);
    200 238 "tkill" Signal(1), Kills(1);
    129 178 "rt_sigqueueinfo" Signal(1), Kills(1);
    424 424 "pidfd_send_signal" Signal(1), Kills(1);
    234 270 "tgkill" Signal(2), Kills(2);
    297 335 "rt_tgsigqueueinfo" Signal(2), Kills(2);
    175 128 "init_module" LoadModule, Done;
    313 350 "finit_module" LoadModuleFile, Done;
    176 129 "delete_module" UnloadModule, Done;
    321 357 "bpf" Bpf, Loads;
}

/// The ABI of a call: which of [`Row::numbers`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// 64-bit programs.
    Wide,
    /// 32-bit programs.
    Narrow,
}

impl Abi {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Wide, Self::Narrow];

    /// That of a number in a record: `AUDIT_ARCH_X86_64` or `AUDIT_ARCH_I386`.
    pub fn of(arch: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|abi| abi.arch() == arch)
    }

    /// Its number in rules and records.
    pub fn arch(self) -> u32 {
        [0xc000_003e, 0x4000_0003][self as usize]
    }

    /// Its name in events.
    pub fn name(self) -> &'static str {
        ["x86_64", "i386"][self as usize]
    }
}

/// Where the calls stand in the table, by ABI and number: every record is looked up.
static PLACES: [[u8; 512]; 2] = {
    let mut places = [[u8::MAX; 512]; 2];
    let mut row = 0;
    while row < CALLS.len() {
        let mut abi = 0;
        while abi < 2 {
            let number = CALLS[row].numbers[abi];
            if number != NONE {
                places[abi][number as usize] = row as u8;
            }
            abi += 1;
        }
        row += 1;
    }
    places
};

/// The call with a number, if it is watched.
pub fn find(abi: Abi, number: u32) -> Option<&'static Row> {
    let place = *PLACES[abi as usize].get(number as usize)?;
    CALLS.get(usize::from(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_systems() {
        let name = |number: libc::c_long| find(Abi::Wide, number as u32).map(|row| row.name);
        for (number, expected) in [
            (libc::SYS_execve, "execve"),
            (libc::SYS_renameat2, "renameat2"),
            (libc::SYS_process_vm_writev, "process_vm_writev"),
            (libc::SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo"),
            (libc::SYS_fremovexattr, "fremovexattr"),
            (libc::SYS_pivot_root, "pivot_root"),
            (libc::SYS_bpf, "bpf"),
        ] {
            assert_eq!(name(number), Some(expected));
        }
        assert_eq!(name(libc::SYS_read), None);
        assert_eq!(find(Abi::Narrow, 11).unwrap().name, "execve");
        assert!(find(Abi::Narrow, u32::MAX).is_none());
    }

    #[test]
    fn no_number_occurs_twice() {
        for abi in Abi::ALL {
            let numbers = CALLS.iter().map(|row| row.numbers[abi as usize]);
            let mut numbers: Vec<_> = numbers.filter(|&number| number != NONE).collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all);
        }
        assert!(CALLS.len() < usize::from(u8::MAX));
    }
}
