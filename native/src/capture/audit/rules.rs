//! Rules of the audit system as the kernel takes them (`struct audit_rule_data`).
//!
//! All rules of the agent carry its key, so that they are told apart from those of others.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// The key of the agent's rules, and of the records they cause.
pub const KEY: &str = "endpoint-agent";

/// Lists that a rule may be on (`AUDIT_FILTER_*`).
const LIST_TASK: u32 = 1;

/// What a rule that matches does (`AUDIT_NEVER`).
const NEVER: u32 = 0;

/// `AUDIT_FILTERKEY`.
const FIELD_KEY: u32 = 210;
/// `AUDIT_EQUAL`.
const EQUAL: u32 = 0x4000_0000;

const MAX_FIELDS: usize = 64;

/// `struct audit_rule_data` without the texts behind it.
#[derive(Clone, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Fixed {
    list: u32,
    action: u32,
    count: u32,
    calls: [u32; 64],
    fields: [u32; MAX_FIELDS],
    values: [u32; MAX_FIELDS],
    operators: [u32; MAX_FIELDS],
    texts: u32,
}

/// A rule, to be added or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Vec<u8>);

impl Rule {
    /// No new process is looked at when it makes system calls, so none is slowed.
    pub fn never_watch_processes() -> Self {
        let mut fixed = Fixed::new_zeroed();
        fixed.list = LIST_TASK;
        fixed.action = NEVER;
        Self::with_key(fixed)
    }

    fn with_key(mut fixed: Fixed) -> Self {
        let last = fixed.count as usize;
        fixed.fields[last] = FIELD_KEY;
        fixed.values[last] = KEY.len() as u32;
        fixed.operators[last] = EQUAL;
        fixed.count += 1;
        fixed.texts = KEY.len() as u32;
        Self([fixed.as_bytes(), KEY.as_bytes()].concat())
    }

    /// What the kernel takes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a rule as the kernel lists it carries the agent's key.
pub fn is_own(listed: &[u8]) -> bool {
    let Ok((fixed, texts)) = Fixed::read_from_prefix(listed) else {
        return false;
    };
    let mut fields = fixed.fields.iter().take(fixed.count as usize);
    let texts = &texts[..texts.len().min(fixed.texts as usize)];
    fields.any(|&field| field == FIELD_KEY) && texts.ends_with(KEY.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_the_kernels_layout_and_the_key() {
        assert_eq!(size_of::<Fixed>(), 1040);
        let rule = Rule::never_watch_processes();
        assert_eq!(rule.bytes().len(), 1040 + KEY.len());
        assert!(is_own(rule.bytes()));
    }

    #[test]
    fn rules_of_others_and_hostile_ones_are_not_own() {
        let mut rule = Rule::never_watch_processes().0;
        *rule.last_mut().unwrap() = b'x';
        assert!(!is_own(&rule));
        assert!(!is_own(&rule[..1040]));
        assert!(!is_own(&[]));
        rule[8..12].copy_from_slice(&u32::MAX.to_ne_bytes());
        rule[1036..1040].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(!is_own(&rule));
    }
}
