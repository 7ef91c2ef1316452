//! Names of users and groups, from `/etc/passwd` and `/etc/group` alone.
//!
//! The name services of the C library are left out on purpose: they may ask a directory server over
//! the network, and no event can wait for that.

use std::fs::{File, Metadata};
use std::io::Read;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hashbrown::HashMap;

/// Nanoseconds of event time between two looks at the files.
const INTERVAL: u64 = 10_000_000_000;
/// Bytes that are read of a file, about 20,000 users.
const MAX_FILE: u64 = 1 << 20;
/// Longest name in bytes; useradd allows 32, directories more.
const MAX_NAME: usize = 256;

/// Who has which number.
#[derive(Debug)]
pub struct Users {
    users: Names,
    groups: Names,
    /// Event time of the last look.
    looked: Option<u64>,
}

impl Users {
    /// `root`: where etc is found. Nothing is read yet.
    pub fn new(root: &Path) -> Self {
        Self {
            users: Names::new(root.join("etc/passwd")),
            groups: Names::new(root.join("etc/group")),
            looked: None,
        }
    }

    /// Reads the files again if it is time to look and they have changed; whether they had.
    pub fn refresh(&mut self, now: u64) -> bool {
        if self
            .looked
            .is_some_and(|looked| now.abs_diff(looked) < INTERVAL)
        {
            return false;
        }
        self.looked = Some(now);
        let users_changed = self.users.refresh();
        self.groups.refresh() || users_changed
    }

    /// The name of a user.
    pub fn user(&self, uid: u32) -> Option<&[u8]> {
        self.users.of(uid)
    }

    /// The numbers of a user's name.
    pub fn ids<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        let named = self
            .users
            .names
            .iter()
            .filter(move |(_, it)| ***it == *name);
        named.map(|(&id, _)| id)
    }

    /// The name of a group.
    pub fn group(&self, gid: u32) -> Option<&[u8]> {
        self.groups.of(gid)
    }
}

/// The names in one file of lines `name:x:id:…`.
#[derive(Debug)]
struct Names {
    path: PathBuf,
    read: Option<Version>,
    names: HashMap<u32, Box<[u8]>>,
}

/// What changes when a file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: u64,
    size: u64,
}

impl Names {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: None,
            names: HashMap::new(),
        }
    }

    fn of(&self, id: u32) -> Option<&[u8]> {
        self.names.get(&id).map(|name| &**name)
    }

    fn refresh(&mut self) -> bool {
        let version = self
            .path
            .metadata()
            .ok()
            .filter(Metadata::is_file)
            .map(|data| Version {
                modified: data.modified().ok(),
                #[cfg(unix)]
                inode: data.ino(),
                size: data.len(),
            });
        if version == self.read {
            return false;
        }
        self.names = version
            .as_ref()
            .map(|_| parse(&read(&self.path)))
            .unwrap_or_default();
        self.read = version;
        true
    }
}

/// A file that cannot be read leaves numbers without names, which the events then show.
fn read(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(MAX_FILE).read_to_end(&mut text);
    }
    if text.len() as u64 == MAX_FILE {
        text.truncate(text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0));
    }
    text
}

/// Of several names for one number the first counts, as for getpwuid(3).
fn parse(text: &[u8]) -> HashMap<u32, Box<[u8]>> {
    let mut names = HashMap::new();
    for (id, name) in text.split(|&byte| byte == b'\n').filter_map(entry) {
        names.entry(id).or_insert_with(|| name.into());
    }
    names
}

fn entry(line: &[u8]) -> Option<(u32, &[u8])> {
    let mut fields = line.split(|&byte| byte == b':');
    let name = fields
        .next()
        .filter(|name| (1..=MAX_NAME).contains(&name.len()))?;
    let id = str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
    Some((id, name))
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, MAX_FILE, Users};
    use std::fs;
    use tempfile::TempDir;

    fn root(passwd: &[u8]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(
            root.path().join("etc/group"),
            "root:x:0:\nadm:x:4:syslog,john\n",
        )
        .unwrap();
        root
    }

    #[test]
    fn names_users_and_groups() {
        let root = root(b"root:x:0:0:root:/root:/bin/bash\njohn:x:1000:1000::/home/john:/bin/sh\n");
        let mut users = Users::new(root.path());
        assert!(users.refresh(0));
        assert_eq!(users.user(1000), Some(&b"john"[..]));
        assert_eq!(users.group(4), Some(&b"adm"[..]));
        assert_eq!(users.user(4), None);
        assert_eq!(users.group(u32::MAX), None);
    }

    #[test]
    fn sees_a_changed_file_at_the_next_look() {
        let root = root(b"root:x:0:0\n");
        let mut users = Users::new(root.path());
        users.refresh(0);
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0\nnew:x:1001:1001\n",
        )
        .unwrap();
        assert!(!users.refresh(INTERVAL - 1));
        assert_eq!(users.user(1001), None);
        assert!(users.refresh(INTERVAL));
        assert_eq!(users.user(1001), Some(&b"new"[..]));
        assert!(!users.refresh(2 * INTERVAL));
        fs::remove_file(root.path().join("etc/passwd")).unwrap();
        assert!(users.refresh(3 * INTERVAL));
        assert_eq!(users.user(1001), None);
    }

    #[test]
    fn survives_hostile_lines() {
        let mut text =
            b"\n:::\nx\ny:x\nz:x:-1\nbig:x:4294967296\nno:x:1e3\n\xff\xfe:x:7:\n".to_vec();
        text.extend([b'a'; 300]);
        text.extend(b":x:8:\ntwo:x:7:\n+::::::\nlast:x:9");
        let root = root(&text);
        let mut users = Users::new(root.path());
        users.refresh(0);
        assert_eq!(users.user(7), Some(&b"\xff\xfe"[..]));
        assert_eq!(users.user(8), None);
        assert_eq!(users.user(9), Some(&b"last"[..]));
        assert_eq!(users.users.names.len(), 2);
    }

    #[test]
    fn reads_whole_lines_of_a_huge_file() {
        let mut text = b"root:x:0:0:".to_vec();
        text.resize(MAX_FILE as usize - b"\ncut:x:20".len(), b' ');
        text.extend(b"\ncut:x:201:201\n");
        let root = root(&text);
        let mut users = Users::new(root.path());
        users.refresh(0);
        assert_eq!(users.user(0), Some(&b"root"[..]));
        assert_eq!(users.user(20), None);
    }

    #[test]
    fn does_without_files() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/passwd")).unwrap();
        let mut users = Users::new(root.path());
        assert!(!users.refresh(0));
        assert_eq!(users.user(0), None);
    }
}
