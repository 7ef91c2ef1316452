//! What is asked of Windows' event tracing, and of which session: a table, and what is left of it on a
//! host where others tell a part of it.

use super::template::Provider;
use super::templates::{
    AMSI, DNS, FILE_CLASS, KERNEL_FILE, KERNEL_NETWORK, KERNEL_PROCESS, KERNEL_REGISTRY,
    POWERSHELL, PROCESS_CLASS, WMI,
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

/// What is asked for.
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

/// The buffers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// KiB of each.
    pub size: u32,
    /// How many there are at least, and at most.
    pub least: u32,
    #[allow(missing_docs)]
    pub most: u32,
}

/// For floods: 4,000 processes in a burst were seen whole with these by others, who with Windows' own
/// choice had lost more than a tenth of them. 16 to 32 MiB of the kernel's memory.
const LARGE: Buffers = Buffers {
    size: 256,
    least: 64,
    most: 128,
};
/// For what programs write now and then, a script of 64 KiB included. 0.5 to 4 MiB.
const SMALL: Buffers = Buffers {
    size: 128,
    least: 4,
    most: 32,
};

/// A session that is to run.
#[derive(Debug)]
pub struct Session {
    /// Its name, which is always the same: who finds one of that name knows whose it was.
    pub name: &'static str,
    #[allow(missing_docs)]
    pub buffers: Buffers,
    /// What the classic logger writes to it, if it is one of that; else 0.
    pub flags: u32,
    #[allow(missing_docs)]
    pub providers: Vec<Enabled>,
}

/// A provider of a session.
#[derive(Debug)]
pub struct Enabled {
    #[allow(missing_docs)]
    pub provider: &'static Provider,
    /// Bits of its keywords; 0 for all.
    pub keywords: u64,
    #[allow(missing_docs)]
    pub level: u8,
    /// Its events that are let through.
    pub ids: Vec<u16>,
    /// It is asked to tell what there is already.
    pub has_rundown: bool,
}

/// What is asked for on a host.
#[derive(Debug)]
pub struct Plan {
    #[allow(missing_docs)]
    pub sessions: Vec<Session>,
    /// Classes that are asked for and not told.
    pub muted: Vec<&'static Class>,
    /// Classes that are not asked for.
    pub left_out: Vec<&'static Class>,
}

/// Names of the sessions.
pub const NAMES: [(Place, &str, Buffers); 4] = [
    (Place::Classic, "EndpointAgent-Classic", LARGE),
    (Place::Processes, "EndpointAgent-Processes", LARGE),
    (Place::Objects, "EndpointAgent-Objects", LARGE),
    (Place::Programs, "EndpointAgent-Programs", SMALL),
];

/// What lists the files that are open: the classic logger does when such a session ends.
pub fn open_files() -> Session {
    Session {
        name: "EndpointAgent-Files",
        buffers: LARGE,
        flags: FILE_CLASS.mask(&["DISK_FILE_IO"]) as u32,
        providers: Vec::new(),
    }
}

/// What is asked for where Sysmon tells what it can, or does not, and where these channels of the event
/// log are read; with the names that are looked up, or without.
pub fn plan(has_sysmon: bool, channels: &[&str], with_dns: bool) -> Plan {
    let is_there = |other: &Other| match other {
        Other::Sysmon => has_sysmon,
        Other::Channel(name) => channels.iter().any(|read| read.eq_ignore_ascii_case(name)),
    };
    let is_others = |class: &&Class| class.others.iter().any(is_there);
    let (others, own): (Vec<_>, Vec<_>) = CLASSES
        .iter()
        .filter(|class| with_dns || !std::ptr::eq(class.provider, &DNS))
        .partition(is_others);
    let (muted, left_out): (Vec<_>, Vec<_>) = others.into_iter().partition(|it| it.is_context);
    let asked: Vec<_> = own.into_iter().chain(muted.iter().copied()).collect();
    let sessions = NAMES.into_iter().filter_map(|(place, name, buffers)| {
        let here = asked.iter().filter(|class| class.session == place);
        let mut session = Session {
            name,
            buffers,
            flags: 0,
            providers: Vec::new(),
        };
        for class in here {
            session.add(class);
        }
        let is_used = session.flags != 0 || !session.providers.is_empty();
        is_used.then_some(session)
    });
    Plan {
        sessions: sessions.collect(),
        muted,
        left_out,
    }
}

