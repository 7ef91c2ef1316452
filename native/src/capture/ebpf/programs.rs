//! Every kernel program, its place, and the kind of event it reports.

use super::ia32::{RETURN_PROBED, RETURNED};
use super::objects::{CHANGE_PROBED, CHANGED, ENTERED, FINISHED, PROBED, REFUSED_BY_OBJECTS};

/// Where a program is attached.
pub enum Place {
    /// A tracepoint whose arguments have types.
    Typed(&'static str),
    /// The same, and the name it has in earlier kernels.
    Renamed(&'static str, &'static str),
    /// The return of one system call.
    Return(&'static str),
    /// Where packets leave or enter any socket.
    Packets(Way),
    /// Where a function of the kernel begins, under the names that it has had.
    Enter(&'static [&'static str]),
    /// Where it ends.
    Leave(&'static [&'static str]),
    /// Where it begins, by a breakpoint.
    Probe(&'static [&'static str]),
    /// Where it ends, by a breakpoint.
    ProbeEnd(&'static [&'static str]),
    /// A function that earlier kernels have not, and whose part another has there.
    Later(&'static Place),
}

/// Which way packets go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Out of a socket.
    Out,
    /// Into a socket.
    In,
}

impl Place {
    /// Its name in reports, with the name that its function turned out to have.
    pub fn name(&self, function: Option<&str>) -> String {
        let named = |names: &[&str], by| format!("{by}/{}", function.unwrap_or(names[0]));
        match self {
            Typed(name) | Renamed(name, _) | Return(name) => (*name).into(),
            Packets(Way::Out) => "cgroup_skb/egress".into(),
            Packets(Way::In) => "cgroup_skb/ingress".into(),
            Enter(names) => named(names, "fentry"),
            Leave(names) => named(names, "fexit"),
            Probe(names) => named(names, "kprobe"),
            ProbeEnd(names) => named(names, "kretprobe"),
            Later(place) => place.name(function),
        }
    }

    /// The place, whether or not the kernel may lack it.
    pub fn itself(&self) -> &Place {
        match self {
            Later(place) => place,
            _ => self,
        }
    }

    /// Whether it is a function of the kernel, which no kernel has to have or to show.
    pub fn is_function(&self) -> bool {
        matches!(self.itself(), Enter(_) | Leave(_) | Probe(_) | ProbeEnd(_))
    }
}

use Place::{Enter, Later, Leave, Packets, Probe, ProbeEnd, Renamed, Return, Typed};

/// A program's name, its place, and what it reports.
pub type Program = (&'static str, Place, &'static str);

/// Without these the agent would be running but not watching.
pub const ESSENTIAL: [&str; 2] = ["sched_process_exec", "sys_exit_openat"];

/// By what means programs look, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Functions of the kernel on its own objects, by trampolines.
    #[default]
    Fentry,
    /// The same functions, by breakpoints.
    Kprobe,
    /// What the kernel offers everywhere: tracepoints, and packets.
    Tracepoint,
}

impl Tier {
    /// The word in reports and settings.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Fentry => "fentry",
            Tier::Kprobe => "kprobe",
            Tier::Tracepoint => "tracepoint",
        }
    }

    /// The best tier that a setting allows; none if there is no such word.
    pub fn of_setting(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Tier::Fentry),
            "kprobe" => Some(Tier::Kprobe),
            "tracepoint" => Some(Tier::Tracepoint),
            _ => None,
        }
    }
}

