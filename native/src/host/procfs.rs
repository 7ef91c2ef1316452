//! Processes as /proc shows them. A process may vanish between two reads; it is then left out.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::{Action, Credentials, Event, Exec, ProcessKey};

/// Processes that a snapshot may hold; the kernel's own limit is 4,194,304.
const MAX_PROCESSES: usize = 131_072;
/// Bytes read of `stat` and `status`, whose start is all that is needed.
const MAX_STATUS: u64 = 4_096;
/// Bytes kept of the arguments, as of those that the kernel programs send.
const MAX_ARGUMENTS: usize = 32_768;
/// Put behind the path of a file that has no name any more.
const DELETED: &[u8] = b" (deleted)";

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

fn pids(proc: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .take(MAX_PROCESSES)
}

fn describe(proc: &Path, stat: Stat, parent: Option<ProcessKey>) -> Option<Event> {
    let process = stat.key();
    let folder = folder(proc, process.pid);
    let credentials = credentials(&read(&folder.join("status"), MAX_STATUS)?)?;
    let mut arguments = read(&folder.join("cmdline"), MAX_ARGUMENTS as u64 + 1)?;
    let arguments_truncated = arguments.len() > MAX_ARGUMENTS;
    arguments.truncate(MAX_ARGUMENTS);
    if arguments.is_empty() {
        arguments = [&*stat.name, &[0]].concat();
    }
    let exec = Exec {
        parent,
        executable: link(&folder.join("exe")),
        working_directory: link(&folder.join("cwd")),
        arguments,
        arguments_truncated,
        arguments_count: 0,
    };
    // The pid may have passed to another process while its files were read.
    let same = Stat::read(proc, process.pid)?.key() == process;
    same.then(|| Event {
        time: now(),
        process,
        thread: process.pid,
        credentials,
        repeat: None,
        action: Action::Snapshot(exec),
    })
}

/// The fields of `/proc/PID/stat` that are needed.
struct Stat {
    pid: u32,
    parent: u32,
    start: u64,
    name: Box<[u8]>,
}

impl Stat {
    fn read(proc: &Path, pid: u32) -> Option<Self> {
        let text = read(&folder(proc, pid).join("stat"), MAX_STATUS)?;
        Self::parse(pid, &text)
    }

    /// The name stands in parentheses and may hold parentheses, spaces and line feeds.
    fn parse(pid: u32, text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let name = text.get(open + 1..close)?.into();
        let mut fields = str::from_utf8(&text[close + 1..])
            .ok()?
            .split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?; // field 4
        let start = fields.nth(17)?.parse().ok()?; // field 22
        Some(Self {
            pid,
            parent,
            start,
            name,
        })
    }

    fn key(&self) -> ProcessKey {
        ProcessKey {
            pid: self.pid,
            start: self.start,
        }
    }
}

/// `Uid:` and `Gid:` give the real, effective, saved and file system ids.
fn credentials(status: &[u8]) -> Option<Credentials> {
    let ids = |label: &[u8]| {
        let line = status
            .split(|&byte| byte == b'\n')
            .find_map(|line| line.strip_prefix(label))?;
        let mut ids = str::from_utf8(line).ok()?.split_ascii_whitespace();
        Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
    };
    let ((uid, euid), (gid, egid)) = (ids(b"Uid:")?, ids(b"Gid:")?);
    Some(Credentials {
        uid,
        euid,
        gid,
        egid,
    })
}

/// Where a link leads, empty if it cannot be told, as for threads of the kernel.
fn link(path: &Path) -> Vec<u8> {
    let target = fs::read_link(path).unwrap_or_default();
    let mut target = target.into_os_string().into_vec();
    let has_no_name = || path.metadata().is_ok_and(|file| file.nlink() == 0);
    if target.ends_with(DELETED) && has_no_name() {
        target.truncate(target.len() - DELETED.len());
    }
    target
}

fn folder(proc: &Path, pid: u32) -> PathBuf {
    proc.join(pid.to_string())
}

fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut text)
        .ok()?;
    Some(text)
}

fn now() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    elapsed.as_nanos().try_into().unwrap_or(u64::MAX)
}