impl Session {
    fn add(&mut self, class: &Class) {
        let keywords = class.provider.mask(class.keywords);
        if class.session == Place::Classic {
            self.flags |= keywords as u32;
            return;
        }
        let ids = class.told.iter().chain(class.silent);
        let mut known = self.providers.iter_mut();
        let is_same = |it: &&mut Enabled| std::ptr::eq(it.provider, class.provider);
        match known.find(is_same) {
            Some(provider) => {
                provider.keywords |= keywords;
                provider.level = provider.level.max(class.level);
                provider.ids.extend(ids);
            }
            None => self.providers.push(Enabled {
                provider: class.provider,
                keywords,
                level: class.level,
                ids: ids.copied().collect(),
                has_rundown: std::ptr::eq(class.provider, &KERNEL_PROCESS),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, Place, Plan, plan};
    use crate::capture::etw::templates::{KERNEL_FILE, KERNEL_PROCESS, PROCESS_CLASS};

    fn names(plan: &Plan) -> Vec<&str> {
        plan.sessions.iter().map(|session| session.name).collect()
    }

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

    #[test]
    fn a_host_without_others_is_asked_for_all() {
        let plan = plan(false, &[], true);
        assert_eq!(names(&plan).len(), 4);
        assert!(plan.muted.is_empty() && plan.left_out.is_empty());
        assert_eq!(plan.sessions[0].flags, 1);
        assert!(plan.sessions[0].providers.is_empty());
        let processes = &plan.sessions[1].providers;
        assert_eq!(processes.len(), 1);
        assert_eq!((processes[0].keywords, processes[0].level), (0x70, 4));
        assert_eq!(processes[0].ids, [1, 2, 15, 3, 5]);
        assert!(processes[0].has_rundown);
        let files = &plan.sessions[2].providers[0];
        assert!(std::ptr::eq(files.provider, &KERNEL_FILE));
        assert_eq!((files.keywords, files.has_rundown), (0x1c10, false));
        let without = super::plan(false, &[], false);
        let programs = &without.sessions[3].providers;
        assert!(programs.iter().all(|it| !it.ids.contains(&3006)));
        // A filter of Windows has at most 64 ids.
        let mut all = plan.sessions.iter().flat_map(|session| &session.providers);
        assert!(all.all(|provider| provider.ids.len() <= 64));
    }

    #[test]
    fn what_others_tell_is_not_told_twice() {
        let channels = ["microsoft-windows-powershell/operational", "Security"];
        let plan = plan(true, &channels, true);
        let muted: Vec<_> = plan.muted.iter().map(|class| class.provider.name).collect();
        assert_eq!(muted, [PROCESS_CLASS.name, KERNEL_PROCESS.name]);
        let left_out: Vec<_> = plan.left_out.iter().map(|class| class.what).collect();
        assert!(left_out.contains(&"PowerShell") && left_out.contains(&"connections"));
        assert!(!left_out.contains(&"renamed and linked files"));
        let processes = &plan.sessions[1].providers[0];
        assert_eq!(
            (processes.keywords, &processes.ids[..]),
            (0x10, &[1, 2, 15][..])
        );
        let programs = &plan.sessions[3];
        let asked: usize = programs.providers.iter().map(|it| it.ids.len()).sum();
        assert_eq!(asked, 8, "WMI and AMSI");
        let places = CLASSES
            .iter()
            .filter(|class| class.session == Place::Classic);
        assert_eq!(places.count(), 1);
    }
}
