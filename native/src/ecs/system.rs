//! What processes may do, and what they do to others and to the kernel: `action.properties`,
//! `file` of programs and modules, `sekoiaio.target_process`.

use crate::ecs::json::Json;
use crate::ecs::user::write_id;
use crate::ecs::{errno, file, names};
use crate::enrich::processes::Rendered;
use crate::enrich::program::arguments;
use crate::event::{
    Action, Attachment, BpfProgram, Call, Capabilities, Change, ExecFailed, Identity, Injection,
    Module, NamespaceChange, Signal,
};

/// Names of the ids before and after a change, in the order of [`Identity`]'s members.
const USERS: [[&str; 4]; 2] = [
    ["old_uid", "old_euid", "old_suid", "old_fsuid"],
    ["uid", "euid", "suid", "fsuid"],
];
const GROUPS: [[&str; 4]; 2] = [
    ["old_gid", "old_egid", "old_sgid", "old_fsgid"],
    ["gid", "egid", "sgid", "fsgid"],
];

/// Writes the `file` that was to be executed, or that a module came from.
pub fn write_file(json: &mut Json, action: &Action) {
    let (path, truncated) = match action {
        Action::ExecFailed(failed) => (&failed.path, failed.path_truncated),
        Action::Module(Module {
            path: Some(path),
            path_truncated,
            ..
        }) => (path, *path_truncated),
        _ => return,
    };
    json.open("file");
    file::write_path(json, path, truncated);
    json.close();
}

/// Writes the other process, and for what changed it, this one in the same words.
pub fn write_ends(json: &mut Json, action: &Action, own: &Rendered, target: Option<&Rendered>) {
    if let Action::Injection(_) = action {
        write_end(json, "source_process", own);
    }
    if let Some(target) = target {
        write_end(json, "target_process", target);
    }
}

fn write_end(json: &mut Json, key: &'static str, process: &Rendered) {
    json.open(key);
    json.raw_members(&process.process);
    json.raw_members(&process.identity);
    json.close();
    let renamed = |name: &String| name.replacen("process", &format!("sekoiaio.{key}"), 1);
    json.note_all_cut(&process.cut.iter().map(renamed).collect::<Vec<_>>());
}

/// Writes what only these events have into `action.properties`.
pub fn write_properties(json: &mut Json, action: &Action) {
    match action {
        Action::ExecFailed(failed) => write_failed(json, failed),
        Action::Identity(change) => write_identities(json, change),
        Action::Capabilities(change) => write_capabilities(json, change),
        Action::Namespace(change) => write_namespaces(json, change),
        Action::Injection(injection) => write_injection(json, injection),
        &Action::Signal(Signal { call, number, .. }) => {
            write_call(json, call);
            json.number("signal", number.into());
        }
        Action::Module(module) => {
            write_call(json, module.call);
            json.text_if_known("name", &module.name);
        }
        Action::Bpf(program) => write_program(json, program),
        _ => {}
    }
}

fn write_call(json: &mut Json, call: Call) {
    if let Some(name) = names::call(call) {
        json.word("syscall", name);
    }
}

/// A name, or the number of what has none.
fn write_named(json: &mut Json, key: &'static str, name: Option<&'static str>, number: u32) {
    match name {
        Some(name) => json.plain(key, name),
        None => json.digits(key, number.into()),
    }
}

/// Writes which call has failed, and why. Where the event tells its system call, that tells both.
pub fn write_failure(json: &mut Json, call: Call, error: u16) {
    if call != Call::TOLD {
        write_call(json, call);
        json.plain("exit", errno::name(error));
    }
}

fn write_failed(json: &mut Json, failed: &ExecFailed) {
    write_failure(json, failed.call, failed.error);
    json.texts("args", arguments(&failed.arguments));
    if failed.arguments_truncated {
        json.note_cut("args");
    }
}

fn write_identities(json: &mut Json, change: &Change<Identity>) {
    write_call(json, change.call);
    if let Some(before) = &change.before {
        write_identity(json, before, 0, "old_groups");
    }
    write_identity(json, &change.after, 1, "groups");
}

fn write_identity(json: &mut Json, identity: &Identity, row: usize, groups: &'static str) {
    let users = USERS[row].into_iter().zip(identity.users);
    for (key, id) in users.chain(GROUPS[row].into_iter().zip(identity.groups)) {
        write_id(json, key, id);
    }
    if let Some(supplementary) = &identity.supplementary {
        json.plain_texts(groups, supplementary);
        if supplementary.len() < identity.supplementary_count as usize {
            json.note_cut(groups);
        }
    }
}

/// Masks as audit writes them, under its names.
fn write_capabilities(json: &mut Json, change: &Change<Capabilities>) {
    write_call(json, change.call);
    let mut write = |keys: [&'static str; 4], sets: Capabilities| {
        let masks = [
            sets.permitted,
            sets.inheritable,
            sets.effective,
            sets.ambient,
        ];
        for (key, mask) in keys.into_iter().zip(masks) {
            json.plain(key, format_args!("{mask:016x}"));
        }
    };
    if let Some(before) = change.before {
        write(["old_pp", "old_pi", "old_pe", "old_pa"], before);
    }
    write(["pp", "pi", "pe", "pa"], change.after);
}

fn write_namespaces(json: &mut Json, change: &NamespaceChange) {
    write_call(json, change.call);
    let shown = |(name, number): &(&str, u32)| match number {
        0 => (*name).to_owned(),
        number => format!("{name}:[{number}]"),
    };
    json.plain_texts("namespaces", change.changed.iter().map(shown));
}

fn write_injection(json: &mut Json, injection: &Injection) {
    write_call(json, injection.call);
    if injection.request != 0 {
        let name = names::request(injection.request);
        write_named(json, "request", name, injection.request);
    }
    if injection.bytes != 0 {
        json.number("bytes", injection.bytes);
    }
}

fn write_program(json: &mut Json, program: &BpfProgram) {
    if program.id != 0 {
        json.digits("prog-id", program.id.into());
    }
    if program.kind != 0 {
        let name = names::program(program.kind);
        write_named(json, "prog-type", name, program.kind);
    }
    if program.tag != [0; 8] {
        let tag = u64::from_be_bytes(program.tag);
        json.plain("prog-tag", format_args!("{tag:016x}"));
    }
    json.text_if_known("prog-name", &program.name);
    match program.attachment {
        None => json.word("op", "LOAD"),
        Some(Attachment::Direct) => json.word("op", "ATTACH"),
        Some(Attachment::Link(kind)) => {
            json.word("op", "LINK");
            write_named(json, "link-type", names::link(kind), kind);
        }
    }
}
