//! Which events there are, and how ECS classifies them.
//!
//! The words are the original agent's, the codes are Sysmon's where it has one.

use crate::event::{Action, Direction, FileChange};

/// The source that every event of the agent names.
pub const PROVIDER: &str = "SEKOIA-IO-Endpoint";

/// A kind of event.
#[derive(Debug)]
pub struct Kind {
    /// `event.action`.
    pub action: &'static str,
    /// `event.code`.
    pub code: Option<u8>,
    /// The one member of `event.category`.
    pub category: &'static str,
    /// The one member of `event.type`.
    pub class: &'static str,
    /// `event.outcome`.
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
    /// The last thread of a process ended.
    PROCESS_ENDED = "process-ended", Some(5), "process" / "end", Some("success");
    /// A file was created.
    FILE_CREATED = "file-created", Some(11), "file" / "creation", Some("success");
    /// A file that existed was opened for writing.
    FILE_MODIFIED = "file-modified", Some(11), "file" / "change", Some("success");
    /// A name of a file, or a folder, was removed.
    FILE_DELETED = "file-deleted", Some(23), "file" / "deletion", Some("success");
    /// A file or folder got another name.
    FILE_RENAMED = "renamed", None, "file" / "change", Some("success");
    /// A process opened a TCP connection.
    CONNECTED = "connected-to", Some(3), "network" / "start", Some("success");
    /// A process accepted a TCP connection.
    ACCEPTED = "accepted-connection-from", Some(3), "network" / "start", Some("success");
    /// Acts or records could not be kept. They are counted exactly.
    EVENTS_LOST = "events-lost", None, "host" / "info", None;
}

/// The kind of an act; none for an event that only keeps the process table.
pub fn kind(action: &Action) -> Option<&'static Kind> {
    match action {
        Action::Fork(_) | Action::Snapshot(_) => None,
        Action::Exec(_) => Some(&PROCESS_CREATED),
        Action::Exit(_) => Some(&PROCESS_ENDED),
        Action::File(file) => Some(match file.change {
            FileChange::Created => &FILE_CREATED,
            FileChange::Modified => &FILE_MODIFIED,
            FileChange::Deleted | FileChange::DirectoryDeleted => &FILE_DELETED,
            FileChange::Renamed => &FILE_RENAMED,
        }),
        Action::Connection(connection) => Some(match connection.direction {
            Direction::Egress => &CONNECTED,
            Direction::Ingress => &ACCEPTED,
        }),
    }
}
