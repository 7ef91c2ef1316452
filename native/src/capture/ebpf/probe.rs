//! What this host offers and allows, asked before anything is loaded.

use std::ffi::CStr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use crate::error::{Error, Result};

/// Where the kernel's tracepoints are listed, as `aya` looks for them.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// Where the version 2 cgroups are mounted: alone, or beside those of version 1.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// How the kernel was built.
const VERSION: &str = "/proc/version";
/// How it preempts, where it was built so that this can be chosen.
const PREEMPTION: &str = "/sys/kernel/debug/sched/preempt";
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";

/// `PROC_PID_INIT_INO`: the first PID namespace, whose numbers the programs report.
const PID_NAMESPACE: &str = "/proc/self/ns/pid";
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;

/// `PROC_CGROUP_INIT_INO`: the first cgroup namespace, whose root is the root.
const CGROUP_NAMESPACE: &str = "/proc/self/ns/cgroup";
const FIRST_CGROUP_NAMESPACE: u64 = 0xefff_fffb;

/// Bits of `CapEff` (`include/uapi/linux/capability.h`).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Fails with what is missing and the remedy, unless programs may be loaded here.
pub fn check() -> Result<()> {
    let capabilities = effective_capabilities().map_err(Error::io(
        "cannot read the capabilities in",
        "/proc/self/status",
    ))?;
    let may = |capability: u32| capabilities & (1 << capability) != 0;
    if !(may(CAP_SYS_ADMIN) || may(CAP_BPF) && may(CAP_PERFMON)) {
        return Err(Error::Permission {
            missing: "capturing kernel events needs the capabilities CAP_BPF and CAP_PERFMON, or \
                      CAP_SYS_ADMIN"
                .into(),
            remedy: "run the agent as root".into(),
        });
    }
    if !Path::new(BTF).exists() {
        return Err(Error::Unsupported {
            missing: format!("this kernel does not describe its types ({BTF} is missing)"),
            remedy: "use a kernel of 5.8 or later built with CONFIG_DEBUG_INFO_BTF=y".into(),
        });
    }
    let namespace = fs::metadata(PID_NAMESPACE).map_or(FIRST_PID_NAMESPACE, |found| found.ino());
    if namespace != FIRST_PID_NAMESPACE {
        return Err(Error::Unsupported {
            missing: "the agent runs in a PID namespace, where processes have other numbers than \
                      those the kernel reports"
                .into(),
            remedy: "run it on the host, or give its container the host's PID namespace".into(),
        });
    }
    Ok(())
}

fn effective_capabilities() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .ok_or_else(|| io::Error::other("it has no line CapEff"))
}

/// Makes tracefs visible to the calling thread, and to it alone where nobody has mounted it.
pub fn ensure_tracefs() -> Result<()> {
    if TRACEFS
        .iter()
        .any(|path| Path::new(path).join("events").exists())
    {
        return Ok(());
    }
    private_mount(c"tracefs", c"/sys/kernel/tracing")
        .map_err(Error::io("cannot mount tracefs on", TRACEFS[0]))
}

/// Whether breakpoints in the kernel's functions can be had.
pub fn has_kprobes() -> bool {
    Path::new(KPROBES).exists()
}

/// Whether this kernel may preempt a program; where that cannot be told, it may.
pub fn may_preempt() -> bool {
    let version = fs::read_to_string(VERSION).unwrap_or_default();
    if !version.is_empty() && !version.contains("PREEMPT") {
        return false;
    }
    // What is in force is in parentheses.
    let modes = fs::read_to_string(PREEMPTION).unwrap_or_default();
    !(modes.contains("(none)") || modes.contains("(voluntary)"))
}

/// The root of the version 2 cgroups, which has every socket below it.
///
/// In a cgroup namespace the host's file system shows that namespace's root; a private mount is
/// then made in the namespace of the first process, or fails.
pub fn root_of_cgroups() -> io::Result<fs::File> {
    let namespace = fs::metadata(CGROUP_NAMESPACE).map_or(FIRST_CGROUP_NAMESPACE, |it| it.ino());
    if namespace == FIRST_CGROUP_NAMESPACE {
        for path in CGROUPS {
            let root = fs::File::open(path);
            if let Some(root) = root.ok().filter(is_cgroup2) {
                return Ok(root);
            }
        }
    } else {
        let first = fs::File::open("/proc/1/ns/cgroup")?;
        // SAFETY: no pointers; the call changes only what this thread sees.
        check_status(unsafe { libc::setns(first.as_raw_fd(), libc::CLONE_NEWCGROUP) })?;
    }
    private_mount(c"cgroup2", c"/sys/fs/cgroup")?;
    fs::File::open(CGROUPS[0])
}

/// Whether a folder lies in a version 2 hierarchy.
fn is_cgroup2(folder: &fs::File) -> bool {
    // SAFETY: `statfs` is integers, of which zero is one.
    let mut status: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `statfs`, which lives through the call.
    let failed = unsafe { libc::fstatfs(folder.as_raw_fd(), &raw mut status) };
    failed == 0 && status.f_type == libc::CGROUP2_SUPER_MAGIC
}

fn check_status(status: libc::c_int) -> io::Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Mounts a file system of the kernel, for the calling thread alone to see.
fn private_mount(kind: &CStr, place: &CStr) -> io::Result<()> {
    let check = check_status;
    let none = std::ptr::null();
    // SAFETY: no pointers; the calls change only what this thread sees of the file system.
    check(unsafe { libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) })?;
    // SAFETY: both strings end with NUL and outlive the call; null means "not given".
    check(unsafe {
        libc::mount(
            none,
            c"/".as_ptr(),
            none,
            libc::MS_REC | libc::MS_PRIVATE,
            none.cast(),
        )
    })?;
    // SAFETY: as above.
    check(unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, none.cast()) })
}
