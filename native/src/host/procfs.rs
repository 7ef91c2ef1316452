//! Processes as /proc shows them. A process may vanish between two reads; it is then left out.

mod files;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use self::files::{Stat, credentials, folder, group, link, login, namespaces, read};
use crate::event::{Action, Content, Event, Exec, Group, Namespaces, ProcessKey};
use crate::host::clock;

/// Processes that a snapshot may hold; the kernel's own limit is 4,194,304.
const MAX_PROCESSES: usize = 131_072;
/// Bytes kept of the arguments, as of those that the kernel programs send.
const MAX_ARGUMENTS: usize = 32_768;
/// Nanoseconds of the unit of [`ProcessKey::start`].
pub const TICK: u64 = 10_000_000;

/// Every process, oldest first, so that parents come before their children.
///
/// `root`: where proc is found. Threads of the kernel have a name as their only argument, and no
/// executable.
pub fn snapshot(root: &Path) -> impl Iterator<Item = Event> {
    let proc = root.join("proc");
    let mut found: Vec<Stat> = pids(&proc)
        .filter_map(|pid| Stat::read(&proc, pid))
        .collect();
    found.sort_unstable_by_key(|stat| (stat.start, stat.pid));
    let starts: HashMap<u32, u64> = found.iter().map(|stat| (stat.pid, stat.start)).collect();
    found.into_iter().filter_map(move |stat| {
        let parent = starts.get(&stat.parent).map(|&start| ProcessKey {
            pid: stat.parent,
            start,
        });
        describe(&proc, stat, parent)
    })
}

/// One process, as [`snapshot`] would give it.
pub fn process(root: &Path, pid: u32) -> Option<Event> {
    let proc = root.join("proc");
    let stat = Stat::read(&proc, pid)?;
    let parent = Stat::read(&proc, stat.parent).map(|parent| parent.key());
    describe(&proc, stat, parent)
}

/// Whether no process has this number. The kernel tells that sooner than /proc, which makes an entry
/// for the name before it looks. Of a /proc elsewhere, whose numbers may be others, it tells nothing.
pub fn is_gone(root: &Path, pid: u32) -> bool {
    if root != Path::new("/") {
        return false;
    }
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 0) else {
        return false;
    };
    // SAFETY: the signal 0 is never sent.
    let failed = unsafe { libc::kill(pid, 0) } != 0;
    failed && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// When a process started, as in [`ProcessKey::start`].
pub fn start(root: &Path, pid: u32) -> Option<u64> {
    if is_gone(root, pid) {
        return None;
    }
    Stat::read(&root.join("proc"), pid).map(|stat| stat.start)
}

/// Where a descriptor of a process leads.
pub fn descriptor(root: &Path, pid: u32, fd: i32) -> Option<Vec<u8>> {
    let (path, _) = link(&root.join(format!("proc/{pid}/fd/{fd}")));
    path.starts_with(b"/").then_some(path)
}

fn pids(proc: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .take(MAX_PROCESSES)
}

fn describe(proc: &Path, stat: Stat, parent: Option<ProcessKey>) -> Option<Event> {
    let process = stat.key();
    let folder = folder(proc, process.pid);
    let credentials = credentials(&folder)?;
    let mut arguments = read(&folder.join("cmdline"), MAX_ARGUMENTS as u64 + 1)?;
    let arguments_truncated = arguments.len() > MAX_ARGUMENTS;
    arguments.truncate(MAX_ARGUMENTS);
    if arguments.is_empty() {
        arguments = [&*stat.name, &[0]].concat();
    }
    let (executable, deleted) = link(&folder.join("exe"));
    let (working_directory, _) = link(&folder.join("cwd"));
    let exec = Exec {
        parent,
        executable,
        working_directory,
        arguments,
        arguments_truncated,
        deleted,
        group: Group {
            id: 0,
            path: group(&folder).unwrap_or_default(),
        },
        namespaces: namespaces(&folder),
        ..Default::default()
    };
    // The pid may have passed to another process while its files were read.
    let same = Stat::read(proc, process.pid)?.key() == process;
    same.then(|| Event {
        time: clock::real_time(),
        process,
        thread: process.pid,
        credentials,
        login: login(&folder),
        repeat: None,
        call: None,
        content: Content::Unasked,
        action: Action::Snapshot(exec),
    })
}

/// The path of a process's control group, none if it is gone: the one that the kernel programs tell.
pub fn group_of(root: &Path, pid: u32) -> Option<Vec<u8>> {
    group(&folder(&root.join("proc"), pid))
}

/// The path of a process's control group, and its namespaces; none if it is gone.
pub fn surroundings(root: &Path, process: ProcessKey) -> Option<(Vec<u8>, Namespaces)> {
    if is_gone(root, process.pid) {
        return None;
    }
    let proc = root.join("proc");
    let folder = folder(&proc, process.pid);
    let group = group(&folder)?;
    let namespaces = namespaces(&folder);
    // Who has ended, but for its parent's waiting, has none, and is told to be in the root group.
    let is_there = namespaces.mnt != 0;
    let same = || Stat::read(&proc, process.pid).is_some_and(|stat| stat.key() == process);
    (is_there && same()).then_some((group, namespaces))
}

#[cfg(test)]
mod tests;
