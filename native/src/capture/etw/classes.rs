//! The kinds of events that may be asked of Windows' event tracing: who writes them, and who else tells
//! the same.

use super::template::Provider;
use super::templates::{
    AMSI, DNS, KERNEL_FILE, KERNEL_NETWORK, KERNEL_PROCESS, KERNEL_REGISTRY, POWERSHELL,
    PROCESS_CLASS, WMI,
};

/// Kinds of events that are asked for together.
#[derive(Debug)]
pub struct Class {
    /// What they are about.
    pub what: &'static str,
    /// Who writes them.
    pub provider: &'static Provider,
    /// What is asked of it; all where there is none.
    pub keywords: &'static [&'static str],
    /// The least severe level of them.
    pub level: u8,
    /// Those that are told.
    pub told: &'static [u16],
    /// Those that say what others mean.
    pub silent: &'static [u16],
    /// Other classes need what these say, also where they are not told.
    pub is_context: bool,
    /// Who tells the same, where that is on the host.
    pub others: &'static [Other],
    /// Which session has them.
    pub session: Place,
}

/// Who tells the same as a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Sysmon.
    Sysmon,
    /// A channel of the event log.
    Channel(&'static str),
}

/// The sessions. What comes in floods is kept apart, so that it cannot push out what is rare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The classic logger's.
    Classic,
    /// Processes, threads and images.
    Processes,
    /// Files, keys and connections.
    Objects,
    /// What programs write themselves.
    Programs,
}

/// Level of what informs, and of all there is.
const INFORMATION: u8 = 4;
const VERBOSE: u8 = 5;

/// All of them.
pub const CLASSES: &[Class] = &[
    Class {
        what: "command lines and users of processes",
        provider: &PROCESS_CLASS,
        keywords: &["PROCESS"],
        level: 0,
        told: &[1, 2],
        silent: &[3, 4],
        is_context: true,
        others: &[Other::Sysmon],
        session: Place::Classic,
    },
    Class {
        what: "processes",
        provider: &KERNEL_PROCESS,
        keywords: &["PROCESS"],
        level: INFORMATION,
        told: &[1, 2],
        silent: &[15],
        is_context: true,
        others: &[Other::Sysmon],
        session: Place::Processes,
    },
    Class {
        what: "threads in other processes",
        provider: &KERNEL_PROCESS,
        keywords: &["THREAD"],
        level: INFORMATION,
        told: &[3],
        silent: &[],
        is_context: false,
        others: &[Other::Sysmon],
        session: Place::Processes,
    },
    Class {
        what: "loaded images",
        provider: &KERNEL_PROCESS,
        keywords: &["IMAGE"],
        level: INFORMATION,
        told: &[5],
        silent: &[],
        is_context: false,
        others: &[Other::Sysmon],
        session: Place::Processes,
    },
    Class {
        what: "renamed and linked files",
        provider: &KERNEL_FILE,
        keywords: &["FILENAME", "RENAME_SETLINK_PATH"],
        level: INFORMATION,
        told: &[27, 28],
        silent: &[10, 11],
        is_context: false,
        others: &[],
        session: Place::Objects,
    },
    Class {
        what: "created and deleted files",
        provider: &KERNEL_FILE,
        keywords: &["CREATE_NEW_FILE", "DELETE_PATH"],
        level: INFORMATION,
        told: &[26, 30],
        silent: &[],
        is_context: false,
        others: &[Other::Sysmon],
        session: Place::Objects,
    },
    Class {
        what: "registry keys and values",
        provider: &KERNEL_REGISTRY,
        keywords: &[
            "CreateKey",
            "OpenKey",
            "CloseKey",
            "DeleteKey",
            "SetValueKey",
            "DeleteValueKey",
        ],
        level: INFORMATION,
        told: &[1, 3, 5, 6],
        silent: &[2, 13],
        is_context: false,
        others: &[Other::Sysmon],
        session: Place::Objects,
    },
    Class {
        what: "connections",
        provider: &KERNEL_NETWORK,
        keywords: &["IPV4", "IPV6"],
        level: INFORMATION,
        told: &[12, 13, 15, 28, 29, 31],
        silent: &[],
        is_context: false,
        others: &[Other::Sysmon],
        session: Place::Objects,
    },
    Class {
        what: "names that are looked up",
        provider: &DNS,
        keywords: &[],
        level: INFORMATION,
        told: &[3006, 3008],
        silent: &[],
        is_context: false,
        others: &[
            Other::Sysmon,
            Other::Channel("Microsoft-Windows-DNS-Client/Operational"),
        ],
        session: Place::Programs,
    },
    Class {
        what: "PowerShell",
        provider: &POWERSHELL,
        keywords: &["Runspace", "Cmdlets"],
        level: VERBOSE,
        told: &[4103, 4104],
        silent: &[],
        is_context: false,
        others: &[Other::Channel("Microsoft-Windows-PowerShell/Operational")],
        session: Place::Programs,
    },
    Class {
        what: "calls of WMI",
        provider: &WMI,
        keywords: &[],
        level: INFORMATION,
        told: &[11, 23],
        silent: &[],
        is_context: false,
        others: &[],
        session: Place::Programs,
    },
    Class {
        what: "subscriptions and errors of WMI",
        provider: &WMI,
        keywords: &[],
        level: INFORMATION,
        told: &[5857, 5858, 5859, 5860, 5861],
        silent: &[],
        is_context: false,
        others: &[Other::Channel("Microsoft-Windows-WMI-Activity/Operational")],
        session: Place::Programs,
    },
    Class {
        what: "texts that AMSI scans",
        provider: &AMSI,
        keywords: &["Event1"],
        level: INFORMATION,
        told: &[1101],
        silent: &[],
        is_context: false,
        others: &[],
        session: Place::Programs,
    },
];

#[cfg(test)]
mod tests {
    use super::CLASSES;

    #[test]
    fn what_is_asked_for_is_known() {
        for class in CLASSES {
            for keyword in class.keywords {
                assert_ne!(class.provider.mask(&[keyword]), 0, "{keyword}");
            }
            for id in class.told.iter().chain(class.silent) {
                let mut templates = class.provider.templates.iter();
                assert!(templates.any(|it| it.id == *id), "{} {id}", class.what);
            }
            assert!(!class.told.is_empty(), "{}", class.what);
        }
    }
}
