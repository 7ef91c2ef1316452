//! Records of the event log of Windows.

use std::borrow::Cow;

use super::{Action, Content, Credentials, Event, LoginSession, ProcessKey, UNSET_ID};

/// A record, as its provider wrote it. What it does not say is empty, or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// Who wrote it, as `Microsoft-Windows-Sysmon`.
    pub provider: Cow<'static, str>,
    /// The provider's GUID in capitals and braces.
    pub provider_guid: Cow<'static, str>,
    /// What happened, in the numbers of the provider.
    pub id: u32,
    /// Version of that number's data.
    pub version: u8,
    /// From 1, critical, to 5, verbose; 0 is always.
    pub level: u8,
    /// A group of the provider's events.
    pub task: u16,
    /// A step of a task.
    pub opcode: u8,
    /// Bits, the upper 16 of them the same for all providers.
    pub keywords: u64,
    /// Number of the record in its channel.
    pub number: u64,
    /// The process that wrote it.
    pub process: u32,
    /// Its thread.
    pub thread: u32,
    /// Where it was written to, as `Security`.
    pub channel: String,
    /// Name of the host, mostly with its domain.
    pub computer: String,
    /// SID of the user whose rights the writer had.
    pub user: String,
    /// GUID in braces of what it is a part of.
    pub activity: String,
    /// The same of what that came from.
    pub related_activity: String,
    /// What else it says.
    pub data: Pairs,
    /// It says more, which is left out.
    pub truncated: bool,
    /// It came by event tracing, and not by the event log.
    pub is_traced: bool,
    /// What is known of it besides.
    pub findings: Option<Box<Findings>>,
}

/// What an event of Windows does not say itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Names and values, as rows of `ecs::windows::moves` have them.
    pub facts: Pairs,
    /// The processes that it is about, by their [`Role`].
    pub processes: [Option<ProcessKey>; Role::ALL.len()],
    /// Who started the process that has begun, who started that one, and so on.
    pub ancestors: Vec<Ancestor>,
    /// What it tells was tried in vain.
    pub has_failed: bool,
}

/// A process that started another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number.
    pub pid: u32,
    /// Which one, if that is known.
    pub key: Option<ProcessKey>,
    /// What it ran, or nothing.
    pub executable: String,
}

/// What a process has to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It did it.
    Actor,
    /// It started that one.
    Parent,
    /// It did it to another one.
    Source,
    /// It was done to it.
    Target,
}

impl Role {
    /// Every role, in the order of [`Findings::processes`].
    pub const ALL: [Self; 4] = [Self::Actor, Self::Parent, Self::Source, Self::Target];
}

impl LogRecord {
    /// The event of its writing, at this time, nanoseconds since the epoch.
    pub fn into_event(self: Box<Self>, time: u64) -> Event {
        Event {
            time,
            process: ProcessKey {
                pid: self.process,
                start: ProcessKey::UNKNOWN_START,
            },
            thread: self.thread,
            credentials: Credentials {
                uid: UNSET_ID,
                euid: UNSET_ID,
                gid: UNSET_ID,
                egid: UNSET_ID,
            },
            login: LoginSession::UNSET,
            repeat: None,
            call: None,
            content: Content::default(),
            action: Action::Logged(self),
        }
    }
}

/// Names and values in the order they were written, which may have a name twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    text: String,
    /// Where the name and the value end in `text`.
    ends: Vec<(u32, u32)>,
}

impl Pairs {
    /// With room for so many pairs, and so many bytes of all names and values.
    pub fn with_room(pairs: usize, size: usize) -> Self {
        Self {
            text: String::with_capacity(size),
            ends: Vec::with_capacity(pairs),
        }
    }

    /// Adds a pair. There may be at most 4 GiB of text.
    pub fn push(&mut self, name: &str, value: &str) {
        self.write(name, |text| text.push_str(value));
    }

    /// Adds a pair whose value is appended to what it is given.
    pub fn write(&mut self, name: &str, value: impl FnOnce(&mut String)) {
        self.text.push_str(name);
        let name_end = self.text.len() as u32;
        value(&mut self.text);
        self.ends.push((name_end, self.text.len() as u32));
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let (name_end, end) = (name_end as usize, end as usize);
            let pair = (&self.text[begin..name_end], &self.text[name_end..end]);
            begin = end;
            pair
        })
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(its, value)| (its == name).then_some(value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        self.text.len()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Pairs {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(pairs: T) -> Self {
        let mut all = Self::default();
        pairs
            .into_iter()
            .for_each(|(name, value)| all.push(name, value));
        all
    }
}
