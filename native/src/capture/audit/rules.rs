//! Rules of the audit system as the kernel takes them (`struct audit_rule_data`).
//!
//! All rules of the agent carry its key, so that they are told apart from those of others.

use super::call::{ARCH, number};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// The key of the agent's rules, and of the records they cause.
pub const KEY: &str = "endpoint-agent";

/// Lists that a rule may be on (`AUDIT_FILTER_*`): at the birth of a process, at the return of a
/// call.
const LIST_TASK: u32 = 1;
const LIST_EXIT: u32 = 4;

/// What a rule that matches does (`AUDIT_NEVER`, `AUDIT_ALWAYS`).
const NEVER: u32 = 0;
const ALWAYS: u32 = 2;

/// Fields (`AUDIT_PID`, …); the arguments of a call follow each other.
const FIELD_PID: u32 = 0;
const FIELD_ARCH: u32 = 11;
const FIELD_SUCCESS: u32 = 104;
const FIELD_ARGUMENT: u32 = 200;
const FIELD_KEY: u32 = 210;

/// Operators: equal, unequal, and any of the bits (`AUDIT_EQUAL`, …).
const EQUAL: u32 = 0x4000_0000;
const UNEQUAL: u32 = 0x3000_0000;
const ANY_BIT: u32 = 0x0800_0000;

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

impl Fixed {
    fn add(&mut self, (field, operator, value): (u32, u32, u32)) {
        let last = self.count as usize;
        self.fields[last] = field;
        self.operators[last] = operator;
        self.values[last] = value;
        self.count += 1;
    }
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

    /// A rule as the kernel lists it, to be deleted.
    pub fn listed(bytes: &[u8]) -> Self {
        let texts = Fixed::read_from_prefix(bytes).map_or(0, |(fixed, _)| fixed.texts as usize);
        Self(bytes[..bytes.len().min(size_of::<Fixed>() + texts)].to_vec())
    }

    /// Calls are recorded when they return, of all processes but `muted`, where `conditions` hold.
    fn record(calls: &[u32], conditions: &[(u32, u32, u32)], muted: u32) -> Self {
        let mut fixed = Fixed::new_zeroed();
        fixed.list = LIST_EXIT;
        fixed.action = ALWAYS;
        for call in calls {
            fixed.calls[*call as usize / 32] |= 1 << (call % 32);
        }
        fixed.add((FIELD_ARCH, EQUAL, ARCH));
        for condition in conditions {
            fixed.add(*condition);
        }
        if muted != 0 {
            fixed.add((FIELD_PID, UNEQUAL, muted));
        }
        Self::with_key(fixed)
    }

    fn with_key(mut fixed: Fixed) -> Self {
        fixed.add((FIELD_KEY, EQUAL, KEY.len() as u32));
        fixed.texts = KEY.len() as u32;
        Self([fixed.as_bytes(), KEY.as_bytes()].concat())
    }

    /// What the kernel takes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The agent's rules and the names of what they watch.
///
/// Opens are recorded where they may write or create: `openat2` hands its flags over in memory, so
/// all of them are. The length of the address tells connections of IPv4 and IPv6 from local ones.
pub fn all(muted: u32) -> Vec<(&'static str, Rule)> {
    use number::*;
    const SUCCESS: (u32, u32, u32) = (FIELD_SUCCESS, EQUAL, 1);
    const CHANGES: u32 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u32;
    let opens = |argument| [SUCCESS, (FIELD_ARGUMENT + argument, ANY_BIT, CHANGES)];
    let connects = |length| [(FIELD_ARGUMENT + 2, EQUAL, length)];
    let (v4, v6) = (
        size_of::<libc::sockaddr_in>() as u32,
        size_of::<libc::sockaddr_in6>() as u32,
    );
    let rule = |name, calls: &[u32], conditions: &[(u32, u32, u32)]| {
        (name, Rule::record(calls, conditions, muted))
    };
    vec![
        rule("execve, execveat", &[EXECVE, EXECVEAT], &[SUCCESS]),
        rule("open", &[OPEN], &opens(1)),
        rule("openat", &[OPENAT], &opens(2)),
        rule("creat, openat2", &[CREAT, OPENAT2], &[SUCCESS]),
        rule(
            "unlink, unlinkat, rmdir",
            &[UNLINK, UNLINKAT, RMDIR],
            &[SUCCESS],
        ),
        rule(
            "rename, renameat, renameat2",
            &[RENAME, RENAMEAT, RENAMEAT2],
            &[SUCCESS],
        ),
        rule("connect (IPv4)", &[CONNECT], &connects(v4)),
        rule("connect (IPv6)", &[CONNECT], &connects(v6)),
        rule("accept, accept4", &[ACCEPT, ACCEPT4], &[SUCCESS]),
    ]
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
    fn a_rule_names_calls_and_conditions() {
        let (_, rule) = &all(77)[2];
        let (fixed, key) = Fixed::read_from_prefix(rule.bytes()).unwrap();
        assert_eq!((fixed.list, fixed.action, fixed.count), (4, 2, 5));
        assert_eq!(fixed.calls[8], 1 << 1); // 257
        assert_eq!(fixed.fields[..5], [11, 104, 202, 0, 210]);
        assert_eq!(fixed.values[..5], [0xc000_003e, 1, 0o1103, 77, 14]);
        assert_eq!(key, KEY.as_bytes());
        let listed = [rule.bytes(), &[0, 0]].concat();
        assert_eq!(&Rule::listed(&listed), rule);
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
