//! Loading and attaching the programs, each for itself: one that a kernel refuses costs only itself.

use std::any::Any;
use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::sync::Mutex;

use aya::maps::Map;
use aya::programs::{
    CgroupAttachMode, CgroupSkbAttachType, Program, ProgramError, ProgramFd, ProgramType,
};
use aya::sys::{BpfHelper, is_helper_supported};
use aya::{Btf, Ebpf, EbpfLoader, include_bytes_aligned};

use super::probe;
use super::programs::{self, Domain, ESSENTIAL, Place, Tier, Way};
use crate::capture::{Hook, HookState};
use crate::error::{Error, Result};
use crate::host::memory;

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent.bpf.o"));

/// The same programs without what kernels before 5.17 have not.
static OLD_OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent-old.bpf.o"));

/// The object, for the test of the wire format.
#[cfg(test)]
pub fn object() -> &'static [u8] {
    OBJECT
}

/// What the programs are told before they are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The thread group that is not reported, with its descendants; 0 for none.
    pub muted_pid: u32,
    /// How long repeats are folded into one event, nanoseconds; 0 for never.
    pub repeat_window: u64,
    /// The same of datagrams to one peer.
    pub peer_window: u64,
    /// Whether questions and answers of DNS are reported.
    pub dns: bool,
    /// The best tier that is tried.
    pub tier: Tier,
}

/// What attaches a program to its place. Dropping it detaches and unloads the program.
pub type Link = Box<dyn Any + Send>;

/// Threads that detach: a link waits in the kernel for grace periods, some 50 ms, and there are
/// a hundred links. What they wait for, several threads wait for together.
const DETACHERS: usize = 8;

/// Detaches all, those that tell of processes' lives only when no other is left.
pub fn detach(mut lives: Vec<Link>) {
    // They were attached first.
    let others = lives.split_off(programs::PROCESS.len().min(lives.len()));
    detach_together(others);
    detach_together(lives);
}

fn detach_together(links: Vec<Link>) {
    let links = Mutex::new(links);
    let next = || links.lock().ok().and_then(|mut links| links.pop());
    std::thread::scope(|scope| {
        for _ in 0..DETACHERS {
            // Where no thread can be had, the rest goes with the list.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || while next().is_some() {});
        }
    });
}

/// A program that is attached.
pub struct Running {
    /// The program itself, to ask the kernel about it.
    pub program: ProgramFd,
    /// The kind of event it reports.
    pub what: &'static str,
}

/// What is left of the object once its programs run.
pub struct Loaded {
    /// The object's maps.
    maps: Vec<(String, Map)>,
    /// What keeps the programs attached.
    pub links: Vec<Link>,
    /// The programs that are attached.
    pub running: Vec<Running>,
    /// What became of each program.
    pub hooks: Vec<Hook>,
}

impl Loaded {
    /// Takes a map of the object.
    pub fn take_map(&mut self, name: &str) -> Result<Map> {
        let found = self.maps.iter().position(|(known, _)| known == name);
        let at = found.ok_or_else(|| refused(format!("there is no map {name}")))?;
        Ok(self.maps.swap_remove(at).1)
    }
}

/// Loads and attaches what this kernel takes.
///
/// Runs on a thread of its own, which may have to see a tracefs that nobody else sees.
pub fn load(settings: Settings) -> Result<Loaded> {
    probe::check()?;
    let loaded = std::thread::spawn(move || {
        probe::ensure_tracefs()?;
        load_here(settings)
    })
    .join()
    .unwrap_or_else(|_| Err(refused("the loader panicked")));
    // Reading the kernel's types took some twenty megabytes.
    memory::give_back();
    loaded
}

/// The names of the maps the agent reads.
const MAPS: [&str; 11] = [
    "critical",
    "bulk",
    "tallies",
    "repeats",
    "changes",
    "peers",
    "rule_states",
    "rule_programs",
    "rule_users",
    "rule_counts",
    "verdicts",
];

