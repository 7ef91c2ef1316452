//! Rules of the audit system as the kernel takes them (`struct audit_rule_data`).
//!
//! All rules of the agent carry its key, so that they are told apart from those of others.

use super::calls::{Abi, CALLS, NONE, Row, Tells, When};
use super::system::CLONED;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// The key of the agent's rules, and of the records they cause.
pub const KEY: &str = "endpoint-agent";

/// Lists that a rule may be on (`AUDIT_FILTER_*`): at the birth of a process, at the return of a
/// call.
const LIST_TASK: u32 = 1;
const LIST_EXIT: u32 = 4;
/// The same, before a record is made.
pub const LIST_EXCLUDE: u32 = 5;

/// Records that nobody reads here: of the rights that a program is started with, and of what a
/// process calls itself (`AUDIT_BPRM_FCAPS`, `AUDIT_PROCTITLE`).
const UNREAD: [u32; 2] = [1321, 1327];

/// What a rule that matches does (`AUDIT_NEVER`, `AUDIT_ALWAYS`).
const NEVER: u32 = 0;
const ALWAYS: u32 = 2;

/// Fields (`AUDIT_PID`, …); the arguments of a call follow each other.
const FIELD_PID: u32 = 0;
const FIELD_ARCH: u32 = 11;
const FIELD_TYPE: u32 = 12;
const FIELD_EXIT: u32 = 103;
const FIELD_SUCCESS: u32 = 104;
const FIELD_FAMILY: u32 = 113;
const FIELD_ARGUMENT: u32 = 200;
const FIELD_KEY: u32 = 210;

