//! Rules that drop events: an event is dropped when all filters of a rule hold.
//!
//! What an event says of its process and its file is asked before a record is made; the other
//! fields are looked up in the record, which is made for that only if everything else holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::facts::Facts;
pub use super::operator::{Operand, Operator};
pub use super::plain::Plain;
use super::record::{self, Value};
use crate::ecs::fields::{FIELDS, Field};
use crate::enrich::program::{Program, file_name};
use crate::event::Action;

/// A rule.
#[derive(Clone, Debug)]
pub struct Drop {
    /// Its name in reports.
    pub uuid: String,
    /// All have to hold.
    pub filters: Vec<Filter>,
}

/// A condition of one field.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Dotted name, one of [`fields`].
    pub field: String,
    /// How its value compares.
    pub operator: Operator,
    /// With what; several are alternatives.
    pub operands: Vec<Operand>,
}

/// The field that the original agent also knows under another name.
const ALIAS: (&str, &str) = ("action.name", "event.action");

/// Fields that only records have which no rule may drop, or which are the same in all others.
const EXCLUDED: [&str; 14] = [
    "agent.",
    "host.",
    "log.",
    "error.",
    "sekoiaio.agent.",
    "sekoiaio.host.",
    "@timestamp",
    "event.kind",
    "event.provider",
    "event.reason",
    "event.sequence",
    "event.start",
    "event.end",
    "related.hosts",
];

/// The same below `action.properties`.
const EXCLUDED_PROPERTIES: [&str; 9] = [
    "COUNTER",
    "filtered_by.UUID",
    "count",
    "what",
    "cause",
    "place",
    "queued",
    "queued_bytes",
    "not_covered",
];

/// The fields that rules may name, the other name of the action included.
pub fn fields() -> impl Iterator<Item = (&'static str, &'static Field)> {
    let of_acts = |field: &&Field| match field.name.strip_prefix("action.properties.") {
        Some(property) => !EXCLUDED_PROPERTIES.contains(&property),
        None => !EXCLUDED
            .into_iter()
            .any(|name| field.name == name || name.ends_with('.') && field.name.starts_with(name)),
    };
    let named = FIELDS
        .iter()
        .filter(of_acts)
        .map(|field| (field.name, field));
    let action = FIELDS.iter().find(|field| field.name == ALIAS.1);
    named.chain(action.map(|field| (ALIAS.0, field)))
}

/// Rules, ready to be asked, and how much each has dropped.
#[derive(Debug, Default)]
pub struct Drops(Vec<Rule>);

/// A rule of [`Drops`].
#[derive(Debug)]
pub(super) struct Rule {
    uuid: String,
    pub(super) tests: Vec<Test>,
    dropped: Arc<AtomicU64>,
}

/// A filter of a rule.
#[derive(Debug)]
pub(super) struct Test {
    field: String,
    pub(super) early: Option<Early>,
    family: Family,
    pub(super) operator: Operator,
    pub(super) operands: Vec<Operand>,
}

/// What a field is about, so that most events need not be asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    File,
    Network,
    Any,
}

/// Which rule of [`Drops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleNumber(usize);

/// What the rules say of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule drops it.
    Keep,
    /// One does.
    Drop(RuleNumber),
    /// Its record has to be asked.
    Ask,
}

impl Drops {
    /// Compiles rules. Those that `before` had too go on with their counts.
    pub fn new(rules: Vec<Drop>, before: Option<&Drops>) -> Self {
        let known = before.map_or(&[][..], |drops| &drops.0);
        let compile = |rule: Drop| {
            let before = known.iter().find(|known| known.uuid == rule.uuid);
            Rule {
                dropped: before
                    .map(|known| known.dropped.clone())
                    .unwrap_or_default(),
                tests: rule.filters.into_iter().map(Test::new).collect(),
                uuid: rule.uuid,
            }
        };
        Self(rules.into_iter().map(compile).collect())
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules of programs, users and folders alone.
    pub fn plain(&self) -> impl Iterator<Item = Plain<'_>> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(number, rule)| rule.plain(RuleNumber(number)))
    }

    /// Asks all rules, as far as they can tell without a record.
    pub fn judge(&self, facts: &Facts) -> Verdict {
        let mut verdict = Verdict::Keep;
        for (number, rule) in self.0.iter().enumerate() {
            match rule.holds(facts) {
                Some(true) => return Verdict::Drop(RuleNumber(number)),
                Some(false) => {}
                None => verdict = Verdict::Ask,
            }
        }
        verdict
    }

    /// The rule that drops a record.
    pub fn ask(&self, record: &[u8]) -> Option<RuleNumber> {
        let drops = |rule: &Rule| rule.tests.iter().all(|test| test.holds_in(record));
        self.0.iter().position(drops).map(RuleNumber)
    }

    /// A rule has dropped so many occurrences.
    pub fn count(&self, rule: RuleNumber, occurrences: u64) {
        self.0[rule.0]
            .dropped
            .fetch_add(occurrences, Ordering::Relaxed);
    }

