//! Records of the event log as ECS: [`kinds`] says what they mean, [`moves`] which of their values
//! have fields.

mod command_line;
mod community;
pub mod convert;
pub mod kinds;
pub mod moves;
mod origin;
mod program;
pub mod providers;
mod table;
pub mod traces;

use crate::ecs::catalogue::PROVIDER;
use crate::ecs::content;
use crate::ecs::fields::FIELDS;
use crate::ecs::json::Json;
use crate::enrich::guid::Identity;
use crate::event::{Content, Findings, LogRecord};
use convert::{Answer, Value};
use kinds::LogKind;
use moves::{COMMUNITY, FOUND, OWN};
pub use origin::{Origin, host_name};
pub use table::named;
use table::{LISTS, TABLE, take};
use traces::TraceKind;

/// Bits of a record's keywords.
const AUDIT_FAILURE: u64 = 1 << 52;
const AUDIT_SUCCESS: u64 = 1 << 53;

/// The fields that a record has, in the order of [`FIELDS`].
pub struct Mapped<'a> {
    record: &'a LogRecord,
    identity: &'a Identity,
    /// Of the program that a process was started with.
    content: &'a Content,
    kind: Option<&'static LogKind>,
    /// Of an event of event tracing that has a row of its own.
    trace: Option<&'static TraceKind>,
    values: Vec<(usize, Value<'a>)>,
    /// Of each value of the record, whether it is told as a field alone.
    taken: Vec<bool>,
    /// A name occurs twice.
    has_repeats: bool,
}

impl<'a> Mapped<'a> {
    /// Looks everything up. `identity`: what guids are made of.
    pub fn new(record: &'a LogRecord, content: &'a Content, identity: &'a Identity) -> Self {
        let table = &*TABLE;
        let mut values = Vec::with_capacity(record.data.len() + 16);
        // Of what is traced the agent knows more than the event says; a record says itself who did what.
        if record.is_traced {
            find(record, identity, &mut values);
        }
        if let Content::Known(found) = content {
            program::add(found, &mut values);
        }
        let provider = providers::common(&record.provider);
        let taken = take(record, provider, &record.data, &mut values);
        if !record.is_traced {
            find(record, identity, &mut values);
        }
        if OWN.contains(&&*record.provider) {
            values.push((table.pids[0], Value::Number(record.process.into())));
            values.push((table.thread, Value::Number(record.thread.into())));
        }
        let has_community =
            |(name, ids): &(&str, &[u32])| *name == provider && ids.contains(&record.id);
        if COMMUNITY.iter().any(has_community) {
            let id = community::of(&values);
            values.extend(id.map(|id| (table.ends[0], Value::Text(id.into()))));
        }
        // The first of a field's values stays.
        values.sort_by_key(|&(field, _)| field);
        values.dedup_by_key(|&mut (field, _)| field);
        let mut names: Vec<_> = record.data.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        let has_repeats = names.windows(2).any(|pair| pair[0] == pair[1]);
        Self {
            record,
            identity,
            content,
            has_repeats,
            kind: kinds::find(&record.provider, record.id),
            trace: (record.is_traced)
                .then(|| traces::find(&record.provider, record.id))
                .flatten(),
            values,
            taken,
        }
    }

    /// Writes `event`.
    pub fn write_event(&self, json: &mut Json, sequence: u64) {
        let record = self.record;
        json.open("event");
        let is_alert = self.kind.is_some_and(|kind| kind.is_alert);
        json.word("kind", if is_alert { "alert" } else { "event" });
        let own = self.kind.map(|it| (it.category, it.class, it.action));
        let trace = self.trace.map(|it| (it.category, it.class, it.action));
        if let Some((category, class, action)) = trace.or(own) {
            if !category.is_empty() {
                json.words("category", category.split(' '));
            }
            json.words("type", class.split(' '));
            json.word("action", action);
        }
        match self.trace {
            Some(trace) => {
                if let Some(code) = trace.code {
                    json.number("code", code.into());
                }
                json.word("provider", PROVIDER);
            }
            None => {
                json.number("code", record.id.into());
                json.text_if_known("provider", record.provider.as_bytes());
            }
        }
        if let Some(outcome) = self.outcome() {
            json.word("outcome", outcome);
        }
        json.number("sequence", sequence);
        json.close();
    }