/// Operators: equal, unequal, not above, not below, and any of the bits (`AUDIT_EQUAL`, …).
const EQUAL: u32 = 0x4000_0000;
const UNEQUAL: u32 = 0x3000_0000;
const AT_MOST: u32 = 0x5000_0000;
const AT_LEAST: u32 = 0x6000_0000;
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

    /// The kernel makes no records that nobody reads here: for each title, it would read the memory of
    /// the process. A rule of this list can have no key; the agent's is known by its odd wording.
    pub fn no_unread() -> Self {
        let mut fixed = Fixed::new_zeroed();
        fixed.list = LIST_EXCLUDE;
        fixed.action = NEVER;
        let [first, last] = UNREAD;
        fixed.add((FIELD_TYPE, AT_LEAST, first));
        fixed.add((FIELD_TYPE, AT_MOST, last));
        for between in first + 1..last {
            fixed.add((FIELD_TYPE, UNEQUAL, between));
        }
        Self(fixed.as_bytes().to_vec())
    }

    /// A rule as the kernel lists it, to be deleted.
    pub fn listed(bytes: &[u8]) -> Self {
        let texts = Fixed::read_from_prefix(bytes).map_or(0, |(fixed, _)| fixed.texts as usize);
        Self(bytes[..bytes.len().min(size_of::<Fixed>() + texts)].to_vec())
    }

    /// Those of `calls` that the ABI has are recorded when they return, of all processes but
    /// `muted`, where `conditions` hold.
    fn record<'a>(
        abi: Abi,
        calls: impl Iterator<Item = &'a Row>,
        conditions: &[Condition],
        muted: u32,
    ) -> Self {
        let mut fixed = Fixed::new_zeroed();
        fixed.list = LIST_EXIT;
        fixed.action = ALWAYS;
        let numbers = calls.map(|row| row.numbers[abi as usize]);
        for number in numbers.filter(|&number| number != NONE) {
            fixed.calls[usize::from(number) / 32] |= 1 << (number % 32);
        }
        fixed.add((FIELD_ARCH, EQUAL, abi.arch()));
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

/// Calls that the agent watches, and its rule for them.
pub struct Watch {
    /// A name for reports.
    pub name: String,
    /// Rules of which the kernel has to take one, the best first: older ones know fewer fields.
    pub rules: Vec<Rule>,
}

/// All that is watched of an ABI. Each rule is looked at by every system call of the host, so calls
/// that are recorded on the same conditions share one.
///
/// `datagrams`: the kernel tells those with an address apart. Before Linux 5.16 it takes what a
/// socket was connected to for the address of everything that is sent.
pub fn of(abi: Abi, muted: u32, datagrams: bool) -> Vec<Watch> {
    let whens = [
        (When::Always, "exec"),
        (When::Done, "files, rights, modules"),
        (When::Writes(1), "open"),
        (When::Writes(2), "openat"),
        (When::Connects, "connect"),
        (When::Sockets, "socketcall"),
        (When::Kills(1), "kill"),
        (When::Kills(2), "tgkill"),
        (When::Reaches, "ptrace"),
        (When::Loads, "bpf"),
        (When::Parts, "clone"),
    ];
    let watches = whens.into_iter().filter_map(|(when, name)| {
        let has = |row: &&Row| {
            row.when == when && row.numbers[abi as usize] != NONE && is_told(row, datagrams)
        };
        let calls = CALLS.iter().filter(has);
        let rules = conditions(when);
        let rules = rules
            .iter()
            .map(|rule| Rule::record(abi, calls.clone(), rule, muted));
        calls.clone().next().map(|_| Watch {
            name: name_of(abi, name),
            rules: rules.collect(),
        })
    });
    watches.chain([refusals(abi, muted)]).collect()
}

/// One rule for all calls of 32-bit programs, whatever becomes of them: on most hosts there are none,
/// and each rule slows the calls of the others.
pub fn any_narrow(muted: u32, datagrams: bool) -> Rule {
    let calls = CALLS.iter().filter(|row| is_told(row, datagrams));
    Rule::record(Abi::Narrow, calls, &[], muted)
}

fn is_told(row: &Row, datagrams: bool) -> bool {
    datagrams || !matches!(row.tells, Tells::Send(_))
}

/// The name of a rule for reports.
pub fn name_of(abi: Abi, name: &str) -> String {
    match abi {
        Abi::Wide => format!("audit rule {name}"),
        Abi::Narrow => format!("audit rule {name} (32-bit)"),
    }
}

/// Acts on files that processes may not do. The kernel compares without signs: what is not below an
/// error's negative number is that error, or one of a smaller number.
fn refusals(abi: Abi, muted: u32) -> Watch {
    let exit = |error: i32| error.wrapping_neg().cast_unsigned();
    let highest = REFUSALS.into_iter().max().unwrap_or(0);
    let others = (1..highest).filter(|error| !REFUSALS.contains(error));
    let conditions: Vec<Condition> = others
        .map(|error| (FIELD_EXIT, UNEQUAL, exit(error)))
        .collect();
    let conditions = [vec![(FIELD_EXIT, AT_LEAST, exit(highest))], conditions].concat();
    let calls = CALLS.iter().filter(|row| row.tells_refusals());
    Watch {
        name: name_of(abi, "refused"),
        rules: vec![Rule::record(abi, calls, &conditions, muted)],
    }
}

/// The errors of what is refused.
pub const REFUSALS: [i32; 2] = [libc::EPERM, libc::EACCES];

/// A field, an operator, a value.
type Condition = (u32, u32, u32);

/// The conditions of a rule, and those of the rules that may stand for it.
///
/// Opens are recorded where they may write or create: `openat2` hands its flags over in memory, so
/// all of them are.
fn conditions(when: When) -> Vec<Vec<Condition>> {
    const DONE: Condition = (FIELD_SUCCESS, EQUAL, 1);
    const CHANGES: u32 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u32;
    let no_family = |family: libc::c_int| (FIELD_FAMILY, UNEQUAL, family as u32);
    // The signals 32 and 33 are those of threads among themselves.
    let no_signals = [0, libc::SIGCHLD as u32, libc::SIGURG as u32, 32, 33];
    match when {
        When::Always => vec![vec![]],
        When::Done => vec![vec![DONE]],
        When::Writes(flags) => vec![vec![DONE, (argument(flags), ANY_BIT, CHANGES)]],
        When::Connects => vec![
            [libc::AF_UNIX, libc::AF_NETLINK, libc::AF_PACKET]
                .map(no_family)
                .to_vec(),
            vec![],
        ],
        // What makes, binds, asks, sends, receives and shuts is left out.
        When::Sockets => {
            let others = (1..=20).filter(|call| ![3, 4, 5, 18].contains(call));
            vec![others.map(|call| (argument(0), UNEQUAL, call)).collect()]
        }
        When::Kills(signal) => vec![but(signal, no_signals)],
        // What reads, waits, steps, goes on and lets go is left out.
        When::Reaches => {
            let low = (0..=33).filter(|request| ![4, 5, 6, 13, 15, 16, 19].contains(request));
            let low = low.filter(|request| !matches!(request, 10 | 11 | 20..=23 | 27..=29));
            let high = (0x4200..=0x4212).filter(|request| ![0x4205, 0x4206].contains(request));
            vec![but(0, low.chain(high))]
        }
        When::Parts => vec![vec![DONE, (argument(0), ANY_BIT, CLONED)]],
        When::Loads => vec![but(
            0,
            (0..=40).filter(|command| ![5, 17, 28].contains(command)),
        )],
    }
}

/// What succeeds, unless an argument is one of these.
fn but(number: usize, values: impl IntoIterator<Item = u32>) -> Vec<Condition> {
    let others = values
        .into_iter()
        .map(|value| (argument(number), UNEQUAL, value));
    std::iter::once((FIELD_SUCCESS, EQUAL, 1))
        .chain(others)
        .collect()
}

fn argument(number: usize) -> u32 {
    FIELD_ARGUMENT + number as u32
}

/// Whether a rule as the kernel lists it is the agent's: it carries its key, or where a key cannot
/// be, the agent's way of writing it.
pub fn is_own(listed: &[u8]) -> bool {
    let Ok((fixed, texts)) = Fixed::read_from_prefix(listed) else {
        return false;
    };
    if Rule::listed(listed) == Rule::no_unread() {
        return true;
    }
    let mut fields = fixed.fields.iter().take(fixed.count as usize);
    let texts = &texts[..texts.len().min(fixed.texts as usize)];
    fields.any(|&field| field == FIELD_KEY) && texts.ends_with(KEY.as_bytes())
}

/// Whether a rule as the kernel lists it keeps all new processes from being watched.
pub fn is_blinding(listed: &[u8]) -> bool {
    Fixed::read_from_prefix(listed).is_ok_and(|(fixed, _)| {
        let fields = fixed.fields.iter().take(fixed.count as usize);
        let is_for_all = fields.filter(|&&field| field != FIELD_KEY).count() == 0;
        fixed.list == LIST_TASK && fixed.action == NEVER && is_for_all
    })
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

    fn fixed(rule: &Rule) -> Fixed {
        Fixed::read_from_prefix(rule.bytes()).unwrap().0
    }

    /// Rules that watch a call, the first of those that may stand for each other.
    fn watching(watches: &[Watch], abi: Abi, number: u16) -> usize {
        let first = watches.iter().map(|watch| fixed(&watch.rules[0]));
        let is_of = |rule: &Fixed| {
            rule.values[0] == abi.arch()
                && rule.calls[usize::from(number) / 32] & 1 << (number % 32) != 0
        };
        first.filter(is_of).count()
    }

    #[test]
    fn a_rule_names_calls_and_conditions() {
        let all = of(Abi::Wide, 77, true);
        let rule = &all
            .iter()
            .find(|it| it.name.ends_with(" openat"))
            .unwrap()
            .rules[0];
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
    fn every_call_is_in_a_rule() {
        for abi in Abi::ALL {
            let watches = of(abi, 0, true);
            for row in CALLS {
                let number = row.numbers[abi as usize];
                if number != NONE {
                    let expected = 1 + usize::from(row.tells_refusals());
                    assert_eq!(watching(&watches, abi, number), expected, "{}", row.name);
                }
            }
        }
        let any = Watch {
            name: String::new(),
            rules: vec![any_narrow(0, true)],
        };
        let narrow = CALLS.iter().map(|row| row.numbers[Abi::Narrow as usize]);
        for number in narrow.filter(|&number| number != NONE) {
            let watching = watching(std::slice::from_ref(&any), Abi::Narrow, number);
            assert_eq!(watching, 1, "{number}");
        }
    }

    #[test]
    fn datagrams_are_left_out_where_they_are_not_told_apart() {
        let sendto = 44;
        for (datagrams, expected) in [(true, 1), (false, 0)] {
            let watches = of(Abi::Wide, 0, datagrams);
            assert_eq!(watching(&watches, Abi::Wide, sendto), expected);
        }
    }

    #[test]
    fn what_is_refused_is_told_by_its_error() {
        let fixed = fixed(&refusals(Abi::Wide, 0).rules[0]);
        let recorded = |exit: i64| {
            // As `audit_filter_rules` does, without the first field and the key.
            (1..fixed.count as usize - 1).all(|field| {
                let (exit, value) = (exit as u32, fixed.values[field]);
                match fixed.operators[field] {
                    AT_LEAST => exit >= value,
                    UNEQUAL => exit != value,
                    other => panic!("{other:x}"),
                }
            })
        };
        let errors: Vec<i64> = (-4095..4096).filter(|&exit| recorded(exit)).collect();
        assert_eq!(errors, [-13, -1]);
    }

    #[test]
    fn a_rule_has_room_for_its_conditions() {
        for abi in Abi::ALL {
            for watch in of(abi, 1, true) {
                for rule in watch.rules {
                    assert!(fixed(&rule).count < 64 && is_own(rule.bytes()));
                }
            }
        }
    }

    #[test]
    fn a_rule_that_blinds_is_known() {
        assert!(is_blinding(Rule::never_watch_processes().bytes()));
        assert!(!is_blinding(Rule::no_unread().bytes()));
        assert!(is_own(Rule::no_unread().bytes()));
        assert!(!is_blinding(any_narrow(0, true).bytes()));
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
