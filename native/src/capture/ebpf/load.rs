//! Loading and attaching the programs, each for itself: one that a kernel refuses costs only itself.

use aya::programs::{Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader, include_bytes_aligned};

use super::probe;
use crate::capture::{Hook, HookState};
use crate::error::{Error, Result};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent.bpf.o"));

/// The object, for the test of the wire format.
#[cfg(test)]
pub fn object() -> &'static [u8] {
    OBJECT
}

/// Where a program is attached.
enum Place {
    /// A tracepoint whose arguments have types.
    Typed(&'static str),
    /// The return of one system call.
    Return(&'static str),
}

/// Every program and its place, in the order of attachment: a process must be known before its acts.
const PROGRAMS: &[(&str, Place)] = &[
    ("on_fork", Place::Typed("sched_process_fork")),
    ("on_exec", Place::Typed("sched_process_exec")),
    ("on_exit", Place::Typed("sched_process_exit")),
    ("on_state", Place::Typed("inet_sock_set_state")),
    ("on_accept", Place::Return("sys_exit_accept")),
    ("on_accept4", Place::Return("sys_exit_accept4")),
    ("on_open", Place::Return("sys_exit_open")),
    ("on_openat", Place::Return("sys_exit_openat")),
    ("on_openat2", Place::Return("sys_exit_openat2")),
    ("on_creat", Place::Return("sys_exit_creat")),
    ("on_open_by_handle_at", Place::Return("sys_exit_open_by_handle_at")),
    ("on_unlink", Place::Return("sys_exit_unlink")),
    ("on_unlinkat", Place::Return("sys_exit_unlinkat")),
    ("on_rmdir", Place::Return("sys_exit_rmdir")),
    ("on_rename", Place::Return("sys_exit_rename")),
    ("on_renameat", Place::Return("sys_exit_renameat")),
    ("on_renameat2", Place::Return("sys_exit_renameat2")),
];

/// What the programs are told before they are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The thread group that is not reported, with its descendants; 0 for none.
    pub muted_pid: u32,
    /// How long repeats are folded into one event, nanoseconds; 0 for never.
    pub repeat_window: u64,
}

/// Loads and attaches what this kernel takes.
///
/// Runs on a thread of its own, which may have to see a tracefs that nobody else sees.
pub fn load(settings: Settings) -> Result<(Ebpf, Vec<Hook>)> {
    probe::check()?;
    let loaded = std::thread::spawn(move || {
        probe::ensure_tracefs()?;
        load_here(settings)
    })
    .join()
    .unwrap_or_else(|_| Err(refused("the loader panicked")));
    // Reading the kernel's types took some ten megabytes that the allocator would keep for itself.
    // SAFETY: no arguments to get wrong; it only returns free memory.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
    loaded
}

fn load_here(settings: Settings) -> Result<(Ebpf, Vec<Hook>)> {
    let btf = Btf::from_sys_fs().map_err(refused)?;
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| refused(error))?;
    let mut programs = EbpfLoader::new()
        .btf(Some(&btf))
        .override_global("muted_pid", &settings.muted_pid, true)
        .override_global("repeat_window", &settings.repeat_window, true)
        .map_max_entries("scratches", cpus as u32)
        .load(OBJECT)
        .map_err(refused)?;
    let hooks: Vec<Hook> =
        PROGRAMS.iter().map(|(name, place)| attach(&mut programs, name, place, &btf)).collect();
    match hooks.iter().find(|hook| hook.state == HookState::Attached) {
        Some(_) => Ok((programs, hooks)),
        None => Err(refused(&hooks[0].reason)),
    }
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::Unsupported {
        missing: format!("the kernel refuses the agent's eBPF programs: {why}"),
        remedy: "use a kernel of 5.17 or later, and allow bpf(2) in its lockdown and seccomp \
                 policy"
            .into(),
    }
}

fn attach(programs: &mut Ebpf, name: &str, place: &Place, btf: &Btf) -> Hook {
    let target = match place {
        Place::Typed(target) | Place::Return(target) => *target,
    };
    let outcome = match (programs.program_mut(name), place) {
        (Some(Program::BtfTracePoint(program)), Place::Typed(target)) => {
            program.load(target, btf).and_then(|()| program.attach().map(drop))
        }
        (Some(Program::TracePoint(program)), Place::Return(target)) => {
            program.load().and_then(|()| program.attach("syscalls", target).map(drop))
        }
        _ => unreachable!("the object has a program {name} of its place's type"),
    };
    let (state, reason) = match outcome {
        Ok(()) => (HookState::Attached, String::new()),
        Err(error) => (state_of(&error), explain(&error)),
    };
    Hook { name: target.into(), state, reason }
}

fn state_of(error: &ProgramError) -> HookState {
    match error {
        ProgramError::Btf(_) => HookState::Missing,
        ProgramError::IOError(error) if error.kind() == std::io::ErrorKind::NotFound => {
            HookState::Missing
        }
        _ => HookState::Failed,
    }
}

/// The chain of causes in one line; of a verifier's log only its last words.
fn explain(error: &ProgramError) -> String {
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        let log = verifier_log.to_string();
        let last = log.lines().rev().find(|line| !line.starts_with("processed ")).unwrap_or("");
        return format!("{io_error} {last}").trim().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
