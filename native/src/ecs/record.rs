//! The parts of a record beyond who acted: `event`, `related`, `action.properties`.

use crate::ecs::catalogue::{Kind, PROVIDER};
use crate::ecs::json::Json;
use crate::ecs::time::Clock;
use crate::ecs::{call, content, dns, file, login, mount, network, process, system};
use crate::enrich::processes::Rendered;
use crate::enrich::users::Users;
use crate::event::{Action, Connection, Content, Event, Exec, Exit, File, Loss, Repeat, Stage};

/// An act and what is known about it.
#[derive(Debug)]
pub struct Act<'a> {
    /// Of which kind it is.
    pub kind: &'static Kind,
    /// The act.
    pub event: &'a Event,
    /// The other process it was done to.
    pub target: Option<&'a Rendered>,
    /// Who has which number.
    pub users: &'a Users,
    /// The watches that it matches.
    pub tags: &'a [&'a str],
    /// Number of the record in this run of the agent.
    pub sequence: u64,
    /// What the process runs is known from /proc only.
    pub inferred: bool,
}

/// What the object `event` says.
#[derive(Debug)]
pub struct Head {
    /// The kind of event.
    pub kind: &'static Kind,
    /// Number of the record in this run of the agent.
    pub sequence: u64,
    /// Nanoseconds since the epoch of the first and the last occurrence.
    pub span: Option<(u64, u64)>,
    /// `success` or `failure`.
    pub outcome: Option<&'static str>,
    /// Nanoseconds that it lasted.
    pub duration: Option<u64>,
    /// One sentence for a reader.
    pub reason: Option<String>,
}

/// Writes `event`.
pub fn write_head(json: &mut Json, clock: &mut Clock, head: &Head) {
    let kind = head.kind;
    json.open("event");
    json.word("kind", "event");
    json.words("category", kind.category.split(' '));
    json.words("type", kind.class.split(' '));
    json.word("action", kind.action);
    if let Some(code) = kind.code {
        json.number("code", code.into());
    }
    json.word("provider", PROVIDER);
    if let Some(outcome) = head.outcome {
        json.word("outcome", outcome);
    }
    if let Some(reason) = &head.reason {
        json.text("reason", reason.as_bytes());
    }
    json.number("sequence", head.sequence);
    if let Some((first, last)) = head.span {
        json.word("start", clock.show(first));
        json.word("end", clock.show(last));
    }
    if let Some(duration) = head.duration {
        json.number("duration", duration);
    }
    json.close();
}

/// Whether the act succeeded: its kind says so, or what was told of it.
pub fn outcome(act: &Act) -> Option<&'static str> {
    match &act.event.action {
        Action::Login(login) if !login.success => Some("failure"),
        Action::File(File {
            unanswered: true, ..
        })
        | Action::Connection(Connection {
            stage: Stage::Begun,
            ..
        }) => Some("unknown"),
        _ => act.kind.outcome,
    }
}

/// Writes what the act was done to.
pub fn write_object(json: &mut Json, act: &Act) {
    match &act.event.action {
        Action::File(file) => file::write(json, file, &act.event.content, act.users),
        Action::Mount(mount) => mount::write(json, mount),
        Action::Connection(connection) => network::write(json, connection),
        Action::Login(login) => login::write_source(json, login),
        Action::Listen(local) => network::write_listening(json, *local),
        Action::Dns(message) => {
            network::write_dns(json, message);
            dns::write(json, message);
        }
        action => system::write_file(json, action),
    }
}

/// Writes `related`. `hosts`, `names`: its members of these names as JSON, or nothing.
pub fn write_related(json: &mut Json, act: &Act, hosts: &[u8], names: &[u8]) {
    json.open("related");
    json.raw_members(hosts);
    match &act.event.action {
        Action::Login(login) => {
            let names = login::names(act.event, login, act.users);
            if !names.is_empty() {
                json.texts("user", names);
            }
        }
        _ => json.raw_members(names),
    }
    let addresses = network::addresses(&act.event.action);
    if !addresses.is_empty() {
        json.plain_texts("ip", addresses);
    }
    if let Content::Known(known) = &act.event.content {
        let digests = &known.digests;
        json.hex_list("hash", [&digests.md5[..], &digests.sha1, &digests.sha256]);
    }
    json.close();
}

/// Writes `action.properties`: what ECS has no field for, and what was cut so far. `login`: its
/// members about that as JSON.
pub fn write_properties(json: &mut Json, act: &Act, login: &[u8], rendered: &Rendered) {
    json.open("action");
    json.open("properties");
    match &act.event.action {
        Action::Login(login) => login::write_properties(json, login),
        // What the call returned tells the error as well.
        Action::Connection(connection) if act.event.call.is_none() => {
            network::write_error(json, connection);
        }
        Action::Exec(exec) => {
            json.text_if_known("script", &exec.script);
            process::write_ancestors(json, &rendered.ancestors);
        }
        Action::File(file) => file::write_properties(json, file),
        Action::Mount(mount) => mount::write_properties(json, mount),
        &Action::Exit(Exit {
            signal: signal @ 1..,
            ..
        }) => json.number("signal", signal.into()),
        action => system::write_properties(json, action),
    }
    if let Some(call) = &act.event.call {
        call::write_properties(json, call);
    }
    if is_deleted(&act.event.action) {
        json.yes("deleted");
    }
    content::write_reason(json, &act.event.content);
    // A login tells its own.
    if !matches!(act.event.action, Action::Login(_)) {
        json.raw_members(login);
    }
    json.raw_members(&rendered.properties);
    if act.inferred {
        json.yes("process_inferred");
    }
    let cut = json.take_cut();
    if !cut.is_empty() {
        json.words("truncated", cut);
    }
    json.close();
    json.close();
}

/// The program that was executed, or the file that was opened, has no name any more.
fn is_deleted(action: &Action) -> bool {
    match *action {
        Action::Exec(Exec { deleted, .. }) | Action::File(File { deleted, .. }) => deleted,
        _ => false,
    }
}

/// How often an event stands for the same; nothing for what occurred once.
pub fn repeat(event: &Event) -> Option<Repeat> {
    event.repeat.filter(|repeat| repeat.count > 1)
}

/// Writes the particulars of a loss.
pub fn write_loss(json: &mut Json, loss: &Loss) {
    json.open("action");
    json.open("properties");
    json.number("count", loss.count);
    json.text("what", loss.what.as_bytes());
    json.text("cause", loss.cause.as_bytes());
    json.text("place", loss.place.as_bytes());
    json.close();
    json.close();
}

/// `related.hosts` as a JSON member, or nothing if the envelope has no host's name.
///
/// The envelope is JSON that the agent has written, without white space.
pub fn hosts(envelope: &[u8]) -> Vec<u8> {
    const KEY: &[u8] = b"\"hostname\":\"";
    let Some(at) = envelope.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let name = &envelope[at + KEY.len()..];
    let mut escaped = false;
    let end = name.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| [b"\"hosts\":[\"", &name[..end], b"\"]"].concat())
        .unwrap_or_default()
}
