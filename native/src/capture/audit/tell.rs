//! What a call did as events: with what is known of the processes, and what /proc tells.

use super::call::{Act, Ids, Told};
use super::host::{Host, NAMESPACES, Status};
use super::names::{Place, below};
use super::tasks::{Task, Tasks};
use crate::ecs::names;
use crate::event::{
    Action, Attachment, BpfProgram, Call, Change, Connection, Content, Event, Exec, ExecFailed,
    File, FileChange, Identity, Injection, Module, Mount, NamespaceChange, ProcessKey, Signal,
    Target, UNSET_ID,
};

/// Where a process's PID namespace stands among its [`NAMESPACES`].
const PIDS: usize = 4;

/// How the kernel's names of files in memory begin.
const MEMORY: &[u8] = b"/memfd:";

/// Supplementary groups that are told, as by the kernel programs.
const MAX_GROUPS: usize = 32;

/// The events of a call, unless its process is not to be reported.
pub fn tell(told: Told, tasks: &mut Tasks, host: &mut Host, sink: &mut dyn FnMut(Event)) {
    let Some(told) = of_child(told, host) else {
        return;
    };
    let parent = tasks.of(told.parent, host);
    let known = tasks.of(told.pid, host);
    if known.or(parent).is_some_and(|task| task.muted) {
        return;
    }
    let before = known.and_then(|task| task.ids);
    tasks.update(told.pid, |task| {
        task.credentials = told.ids.credentials();
        (task.ids, task.login) = (Some(told.ids), told.login);
    });
    let mut teller = Teller {
        pid: told.pid,
        ids: told.ids,
        before,
        parent,
        tasks,
        host,
    };
    let mut actions = teller.actions(told.act).into_iter();
    let mut call = Some(Box::new(told.call));
    while let Some(action) = actions.next() {
        let is_last = actions.len() == 0;
        sink(Event {
            time: told.time,
            process: known.map_or_else(|| unknown(told.pid), |task| task.key),
            thread: told.pid,
            credentials: told.ids.credentials(),
            login: told.login,
            repeat: None,
            call: if is_last { call.take() } else { call.clone() },
            content: Content::Unasked,
            action,
        });
    }
}

/// What became of a new process is the event of that process. Its number is as its parent sees it,
/// so nothing can be told from within a PID namespace.
fn of_child(mut told: Told, host: &mut Host) -> Option<Told> {
    if let Act::ChildNamespaces(child, flags) = told.act {
        if host.namespaces(told.pid)[PIDS] != host.first_namespaces()[PIDS] {
            return None;
        }
        (told.parent, told.pid) = (told.pid, child);
        told.act = Act::Namespaces(flags);
    }
    Some(told)
}

fn unknown(pid: u32) -> ProcessKey {
    ProcessKey {
        pid,
        start: ProcessKey::UNKNOWN_START,
    }
}

struct Teller<'a> {
    pid: u32,
    ids: Ids,
    /// What was known of its ids before the call.
    before: Option<Ids>,
    parent: Option<Task>,
    tasks: &'a mut Tasks,
    host: &'a mut Host,
}

