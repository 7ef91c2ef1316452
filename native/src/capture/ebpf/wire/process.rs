//! The life of processes.

use super::{Header, Name};

wire! {
    /// A new process.
    struct Fork = "event_fork" {
        header: Header,
        child_start: u64,
        child_pid: u32,
        reserved: u32,
    }

    /// Where a process is.
    struct Namespaces = "namespaces" {
        pid: u32,
        mnt: u32,
        net: u32,
        user: u32,
        uts: u32,
        ipc: u32,
    }

    /// A version of a file's content.
    struct FileVersion = "file_version" {
        inode: u64,
        changed: u64,
        size: u64,
        device: u32,
        filesystem: u32,
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
        script: Name,
        script_flags: u16,
        group_size: u16,
        group: u64,
        namespaces: Namespaces,
        file: FileVersion,
    }

    /// The end of a process.
    struct Exit = "event_exit" {
        header: Header,
        status: u32,
        reserved: u32,
    }
}
