//! What processes may do, what they do to others and to the kernel, and what they may not start.

use super::{Header, Name, RepeatKey};

wire! {
    /// A program that could not be started.
    struct ExecFailed = "event_exec_failed" {
        header: Header,
        key: RepeatKey,
        name: Name,
        error: u32,
        call: u32,
        arguments_size: u32,
    }

    /// The ids of a thread.
    struct Identity = "identity" {
        uid: u32,
        euid: u32,
        suid: u32,
        fsuid: u32,
        gid: u32,
        egid: u32,
        sgid: u32,
        fsgid: u32,
        groups_count: u32,
        reserved: u32,
        groups: [u32; 32],
    }

    /// Ids that were changed.
    struct IdentityChange = "event_identity" {
        header: Header,
        call: u32,
        is_before_known: u32,
        before: Identity,
        after: Identity,
    }

    /// The capabilities of a thread.
    struct Capabilities = "capabilities" {
        permitted: u64,
        effective: u64,
        inheritable: u64,
        ambient: u64,
    }

    /// Capabilities that were changed.
    struct CapabilitiesChange = "event_capabilities" {
        header: Header,
        call: u32,
        is_before_known: u32,
        before: Capabilities,
        after: Capabilities,
    }

    /// Namespaces that were changed.
    struct Namespace = "event_namespace" {
        header: Header,
        call: u32,
        changed: u32,
        mount: u32,
        uts: u32,
        ipc: u32,
        network: u32,
        pid: u32,
        time: u32,
        cgroup: u32,
        user: u32,
    }

    /// Another process.
    struct Target = "target" {
        start: u64,
        pid: u32,
        uid: u32,
    }

    /// A process that reached into another.
    struct Injection = "event_injection" {
        header: Header,
        key: RepeatKey,
        target: Target,
        call: u32,
        request: u32,
        bytes: u64,
    }

    /// A signal to another process.
    struct Signal = "event_signal" {
        header: Header,
        key: RepeatKey,
        target: Target,
        call: u32,
        number: u32,
    }

    /// A kernel module.
    struct Module = "event_module" {
        header: Header,
        call: u32,
        is_unloaded: u16,
        path_size: u16,
        name: [u64; 7],
    }

    /// A program of eBPF.
    struct Bpf = "event_bpf" {
        header: Header,
        id: u32,
        kind: u32,
        attached: u32,
        reserved: u32,
        tag: [u8; 8],
        name: [u8; 16],
    }
}
