//! The programs at the functions behind the calls of 32-bit programs (`bpf/call.bpf.h`).

use super::programs::Place::{Leave, ProbeEnd};
use super::programs::Program;

/// By trampolines.
pub const RETURNED: &[Program] = &[
    ("leave_commit_creds", Leave(&["commit_creds"]), "identity"),
    (
        "leave___ia32_sys_unshare",
        Leave(&["__ia32_sys_unshare"]),
        "namespace",
    ),
    (
        "leave___ia32_sys_setns",
        Leave(&["__ia32_sys_setns"]),
        "namespace",
    ),
    (
        "leave___ia32_compat_sys_ptrace",
        Leave(&["__ia32_compat_sys_ptrace"]),
        "injection",
    ),
    (
        "leave___ia32_sys_process_vm_writev",
        Leave(&["__ia32_sys_process_vm_writev"]),
        "injection",
    ),
    ("leave___ia32_sys_bpf", Leave(&["__ia32_sys_bpf"]), "bpf"),
    (
        "leave___ia32_compat_sys_execve",
        Leave(&["__ia32_compat_sys_execve"]),
        "exec failed",
    ),
    (
        "leave___ia32_compat_sys_execveat",
        Leave(&["__ia32_compat_sys_execveat"]),
        "exec failed",
    ),
    (
        "leave___ia32_sys_accept4",
        Leave(&["__ia32_sys_accept4"]),
        "connection",
    ),
    (
        "leave___ia32_sys_listen",
        Leave(&["__ia32_sys_listen"]),
        "listen",
    ),
    (
        "leave___ia32_compat_sys_socketcall",
        Leave(&["__ia32_compat_sys_socketcall"]),
        "connection",
    ),
    (
        "leave___ia32_sys_memfd_create",
        Leave(&["__ia32_sys_memfd_create"]),
        "memory file",
    ),
    (
        "leave___ia32_sys_mount",
        Leave(&["__ia32_sys_mount"]),
        "mount",
    ),
    (
        "leave___ia32_sys_umount",
        Leave(&["__ia32_sys_umount"]),
        "mount",
    ),
    (
        "leave___ia32_sys_oldumount",
        Leave(&["__ia32_sys_oldumount"]),
        "mount",
    ),
    (
        "leave___ia32_sys_move_mount",
        Leave(&["__ia32_sys_move_mount"]),
        "mount",
    ),
    (
        "leave___ia32_sys_pivot_root",
        Leave(&["__ia32_sys_pivot_root"]),
        "mount",
    ),
    (
        "leave___ia32_sys_chroot",
        Leave(&["__ia32_sys_chroot"]),
        "mount",
    ),
];

/// By breakpoints.
pub const RETURN_PROBED: &[Program] = &[
    (
        "ended_commit_creds",
        ProbeEnd(&["commit_creds"]),
        "identity",
    ),
    (
        "ended___ia32_sys_unshare",
        ProbeEnd(&["__ia32_sys_unshare"]),
        "namespace",
    ),
    (
        "ended___ia32_sys_setns",
        ProbeEnd(&["__ia32_sys_setns"]),
        "namespace",
    ),
    (
        "ended___ia32_compat_sys_ptrace",
        ProbeEnd(&["__ia32_compat_sys_ptrace"]),
        "injection",
    ),
    (
        "ended___ia32_sys_process_vm_writev",
        ProbeEnd(&["__ia32_sys_process_vm_writev"]),
        "injection",
    ),
    ("ended___ia32_sys_bpf", ProbeEnd(&["__ia32_sys_bpf"]), "bpf"),
    (
        "ended___ia32_compat_sys_execve",
        ProbeEnd(&["__ia32_compat_sys_execve"]),
        "exec failed",
    ),
    (
        "ended___ia32_compat_sys_execveat",
        ProbeEnd(&["__ia32_compat_sys_execveat"]),
        "exec failed",
    ),
    (
        "ended___ia32_sys_accept4",
        ProbeEnd(&["__ia32_sys_accept4"]),
        "connection",
    ),
    (
        "ended___ia32_sys_listen",
        ProbeEnd(&["__ia32_sys_listen"]),
        "listen",
    ),
    (
        "ended___ia32_compat_sys_socketcall",
        ProbeEnd(&["__ia32_compat_sys_socketcall"]),
        "connection",
    ),
    (
        "ended___ia32_sys_memfd_create",
        ProbeEnd(&["__ia32_sys_memfd_create"]),
        "memory file",
    ),
    (
        "ended___ia32_sys_mount",
        ProbeEnd(&["__ia32_sys_mount"]),
        "mount",
    ),
    (
        "ended___ia32_sys_umount",
        ProbeEnd(&["__ia32_sys_umount"]),
        "mount",
    ),
    (
        "ended___ia32_sys_oldumount",
        ProbeEnd(&["__ia32_sys_oldumount"]),
        "mount",
    ),
    (
        "ended___ia32_sys_move_mount",
        ProbeEnd(&["__ia32_sys_move_mount"]),
        "mount",
    ),
    (
        "ended___ia32_sys_pivot_root",
        ProbeEnd(&["__ia32_sys_pivot_root"]),
        "mount",
    ),
    (
        "ended___ia32_sys_chroot",
        ProbeEnd(&["__ia32_sys_chroot"]),
        "mount",
    ),
];
