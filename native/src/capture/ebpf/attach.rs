//! Attaching the programs, each for itself: one that a kernel refuses costs only itself.

use std::any::Any;
use std::sync::Mutex;

use aya::programs::{CgroupAttachMode, CgroupSkbAttachType, Program, ProgramError, ProgramFd};
use aya::{Btf, Ebpf};

use super::load::Settings;
use super::probe;
use super::programs::{self, Domain, Place, Tier, Way};
use super::refusal::{explain, state_of};
use crate::capture::{Hook, HookState};

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
    /// Its name.
    name: &'static str,
    /// The program itself, to ask the kernel about it.
    pub program: ProgramFd,
    /// The kind of event it reports.
    pub what: &'static str,
}

/// Programs that are attached, and what became of those that are not.
#[derive(Default)]
pub struct Attached {
    /// What keeps them attached.
    pub links: Vec<Link>,
    /// The programs that are attached.
    pub running: Vec<Running>,
    /// What became of each program.
    pub hooks: Vec<Hook>,
}

impl Attached {
    /// Attaches the programs of a domain's best tier that can be had.
    pub fn add(&mut self, object: &mut Ebpf, domain: &Domain, settings: Settings, btf: &Btf) {
        for (at, (tier, programs)) in domain.tiers.iter().enumerate() {
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
                for running in these.running {
                    // One may be at several places, and its skipped passes are asked of it once.
                    if self.running.iter().all(|it| it.name != running.name) {
                        self.running.push(running);
                    }
                }
                self.hooks.append(&mut these.hooks);
                return;
            };
            let has_next = domain.tiers[at + 1..]
                .iter()
                .any(|(_, next)| !next.is_empty());
            self.hooks.push(Hook {
                name: format!("{} by {}", domain.name, tier.name()),
                state: if has_next {
                    HookState::Replaced
                } else {
                    HookState::Missing
                },
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
                    let spare = settings
                        .spares
                        .then(|| attach_spare(object, name, place, btf));
                    self.links.push(Box::new((link, spare)));
                    self.running.push(Running {
                        name,
                        program,
                        what,
                    });
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

/// Attaches a program's spare (`bpf/spare.bpf.h`), if it has one. Without, what the kernel skips the
/// program for is counted as lost.
fn attach_spare(object: &mut Ebpf, name: &str, place: &Place, btf: &Btf) -> Option<Link> {
    let spare = format!("spare_{name}");
    object.program(&spare)?;
    try_attach(object, &spare, place, btf)
        .ok()
        .map(|(link, ..)| link)
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
pub fn load_program(
    program: &mut Program,
    place: &Place,
    btf: &Btf,
) -> Tried<Option<&'static str>> {
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