fn load_here(settings: Settings) -> Result<Loaded> {
    let btf = Btf::from_sys_fs().map_err(refused)?;
    let mut object = prepare(settings, &btf, fitting_object())?;
    let mut attached = Attached::default();
    for domain in &programs::DOMAINS {
        attached.add(&mut object, domain, settings, &btf);
    }
    let absent = |hook: &&Hook| hook.state != HookState::Attached;
    let needed = |hook: &&Hook| ESSENTIAL.contains(&hook.name.as_str());
    if let Some(hook) = attached.hooks.iter().filter(absent).find(needed) {
        return Err(refused(format!("{}: {}", hook.name, hook.reason)));
    }
    // The programs live by their links and the maps by themselves; the object, with megabytes of
    // instructions and types, can go.
    let maps = MAPS
        .iter()
        .filter_map(|name| Some(((*name).into(), object.take_map(name)?)));
    Ok(Loaded {
        maps: maps.collect(),
        links: attached.links,
        running: attached.running,
        hooks: attached.hooks,
    })
}

/// Programs that are attached, and what became of those that are not.
#[derive(Default)]
struct Attached {
    links: Vec<Link>,
    running: Vec<Running>,
    hooks: Vec<Hook>,
}

impl Attached {
    /// Attaches the programs of a domain's best tier that can be had.
    fn add(&mut self, object: &mut Ebpf, domain: &Domain, settings: Settings, btf: &Btf) {
        for (tier, programs) in domain.tiers {
            let mut these = Attached::default();
            let why = if *tier < settings.tier {
                Some("left out by the setting".into())
            } else if *tier == Tier::Kprobe && !probe::has_kprobes() {
                Some("this kernel has no kprobes".into())
            } else {
                these.attach(object, programs, settings, btf)
            };
            let Some(reason) = why else {
                self.links.append(&mut these.links);
                self.running.append(&mut these.running);
                self.hooks.append(&mut these.hooks);
                return;
            };
            self.hooks.push(Hook {
                name: format!("{} by {}", domain.name, tier.name()),
                state: HookState::Replaced,
                reason,
            });
        }
    }

    /// Attaches a tier's programs; says why not if one of its functions cannot be had.
    fn attach(
        &mut self,
        object: &mut Ebpf,
        programs: &[&'static [programs::Program]],
        settings: Settings,
        btf: &Btf,
    ) -> Option<String> {
        for (name, place, what) in programs.iter().copied().flatten() {
            if matches!(place, Place::Packets(Way::In)) && !settings.dns {
                continue;
            }
            let (function, state, reason) = match try_attach(object, name, place, btf) {
                Ok((link, program, function)) => {
                    self.links.push(link);
                    self.running.push(Running { program, what });
                    (function, HookState::Attached, String::new())
                }
                Err(error) if place.is_function() && !is_spare(place, &error) => {
                    return Some(format!("{}: {}", place.name(None), explain(&error)));
                }
                Err(error) => (None, state_of(&error), explain(&error)),
            };
            self.hooks.push(Hook {
                name: place.name(function),
                state,
                reason,
            });
        }
        None
    }
}

/// Whether a function is not there that earlier kernels do not need.
fn is_spare(place: &Place, error: &ProgramError) -> bool {
    matches!(place, Place::Later(_)) && state_of(error) == HookState::Missing
}

/// `bpf_loop` is the newest of the helpers that the programs call, except for [`OLD_OBJECT`]'s.
fn fitting_object() -> &'static [u8] {
    match is_helper_supported(ProgramType::TracePoint, BpfHelper::BPF_FUNC_loop) {
        Ok(false) => {
            memory::lift_lock_limit();
            OLD_OBJECT
        }
        _ => OBJECT,
    }
}

/// How many threads' acts, and changes, are remembered until they are done; by tracepoints none is.
/// The kernel sees no more than some ten functions at a time return by breakpoints.
const ACTS: u32 = 2048;
const CHANGING: u32 = 256;

/// Makes the maps and relocates the programs.
fn prepare(settings: Settings, btf: &Btf, object: &[u8]) -> Result<Ebpf> {
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| refused(error))?;
    let remembered = |most| match settings.tier {
        Tier::Tracepoint => 1,
        _ => most,
    };
    let secret = <[u64; 2]>::from(uuid::Uuid::new_v4().as_u64_pair());
    EbpfLoader::new()
        .btf(Some(btf))
        .override_global("muted_pid", &settings.muted_pid, true)
        .override_global("repeat_window", &settings.repeat_window, true)
        .override_global("peer_window", &settings.peer_window, true)
        .override_global("digest_secret", &secret[..], true)
        .override_global("dns_wanted", &u32::from(settings.dns), true)
        .map_max_entries("scratches", cpus as u32)
        .map_max_entries("acts", remembered(ACTS))
        .map_max_entries("changing", remembered(CHANGING))
        .load(object)
        .map_err(refused)
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::Unsupported {
        missing: format!("the kernel refuses the agent's eBPF programs: {why}"),
        remedy: "use a kernel of 5.8 or later, and allow bpf(2) in its lockdown and seccomp \
                 policy"
            .into(),
    }
}