impl Teller<'_> {
    fn actions(&mut self, act: Act) -> Vec<Action> {
        let action = match act {
            Act::Exec(exec) => {
                let itself = self.tasks.of(self.pid, self.host);
                let surroundings = itself.map(|task| self.host.surroundings(task.key));
                let (group, namespaces) = surroundings.unwrap_or_default();
                Some(Action::Exec(Exec {
                    parent: self.parent.map(|parent| parent.key),
                    group,
                    namespaces,
                    ..*exec
                }))
            }
            Act::ExecFailed(path, error) => {
                let (path, path_truncated) = self.absolute(path);
                Some(Action::ExecFailed(ExecFailed {
                    call: Call::TOLD,
                    path,
                    path_truncated,
                    error,
                    arguments: Vec::new(),
                    arguments_truncated: true,
                }))
            }
            Act::File { .. } => self.file(act),
            Act::Mount { .. } => self.mount(act),
            Act::Connection {
                direction,
                peer,
                stage,
            } => Some(Action::Connection(Connection {
                direction,
                local: None,
                peer,
                stage,
            })),
            Act::Listen(fd) => self.host.listening(self.pid, fd).map(Action::Listen),
            Act::Identity(groups) => self.identity(groups),
            Act::Capabilities(mut after) => {
                // The records of older kernels, 5.10's too, have the effective ones for these.
                if after.inheritable == after.effective && after.effective != 0 {
                    let status = self.host.status(self.pid);
                    let told = status.and_then(|status| status.mask("CapInh"));
                    after.inheritable = told.unwrap_or(after.inheritable);
                }
                Some(Action::Capabilities(Change {
                    call: Call::TOLD,
                    before: None,
                    after,
                }))
            }
            Act::Namespaces(flags) | Act::ChildNamespaces(_, flags) => Some(self.namespaces(flags)),
            Act::Injection {
                target,
                request,
                bytes,
            } => self.injection(target, request, bytes),
            Act::Signal(number, targets) => return self.signals(number, &targets),
            Act::ModuleLoaded(name, file) => {
                let path = file.and_then(|file| self.host.file_behind(self.pid, file, &[]));
                Some(module(name, path, false))
            }
            Act::ModuleUnloaded(name) => Some(module(name, None, true)),
            Act::BpfLoaded(id, fd) => Some(self.program(id, fd, false)),
            Act::BpfLinked(fd) => Some(self.program(None, fd, true)),
        };
        let back = action.as_ref().and_then(way_back);
        action.into_iter().chain(back).collect()
    }

    /// A path, and whether its begin is lost: the folder it counts from is what the descriptor
    /// leads to now.
    fn absolute(&mut self, place: Place) -> (Vec<u8>, bool) {
        let Some(folder) = place.folder else {
            return (place.path, false);
        };
        match self.host.file_behind(self.pid, folder, &place.inodes) {
            Some(folder) if place.path.is_empty() => (folder, false),
            Some(folder) => (below(&folder, &place.path), false),
            None => (place.path, true),
        }
    }

    fn file(&mut self, act: Act) -> Option<Action> {
        let Act::File {
            change,
            path,
            old,
            inode,
            unnamed,
        } = act
        else {
            return None;
        };
        let (mut path, mut path_truncated) = self.absolute(path);
        let is_in_memory = matches!(change, FileChange::MemoryCreated(_));
        if is_in_memory && !path.starts_with(MEMORY) {
            // The descriptor leads elsewhere by now.
            (path, path_truncated) = (Vec::new(), true);
        }
        if let Some(target) = whose_memory(&path)
            && change == FileChange::Modified
        {
            return self.injection((target, None), 0, 0);
        }
        let old = old.map(|old| self.absolute(old));
        let old_path_truncated = old.as_ref().is_some_and(|(_, truncated)| *truncated);
        Some(Action::File(File {
            change,
            path,
            old_path: old.map(|(path, _)| path),
            path_truncated,
            old_path_truncated,
            deleted: is_in_memory || unnamed,
            unanswered: false,
            nofollow: inode.is_some_and(|inode| inode.mode & libc::S_IFMT == libc::S_IFLNK),
            inode,
        }))
    }

    fn mount(&mut self, act: Act) -> Option<Action> {
        let Act::Mount {
            change,
            path,
            source,
            options,
        } = act
        else {
            return None;
        };
        let (path, path_truncated) = self.absolute(path);
        let source = source.map(|source| self.absolute(source));
        let source_truncated = source.as_ref().is_some_and(|(_, truncated)| *truncated);
        let source = source.map(|(path, _)| path);
        let is_swapped = change == crate::event::MountChange::RootSwapped;
        let (put_old, source) = if is_swapped {
            (source, None)
        } else {
            (None, source)
        };
        Some(Action::Mount(Mount {
            change,
            path,
            path_truncated,
            source: source.unwrap_or_default(),
            source_truncated,
            put_old,
            filesystem: Vec::new(),
            options,
        }))
    }

    /// Not for one that stays the same, except that the groups may be others.
    fn identity(&mut self, groups: Option<u32>) -> Option<Action> {
        if groups.is_none() && self.before == Some(self.ids) {
            return None;
        }
        let status = self.host.status(self.pid);
        let listed = status.map(|status| {
            let groups = status
                .words("Groups")
                .map(|word| word.parse().unwrap_or(UNSET_ID));
            groups.collect::<Vec<u32>>()
        });
        let count = listed.as_ref().map(|listed| listed.len() as u32);
        let identity = |ids: Ids, supplementary, count| Identity {
            users: ids.users,
            groups: ids.groups,
            supplementary,
            supplementary_count: count,
        };
        let supplementary = listed.map(|mut listed| {
            listed.truncate(MAX_GROUPS);
            listed
        });
        Some(Action::Identity(Box::new(Change {
            call: Call::TOLD,
            before: self.before.map(|ids| identity(ids, None, 0)),
            after: identity(self.ids, supplementary, count.or(groups).unwrap_or(0)),
        })))
    }

    /// `flags`: which; 0 for those that are not the first process's.
    fn namespaces(&mut self, flags: u32) -> Action {
        let now = self.host.namespaces(self.pid);
        let first = match flags {
            0 => self.host.first_namespaces(),
            _ => now,
        };
        let all = NAMESPACES.iter().zip(now).zip(first);
        let changed = all.filter(|&((&(bit, ..), now), first)| flags & bit != 0 || now != first);
        Action::Namespace(NamespaceChange {
            call: Call::TOLD,
            changed: changed
                .map(|((&(.., name), number), _)| (name, number))
                .collect(),
        })
    }

    /// Where no record tells the target, the call has its number, as the caller sees it. What a
    /// process does to itself is no injection.
    fn injection(
        &mut self,
        (pid, user): (u32, Option<u32>),
        request: u32,
        bytes: u64,
    ) -> Option<Action> {
        let target = match user {
            Some(user) => self.target(pid, user),
            None => {
                let is_visible =
                    self.host.namespaces(self.pid)[PIDS] == self.host.first_namespaces()[PIDS];
                let status = self.host.status(pid).filter(|_| is_visible)?;
                self.target(status.number("Tgid")?, status.number("Uid")?)
            }
        };
        (target.process.pid != self.pid).then_some(Action::Injection(Injection {
            call: Call::TOLD,
            request,
            target,
            bytes,
        }))
    }

    fn target(&mut self, pid: u32, uid: u32) -> Target {
        let known = self.tasks.of(pid, self.host);
        Target {
            process: known.map_or_else(|| unknown(pid), |task| task.key),
            uid,
        }
    }

    fn signals(&mut self, number: u32, targets: &[(u32, u32)]) -> Vec<Action> {
        let mut actions = Vec::new();
        for &(pid, uid) in targets {
            let status = self.host.status(pid);
            let is_own = uid == self.ids.users[1];
            if is_ignored(number, status.as_ref())
                || (is_own && !ends_or_stops(number, status.as_ref()))
            {
                continue;
            }
            actions.push(Action::Signal(Signal {
                call: Call::TOLD,
                number,
                target: self.target(pid, uid),
            }));
        }
        actions
    }

    /// What a descriptor of eBPF leads to is told as long as it is open.
    fn program(&mut self, id: Option<u32>, fd: i32, is_linked: bool) -> Action {
        let about = self.host.about_descriptor(self.pid, fd);
        let about = about.as_ref();
        let number = |name| about.and_then(|about| about.number(name));
        let link = about.and_then(|about| names::link_number(about.words("link_type").next()?));
        let tag = about.and_then(|about| about.mask("prog_tag"));
        Action::Bpf(BpfProgram {
            id: id.or_else(|| number("prog_id")).unwrap_or(0),
            kind: number("prog_type").unwrap_or(0),
            tag: tag.unwrap_or(0).to_be_bytes(),
            name: Vec::new(),
            attachment: is_linked.then(|| Attachment::Link(link.unwrap_or(0))),
        })
    }
}

