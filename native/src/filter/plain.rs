//! Rules that a source can decide by itself, before there is an event.

use super::drops::{Early, Rule, RuleNumber};
use super::operator::{Operand, Operator};
use crate::enrich::users::Users;

/// A rule of nothing but the process's program, its user and the folder that a file is below, which a
/// source can decide by itself.
#[derive(Clone, Debug)]
pub struct Plain<'a> {
    /// Which rule.
    pub number: RuleNumber,
    /// Paths of programs; none: of any.
    pub programs: Option<Vec<&'a str>>,
    /// What the path of the file begins with, up to a slash; none: of any, or of no file.
    pub folder: Option<&'a str>,
    ids: Option<&'a [Operand]>,
    names: Option<&'a [Operand]>,
}

impl Plain<'_> {
    /// Real user ids; none: of any.
    pub fn users(&self, users: &Users) -> Option<Vec<u32>> {
        let ids: Option<Vec<u32>> = self.ids.map(|ids| texts(ids).filter_map(id).collect());
        let names = self.names.map(|names| {
            let named = texts(names).flat_map(|name| users.ids(name.as_bytes()));
            named.collect::<Vec<u32>>()
        });
        match (ids, names) {
            (Some(ids), Some(names)) => {
                Some(ids.into_iter().filter(|id| names.contains(id)).collect())
            }
            (ids, names) => ids.or(names),
        }
    }
}

/// An id as events have it.
fn id(text: &str) -> Option<u32> {
    if text == "unset" {
        return Some(u32::MAX);
    }
    let id = text.parse::<u32>().ok().filter(|id| *id != u32::MAX)?;
    (id.to_string() == text).then_some(id)
}

fn texts(operands: &[Operand]) -> impl Iterator<Item = &str> {
    operands.iter().filter_map(|operand| match operand {
        Operand::Text(text) => Some(&**text),
        _ => None,
    })
}

impl Rule {
    /// What it says, if it is about programs, users and folders alone.
    pub(super) fn plain(&self, number: RuleNumber) -> Option<Plain<'_>> {
        let mut plain = Plain {
            number,
            programs: None,
            folder: None,
            ids: None,
            names: None,
        };
        for test in self.tests.iter() {
            let known = match (test.operator, test.early) {
                (Operator::Equal, Some(Early::Executable)) => plain
                    .programs
                    .replace(texts(&test.operands).collect())
                    .is_some(),
                (Operator::Equal, Some(Early::UserId)) => {
                    plain.ids.replace(&test.operands).is_some()
                }
                (Operator::Equal, Some(Early::UserName)) => {
                    plain.names.replace(&test.operands).is_some()
                }
                (Operator::StartsWith, Some(Early::Path)) => {
                    let folder = texts(&test.operands).next();
                    let folder = folder.filter(|path| path.ends_with('/'))?;
                    plain.folder.replace(folder).is_some()
                }
                _ => return None,
            };
            // Twice the same field is for the engine.
            if known {
                return None;
            }
        }
        Some(plain)
    }
}
