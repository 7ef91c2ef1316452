//! Events as ECS: one JSON object in UTF-8, at most [`MAX_RECORD`] bytes, without a line feed.

mod call;
pub mod catalogue;
mod content;
mod dns;
mod errno;
mod escape;
pub mod fields;
pub(crate) mod file;
mod json;
mod login;
mod mount;
pub(crate) mod names;
pub(crate) mod network;
mod process;
mod record;
mod system;
pub(crate) mod time;
mod user;
pub mod windows;

use crate::enrich::guid::Identity;
use crate::enrich::processes::{Process, Rendered};
use crate::event::{Action, Content, LogRecord, Loss, ProcessKey};
use catalogue::EVENTS_LOST;
use json::{Json, UNLIMITED};
use record::Head;
use time::Clock;
use user::Identities;
use windows::{Mapped, Origin, host_name};

pub use record::Act;

/// Bytes of a record; the intake refuses longer ones.
pub const MAX_RECORD: usize = 250_000;
/// Most and fewest bytes of one text in a record that has to be shortened.
const TEXT_LIMITS: (usize, usize) = (65_536, 64);
/// Most bytes of one text about the target of an act.
const TARGET_TEXT_LIMIT: usize = 8_192;

/// Writes records, one after the other into the same memory.
#[derive(Debug)]
pub struct Encoder {
    json: Json,
    clock: Clock,
    envelope: Vec<u8>,
    /// The value of `related.hosts`, empty if the envelope names no host.
    hosts: Vec<u8>,
    identities: Identities,
    origin: Origin,
}

impl Encoder {
    /// `envelope`: JSON members that every record has, without the outer braces.
    pub fn new(envelope: Vec<u8>) -> Self {
        Self {
            json: Json::new(),
            clock: Clock::new(),
            hosts: record::hosts(&envelope),
            origin: Origin::of(&envelope),
            envelope,
            identities: Identities::default(),
        }
    }

    /// Changes the members that every record has.
    pub fn set_envelope(&mut self, envelope: Vec<u8>) {
        self.hosts = record::hosts(&envelope);
        self.origin = Origin::of(&envelope);
        self.envelope = envelope;
    }

    /// To be called when names of users or groups have changed.
    pub fn forget_users(&mut self) {
        self.identities.clear();
    }

    /// What is told of a process that something is done to; so short that it always fits.
    pub fn target(key: ProcessKey, process: &Process) -> Rendered {
        process::render(key, process, TARGET_TEXT_LIMIT)
    }

    /// The record of an act of a process.
    ///
    /// One that is too long is written again with a limit on every text, which is halved until it
    /// fits. So the longest texts are cut first, and `action.properties.truncated` names them.
    pub fn act(&mut self, act: &Act, process: &mut Process) -> &[u8] {
        let key = act.event.process;
        let render = |process: &Process, limit| process::render(key, process, limit);
        let rendered = process.rendered(|process| render(process, UNLIMITED));
        self.write(act, rendered, UNLIMITED);
        let (mut limit, least) = TEXT_LIMITS;
        while self.json.bytes().len() > MAX_RECORD && limit >= least {
            self.write(act, &render(process, limit), limit);
            limit /= 2;
        }
        self.json.bytes()
    }

    /// The record of one of Windows' event log, cut as that of an act.
    pub fn log(
        &mut self,
        time: u64,
        record: &LogRecord,
        content: &Content,
        identity: &Identity,
        sequence: u64,
    ) -> &[u8] {
        let mapped = Mapped::new(record, content, identity);
        let host = host_name(&record.computer);
        self.write_log(time, &mapped, host, sequence, UNLIMITED);
        let (mut limit, least) = TEXT_LIMITS;
        while self.json.bytes().len() > MAX_RECORD && limit >= least {
            self.write_log(time, &mapped, host, sequence, limit);
            limit /= 2;
        }
        self.json.bytes()
    }

    /// The record of a loss.
    pub fn loss(&mut self, loss: &Loss, sequence: u64) -> &[u8] {
        let Loss {
            what,
            count,
            cause,
            place,
            ..
        } = loss;
        let reason = format!("{count} of {what} lost: {cause} ({place})");
        let span = Some((loss.from, loss.to));
        let head = Head {
            kind: &EVENTS_LOST,
            sequence,
            span,
            outcome: EVENTS_LOST.outcome,
            duration: None,
            reason: Some(reason),
        };
        self.start(loss.to, &head, UNLIMITED);
        record::write_loss(&mut self.json, loss);
        self.json.finish();
        self.json.bytes()
    }

    fn write(&mut self, act: &Act, rendered: &Rendered, limit: usize) {
        let event = act.event;
        let span = record::repeat(event).map(|repeat| (repeat.first, repeat.last));
        let head = Head {
            kind: act.kind,
            sequence: act.sequence,
            span,
            outcome: record::outcome(act),
            duration: network::duration(&event.action),
            reason: None,
        };
        self.start(event.time, &head, limit);
        let identity = self
            .identities
            .of(event.credentials, event.login, act.users);
        process::write(&mut self.json, act, rendered);
        self.json.raw_members(&rendered.container);
        if let Action::Login(login) = &event.action {
            login::write_user(&mut self.json, event, login, act.users);
        } else {
            user::write(&mut self.json, identity, event.action.target(), act.users);
        }
        record::write_object(&mut self.json, act);
        record::write_related(&mut self.json, act, &self.hosts, &identity.names);
        record::write_properties(&mut self.json, act, &identity.properties, rendered);
        if !act.tags.is_empty() {
            self.json.words("tags", act.tags);
        }
        self.json.finish();
    }

    fn write_log(&mut self, time: u64, mapped: &Mapped, host: &str, sequence: u64, limit: usize) {
        let json = &mut self.json;
        json.start(limit);
        json.word("@timestamp", self.clock.show_exactly(time));
        self.origin.write(json, &self.envelope, host);
        mapped.write_event(json, sequence);
        mapped.write_fields(json);
        mapped.write_related(json, host);
        mapped.write_log(json);
        mapped.write_action(json);
        json.finish();
    }

    fn start(&mut self, time: u64, head: &Head, limit: usize) {
        self.json.start(limit);
        self.json.word("@timestamp", self.clock.show(time));
        self.json.raw_members(&self.envelope);
        record::write_head(&mut self.json, &mut self.clock, head);
    }
}