/// What keeps a program attached, the program, and the name that a function turned out to have.
type Part = (Link, ProgramFd, Option<&'static str>);

/// What loading or attaching a program gives.
type Tried<T> = std::result::Result<T, ProgramError>;

fn try_attach(object: &mut Ebpf, name: &str, place: &Place, btf: &Btf) -> Tried<Part> {
    let Some(program) = object.program_mut(name) else {
        unreachable!("the object has a program {name}");
    };
    let mut function = load_program(program, place, btf)?;
    let link: Link = match (&mut *program, place.itself()) {
        (Program::BtfTracePoint(program), _) => {
            let id = program.attach()?;
            Box::new(program.take_link(id)?)
        }
        (Program::TracePoint(program), Place::Return(target)) => {
            let id = program.attach("syscalls", target)?;
            Box::new(program.take_link(id)?)
        }
        (Program::CgroupSkb(program), Place::Packets(way)) => {
            let root = probe::root_of_cgroups().map_err(ProgramError::IOError)?;
            let way = match way {
                Way::Out => CgroupSkbAttachType::Egress,
                Way::In => CgroupSkbAttachType::Ingress,
            };
            // A link always lets others attach beside it; the mode is for kernels without links.
            let id = program.attach(root, way, CgroupAttachMode::Single)?;
            Box::new(program.take_link(id)?)
        }
        (Program::FEntry(program), _) => {
            let id = program.attach()?;
            Box::new(program.take_link(id)?)
        }
        (Program::FExit(program), _) => {
            let id = program.attach()?;
            Box::new(program.take_link(id)?)
        }
        (Program::KProbe(program), Place::Probe(names) | Place::ProbeEnd(names)) => {
            let (name, id) = first_of(names, |name| program.attach(name, 0))?;
            function = Some(name);
            Box::new(program.take_link(id)?)
        }
        _ => unreachable!("{name} is of its place's type, or was not loaded"),
    };
    Ok((link, program.fd()?.try_clone()?, function))
}

/// Loads a program for its place, unless a tier that fell has loaded it. Returns the name that a
/// function turned out to have.
fn load_program(program: &mut Program, place: &Place, btf: &Btf) -> Tried<Option<&'static str>> {
    let loaded = match (program, place.itself()) {
        (Program::FEntry(program), Place::Enter(names)) => {
            return Ok(Some(first_of(names, |name| program.load(name, btf))?.0));
        }
        (Program::FExit(program), Place::Leave(names)) => {
            return Ok(Some(first_of(names, |name| program.load(name, btf))?.0));
        }
        (Program::BtfTracePoint(program), Place::Typed(name)) => program.load(name, btf),
        (Program::BtfTracePoint(program), Place::Renamed(now, before)) => {
            first_of(&[now, before], |name| program.load(name, btf)).map(|_| ())
        }
        (Program::TracePoint(program), Place::Return(_)) => program.load(),
        (Program::CgroupSkb(program), Place::Packets(_)) => program.load(),
        (Program::KProbe(program), Place::Probe(_) | Place::ProbeEnd(_)) => program.load(),
        _ => unreachable!("a program is of its place's type"),
    };
    match loaded {
        Err(ProgramError::AlreadyLoaded) => Ok(None),
        result => result.map(|()| None),
    }
}

