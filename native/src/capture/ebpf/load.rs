//! The object: chosen and prepared for this kernel, its programs attached, its maps kept.

use aya::maps::{Array, HashMap, Map};
use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported};
use aya::{Btf, Ebpf, EbpfLoader, include_bytes_aligned};

use super::attach::{Attached, Link, Running};
use super::probe;
use super::programs::{self, ESSENTIAL, Tier};
use super::wire::Gate;
use crate::capture::gate::SHUT;
use crate::capture::{Hook, HookState};
use crate::error::{Error, Result};
use crate::host::memory;

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent.bpf.o"));

/// The same programs without what kernels before 5.17 have not.
static OLD_OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent-old.bpf.o"));

#[cfg(test)]
mod stack;

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
    /// Whether programs have spares, for when they are preempted.
    pub spares: bool,
    /// The agent that is to hand over, if there is one: nothing is told until then, nor of it.
    pub before: Option<u32>,
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
const MAPS: [&str; 13] = [
    "critical",
    "bulk",
    "tallies",
    "repeats",
    "changes",
    "peers",
    "gates",
    "rule_states",
    "rule_programs",
    "rule_users",
    "rule_folders",
    "rule_counts",
    "verdicts",
];

fn load_here(settings: Settings) -> Result<Loaded> {
    let btf = Btf::from_sys_fs().map_err(refused)?;
    let bytes = fitting_object();
    let mut object = prepare(settings, &btf, bytes)?;
    if let Some(before) = settings.before {
        shut(&mut object, before)?;
    }
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
        .filter_map(|name| Some(((*name).into(), object.take_map(name)?)))
        .collect();
    memory::put_away(bytes);
    Ok(Loaded {
        maps,
        links: attached.links,
        running: attached.running,
        hooks: attached.hooks,
    })
}

/// Before any program runs.
fn shut(object: &mut Ebpf, before: u32) -> Result<()> {
    let missing = || refused("a map is missing");
    let gates = object.map_mut("gates").ok_or_else(missing)?;
    let mut gates: Array<_, Gate> = Array::try_from(gates).map_err(refused)?;
    gates.set(0, SHUT, 0).map_err(refused)?;
    let muted = object.map_mut("muted").ok_or_else(missing)?;
    let mut muted: HashMap<_, u32, u8> = HashMap::try_from(muted).map_err(refused)?;
    muted.insert(before, 1, 0).map_err(refused)
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

/// Buffers of a CPU: `enum scratch_number` in `bpf/emit.bpf.h`.
const SCRATCHES: u32 = 4;

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
        .map_max_entries("scratches", SCRATCHES * cpus as u32)
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

#[cfg(test)]
mod tests {
    use aya::programs::ProgramError;

    use super::super::attach::load_program;
    use super::super::refusal::{explain, state_of};
    use super::*;

    fn refusals(object: &[u8]) -> Vec<String> {
        let settings = Settings {
            muted_pid: 1,
            repeat_window: 1,
            peer_window: 0,
            dns: true,
            tier: Tier::Tracepoint,
            spares: true,
            before: None,
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
