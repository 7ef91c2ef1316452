//! Who logs in, and what is done with accounts: what programs tell the kernel's audit system.

use std::net::IpAddr;

/// An act of logging in, or on sessions, credentials and accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginAct {
    /// A user logged in.
    LoggedIn,
    /// A user logged out.
    LoggedOut,
    /// A process got another login uid, as every session does at its begin.
    ChangedLoginId,
    /// A user was authenticated.
    Authenticated,
    /// An account was allowed to be used.
    Authorized,
    /// Credentials were acquired.
    AcquiredCredentials,
    /// Credentials were refreshed.
    RefreshedCredentials,
    /// Credentials were disposed of.
    DisposedCredentials,
    /// A session was started.
    StartedSession,
    /// A session was ended.
    EndedSession,
    /// A command was run for a user by sudo or its like.
    RanCommand,
    /// An account was added.
    AddedUser,
    /// An account was deleted.
    DeletedUser,
    /// An account was changed.
    ModifiedUser,
    /// A password was changed.
    ChangedPassword,
    /// An account was locked.
    LockedUser,
    /// An account was unlocked.
    UnlockedUser,
    /// A group was added.
    AddedGroup,
    /// A group was deleted.
    DeletedGroup,
    /// A group was changed.
    ModifiedGroup,
    /// A group's password was changed.
    ChangedGroupPassword,
}

/// Such an act, as it was told. The process that told it is the event's, with its real user id as
/// all of its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Which act.
    pub act: LoginAct,
    /// It succeeded.
    pub success: bool,
    /// Login uid of the process, before the act; `u32::MAX` if it had none.
    pub login_uid: u32,
    /// The user or group the act was about.
    pub account: Option<Account>,
    /// Where the user came from.
    pub source: Option<IpAddr>,
    /// The program, empty if it was not told.
    pub executable: Vec<u8>,
    /// What else was told, under the names of the audit system.
    pub properties: Vec<(&'static str, Vec<u8>)>,
}

/// A user or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// By number.
    Id(u32),
    /// By name, which need not exist.
    Name(Vec<u8>),
}
