//! Which events there are, and how ECS classifies them.
//!
//! The words are the original agent's, the codes are Sysmon's where it has one.

use crate::event::{Action, Direction, FileChange, LoginAct, MountChange, Stage};

/// The source that every event of the agent names.
pub const PROVIDER: &str = "SEKOIA-IO-Endpoint";

/// A kind of event.
#[derive(Debug)]
pub struct Kind {
    /// `event.action`.
    pub action: &'static str,
    /// `event.code`.
    pub code: Option<u8>,
    /// The members of `event.category`, separated by spaces.
    pub category: &'static str,
    /// The members of `event.type`, separated by spaces.
    pub class: &'static str,
    /// `event.outcome`, unless the event says otherwise.
    pub outcome: Option<&'static str>,
    /// What has happened.
    pub meaning: &'static str,
}

macro_rules! kinds {
    ($(
        #[doc = $meaning:literal]
        $name:ident = $action:literal, $code:expr, $category:literal / $class:literal, $outcome:expr;
    )+) => {
        $(
            #[doc = $meaning]
            pub const $name: Kind = Kind {
                action: $action,
                code: $code,
                category: $category,
                class: $class,
                outcome: $outcome,
                meaning: $meaning.trim_ascii(),
            };
        )+

        /// Every kind.
        pub const ALL: &[Kind] = &[$($name),+];
    };
}

