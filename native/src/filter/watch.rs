//! Watches: what an event is tagged for.
//!
//! Every kind of event has a group of the watches that may be about it, with their paths and
//! programs sorted; so most events cost two or three searches and match nothing.

use std::sync::Arc;

use hashbrown::HashMap;

use super::facts::Facts;
use super::operator::contains;
use super::pattern::{Id, Pattern, Patterns};
use crate::ecs::catalogue;
use crate::enrich::users::Users;

/// Something to look for. Of each list that is not empty one entry has to match.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// What its events are tagged with: printable ASCII without quotes and backslashes.
    pub tag: String,
    /// `event.action`. If empty: what happens to files for a watch of paths, what tells its system
    /// call for one of these, else execs.
    pub actions: Vec<String>,
    /// System calls by which it was done, as [`Facts::syscall`] tells them.
    pub syscalls: Vec<String>,
    /// Sorts of what was done, as [`Facts::detail`] tells them.
    pub details: Vec<String>,
    /// As [`Pattern`] has them.
    pub paths: Vec<String>,
    /// Paths of programs, or their names: those without a slash.
    pub executables: Vec<String>,
    /// Parts of the command line.
    pub arguments: Vec<String>,
    /// With whose rights.
    pub effective_users: Vec<Who>,
    /// Since whose login; what daemons do is since nobody's.
    pub login_users: Vec<Who>,
}

/// Some users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// From one number to another, both included.
    Range(u32, u32),
    /// By name.
    Name(String),
}

/// Watches, ready to be asked.
#[derive(Debug, Default)]
pub struct Watches {
    all: Vec<Compiled>,
    /// By `event.action`.
    groups: HashMap<&'static str, Arc<Group>>,
}

#[derive(Debug)]
struct Compiled {
    tag: String,
    syscalls: Vec<String>,
    details: Vec<String>,
    paths: Vec<Pattern>,
    executables: Vec<Pattern>,
    names: Vec<Pattern>,
    arguments: Vec<String>,
    effective_users: Vec<Who>,
    login_users: Vec<Who>,
}

/// The watches that may be about one kind of event, by what finds them.
#[derive(Debug, Default)]
struct Group {
    paths: Patterns,
    executables: Patterns,
    names: Patterns,
    others: Vec<Id>,
}

impl Watches {
    /// Compiles watches; beyond 65,536 they are left out.
    pub fn new(watches: Vec<Watch>) -> Self {
        let mut of_actions: HashMap<&'static str, Vec<Id>> = HashMap::new();
        for (watch, id) in watches.iter().zip(0..=Id::MAX) {
            for action in actions(watch) {
                // Several kinds may have the same action.
                let ids = of_actions.entry(action).or_default();
                if ids.last() != Some(&id) {
                    ids.push(id);
                }
            }
        }
        let all: Vec<Compiled> = watches.into_iter().map(Compiled::new).collect();
        // Most kinds of events have the same watches.
        let mut made: HashMap<Vec<Id>, Arc<Group>> = HashMap::new();
        let groups = of_actions.into_iter().map(|(action, ids)| {
            let group = made
                .entry(ids)
                .or_insert_with_key(|ids| Arc::new(Group::new(ids, &all)));
            (action, group.clone())
        });
        Self {
            groups: groups.collect(),
            all,
        }
    }

    /// The tags of an event, each once, in the order of the watches.
    pub fn tags<'a>(&'a self, facts: &Facts) -> Vec<&'a str> {
        let Some(group) = self.groups.get(facts.kind.action) else {
            return Vec::new();
        };
        let mut found: Vec<Id> = Vec::new();
        group.find(facts, &mut |id| {
            if self.all[usize::from(id)].holds(facts) {
                found.push(id);
            }
        });
        found.sort_unstable();
        let mut tags: Vec<&str> = Vec::new();
        for id in found {
            let tag = &*self.all[usize::from(id)].tag;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }
}

