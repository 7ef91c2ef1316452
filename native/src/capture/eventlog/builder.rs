//! Makes a record of the elements of an event.

use super::Malformed;
use super::value::Value;
use crate::ecs::time;
use crate::event::LogRecord;

/// What a record may hold: elements within each other, pairs, bytes of all names and of all text.
const MAX_DEPTH: usize = 64;
const MAX_PAIRS: usize = 512;
const MAX_NAME: usize = 256;
const MAX_NAMES: usize = 8 << 10;
const MAX_TEXT: usize = 512 << 10;

/// Takes the elements, attributes and values of one event in the order of its XML.
#[derive(Debug, Default)]
pub struct Builder {
    record: Box<LogRecord>,
    time: Option<u64>,
    /// The elements that are open.
    path: Vec<Place>,
    /// The open element has had no element in it.
    is_leaf: bool,
    /// What values are for now.
    slot: Option<Slot>,
    /// The value so far: as text, and as the number that it was.
    text: String,
    number: Option<u64>,
    /// Of the pair whose element is open.
    name: String,
    unnamed: u32,
    /// Bytes of the names, and of all text so far.
    names: usize,
    written: usize,
}

/// Where an element stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Event,
    System,
    /// An element of `System`.
    Member(Member),
    EventData,
    /// One that is a pair, called by its attribute.
    Data,
    /// All in here are pairs if they have no elements in them.
    UserData,
    /// One that is a pair, called by its own name.
    Item,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Provider,
    Time,
    Correlation,
    Execution,
    Security,
    Plain(Slot),
}

/// What a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Provider,
    ProviderGuid,
    Id,
    Version,
    Level,
    Task,
    Opcode,
    Keywords,
    Time,
    Number,
    Activity,
    RelatedActivity,
    Process,
    Thread,
    Channel,
    Computer,
    User,
    /// The name of a pair.
    Name,
    /// Its value.
    Pair,
}

impl Builder {
    /// The record, with the time that it tells, and a builder of the next one.
    pub fn take(&mut self) -> (Box<LogRecord>, Option<u64>) {
        self.path.clear();
        self.slot = None;
        self.unnamed = 0;
        self.names = 0;
        self.written = 0;
        (std::mem::take(&mut self.record), self.time.take())
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.path.len()
    }

    /// An element begins.
    pub fn open(&mut self, name: &str) -> Result<(), Malformed> {
        if self.path.len() == MAX_DEPTH {
            return Err(Malformed("its elements are too deep"));
        }
        self.end_attribute();
        let place = match self.path.last() {
            None if name == "Event" => Place::Event,
            Some(Place::Event) => match name {
                "System" => Place::System,
                "EventData" => Place::EventData,
                "UserData" => Place::UserData,
                _ => Place::Other,
            },
            Some(Place::System) => member(name).map_or(Place::Other, Place::Member),
            Some(Place::EventData) if name == "Data" => Place::Data,
            Some(Place::EventData | Place::UserData | Place::Item) => Place::Item,
            _ => Place::Other,
        };
        self.path.push(place);
        self.is_leaf = true;
        self.begin(None);
        self.name.clear();
        if place == Place::Item {
            self.name.push_str(name);
        }
        Ok(())
    }

    /// An attribute of the element begins.
    pub fn attribute(&mut self, name: &str) {
        self.end_attribute();
        let slot = match (self.path.last(), name) {
            (Some(Place::Data), "Name") => Some(Slot::Name),
            (Some(Place::Member(member)), _) => attribute(*member, name),
            _ => None,
        };
        self.begin(slot);
    }

    /// The attributes end, the content of the element begins.
    pub fn content(&mut self) {
        self.end_attribute();
        let slot = match self.path.last() {
            Some(Place::Member(Member::Plain(slot))) => Some(*slot),
            Some(Place::Data | Place::Item) => Some(Slot::Pair),
            _ => None,
        };
        self.begin(slot);
    }

    /// A part of the value of the attribute or of the content.
    pub fn value(&mut self, value: Value) {
        let Some(slot) = self.slot else {
            return;
        };
        let number = value.number().filter(|_| slot.is_number());
        match number {
            Some(number) => self.number = Some(number),
            None if self.written < MAX_TEXT => {
                let before = self.text.len();
                value.write(&mut self.text);
                self.written += self.text.len() - before;
            }
            None => self.record.truncated = true,
        }
    }

    /// The element occurs once more, with the values that follow.
    pub fn again(&mut self) {
        if self.slot == Some(Slot::Pair) {
            self.push_pair();
            self.begin(Some(Slot::Pair));
        }
    }

    /// The element ends.
    pub fn close(&mut self) -> Result<(), Malformed> {
        self.end_attribute();
        let place = self
            .path
            .pop()
            .ok_or(Malformed("an element ends that has not begun"))?;
        if self.is_leaf {
            match place {
                Place::Member(Member::Plain(slot)) => self.set(slot),
                Place::Data | Place::Item => self.push_pair(),
                _ => {}
            }
        }
        self.is_leaf = false;
        self.begin(None);
        Ok(())
    }

