//! What the events of event tracing mean, one row each, in the words of the original agent and with
//! Sysmon's numbers. An event that has no row here means what its provider's record in the event log
//! would.

use super::kinds::Outcome;
use crate::capture::etw::templates;

/// What an event of a provider means.
#[derive(Debug)]
pub struct TraceKind {
    /// Who writes it.
    pub provider: &'static str,
    /// The provider's number of it; of a class of the classic logger, its opcode.
    pub id: u32,
    /// `event.code`, if Sysmon has a number for it.
    pub code: Option<u8>,
    /// `event.action`.
    pub action: &'static str,
    /// The members of `event.category`, separated by spaces.
    pub category: &'static str,
    /// The members of `event.type`, likewise.
    pub class: &'static str,
    /// `event.outcome`, unless the event says that it was in vain.
    pub outcome: Outcome,
}

macro_rules! traces {
    ($($provider:ident: $($id:literal $code:literal $action:literal $category:literal / $class:literal $outcome:ident;)+)+) => {
        /// Every row.
        pub const ALL: &[TraceKind] = &[$($(TraceKind {
            provider: templates::$provider.name,
            id: $id,
            code: if $code == 0 { None } else { Some($code) },
            action: $action,
            category: $category,
            class: $class,
            outcome: Outcome::$outcome,
        },)+)+];
    };
}

traces! {
    PROCESS_CLASS:
    1 1 "process-created" "process" / "creation" Success;
    2 5 "process-ended" "process" / "end" Success;

    KERNEL_PROCESS:
    1 1 "process-created" "process" / "creation" Success;
    2 5 "process-ended" "process" / "end" Success;
    3 8 "remote-thread-created" "process" / "creation" Success;
    5 7 "image-loaded" "library" / "start" Success;

    KERNEL_FILE:
    17 2 "changed-timestamp-of" "file" / "change" Success;
    26 23 "file-deleted" "file" / "deletion" Success;
    27 0 "renamed" "file" / "change" Success;
    28 0 "linked" "file" / "creation" Success;
    30 11 "file-created" "file" / "creation" Success;

    KERNEL_REGISTRY:
    1 12 "registry-key-created" "configuration registry" / "creation" Success;
    3 12 "registry-key-deleted" "configuration registry" / "deletion" Success;
    5 13 "registry-value-set" "configuration registry" / "change" Success;
    6 12 "registry-value-deleted" "configuration registry" / "deletion" Success;

    KERNEL_NETWORK:
    12 3 "connected-to" "network" / "start" Success;
    13 3 "connection-ended" "network" / "end" Success;
    15 3 "accepted-connection-from" "network" / "start" Success;
    28 3 "connected-to" "network" / "start" Success;
    29 3 "connection-ended" "network" / "end" Success;
    31 3 "accepted-connection-from" "network" / "start" Success;

    DNS:
    3006 22 "dns-query" "network" / "protocol" Success;
    3008 22 "dns-query-result" "network" / "protocol info" Success;

    AMSI:
    1101 0 "script-scanned" "process" / "info" Success;
}

/// The row of a provider's event, if there is one.
pub fn find(provider: &str, id: u32) -> Option<&'static TraceKind> {
    ALL.iter()
        .find(|kind| kind.id == id && kind.provider == provider)
}