    fn outcome(&self) -> Option<&'static str> {
        let record = self.record;
        let has_failed = |findings: &Findings| findings.has_failed;
        if record.keywords & AUDIT_FAILURE != 0
            || record.findings.as_deref().is_some_and(has_failed)
        {
            return Some("failure");
        }
        if record.keywords & AUDIT_SUCCESS != 0 {
            return Some("success");
        }
        let trace = self.trace.map(|kind| kind.outcome);
        trace.or(self.kind.map(|kind| kind.outcome))?.name()
    }

    /// Writes the fields.
    pub fn write_fields(&self, json: &mut Json) {
        let mut open: Vec<&'static str> = Vec::new();
        for (field, value) in &self.values {
            let mut name = FIELDS[*field].name;
            // Answers are objects that have the field.
            if let Value::Answers(_) = value {
                name = name.rsplit_once('.').map_or(name, |(list, _)| list);
            }
            let (parents, key) = name.rsplit_once('.').unwrap_or(("", name));
            let common = open
                .iter()
                .zip(parents.split('.'))
                .take_while(|(a, b)| **a == *b)
                .count();
            for _ in common..open.len() {
                json.close();
            }
            open.truncate(common);
            for parent in parents.split('.').skip(common) {
                json.open(parent);
                open.push(parent);
            }
            write(json, key, value);
        }
        for _ in open {
            json.close();
        }
    }

    /// Writes `related`. `host`: the name of the host.
    pub fn write_related(&self, json: &mut Json, host: &str) {
        let mut lists: [Vec<&str>; LISTS.len()] = Default::default();
        if !host.is_empty() {
            lists[0].push(host);
        }
        for (field, value) in &self.values {
            let Some(list) = TABLE.lists[*field] else {
                continue;
            };
            let texts = match value {
                Value::Text(text) => std::slice::from_ref(text),
                Value::Texts(texts) => texts,
                _ => continue,
            };
            for text in texts {
                if !lists[list].contains(&&**text) {
                    lists[list].push(text);
                }
            }
        }
        json.open("related");
        for ((_, key), list) in LISTS.into_iter().zip(lists) {
            if !list.is_empty() {
                json.texts(key, list.into_iter().map(str::as_bytes));
            }
        }
        json.close();
    }

    /// Writes `winlog`: what every record has.
    pub fn write_log(&self, json: &mut Json) {
        let record = self.record;
        json.open("winlog");
        json.text_if_known("channel", record.channel.as_bytes());
        json.text_if_known("computer_name", record.computer.as_bytes());
        // Event tracing does not number its events.
        if !record.is_traced {
            json.digits("record_id", record.number);
        }
        json.number("version", record.version.into());
        json.number("level", record.level.into());
        json.number("task", record.task.into());
        json.number("opcode", record.opcode.into());
        json.text_if_known("activity_id", record.activity.as_bytes());
        json.text_if_known("related_activity_id", record.related_activity.as_bytes());
        json.open("process");
        json.number("pid", record.process.into());
        json.open("thread");
        json.number("id", record.thread.into());
        json.close();
        json.close();
        json.open("user");
        json.text_if_known("identifier", record.user.as_bytes());
        json.close();
        json.close();
    }

    /// Writes `action`: the number, and the values under their own names.
    pub fn write_action(&self, json: &mut Json) {
        let record = self.record;
        json.open("action");
        json.number("id", record.id.into());
        if let Some(trace) = self.trace {
            json.word("name", trace.action);
        }
        json.open("properties");
        for (place, (name, value)) in record.data.iter().enumerate() {
            if self.has_repeats {
                self.write_repeated(json, place, name);
            } else if !self.taken[place] {
                json.named_text(name, value.as_bytes());
            }
        }
        content::write_reason(json, self.content);
        self.write_ancestors(json);
        self.write_own(json);
        json.close();
        json.close();
    }

    /// Writes a value, at its first place with all others of its name, none of which is hidden.
    fn write_repeated(&self, json: &mut Json, place: usize, name: &str) {
        let data = &self.record.data;
        let mut same = data
            .iter()
            .enumerate()
            .filter(|(_, (other, _))| *other == name);
        match (same.next(), same.count()) {
            (Some((first, (_, value))), 0) if first == place && !self.taken[place] => {
                json.named_text(name, value.as_bytes());
            }
            (Some((first, _)), 1..) if first == place => {
                let same = data.iter().filter(|(other, _)| *other == name);
                json.named_texts(name, same.map(|(_, value)| value.as_bytes()));
            }
            _ => {}
        }
    }

    /// Writes who started what has begun, as of Linux; a guid that is not known is empty.
    fn write_ancestors(&self, json: &mut Json) {
        let findings = self.record.findings.as_deref();
        let ancestors = findings.map_or(&[][..], |findings| &findings.ancestors);
        if ancestors.is_empty() {
            return;
        }
        let guid = |key| self.identity.guid(key).to_string();
        json.open("ancestors");
        json.numbers("pid", ancestors.iter().map(|it| it.pid.into()));
        let executables = ancestors.iter().map(|it| it.executable.as_bytes());
        json.texts("executable", executables);
        let guids = ancestors
            .iter()
            .map(|it| it.key.map(guid).unwrap_or_default());
        json.plain_texts("guid", guids);
        json.close();
    }

    /// Writes what is not among the values, under the names that the original agent has for it.
    fn write_own(&self, json: &mut Json) {
        let record = self.record;
        let is_free = |name: &&str| record.data.get(name).is_none();
        let own = |json: &mut Json, name: &'static str, value: &str| {
            if is_free(&name) && !value.is_empty() {
                json.text(name, value.as_bytes());
            }
        };
        let audited = match record.keywords & (AUDIT_SUCCESS | AUDIT_FAILURE) {
            0 => "",
            AUDIT_SUCCESS => "AUDIT_SUCCESS",
            _ => "AUDIT_FAILURE",
        };
        own(json, "EventType", audited);
        own(json, "Keywords", &format!("0x{:X}", record.keywords));
        own(json, "ProviderGuid", &record.provider_guid);
        own(json, "Severity", severity(record.level));
        own(json, "SourceName", &record.provider);
        let mut cut = json.take_cut();
        if record.truncated {
            cut.push("action.properties".into());
        }
        if !cut.is_empty() && is_free(&"truncated") {
            json.texts("truncated", cut.iter().map(String::as_bytes));
        }
    }
}

