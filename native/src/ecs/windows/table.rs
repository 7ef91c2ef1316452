//! The rows of [`moves`](super::moves), ready to be asked.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::convert::{self, How, Value, is_nothing, is_zero};
use super::moves::{self, OWN, RELATED};
use super::origin::host_name;
use super::providers::common;
use crate::ecs::fields::FIELDS;
use crate::event::{LogRecord, Pairs, Role};

/// The lists of `related`, in the order of their writing.
pub(super) const LISTS: [(&str, &str); 4] = [
    ("related.hosts", "hosts"),
    ("related.user", "user"),
    ("related.hash", "hash"),
    ("related.ip", "ip"),
];

/// Where the guid of a process is told.
fn guid(role: Role) -> &'static str {
    match role {
        Role::Actor => "sekoiaio.process.guid",
        Role::Parent => "sekoiaio.process.parent_guid",
        Role::Source => "sekoiaio.source_process.guid",
        Role::Target => "sekoiaio.target_process.guid",
    }
}

/// Where the number of a process is told.
fn pid(role: Role) -> &'static str {
    match role {
        Role::Actor => "process.pid",
        Role::Parent => "process.parent.pid",
        Role::Source => "sekoiaio.source_process.pid",
        Role::Target => "sekoiaio.target_process.pid",
    }
}

/// All of them.
pub(super) struct Table {
    pub(super) rows: HashMap<&'static str, HashMap<&'static str, Vec<Row>>>,
    /// For each field, which of [`LISTS`] it is in.
    pub(super) lists: Vec<Option<usize>>,
    /// The number of a process, by its [`Role`].
    pub(super) pids: [usize; Role::ALL.len()],
    pub(super) thread: usize,
    /// The three digests of a program.
    pub(super) hashes: [usize; 3],
    /// What is told of its signature: whether there is one, what was said of it, who signed it, whether that
    /// one is trusted, whether it is that of this content.
    pub(super) signature: [usize; 5],
    pub(super) guids: [usize; Role::ALL.len()],
    /// The Community ID, and what it is made of: both addresses, both ports, the protocol.
    pub(super) ends: [usize; 6],
}

pub(super) struct Row {
    ids: &'static [u32],
    when: Option<(&'static str, &'static str)>,
    field: usize,
    how: How,
    is_taken: bool,
}

pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let place = |name: &str| FIELDS.iter().position(|field| field.name == name);
    let mut rows: HashMap<_, HashMap<_, Vec<Row>>> = HashMap::new();
    for row in moves::ALL {
        // A test has them all in the table.
        let Some(field) = place(row.to) else {
            continue;
        };
        let of_provider = rows.entry(row.provider).or_default();
        of_provider.entry(row.from).or_default().push(Row {
            ids: row.ids,
            when: row.when,
            field,
            how: row.how,
            is_taken: row.is_taken,
        });
    }
    let mut lists = vec![None; FIELDS.len()];
    for (field, list) in RELATED {
        if let Some(place) = place(field) {
            lists[place] = LISTS.iter().position(|(name, _)| name == list);
        }
    }
    Table {
        rows,
        lists,
        pids: Role::ALL.map(|role| place(pid(role)).unwrap_or_default()),
        thread: place("process.thread.id").unwrap_or_default(),
        hashes: [
            "process.hash.md5",
            "process.hash.sha1",
            "process.hash.sha256",
        ]
        .map(|name| place(name).unwrap_or_default()),
        signature: [
            "process.code_signature.exists",
            "process.code_signature.status",
            "process.code_signature.subject_name",
            "process.code_signature.trusted",
            "process.code_signature.valid",
        ]
        .map(|name| place(name).unwrap_or_default()),
        guids: Role::ALL.map(|role| place(guid(role)).unwrap_or_default()),
        ends: [
            "network.community_id",
            "source.ip",
            "destination.ip",
            "source.port",
            "destination.port",
            "network.transport",
        ]
        .map(|name| place(name).unwrap_or_default()),
    }
});

impl Row {
    /// `is_special`: there are rows for this very event.
    fn is_for(&self, record: &LogRecord, is_special: bool) -> bool {
        let is_for_id = match is_special {
            true => self.ids.contains(&record.id),
            false => self.ids.is_empty(),
        };
        let holds = |(name, value)| record.data.get(name) == Some(value);
        is_for_id && self.when.is_none_or(holds)
    }
}

/// Adds the fields of values by the rows of a provider. Tells of each value whether it is told as a
/// field alone.
pub(super) fn take<'a>(
    record: &LogRecord,
    provider: &str,
    data: &'a Pairs,
    values: &mut Vec<(usize, Value<'a>)>,
) -> Vec<bool> {
    let mut taken = Vec::with_capacity(data.len());
    let of_provider = TABLE.rows.get(provider);
    for (name, value) in data.iter() {
        let mut is_taken = false;
        if let Some(rows) = of_provider.and_then(|rows| rows.get(name))
            && !is_nothing(value)
        {
            let is_special = rows.iter().any(|row| row.ids.contains(&record.id));
            for row in rows {
                if !row.is_for(record, is_special) {
                    continue;
                }
                let made = (row.how.make)(value);
                // A process or port 0 is none, and not told.
                is_taken |= row.is_taken && (made.is_some() || is_zero(value));
                values.extend(made.map(|made| (row.field, made)));
            }
        }
        taken.push(is_taken);
    }
    taken
}

/// Nanoseconds that are cut off a time with milliseconds.
const MILLISECOND: u64 = 999_999;

/// The numbers of the processes of its host that a record names, by their [`Role`], and until when they had
/// them: until the act, where the record says when that was. `time`: of its writing, nanoseconds since
/// the epoch.
pub fn named(record: &LogRecord, time: u64) -> ([Option<u32>; Role::ALL.len()], u64) {
    let mut pids = [None; Role::ALL.len()];
    let data = &record.data;
    let is_far = |machine| {
        !is_nothing(machine)
            && !host_name(machine).eq_ignore_ascii_case(host_name(&record.computer))
    };
    if data.get("ClientMachine").is_some_and(is_far) {
        return (pids, time);
    }
    let of_provider = TABLE.rows.get(common(&record.provider));
    for (name, value) in data.iter() {
        let rows = of_provider.and_then(|rows| rows.get(name));
        let rows = rows.map_or(&[][..], Vec::as_slice);
        let is_special = rows.iter().any(|row| row.ids.contains(&record.id));
        for row in rows {
            if let Some(role) = TABLE.pids.iter().position(|&field| field == row.field)
                && pids[role].is_none()
                && row.is_for(record, is_special)
                && let Some(Value::Number(pid)) = (row.how.make)(value)
            {
                pids[role] = u32::try_from(pid).ok();
            }
        }
    }
    if OWN.contains(&&*record.provider) && pids[0].is_none() {
        pids[0] = Some(record.process);
    }
    let acted = data.get("UtcTime").and_then(convert::nanoseconds);
    let acted = acted.map_or(time, |acted| time.min(acted + MILLISECOND));
    (pids, acted)
}