kinds! {
    /// A process became another program (exec).
    PROCESS_CREATED = "process-created", Some(1), "process" / "start", Some("success");
    /// The last thread of a process ended; the kernel's own are not told.
    PROCESS_ENDED = "process-ended", Some(5), "process" / "end", Some("success");
    /// A file was created, also one that is only in memory (memfd).
    FILE_CREATED = "file-created", Some(11), "file" / "creation", Some("success");
    /// A folder was created.
    DIRECTORY_CREATED = "directory-created", Some(11), "file" / "creation", Some("success");
    /// A file that existed was opened for writing, or cut or extended by its name.
    FILE_MODIFIED = "file-modified", Some(11), "file" / "change", Some("success");
    /// A name of a file, or a folder, was removed.
    FILE_DELETED = "file-deleted", Some(23), "file" / "deletion", Some("success");
    /// A file or folder got another name.
    FILE_RENAMED = "renamed", None, "file" / "change", Some("success");
    /// A file got another name (hard link).
    FILE_LINKED = "linked", None, "file" / "creation", Some("success");
    /// A symbolic link was created.
    FILE_SYMLINKED = "symlinked", None, "file" / "creation", Some("success");
    /// The permissions of a file or folder were set.
    PERMISSIONS_CHANGED = "changed-file-permissions-of", None, "file" / "change", Some("success");
    /// The owner or the group of a file or folder was set.
    OWNERSHIP_CHANGED = "changed-file-ownership-of", None, "file" / "change", Some("success");
    /// The times of a file or folder were set.
    TIMES_CHANGED = "changed-timestamp-of", None, "file" / "change", Some("success");
    /// An extended attribute of a file or folder was set or removed.
    ATTRIBUTES_CHANGED = "changed-file-attributes-of", None, "file" / "change", Some("success");
    /// A process was not allowed to open, make, rename, delete or change a file or folder by its name.
    ACCESS_REFUSED = "file-access-refused", None, "file" / "access", Some("failure");
    /// Something was mounted on a folder, or a mount there was changed.
    MOUNTED = "mounted", None, "file" / "change", Some("success");
    /// What was mounted on a folder was taken away.
    UNMOUNTED = "unmounted", None, "file" / "change", Some("success");
    /// A folder became the root of a process, or of its mount namespace.
    ROOT_CHANGED = "changed-root-directory-of", None, "process" / "change", Some("success");
    /// A process opened a TCP connection.
    CONNECTED = "connected-to", Some(3), "network" / "start", Some("success");
    /// A TCP connection that a process tried to open was refused, not answered, or given up.
    CONNECT_FAILED = "connected-to", Some(3), "network" / "start", Some("failure");
    /// A process accepted a TCP connection.
    ACCEPTED = "accepted-connection-from", Some(3), "network" / "start", Some("success");
    /// A user logged in, or tried to.
    LOGGED_IN = "logged-in", None, "authentication" / "start", Some("success");
    /// A user logged out.
    LOGGED_OUT = "logged-out", None, "authentication" / "end", Some("success");
    /// A process got the login id of a user, as every session does at its begin.
    LOGIN_ID_CHANGED = "changed-login-id-to", None, "authentication" / "start", Some("success");
    /// A user was authenticated, or not.
    AUTHENTICATED = "authenticated", None, "authentication" / "info", Some("success");
    /// The use of an account was allowed, or not.
    AUTHORIZED = "was-authorized", None, "authentication" / "info", Some("success");
    /// Credentials were acquired.
    CREDENTIALS_ACQUIRED = "acquired-credentials", None, "authentication" / "info", Some("success");
    /// Credentials were refreshed.
    CREDENTIALS_REFRESHED = "refreshed-credentials", None, "authentication" / "info", Some("success");
    /// Credentials were disposed of.
    CREDENTIALS_DISPOSED = "disposed-credentials", None, "authentication" / "info", Some("success");
    /// A session was started.
    SESSION_STARTED = "started-session", None, "session" / "start", Some("success");
    /// A session was ended.
    SESSION_ENDED = "ended-session", None, "session" / "end", Some("success");
    /// A user ran a command by sudo or its like, or was not allowed to.
    COMMAND_RAN = "ran-command", None, "process" / "start", Some("success");
    /// A user account was added.
    USER_ADDED = "added-user-account", None, "iam" / "user creation", Some("success");
    /// A user account was deleted.
    USER_DELETED = "deleted-user-account", None, "iam" / "user deletion", Some("success");
    /// A user account was changed.
    USER_MODIFIED = "modified-user-account", None, "iam" / "user change", Some("success");
    /// A password was changed, or not.
    PASSWORD_CHANGED = "changed-password", None, "iam" / "user change", Some("success");
    /// A user account was locked.
    USER_LOCKED = "locked-account", None, "iam" / "user info", Some("success");
    /// A user account was unlocked.
    USER_UNLOCKED = "unlocked-account", None, "iam" / "user info", Some("success");
    /// A group was added.
    GROUP_ADDED = "added-group-account-to", None, "iam" / "group creation", Some("success");
    /// A group was deleted.
    GROUP_DELETED = "deleted-group-account-from", None, "iam" / "group deletion", Some("success");
    /// A group was changed.
    GROUP_MODIFIED = "modified-group-account", None, "iam" / "group change", Some("success");
    /// A group's password was changed, or not.
    GROUP_PASSWORD_CHANGED = "changed-group-password", None, "iam" / "group change", Some("success");
    /// A process waits for TCP connections.
    LISTENING = "listen-for-connections", Some(3), "network" / "info", Some("success");
    /// A TCP connection has ended.
    CONNECTION_ENDED = "connection-ended", Some(3), "network" / "end", Some("success");
    /// A process sent a datagram of UDP to a peer.
    SENT = "sent-to", Some(3), "network" / "connection", Some("success");
    /// A process asked a DNS server.
    DNS_QUERY = "dns-query", Some(22), "network" / "protocol", Some("success");
    /// A DNS server answered a process.
    DNS_ANSWER = "dns-query-result", Some(22), "network" / "protocol info", Some("success");
    /// A program could not be started: the file is not there, may not be executed, is no program.
    PROCESS_CREATION_FAILED =
        "process-creation-failed", Some(1), "process" / "start", Some("failure");
    /// The program just started has no name in any folder: it is only in memory, or was removed.
    FILELESS_EXECUTION = "fileless-execution", Some(1), "process" / "start", Some("success");
    /// A process has other users or groups than before.
    IDENTITY_CHANGED = "changed-identity-of", None, "process iam" / "change", Some("success");
    /// A process has other capabilities than before.
    CAPABILITIES_CHANGED =
        "changed-capabilities-of", None, "process iam" / "change", Some("success");
    /// A process is in other namespaces than before; a new one, than its parent.
    NAMESPACE_CHANGED = "changed-namespace-of", None, "process" / "change", Some("success");
    /// A process took hold of another, or of its memory or registers, so that it can change them.
    INJECTED = "injected-into", Some(8), "process" / "change", Some("success");
    /// A process sent another a signal that ends or stops it, or that goes to another user's.
    KILLED = "killed-pid", None, "process" / "end", Some("success");
    /// A module came into the kernel.
    MODULE_LOADED = "loaded-kernel-module", Some(6), "driver" / "start", Some("success");
    /// A module left the kernel.
    MODULE_UNLOADED = "unloaded-kernel-module", None, "driver" / "end", Some("success");
    /// A program of eBPF came into the kernel.
    BPF_LOADED = "loaded-bpf-program", None, "process" / "change", Some("success");
    /// A program of eBPF was attached to something, and runs from then on.
    BPF_ATTACHED = "attached-bpf-program", None, "process" / "change", Some("success");
    /// Acts or records could not be kept. They are counted: exactly, but where the cause says "at most".
    EVENTS_LOST = "events-lost", None, "host" / "info", None;
}

