//! Names of what the kernel has numbers for, as its headers spell them.

use crate::event::Call;

/// The system calls of x86-64 that events tell of, sorted (arch/x86/entry/syscalls).
const CALLS: &[(u32, &str)] = &[
    (2, "open"),
    (56, "clone"),
    (59, "execve"),
    (62, "kill"),
    (76, "truncate"),
    (82, "rename"),
    (83, "mkdir"),
    (84, "rmdir"),
    (85, "creat"),
    (86, "link"),
    (87, "unlink"),
    (88, "symlink"),
    (90, "chmod"),
    (92, "chown"),
    (94, "lchown"),
    (101, "ptrace"),
    (105, "setuid"),
    (106, "setgid"),
    (113, "setreuid"),
    (114, "setregid"),
    (116, "setgroups"),
    (117, "setresuid"),
    (119, "setresgid"),
    (122, "setfsuid"),
    (123, "setfsgid"),
    (126, "capset"),
    (129, "rt_sigqueueinfo"),
    (133, "mknod"),
    (175, "init_module"),
    (176, "delete_module"),
    (188, "setxattr"),
    (189, "lsetxattr"),
    (197, "removexattr"),
    (198, "lremovexattr"),
    (200, "tkill"),
    (234, "tgkill"),
    (257, "openat"),
    (258, "mkdirat"),
    (259, "mknodat"),
    (260, "fchownat"),
    (263, "unlinkat"),
    (264, "renameat"),
    (265, "linkat"),
    (266, "symlinkat"),
    (268, "fchmodat"),
    (272, "unshare"),
    (297, "rt_tgsigqueueinfo"),
    (304, "open_by_handle_at"),
    (308, "setns"),
    (311, "process_vm_writev"),
    (313, "finit_module"),
    (316, "renameat2"),
    (322, "execveat"),
    (424, "pidfd_send_signal"),
    (437, "openat2"),
    (452, "fchmodat2"),
    (463, "setxattrat"),
    (466, "removexattrat"),
];

/// Requests of ptrace(2) that change a process, sorted.
const REQUESTS: &[(u32, &str)] = &[
    (4, "PTRACE_POKETEXT"),
    (5, "PTRACE_POKEDATA"),
    (6, "PTRACE_POKEUSER"),
    (13, "PTRACE_SETREGS"),
    (15, "PTRACE_SETFPREGS"),
    (16, "PTRACE_ATTACH"),
    (19, "PTRACE_SETFPXREGS"),
    (0x4205, "PTRACE_SETREGSET"),
    (0x4206, "PTRACE_SEIZE"),
];

/// `enum bpf_prog_type`, without its prefix (include/uapi/linux/bpf.h).
const PROGRAMS: &[&str] = &[
    "unspec",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
];

/// `enum bpf_link_type`, likewise.
const LINKS: &[&str] = &[
    "unspec",
    "raw_tracepoint",
    "tracing",
    "cgroup",
    "iter",
    "netns",
    "xdp",
    "perf_event",
    "kprobe_multi",
    "struct_ops",
    "netfilter",
    "tcx",
    "uprobe_multi",
    "netkit",
    "sockmap",
];

/// The names of all system calls that events tell of.
pub fn calls() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|(_, name)| *name)
}

/// The system call; none for a number that has no name here, as those of other kinds of programs.
pub fn call(call: Call) -> Option<&'static str> {
    find(CALLS, call.0)
}

/// A request of ptrace(2).
pub fn request(number: u32) -> Option<&'static str> {
    find(REQUESTS, number)
}

/// The names of all requests that events tell of.
pub fn requests() -> impl Iterator<Item = &'static str> {
    REQUESTS.iter().map(|(_, name)| *name)
}

/// A type of eBPF programs.
pub fn program(number: u32) -> Option<&'static str> {
    PROGRAMS.get(number as usize).copied()
}

/// A type of eBPF links.
pub fn link(number: u32) -> Option<&'static str> {
    LINKS.get(number as usize).copied()
}

/// The number of a type of eBPF links.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub fn link_number(name: &str) -> Option<u32> {
    let at = LINKS.iter().position(|known| *known == name)?;
    u32::try_from(at).ok()
}

fn find(names: &[(u32, &'static str)], number: u32) -> Option<&'static str> {
    let at = names.binary_search_by_key(&number, |&(known, _)| known);
    at.ok().map(|at| names[at].1)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::{CALLS, REQUESTS, call, find};
    use crate::event::Call;

    #[test]
    fn tables_are_sorted_and_numbers_are_the_systems() {
        for names in [CALLS, REQUESTS] {
            assert!(names.is_sorted_by_key(|&(number, _)| number));
        }
        let number = |call: libc::c_long| Call(call as u32);
        assert_eq!(call(number(libc::SYS_setresgid)), Some("setresgid"));
        assert_eq!(call(number(libc::SYS_openat2)), Some("openat2"));
        assert_eq!(call(Call(u32::MAX)), None);
        assert_eq!(find(REQUESTS, libc::PTRACE_SEIZE), Some("PTRACE_SEIZE"));
    }
}