    /// What each rule has dropped, in the order of the rules.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0
            .iter()
            .map(|rule| (&*rule.uuid, rule.dropped.load(Ordering::Relaxed)))
    }
}

impl Rule {
    /// None: only the record can tell.
    fn holds(&self, facts: &Facts) -> Option<bool> {
        let mut all = Some(true);
        for test in &self.tests {
            match test.holds(facts) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => all = None,
            }
        }
        all
    }
}

impl Test {
    fn new(filter: Filter) -> Self {
        let Filter {
            field,
            operator,
            operands,
        } = filter;
        let field = if field == ALIAS.0 {
            ALIAS.1.into()
        } else {
            field
        };
        let early = EARLY
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, early)| *early);
        let family = Family::of(&field);
        Self {
            field,
            early,
            family,
            operator,
            operands,
        }
    }

    fn holds(&self, facts: &Facts) -> Option<bool> {
        if self.family.is_foreign_to(&facts.event.action) {
            return Some(self.operator.is_negative());
        }
        let found = self.early?.any(facts, &mut |value| self.compare(&value))?;
        Some(found != self.operator.is_negative())
    }

    fn holds_in(&self, record: &[u8]) -> bool {
        let found = record::any(record, &self.field, &mut |value| self.compare(&value));
        found != self.operator.is_negative()
    }

    /// Compares without the negation.
    fn compare(&self, value: &Value) -> bool {
        self.operands
            .iter()
            .any(|operand| self.operator.compare(value, operand))
    }
}

impl Family {
    fn of(field: &str) -> Self {
        match field.split('.').next() {
            Some("file") => Family::File,
            Some("source" | "destination" | "network") => Family::Network,
            _ => Family::Any,
        }
    }

    /// Events of this kind have no such field, whatever they are about.
    fn is_foreign_to(self, action: &Action) -> bool {
        match self {
            Family::File => matches!(
                action,
                Action::Exec(_) | Action::Exit(_) | Action::Connection(_)
            ),
            Family::Network => {
                matches!(action, Action::Exec(_) | Action::Exit(_) | Action::File(_))
            }
            Family::Any => false,
        }
    }
}

/// A field that needs no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    Action,
    Pid,
    Name,
    Executable,
    CommandLine,
    WorkingDirectory,
    ParentName,
    ParentExecutable,
    ParentCommandLine,
    UserId,
    UserName,
    Path,
    FileName,
}

const EARLY: [(&str, Early); 13] = [
    ("event.action", Early::Action),
    ("process.pid", Early::Pid),
    ("process.name", Early::Name),
    ("process.executable", Early::Executable),
    ("process.command_line", Early::CommandLine),
    ("process.working_directory", Early::WorkingDirectory),
    ("process.parent.name", Early::ParentName),
    ("process.parent.executable", Early::ParentExecutable),
    ("process.parent.command_line", Early::ParentCommandLine),
    ("user.id", Early::UserId),
    ("user.name", Early::UserName),
    ("file.path", Early::Path),
    ("file.name", Early::FileName),
];

impl Early {
    /// As [`record::any`]; none where only the record can tell.
    fn any(self, facts: &Facts, each: &mut dyn FnMut(Value) -> bool) -> Option<bool> {
        // What is told of an account says whose program told it by itself.
        if matches!(facts.event.action, Action::Login(_)) && self != Early::Action {
            return None;
        }
        let of = |program: Option<&Program>,
                  field: fn(&Program) -> &[u8],
                  each: &mut dyn FnMut(Value) -> bool| {
            text(program.map(field).unwrap_or_default(), each)
        };
        let own = facts.program();
        let parent = facts.process.parent().and_then(|parent| parent.program());
        let uid = facts.event.credentials.uid;
        Some(match self {
            Early::Action => text(facts.kind.action.as_bytes(), each),
            Early::Pid => each(Value::Number(facts.event.process.pid.into())),
            Early::Name => of(own, |it| &it.name, each),
            Early::Executable => of(own, |it| &it.executable, each),
            Early::CommandLine => of(own, |it| &it.command_line, each),
            Early::WorkingDirectory => of(own, |it| &it.working_directory, each),
            Early::ParentName => of(parent, |it| &it.name, each),
            Early::ParentExecutable => of(parent, |it| &it.executable, each),
            Early::ParentCommandLine => of(parent, |it| &it.command_line, each),
            Early::UserId if uid == u32::MAX => text(b"unset", each),
            Early::UserId => text(itoa::Buffer::new().format(uid).as_bytes(), each),
            Early::UserName => text(facts.users.user(uid).unwrap_or_default(), each),
            Early::Path | Early::FileName => match &facts.event.action {
                Action::File(file) if !file.path_truncated => match self {
                    Early::Path => text(&file.path, each),
                    _ => text(file_name(&file.path), each),
                },
                _ => return None,
            },
        })
    }
}

/// What is not known is not there.
fn text(value: &[u8], each: &mut dyn FnMut(Value) -> bool) -> bool {
    !value.is_empty() && each(Value::Text(value.into()))
}