    fn begin(&mut self, slot: Option<Slot>) {
        self.slot = slot;
        self.text.clear();
        self.number = None;
    }

    fn end_attribute(&mut self) {
        match self.slot.take() {
            // The content of an element goes on until it ends.
            None | Some(Slot::Pair) => {}
            Some(Slot::Name) => std::mem::swap(&mut self.name, &mut self.text),
            Some(slot) => self.set(slot),
        }
    }

    fn set(&mut self, slot: Slot) {
        let number = || {
            self.number
                .or_else(|| number(&self.text))
                .unwrap_or_default()
        };
        let record = &mut self.record;
        match slot {
            // What does not fit is no such number.
            Slot::Id => record.id = number().try_into().unwrap_or_default(),
            Slot::Version => record.version = number().try_into().unwrap_or_default(),
            Slot::Level => record.level = number().try_into().unwrap_or_default(),
            Slot::Task => record.task = number().try_into().unwrap_or_default(),
            Slot::Opcode => record.opcode = number().try_into().unwrap_or_default(),
            Slot::Keywords => record.keywords = number(),
            // Of a record that was forwarded it is text.
            Slot::Time => self.time = self.number.or_else(|| time::parse(&self.text)),
            Slot::Number => record.number = number(),
            Slot::Process => record.process = number().try_into().unwrap_or_default(),
            Slot::Thread => record.thread = number().try_into().unwrap_or_default(),
            Slot::Provider => record.provider = self.text.clone().into(),
            Slot::ProviderGuid => record.provider_guid = self.text.to_ascii_uppercase().into(),
            Slot::Activity => record.activity.clone_from(&self.text),
            Slot::RelatedActivity => record.related_activity.clone_from(&self.text),
            Slot::Channel => record.channel.clone_from(&self.text),
            Slot::Computer => record.computer.clone_from(&self.text),
            Slot::User => record.user.clone_from(&self.text),
            Slot::Name | Slot::Pair => {}
        }
    }

    fn push_pair(&mut self) {
        // Where a record is text, as a forwarded one or one that Windows has made XML of, such numbers are
        // in small letters; where it is not, and in what the original agent tells, in capitals.
        if is_hexadecimal(&self.text) {
            self.text[2..].make_ascii_uppercase();
        }
        let unnamed;
        let name = match &*self.name {
            "" => {
                self.unnamed += 1;
                // As other collectors call them.
                unnamed = format!("param{}", self.unnamed);
                &unnamed
            }
            name => name,
        };
        self.names += name.len();
        let data = &mut self.record.data;
        let fits = data.len() < MAX_PAIRS
            && name.len() <= MAX_NAME
            && self.names <= MAX_NAMES
            && data.size() + self.text.len() <= MAX_TEXT;
        if fits {
            data.push(name, &self.text);
        } else {
            self.record.truncated = true;
        }
    }
}

impl Slot {
    fn is_number(self) -> bool {
        use Slot::{Id, Keywords, Level, Number, Opcode, Process, Task, Thread, Time, Version};
        matches!(
            self,
            Id | Keywords | Level | Number | Opcode | Process | Task | Thread | Time | Version
        )
    }
}

fn member(name: &str) -> Option<Member> {
    Some(match name {
        "Provider" => Member::Provider,
        "EventID" => Member::Plain(Slot::Id),
        "Version" => Member::Plain(Slot::Version),
        "Level" => Member::Plain(Slot::Level),
        "Task" => Member::Plain(Slot::Task),
        "Opcode" => Member::Plain(Slot::Opcode),
        "Keywords" => Member::Plain(Slot::Keywords),
        "TimeCreated" => Member::Time,
        "EventRecordID" => Member::Plain(Slot::Number),
        "Correlation" => Member::Correlation,
        "Execution" => Member::Execution,
        "Channel" => Member::Plain(Slot::Channel),
        "Computer" => Member::Plain(Slot::Computer),
        "Security" => Member::Security,
        _ => return None,
    })
}

fn attribute(member: Member, name: &str) -> Option<Slot> {
    Some(match (member, name) {
        (Member::Provider, "Name") => Slot::Provider,
        (Member::Provider, "Guid") => Slot::ProviderGuid,
        (Member::Time, "SystemTime") => Slot::Time,
        (Member::Correlation, "ActivityID") => Slot::Activity,
        (Member::Correlation, "RelatedActivityID") => Slot::RelatedActivity,
        (Member::Execution, "ProcessID") => Slot::Process,
        (Member::Execution, "ThreadID") => Slot::Thread,
        (Member::Security, "UserID") => Slot::User,
        _ => return None,
    })
}

/// Text is a number of up to 64 bits as Windows writes it: `0x3e7`.
fn is_hexadecimal(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    (1..=16).contains(&digits.len()) && digits.bytes().all(is_digit)
}

/// A number in decimal digits, or in hexadecimal ones behind `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
