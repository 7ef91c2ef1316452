//! The files of one process in /proc, read and understood one by one.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::event::{Credentials, LoginSession, Namespaces, ProcessKey};

/// Bytes read of `stat` and `status`, whose start is all that is needed.
const MAX_STATUS: u64 = 4_096;
/// Bytes read of a file that holds one number of 32 bits.
const MAX_NUMBER: u64 = 16;
/// Bytes read of the list of control groups: a path for each of some fifteen hierarchies.
const MAX_GROUPS: u64 = 65_536;
/// What the kernel puts behind the path of a file that has no name any more.
const DELETED: &[u8] = b" (deleted)";

/// The fields of `/proc/PID/stat` that are needed.
pub struct Stat {
    pub pid: u32,
    pub parent: u32,
    pub start: u64,
    pub name: Box<[u8]>,
}

impl Stat {
    pub fn read(proc: &Path, pid: u32) -> Option<Self> {
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

    pub fn key(&self) -> ProcessKey {
        ProcessKey {
            pid: self.pid,
            start: self.start,
        }
    }
}

/// `Uid:` and `Gid:` give the real, effective, saved and file system ids.
pub fn credentials(folder: &Path) -> Option<Credentials> {
    let status = read(&folder.join("status"), MAX_STATUS)?;
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

/// The control group: that of cpuset if there is one, else that of version 2; a root only if there is nothing else.
pub fn group(folder: &Path) -> Option<Vec<u8>> {
    let text = read(&folder.join("cgroup"), MAX_GROUPS)?;
    let lines = text.split(|&byte| byte == b'\n');
    let groups = lines.filter_map(|line| {
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let has_cpuset = controllers
            .split(|&byte| byte == b',')
            .any(|it| it == b"cpuset");
        Some((
            path != b"/",
            has_cpuset,
            controllers.is_empty(),
            path.to_vec(),
        ))
    });
    groups.max().map(|(.., path)| path)
}

/// Each link reads `pid:[4026531836]`.
pub fn namespaces(folder: &Path) -> Namespaces {
    let number = |name: &str| {
        let link = fs::read_link(folder.join("ns").join(name)).ok()?;
        let digits = link.to_str()?.split_once(":[")?.1.strip_suffix(']')?;
        digits.parse().ok()
    };
    let number = |name| number(name).unwrap_or(0);
    Namespaces {
        pid: number("pid"),
        mnt: number("mnt"),
        net: number("net"),
        user: number("user"),
        uts: number("uts"),
        ipc: number("ipc"),
    }
}

/// Who logged in: unset where the kernel has no audit system.
pub fn login(folder: &Path) -> LoginSession {
    let number = |name| {
        let text = read(&folder.join(name), MAX_NUMBER)?;
        str::from_utf8(&text).ok()?.trim_ascii().parse().ok()
    };
    LoginSession {
        uid: number("loginuid").unwrap_or(LoginSession::UNSET.uid),
        session: number("sessionid").unwrap_or(LoginSession::UNSET.session),
    }
}

/// Where a link leads, empty if it cannot be told, as for threads of the kernel; and whether what
/// lay there has no name any more.
///
/// The text of the link decides, so a file whose own name ends in ` (deleted)` is taken for a
/// deleted one. To ask the file itself might wait forever for a server that is gone.
pub fn link(path: &Path) -> (Vec<u8>, bool) {
    let target = fs::read_link(path).unwrap_or_default();
    let mut target = target.into_os_string().into_vec();
    let deleted = target.ends_with(DELETED);
    if deleted {
        target.truncate(target.len() - DELETED.len());
    }
    (target, deleted)
}

/// Where the files of a process are.
pub fn folder(proc: &Path, pid: u32) -> PathBuf {
    proc.join(pid.to_string())
}

/// The first bytes of a file.
pub fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut text)
        .ok()?;
    Some(text)
}
