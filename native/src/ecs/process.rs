//! `process.*` and `sekoiaio.process.*`: who acted.

use crate::ecs::content;
use crate::ecs::json::{Json, UNLIMITED};
use crate::ecs::record::{Act, repeat};
use crate::ecs::{login, system};
use crate::enrich::containers::Container;
use crate::enrich::processes::{Ancestor, Process, Rendered};
use crate::enrich::program::{MAX_COMMAND_LINE, Program, arguments};
use crate::event::{Action, Exec, Exit, Namespaces, ProcessKey};

/// What all events of a process say about it.
///
/// `limit`: bytes that one text may take.
pub fn render(key: ProcessKey, process: &Process, limit: usize) -> Rendered {
    let mut json = Json::members_of("process", limit);
    json.number("pid", key.pid.into());
    if let Some(program) = process.program() {
        json.text_if_known("name", &program.name);
        json.text_if_known("executable", &program.executable);
        command_line(&mut json, program);
        json.text_if_known("working_directory", &program.working_directory);
    }
    if let Some(parent) = process.parent() {
        write_parent(&mut json, parent);
    }
    let (members, mut cut) = json.into_parts();
    let (properties, more_cut) = properties(process, limit);
    cut.extend(more_cut);
    Rendered {
        process: members,
        has_program: process.program().is_some(),
        identity: identity(key, process),
        container: process
            .container
            .as_deref()
            .map(container)
            .unwrap_or_default(),
        properties,
        ancestors: process.ancestors().clone(),
        cut,
    }
}

/// The member `container` of the root.
fn container(container: &Container) -> Vec<u8> {
    let mut json = Json::members_of("", UNLIMITED);
    json.open("container");
    json.text("id", container.id.as_bytes());
    if let Some(name) = &container.name {
        json.text("name", name.as_bytes());
    }
    if let Some(runtime) = container.runtime {
        json.word("runtime", runtime);
    }
    if let Some(image) = &container.image {
        json.open("image");
        json.text("name", image.as_bytes());
        json.close();
    }
    json.close();
    json.into_parts().0
}

/// Where the process is. Every event of it has it.
fn properties(process: &Process, limit: usize) -> (Vec<u8>, Vec<String>) {
    let mut json = Json::members_of("action.properties", limit.min(MAX_COMMAND_LINE));
    if let Some(container) = &process.container {
        json.text("container_id", container.id.as_bytes());
    }
    let Namespaces {
        pid,
        mnt,
        net,
        user,
        uts,
        ipc,
    } = process.namespaces;
    let foreign = [
        ("ns_pid", pid),
        ("ns_mnt", mnt),
        ("ns_net", net),
        ("ns_user", user),
        ("ns_uts", uts),
        ("ns_ipc", ipc),
    ];
    for (name, number) in foreign.into_iter().filter(|&(_, number)| number != 0) {
        json.number(name, number.into());
    }
    json.into_parts()
}

/// The ancestors, as lists of equal length. The start of a program tells them: with every event of it
/// they would be a third of all that is delivered.
pub fn write_ancestors(json: &mut Json, ancestors: &[Ancestor]) {
    if ancestors.is_empty() {
        return;
    }
    json.open("ancestors");
    json.numbers("pid", ancestors.iter().map(|it| it.key.pid.into()));
    json.texts("executable", ancestors.iter().map(executable));
    json.plain_texts("guid", ancestors.iter().map(|it| it.guid));
    json.close();
}

/// What an ancestor ran, by its name where it has no path, empty if unknown.
fn executable(ancestor: &Ancestor) -> &[u8] {
    match ancestor.program() {
        Some(program) if program.executable.is_empty() => &program.name,
        Some(program) => &program.executable,
        None => b"",
    }
}

fn write_parent(json: &mut Json, parent: &Ancestor) {
    json.open("parent");
    json.number("pid", parent.key.pid.into());
    if let Some(program) = parent.program() {
        json.text_if_known("name", &program.name);
        json.text_if_known("executable", &program.executable);
        command_line(json, program);
    }
    json.close();
}

/// The limit holds for the text as it is written: control characters take six times their bytes,
/// and every event of the process and of its children has them.
fn command_line(json: &mut Json, program: &Program) {
    if !program.command_line.is_empty() {
        json.short_text("command_line", &program.command_line, MAX_COMMAND_LINE);
    }
    if program.command_line_cut {
        json.note_cut("command_line");
    }
}

fn identity(key: ProcessKey, process: &Process) -> Vec<u8> {
    let mut json = Json::members_of("sekoiaio.process", UNLIMITED);
    if key.start != ProcessKey::UNKNOWN_START {
        json.plain("guid", process.guid);
    }
    if let Some(parent) = process.parent() {
        json.plain("parent_guid", parent.guid);
    }
    json.into_parts().0
}

/// Writes `process`, with what only this event says about it, and `sekoiaio`.
pub fn write(json: &mut Json, act: &Act, rendered: &Rendered) {
    let event = act.event;
    json.open("process");
    json.raw_members(&rendered.process);
    json.note_all_cut(&rendered.cut);
    if event.thread != event.process.pid {
        json.open("thread");
        json.number("id", event.thread.into());
        json.close();
    }
    match &event.action {
        Action::Exec(exec) => {
            write_arguments(json, exec);
            content::write(json, &event.content);
        }
        Action::Exit(exit) => json.number("exit_code", exit_code(*exit)),
        Action::Login(login) if !rendered.has_program => login::write_program(json, login),
        _ => {}
    }
    json.close();
    json.open("sekoiaio");
    json.open("process");
    json.raw_members(&rendered.identity);
    json.close();
    system::write_ends(json, &event.action, rendered, act.target);
    if let Some(repeat) = repeat(event) {
        json.open("repeat");
        json.number("count", repeat.count);
        json.close();
    }
    json.close();
}

fn write_arguments(json: &mut Json, exec: &Exec) {
    json.texts("args", arguments(&exec.arguments));
    if exec.arguments_truncated {
        json.note_cut("args");
    }
    match exec.arguments_count {
        0 if exec.arguments_truncated => {}
        0 => json.number("args_count", arguments(&exec.arguments).count() as u64),
        count => json.number("args_count", count.into()),
    }
}

/// As shells have it: 128 and the signal's number where a signal ended the process.
fn exit_code(exit: Exit) -> u64 {
    if exit.signal == 0 {
        exit.code.into()
    } else {
        128 + u64::from(exit.signal)
    }
}