/// The kind of an act; none for an event that only keeps the process table.
pub fn kind(action: &Action) -> Option<&'static Kind> {
    match action {
        Action::Fork(_) | Action::Snapshot(_) | Action::Known(_) => None,
        // What it means is in tables of its own.
        Action::Logged(_) => None,
        Action::Exec(_) => Some(&PROCESS_CREATED),
        Action::Exit(_) => Some(&PROCESS_ENDED),
        Action::File(file) => Some(match file.change {
            FileChange::Created | FileChange::NodeCreated(_) | FileChange::MemoryCreated(_) => {
                &FILE_CREATED
            }
            FileChange::DirectoryCreated => &DIRECTORY_CREATED,
            FileChange::Modified | FileChange::Truncated(_) => &FILE_MODIFIED,
            FileChange::Deleted | FileChange::DirectoryDeleted => &FILE_DELETED,
            FileChange::Renamed | FileChange::Exchanged => &FILE_RENAMED,
            FileChange::Linked => &FILE_LINKED,
            FileChange::Symlinked(_) => &FILE_SYMLINKED,
            FileChange::Permissions(_) => &PERMISSIONS_CHANGED,
            FileChange::Ownership(_) => &OWNERSHIP_CHANGED,
            FileChange::Times(_) => &TIMES_CHANGED,
            FileChange::Attribute(_) => &ATTRIBUTES_CHANGED,
            FileChange::Refused(_) => &ACCESS_REFUSED,
        }),
        Action::Mount(mount) => Some(match mount.change {
            MountChange::Mounted => &MOUNTED,
            MountChange::Unmounted => &UNMOUNTED,
            MountChange::RootSwapped | MountChange::RootChanged => &ROOT_CHANGED,
        }),
        Action::ExecFailed(_) => Some(&PROCESS_CREATION_FAILED),
        Action::Identity(_) => Some(&IDENTITY_CHANGED),
        Action::Capabilities(_) => Some(&CAPABILITIES_CHANGED),
        Action::Namespace(_) => Some(&NAMESPACE_CHANGED),
        Action::Injection(_) => Some(&INJECTED),
        Action::Signal(_) => Some(&KILLED),
        Action::Module(module) if module.is_unloaded => Some(&MODULE_UNLOADED),
        Action::Module(_) => Some(&MODULE_LOADED),
        Action::Bpf(program) if program.attachment.is_some() => Some(&BPF_ATTACHED),
        Action::Bpf(_) => Some(&BPF_LOADED),
        Action::Connection(connection) => Some(match (connection.stage, connection.direction) {
            (Stage::Established | Stage::Begun, Direction::Egress) => &CONNECTED,
            (Stage::Established | Stage::Begun, Direction::Ingress) => &ACCEPTED,
            (Stage::Failed(_), _) => &CONNECT_FAILED,
            (Stage::Ended(_), _) => &CONNECTION_ENDED,
            (Stage::Datagram, _) => &SENT,
        }),
        Action::Listen(_) => Some(&LISTENING),
        Action::Dns(dns) if dns.answer => Some(&DNS_ANSWER),
        Action::Dns(_) => Some(&DNS_QUERY),
        Action::Login(login) => Some(login_kind(login.act)),
    }
}

fn login_kind(act: LoginAct) -> &'static Kind {
    match act {
        LoginAct::LoggedIn => &LOGGED_IN,
        LoginAct::LoggedOut => &LOGGED_OUT,
        LoginAct::ChangedLoginId => &LOGIN_ID_CHANGED,
        LoginAct::Authenticated => &AUTHENTICATED,
        LoginAct::Authorized => &AUTHORIZED,
        LoginAct::AcquiredCredentials => &CREDENTIALS_ACQUIRED,
        LoginAct::RefreshedCredentials => &CREDENTIALS_REFRESHED,
        LoginAct::DisposedCredentials => &CREDENTIALS_DISPOSED,
        LoginAct::StartedSession => &SESSION_STARTED,
        LoginAct::EndedSession => &SESSION_ENDED,
        LoginAct::RanCommand => &COMMAND_RAN,
        LoginAct::AddedUser => &USER_ADDED,
        LoginAct::DeletedUser => &USER_DELETED,
        LoginAct::ModifiedUser => &USER_MODIFIED,
        LoginAct::ChangedPassword => &PASSWORD_CHANGED,
        LoginAct::LockedUser => &USER_LOCKED,
        LoginAct::UnlockedUser => &USER_UNLOCKED,
        LoginAct::AddedGroup => &GROUP_ADDED,
        LoginAct::DeletedGroup => &GROUP_DELETED,
        LoginAct::ModifiedGroup => &GROUP_MODIFIED,
        LoginAct::ChangedGroupPassword => &GROUP_PASSWORD_CHANGED,
    }
}

/// A second kind that an act is as well.
pub fn second_kind(action: &Action) -> Option<&'static Kind> {
    match action {
        Action::Exec(exec) if exec.deleted => Some(&FILELESS_EXECUTION),
        _ => None,
    }
}
