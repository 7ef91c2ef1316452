//! What is asked of Windows' event tracing, and of which session: what is left of the
//! [`classes`](super::classes) on a host where others tell a part of them.

use super::classes::{CLASSES, Class, Other, Place};
use super::template::Provider;
use super::templates::{DNS, FILE_CLASS, KERNEL_PROCESS};

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
