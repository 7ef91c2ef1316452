//! The programs at the functions behind the calls of 32-bit programs (`bpf/call.bpf.h`).

use super::programs::Place::{Leave, ProbeEnd};
use super::programs::Program;

/// The same functions for each tier, and what is reported where they end.
macro_rules! at_the_end_of {
    ($($function:literal: $what:literal,)*) => {
        /// By trampolines.
        pub const RETURNED: &[Program] =
            &[$((concat!("leave_", $function), Leave(&[$function]), $what)),*];

        /// By breakpoints.
        pub const RETURN_PROBED: &[Program] =
            &[$((concat!("ended_", $function), ProbeEnd(&[$function]), $what)),*];
    };
}

at_the_end_of! {
    "commit_creds": "identity",
    "__ia32_sys_unshare": "namespace",
    "__ia32_sys_setns": "namespace",
    "__ia32_compat_sys_ptrace": "injection",
    "__ia32_sys_process_vm_writev": "injection",
    "__ia32_sys_bpf": "bpf",
    "__ia32_compat_sys_execve": "exec failed",
    "__ia32_compat_sys_execveat": "exec failed",
    "__ia32_sys_connect": "connect failure",
    "__ia32_sys_accept4": "connection",
    "__ia32_sys_listen": "listen",
    "__ia32_compat_sys_socketcall": "connection",
    "__ia32_sys_memfd_create": "memory file",
    "__ia32_sys_mount": "mount",
    "__ia32_sys_umount": "mount",
    "__ia32_sys_oldumount": "mount",
    "__ia32_sys_move_mount": "mount",
    "__ia32_sys_pivot_root": "mount",
    "__ia32_sys_chroot": "mount",
}