/// The actions of a watch.
fn actions(watch: &Watch) -> impl Iterator<Item = &'static str> {
    let kinds = catalogue::ALL.iter().filter(|kind| match &*watch.actions {
        [] if !watch.syscalls.is_empty() => true,
        [] if watch.paths.is_empty() => kind.action == catalogue::PROCESS_CREATED.action,
        // Of what was refused, nothing has happened to the file.
        [] => {
            kind.category == catalogue::FILE_CREATED.category
                && kind.action != catalogue::ACCESS_REFUSED.action
        }
        named => named.iter().any(|action| action == kind.action),
    });
    kinds.map(|kind| kind.action)
}

impl Group {
    fn new(ids: &[Id], all: &[Compiled]) -> Self {
        let watches = || ids.iter().map(|&id| (&all[usize::from(id)], id));
        let patterns = |of: fn(&Compiled) -> &[Pattern]| {
            Patterns::new(
                watches().flat_map(|(watch, id)| of(watch).iter().map(move |it| (it, id))),
            )
        };
        let found_else = |watch: &Compiled| {
            watch.paths.is_empty() && watch.executables.is_empty() && watch.names.is_empty()
        };
        Self {
            paths: patterns(|watch| &watch.paths),
            // A watch with both is found by its paths.
            executables: patterns(|watch| watch.if_without_paths(&watch.executables)),
            names: patterns(|watch| watch.if_without_paths(&watch.names)),
            others: watches()
                .filter(|(watch, _)| found_else(watch))
                .map(|(_, id)| id)
                .collect(),
        }
    }

    fn find(&self, facts: &Facts, found: &mut impl FnMut(Id)) {
        for path in facts.paths() {
            self.paths.find(path, found);
        }
        if let Some(program) = facts.program() {
            self.executables.find(&program.executable, found);
        }
        if !self.names.is_empty() {
            for name in facts.names() {
                self.names.find(name, found);
            }
        }
        self.others.iter().copied().for_each(found);
    }
}

impl Compiled {
    fn new(watch: Watch) -> Self {
        let patterns = |texts: Vec<String>| texts.iter().map(|text| Pattern::new(text)).collect();
        let (executables, names) = watch
            .executables
            .into_iter()
            .partition(|it| it.contains('/'));
        Self {
            tag: watch.tag,
            syscalls: watch.syscalls,
            details: watch.details,
            paths: patterns(watch.paths),
            executables: patterns(executables),
            names: patterns(names),
            arguments: watch.arguments,
            effective_users: watch.effective_users,
            login_users: watch.login_users,
        }
    }

    fn if_without_paths<'a>(&self, patterns: &'a [Pattern]) -> &'a [Pattern] {
        if self.paths.is_empty() { patterns } else { &[] }
    }

    /// Whether the conditions hold that did not find it.
    fn holds(&self, facts: &Facts) -> bool {
        self.holds_for_call(facts) && self.holds_for_program(facts) && self.holds_for_users(facts)
    }

    fn holds_for_call(&self, facts: &Facts) -> bool {
        let holds = |of: &[String], is: Option<&str>| {
            of.is_empty() || is.is_some_and(|is| of.iter().any(|it| it == is))
        };
        holds(&self.syscalls, facts.syscall()) && holds(&self.details, facts.detail())
    }

    fn holds_for_program(&self, facts: &Facts) -> bool {
        let program = facts.program();
        let called = || {
            let executable = program.map(|it| &*it.executable).unwrap_or_default();
            self.executables.iter().any(|it| it.matches(executable))
                || facts
                    .names()
                    .any(|name| self.names.iter().any(|it| it.matches(name)))
        };
        let named = self.executables.is_empty() && self.names.is_empty() || called();
        let line = program.map(|it| &*it.command_line).unwrap_or_default();
        let given = |part: &String| contains(line, part.as_bytes());
        named && (self.arguments.is_empty() || self.arguments.iter().any(given))
    }

    fn holds_for_users(&self, facts: &Facts) -> bool {
        let any =
            |users: &[Who], id| users.is_empty() || users.iter().any(|who| who.is(id, facts.users));
        any(&self.effective_users, facts.event.credentials.euid)
            && any(&self.login_users, facts.event.login.uid)
    }
}

impl Who {
    fn is(&self, id: u32, users: &Users) -> bool {
        match self {
            Who::Range(from, to) => (*from..=*to).contains(&id),
            Who::Name(name) => users.user(id) == Some(name.as_bytes()),
        }
    }
}