/// Programs of one domain.
pub struct Domain {
    /// What they are about, in reports.
    pub name: &'static str,
    /// Best first. If one of a tier's functions cannot be had, the next tier takes its place.
    pub tiers: &'static [(Tier, &'static [&'static [Program]])],
}

/// All, in the order of attachment: a process must be known before its acts.
pub const DOMAINS: [Domain; 8] = [
    Domain {
        name: "processes",
        tiers: &[(Tier::Tracepoint, &[PROCESS, SYSTEM])],
    },
    Domain {
        name: "network",
        tiers: &[(Tier::Tracepoint, &[NETWORK])],
    },
    Domain {
        name: "files",
        tiers: &[
            (Tier::Fentry, &[ENTERED, FINISHED, ACCEPTED]),
            (Tier::Kprobe, &[PROBED, ACCEPTED]),
            (Tier::Tracepoint, &[OPENED, FILE, MADE, URING]),
        ],
    },
    Domain {
        name: "changes of files",
        tiers: &[
            (Tier::Fentry, &[CHANGED]),
            (Tier::Kprobe, &[CHANGE_PROBED]),
            (Tier::Tracepoint, &[CHANGE]),
        ],
    },
    Domain {
        name: "refused opens",
        tiers: &[
            (Tier::Fentry, &[REFUSED_BY_OBJECTS]),
            (Tier::Tracepoint, &[REFUSED_OPEN]),
        ],
    },
    Domain {
        name: "refused acts on files",
        tiers: &[(Tier::Tracepoint, &[REFUSED])],
    },
    Domain {
        name: "mounts and files in memory",
        tiers: &[(Tier::Tracepoint, &[MOUNT, IN_MEMORY])],
    },
    // Where these cannot be had, nothing takes their place.
    Domain {
        name: "calls of 32-bit programs",
        tiers: &[
            (Tier::Fentry, &[RETURNED]),
            (Tier::Kprobe, &[RETURN_PROBED]),
            (Tier::Tracepoint, &[]),
        ],
    },
];

pub const PROCESS: &[Program] = &[
    ("on_fork", Typed("sched_process_fork"), "fork"),
    ("on_exec", Typed("sched_process_exec"), "exec"),
    ("on_exit", Typed("sched_process_exit"), "exit"),
];

const SYSTEM: &[Program] = &[
    ("on_execve", Return("sys_exit_execve"), "exec failed"),
    ("on_execveat", Return("sys_exit_execveat"), "exec failed"),
    ("on_setuid", Return("sys_exit_setuid"), "identity"),
    ("on_setgid", Return("sys_exit_setgid"), "identity"),
    ("on_setreuid", Return("sys_exit_setreuid"), "identity"),
    ("on_setregid", Return("sys_exit_setregid"), "identity"),
    ("on_setresuid", Return("sys_exit_setresuid"), "identity"),
    ("on_setresgid", Return("sys_exit_setresgid"), "identity"),
    ("on_setfsuid", Return("sys_exit_setfsuid"), "identity"),
    ("on_setfsgid", Return("sys_exit_setfsgid"), "identity"),
    ("on_setgroups", Return("sys_exit_setgroups"), "identity"),
    ("on_capset", Return("sys_exit_capset"), "capabilities"),
    ("on_unshare", Return("sys_exit_unshare"), "namespace"),
    ("on_setns", Return("sys_exit_setns"), "namespace"),
    ("on_ptrace", Return("sys_exit_ptrace"), "injection"),
    (
        "on_process_vm_writev",
        Return("sys_exit_process_vm_writev"),
        "injection",
    ),
    ("on_signal", Typed("signal_generate"), "signal"),
    ("on_module_load", Typed("module_load"), "module"),
    ("on_module_free", Typed("module_free"), "module"),
    ("on_bpf", Return("sys_exit_bpf"), "bpf"),
];

const NETWORK: &[Program] = &[
    ("on_connect", Typed("inet_sock_set_state"), "connection"),
    ("on_established", Typed("inet_sock_set_state"), "connection"),
    ("on_close", Typed("inet_sock_set_state"), "disconnection"),
    ("on_unsent", Return("sys_exit_connect"), "connect failure"),
    ("on_accept", Return("sys_exit_accept"), "connection"),
    ("on_accept4", Return("sys_exit_accept4"), "connection"),
    ("on_listen", Return("sys_exit_listen"), "listen"),
    ("on_packet_out", Packets(Way::Out), "datagram"),
    ("on_packet_in", Packets(Way::In), "dns"),
];

const OPENED: &[Program] = &[
    ("on_open", Return("sys_exit_open"), "open"),
    ("on_openat", Return("sys_exit_openat"), "open"),
    ("on_openat2", Return("sys_exit_openat2"), "open"),
    ("on_creat", Return("sys_exit_creat"), "open"),
    (
        "on_open_by_handle_at",
        Return("sys_exit_open_by_handle_at"),
        "open",
    ),
];

const FILE: &[Program] = &[
    ("on_unlink", Return("sys_exit_unlink"), "delete"),
    ("on_unlinkat", Return("sys_exit_unlinkat"), "delete"),
    ("on_rmdir", Return("sys_exit_rmdir"), "delete"),
    ("on_rename", Return("sys_exit_rename"), "rename"),
    ("on_renameat", Return("sys_exit_renameat"), "rename"),
    ("on_renameat2", Return("sys_exit_renameat2"), "rename"),
];

const MADE: &[Program] = &[
    ("on_mkdir", Return("sys_exit_mkdir"), "directory made"),
    ("on_mkdirat", Return("sys_exit_mkdirat"), "directory made"),
    ("on_mknod", Return("sys_exit_mknod"), "node made"),
    ("on_mknodat", Return("sys_exit_mknodat"), "node made"),
    ("on_link", Return("sys_exit_link"), "link"),
    ("on_linkat", Return("sys_exit_linkat"), "link"),
    ("on_symlink", Return("sys_exit_symlink"), "symlink"),
    ("on_symlinkat", Return("sys_exit_symlinkat"), "symlink"),
];

const IN_MEMORY: &[Program] = &[(
    "on_memfd_create",
    Return("sys_exit_memfd_create"),
    "memory file",
)];

const CHANGE: &[Program] = &[
    ("on_change", Return("sys_exit_chmod"), "file change"),
    ("on_change", Return("sys_exit_fchmod"), "file change"),
    ("on_change", Return("sys_exit_fchmodat"), "file change"),
    ("on_change", Return("sys_exit_fchmodat2"), "file change"),
    ("on_change", Return("sys_exit_chown"), "file change"),
    ("on_change", Return("sys_exit_fchown"), "file change"),
    ("on_change", Return("sys_exit_lchown"), "file change"),
    ("on_change", Return("sys_exit_fchownat"), "file change"),
    ("on_change", Return("sys_exit_utimensat"), "file change"),
    ("on_change", Return("sys_exit_futimesat"), "file change"),
    ("on_change", Return("sys_exit_utimes"), "file change"),
    ("on_change", Return("sys_exit_utime"), "file change"),
    ("on_change", Return("sys_exit_truncate"), "file change"),
    ("on_change", Return("sys_exit_setxattr"), "file change"),
    ("on_change", Return("sys_exit_lsetxattr"), "file change"),
    ("on_change", Return("sys_exit_fsetxattr"), "file change"),
    ("on_change", Return("sys_exit_setxattrat"), "file change"),
    ("on_change", Return("sys_exit_removexattr"), "file change"),
    ("on_change", Return("sys_exit_lremovexattr"), "file change"),
    ("on_change", Return("sys_exit_fremovexattr"), "file change"),
    ("on_change", Return("sys_exit_removexattrat"), "file change"),
];

const REFUSED_OPEN: &[Program] = &[
    ("on_refused", Return("sys_exit_open"), "refused"),
    ("on_refused", Return("sys_exit_openat"), "refused"),
    ("on_refused", Return("sys_exit_openat2"), "refused"),
    ("on_refused", Return("sys_exit_creat"), "refused"),
];

const REFUSED: &[Program] = &[
    ("on_refused", Return("sys_exit_setxattrat"), "refused"),
    ("on_refused", Return("sys_exit_removexattrat"), "refused"),
    ("on_refused", Return("sys_exit_mkdir"), "refused"),
    ("on_refused", Return("sys_exit_mkdirat"), "refused"),
    ("on_refused", Return("sys_exit_mknod"), "refused"),
    ("on_refused", Return("sys_exit_mknodat"), "refused"),
    ("on_refused", Return("sys_exit_link"), "refused"),
    ("on_refused", Return("sys_exit_linkat"), "refused"),
    ("on_refused", Return("sys_exit_symlink"), "refused"),
    ("on_refused", Return("sys_exit_symlinkat"), "refused"),
    ("on_refused", Return("sys_exit_unlink"), "refused"),
    ("on_refused", Return("sys_exit_unlinkat"), "refused"),
    ("on_refused", Return("sys_exit_rmdir"), "refused"),
    ("on_refused", Return("sys_exit_rename"), "refused"),
    ("on_refused", Return("sys_exit_renameat"), "refused"),
    ("on_refused", Return("sys_exit_renameat2"), "refused"),
    ("on_refused", Return("sys_exit_truncate"), "refused"),
    ("on_refused", Return("sys_exit_chmod"), "refused"),
    ("on_refused", Return("sys_exit_fchmodat"), "refused"),
    ("on_refused", Return("sys_exit_fchmodat2"), "refused"),
    ("on_refused", Return("sys_exit_chown"), "refused"),
    ("on_refused", Return("sys_exit_lchown"), "refused"),
    ("on_refused", Return("sys_exit_fchownat"), "refused"),
    ("on_refused", Return("sys_exit_setxattr"), "refused"),
    ("on_refused", Return("sys_exit_lsetxattr"), "refused"),
    ("on_refused", Return("sys_exit_removexattr"), "refused"),
    ("on_refused", Return("sys_exit_lremovexattr"), "refused"),
];

const MOUNT: &[Program] = &[
    ("on_mount", Return("sys_exit_mount"), "mount"),
    ("on_umount", Return("sys_exit_umount"), "mount"),
    ("on_move_mount", Return("sys_exit_move_mount"), "mount"),
    ("on_pivot_root", Return("sys_exit_pivot_root"), "mount"),
    ("on_chroot", Return("sys_exit_chroot"), "mount"),
];

const URING: &[Program] = &[
    (
        "on_request",
        Renamed("io_uring_submit_req", "io_uring_submit_sqe"),
        "request",
    ),
    ("on_answer", Typed("io_uring_complete"), "answer"),
];

/// What is always left of it.
const ACCEPTED: &[Program] = &[("on_answer_accept", Typed("io_uring_complete"), "connection")];