/// Of names that were exchanged, the other one's change.
fn way_back(action: &Action) -> Option<Action> {
    match action {
        Action::File(file) if file.change == FileChange::Exchanged => Some(Action::File(File {
            path: file.old_path.clone()?,
            old_path: Some(file.path.clone()),
            path_truncated: file.old_path_truncated,
            old_path_truncated: file.path_truncated,
            ..file.clone()
        })),
        _ => None,
    }
}

/// The process of which a path is the memory: `/proc/PID/mem`, and `…/task/TID/mem`.
fn whose_memory(path: &[u8]) -> Option<u32> {
    let inside = path.strip_prefix(b"/proc/")?.strip_suffix(b"/mem")?;
    let digits = inside.rsplit(|&byte| byte == b'/').next()?;
    str::from_utf8(digits).ok()?.parse().ok()
}

fn module(name: Vec<u8>, path: Option<Vec<u8>>, is_unloaded: bool) -> Action {
    Action::Module(Module {
        call: Call::TOLD,
        is_unloaded,
        name,
        path,
        path_truncated: false,
    })
}

/// Whether a mask of signals has one.
fn has(status: Option<&Status>, mask: &str, signal: u32) -> bool {
    let mask = status.and_then(|status| status.mask(mask)).unwrap_or(0);
    mask.checked_shr(signal.wrapping_sub(1))
        .is_some_and(|mask| mask & 1 != 0)
}

fn is_ignored(signal: u32, status: Option<&Status>) -> bool {
    has(status, "SigIgn", signal)
}

/// Whether a signal ends or stops a process; one that is gone was ended.
fn ends_or_stops(signal: u32, status: Option<&Status>) -> bool {
    match signal as i32 {
        libc::SIGKILL | libc::SIGTERM | libc::SIGSTOP => true,
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT => false,
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => false,
        _ => !has(status, "SigCgt", signal),
    }
}
