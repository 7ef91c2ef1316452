//! What processes may do, and what they do to others and to the kernel.

use super::call::{Act, Call};
use super::join::kind;
use crate::event::Capabilities;

/// `CLONE_NEW*`: the namespaces.
const NAMESPACES: u32 = CLONED | 0x80;

/// Those that `clone` knows: the bit of the one for time has another meaning there.
pub const CLONED: u32 = 0x7e02_0000;

/// Requests of ptrace(2) that change a process.
const REACHES: [u64; 9] = [4, 5, 6, 13, 15, 16, 19, 0x4205, 0x4206];

/// Commands of bpf(2).
const PROGRAM_LOAD: u32 = 5;
const RAW_TRACEPOINT_OPEN: u32 = 17;
const LINK_CREATE: u32 = 28;

pub fn capabilities(call: &Call) -> Option<Act> {
    let record = call.group.first(kind::CAPSET)?;
    let set = |key| record.get(key)?.hexadecimal();
    Some(Act::Capabilities(Capabilities {
        permitted: set("cap_pp")?,
        effective: set("cap_pe")?,
        inheritable: set("cap_pi")?,
        // Kernels before 4.16 do not tell.
        ambient: set("cap_pa").unwrap_or(0),
    }))
}

pub fn clone(call: &Call) -> Option<Act> {
    let flags = call.word(0) & CLONED;
    (flags != 0 && call.exit > 0).then_some(Act::ChildNamespaces(call.exit as u32, flags))
}

/// What is unshared but no namespace parts other things.
pub fn unshare(call: &Call) -> Option<Act> {
    let flags = call.word(0) & NAMESPACES;
    (flags != 0).then_some(Act::Namespaces(flags))
}

/// Only of an attachment does a record tell the target; of the others, the call names a thread that
/// is attached already.
pub fn ptrace(call: &Call) -> Option<Act> {
    let request = call.arguments[0];
    if !REACHES.contains(&request) {
        return None;
    }
    let told = targets(call).into_iter().next();
    let told = told.map(|(pid, user)| (pid, Some(user)));
    Some(Act::Injection {
        target: told.unwrap_or((call.word(1), None)),
        request: request as u32,
        bytes: 0,
    })
}

pub fn write_memory(call: &Call) -> Option<Act> {
    (call.exit > 0).then_some(Act::Injection {
        target: (call.word(0), None),
        request: 0,
        bytes: call.exit.unsigned_abs(),
    })
}

/// Not to itself, as threads of a process do among each other.
pub fn signal(call: &Call, signal: usize) -> Option<Act> {
    let mut targets = targets(call);
    targets.retain(|&(pid, _)| pid != call.pid);
    let number = call.word(signal);
    (number != 0 && !targets.is_empty()).then_some(Act::Signal(number, targets))
}

/// Processes that the call was about, and their real users.
fn targets(call: &Call) -> Vec<(u32, u32)> {
    let records = call.group.records();
    let records = records.filter(|record| record.kind == kind::OBJ_PID);
    records
        .filter_map(|record| Some((record.number("opid")?, record.number("ouid")?)))
        .collect()
}

pub fn load_module(call: &Call, file: Option<i32>) -> Option<Act> {
    Some(Act::ModuleLoaded(module(call), file))
}

pub fn unload_module(call: &Call) -> Option<Act> {
    Some(Act::ModuleUnloaded(module(call)))
}

/// Kernels before 4.12 do not tell the name.
fn module(call: &Call) -> Vec<u8> {
    let name = call.group.first(kind::KERN_MODULE);
    let name = name.and_then(|record| record.get("name"));
    name.map_or_else(Vec::new, |name| name.decoded().into_owned())
}

/// Kernels before 5.6 do not tell the number.
pub fn bpf(call: &Call) -> Option<Act> {
    let descriptor = call.exit as i32;
    match call.word(0) {
        PROGRAM_LOAD => {
            let record = call.group.first(kind::BPF);
            let id = record.and_then(|record| record.number("prog-id"));
            Some(Act::BpfLoaded(id, descriptor))
        }
        RAW_TRACEPOINT_OPEN | LINK_CREATE => Some(Act::BpfLinked(descriptor)),
        _ => None,
    }
}