/// Tries the names that a place has had until this kernel knows one.
fn first_of<T>(
    names: &[&'static str],
    mut attempt: impl FnMut(&str) -> Tried<T>,
) -> Tried<(&'static str, T)> {
    let (mut used, mut result) = (names[0], attempt(names[0]));
    for name in &names[1..] {
        match &result {
            Err(error) if state_of(error) == HookState::Missing => {
                (used, result) = (name, attempt(name));
            }
            _ => break,
        }
    }
    result.map(|result| (used, result))
}

fn state_of(error: &ProgramError) -> HookState {
    match error {
        ProgramError::Btf(_) => HookState::Missing,
        ProgramError::LoadError { verifier_log, .. } if lacks_field(verifier_log) => {
            HookState::Missing
        }
        ProgramError::IOError(error) if error.kind() == ErrorKind::NotFound => HookState::Missing,
        _ if comes_of_absence(error) => HookState::Missing,
        _ => HookState::Failed,
    }
}

/// Whether a file or a function that was looked for is not there.
fn comes_of_absence(error: &ProgramError) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == ErrorKind::NotFound)
}

/// Whether a program would read a field that the running kernel's types have not: such an
/// instruction is replaced by the call of a function that no kernel has, and the verifier meets it.
fn lacks_field(log: &impl std::fmt::Display) -> bool {
    log.to_string().contains("unknown#195896080")
}

/// How lines of a verifier's log begin that tell of its work, not of the program.
const FIGURES: [&str; 3] = ["processed ", "stack depth ", "verification time "];

/// The chain of causes in one line; of a verifier's log only its last words.
fn explain(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        if lacks_field(verifier_log) {
            return "this kernel's types have not what it reads".into();
        }
        let log = verifier_log.to_string();
        let last = log
            .lines()
            .rev()
            .find(|line| !FIGURES.iter().any(|figure| line.starts_with(figure)))
            .unwrap_or("");
        return format!("{io_error} {last}").trim().to_owned();
    }
    if let ProgramError::TracePointError(_) = error
        && state_of(error) == HookState::Missing
    {
        return "this kernel has no such call".into();
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aya::programs::TracePointError;

    use super::*;

    #[test]
    fn a_call_that_the_kernel_has_not_is_missing_and_what_may_not_be_attached_has_failed() {
        let no = |kind: std::io::ErrorKind| {
            ProgramError::TracePointError(TracePointError::FileError {
                filename: "id".into(),
                io_error: kind.into(),
            })
        };
        let absent = no(std::io::ErrorKind::NotFound);
        assert_eq!(state_of(&absent), HookState::Missing);
        assert_eq!(explain(&absent), "this kernel has no such call");
        let denied = no(std::io::ErrorKind::PermissionDenied);
        assert_eq!(state_of(&denied), HookState::Failed);
        assert_eq!(explain(&denied), "`id`: permission denied");
    }

    fn refusals(object: &[u8]) -> Vec<String> {
        let settings = Settings {
            muted_pid: 1,
            repeat_window: 1,
            peer_window: 0,
            dns: true,
            tier: Tier::Tracepoint,
        };
        let btf = Btf::from_sys_fs().unwrap();
        let mut object = prepare(settings, &btf, object).unwrap();
        let tiers = programs::DOMAINS.iter().flat_map(|domain| domain.tiers);
        let programs = tiers.flat_map(|(tier, programs)| {
            let programs = programs.iter().copied().flatten();
            programs.map(move |program| (*tier, program))
        });
        let mut refused = Vec::new();
        for (tier, (name, place, _)) in programs {
            let program = object.program_mut(name).unwrap();
            match load_program(program, place, &btf) {
                Err(error) if state_of(&error) == HookState::Failed && !is_forbidden(&error) => {
                    refused.push(format!("{name} of {}: {}", tier.name(), explain(&error)));
                }
                _ => {}
            }
        }
        refused
    }

    /// The kernel takes no programs of this kind, so that the verifier has not looked at it.
    fn is_forbidden(error: &ProgramError) -> bool {
        matches!(error, ProgramError::LoadError { io_error, .. }
            if io_error.raw_os_error() == Some(libc::EPERM))
    }

    /// A program of the old object that this kernel refuses, it refuses everywhere: most often one
    /// that follows a pointer of the current task without `LOAD`.
    #[test]
    fn this_kernel_takes_every_program_of_both_objects() {
        if let Err(why) = probe::check() {
            eprintln!("skipped: {why}");
            return;
        }
        memory::lift_lock_limit();
        assert_eq!(refusals(OLD_OBJECT), Vec::<String>::new(), "old kernels");
        assert_eq!(refusals(OBJECT), Vec::<String>::new());
    }
}
