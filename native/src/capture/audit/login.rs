//! Records of logins, sessions and accounts as events.
//!
//! The kernel writes who sends such a record, in fields of its own; the rest is what a program with
//! `CAP_AUDIT_WRITE` says.

use crate::capture::audit::record::{self, Record};
use crate::event::{
    Account, Action, Content, Credentials, Event, Login, LoginAct as Act, LoginSession, ProcessKey,
    UNSET_ID,
};

/// Types of records (`linux/audit.h`, `libaudit.h`) and what they tell.
const ACTS: [(u16, Act); 22] = [
    (LOGIN, Act::ChangedLoginId),
    (1100, Act::Authenticated),
    (1101, Act::Authorized),
    (1102, Act::ModifiedUser),
    (1103, Act::AcquiredCredentials),
    (1104, Act::DisposedCredentials),
    (1105, Act::StartedSession),
    (1106, Act::EndedSession),
    (1108, Act::ChangedPassword),
    (1110, Act::RefreshedCredentials),
    (1112, Act::LoggedIn),
    (1113, Act::LoggedOut),
    (1114, Act::AddedUser),
    (1115, Act::DeletedUser),
    (1116, Act::AddedGroup),
    (1117, Act::DeletedGroup),
    (1123, Act::RanCommand),
    (1126, Act::Authenticated),
    (1132, Act::ModifiedGroup),
    (1133, Act::ChangedGroupPassword),
    (1134, Act::LockedUser),
    (1135, Act::UnlockedUser),
];

/// The kernel's own record of a new login uid.
const LOGIN: u16 = 1006;

/// What is passed on under its name, and whether it may be encoded.
const PROPERTIES: [(&str, bool); 12] = [
    ("acct", true),
    ("cmd", true),
    ("grantors", false),
    ("grp", true),
    ("hostname", false),
    ("id", false),
    ("old-ses", false),
    ("op", false),
    ("ses", false),
    ("terminal", false),
    ("tty", false),
    ("new_gid", false),
];

/// Bytes of one value.
const MAX_VALUE: usize = 8192;

/// The event of a record, if it is of these.
///
/// The process is known by its number alone: its start is [`ProcessKey::UNKNOWN_START`].
pub fn decode(kind: u16, text: &[u8]) -> Option<Event> {
    let (_, act) = *ACTS.iter().find(|(known, _)| *known == kind)?;
    let record = record::parse(kind, text)?;
    let kernel = record.without_message();
    let pid = kernel.number("pid")?;
    let uid = kernel.number("uid").unwrap_or(UNSET_ID);
    let (login, told) = if kind == LOGIN {
        (old_login_uid(&kernel), kernel)
    } else {
        (kernel.number("auid"), record.message()?)
    };
    let login_uid = login.unwrap_or(UNSET_ID);
    let text_of = |key| told.get(key).filter(|value| !value.is_unknown());
    Some(Event {
        time: record.time,
        process: ProcessKey {
            pid,
            start: ProcessKey::UNKNOWN_START,
        },
        thread: pid,
        credentials: Credentials {
            uid,
            euid: uid,
            gid: UNSET_ID,
            egid: UNSET_ID,
        },
        // The record has its own.
        login: LoginSession::UNSET,
        repeat: None,
        content: Content::Unasked,
        call: None,
        action: Action::Login(Login {
            act,
            success: succeeded(&told),
            login_uid,
            account: account(kind, &told),
            source: text_of("addr")
                .and_then(|value| str::from_utf8(value.raw).ok())
                .and_then(|address| address.parse().ok()),
            executable: text_of("exe").map_or_else(Vec::new, |exe| bounded(&exe.decoded())),
            properties: properties(&kernel, &told),
        }),
    })
}

/// Kernels before 3.14 had a space in the name.
fn old_login_uid(kernel: &Record) -> Option<u32> {
    kernel
        .number("old-auid")
        .or_else(|| kernel.number("old_auid"))
}

/// `res=success` of programs, `res=1` of the kernel; some programs spell it out.
fn succeeded(told: &Record) -> bool {
    let result = told.get("res").or_else(|| told.get("result"));
    result.is_some_and(|value| matches!(value.raw, b"1" | b"yes" | b"success" | b"Success"))
}

fn account(kind: u16, told: &Record) -> Option<Account> {
    if kind == LOGIN {
        return told.number("auid").map(Account::Id);
    }
    let name = told.get("acct").filter(|value| !value.is_unknown());
    let name = name.map(|value| Account::Name(bounded(&value.decoded())));
    name.or_else(|| told.number("id").map(Account::Id))
}

fn properties(kernel: &Record, told: &Record) -> Vec<(&'static str, Vec<u8>)> {
    let found = PROPERTIES.iter().filter_map(|&(key, encoded)| {
        let value = told.get(key).or_else(|| kernel.get(key))?;
        let absent = value.raw.is_empty() || (value.raw == b"?" && !value.quoted);
        let unset = key == "ses" && value.raw == UNSET_ID.to_string().as_bytes();
        let text = if encoded {
            value.decoded()
        } else {
            value.raw.into()
        };
        (!absent && !unset).then(|| (key, bounded(&text)))
    });
    found.collect()
}

fn bounded(value: &[u8]) -> Vec<u8> {
    value[..value.len().min(MAX_VALUE)].to_vec()
}