/// Adds the fields of what the agent knows of a record besides.
fn find<'a>(record: &'a LogRecord, identity: &Identity, values: &mut Vec<(usize, Value<'a>)>) {
    let Some(findings) = record.findings.as_deref() else {
        return;
    };
    take(record, FOUND, &findings.facts, values);
    let guid = |&key| Value::Text(identity.guid(key).to_string().into());
    for (field, key) in TABLE.guids.iter().zip(&findings.processes) {
        values.extend(key.as_ref().map(|key| (*field, guid(key))));
    }
}

fn write(json: &mut Json, key: &'static str, value: &Value) {
    match value {
        Value::Text(text) => json.text(key, text.as_bytes()),
        Value::Number(number) => json.number(key, *number),
        Value::Truth(true) => json.yes(key),
        Value::Truth(false) => json.no(key),
        Value::Texts(texts) => json.texts(key, texts.iter().map(|text| text.as_bytes())),
        Value::Answers(answers) => {
            json.open_list(key);
            for answer in answers.iter().take(MAX_ANSWERS) {
                write_answer(json, answer);
            }
            json.close_list();
        }
    }
}

/// As many as of messages of DNS.
const MAX_ANSWERS: usize = 64;

fn write_answer(json: &mut Json, answer: &Answer) {
    json.open_item();
    if let Some(name) = answer.name {
        json.text("name", name.as_bytes());
    }
    if let Some(kind) = &answer.kind {
        json.text("type", kind.as_bytes());
    }
    if let Some(data) = answer.data {
        json.plain("data", data);
    }
    json.close_item();
}

fn severity(level: u8) -> &'static str {
    match level {
        0 => "LOG_ALWAYS",
        1 => "CRITICAL",
        2 => "ERROR",
        3 => "WARNING",
        4 => "INFO",
        5 => "VERBOSE",
        _ => "",
    }
}
