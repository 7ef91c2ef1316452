//! On which file system a file lies, as the kernel lists mounts. The file system itself is not asked:
//! one of FUSE is a program, which may never answer.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};

use super::{LOCAL, Place, TMPFS, find, look, status};
use crate::event::{FileVersion, Unread};
use crate::host::content::is_fresh;
use crate::host::procfs;

/// Mounts of one process that are read; the kernel allows 100,000.
const MAX_MOUNTS: usize = 16_384;

/// Nanoseconds: records of the audit system tell the time in steps of this.
const STEP: u64 = 1_000_000;

/// Whose mounts most files lie on: the agent's, which may have some of its own, and the host's.
const USUAL: [&str; 2] = ["self", "1"];

/// Which mounts processes see. The usual ones are kept until they change.
#[derive(Debug, Default)]
pub struct Mounts {
    lists: Vec<File>,
    /// Whose they are, as far as that may be known.
    namespaces: Vec<Option<PathBuf>>,
    usual: Vec<Mount>,
}

#[derive(Clone, Debug)]
struct Mount {
    number: u64,
    device: (u32, u32),
    /// Magic number, if it is a file system of this host.
    filesystem: Option<u32>,
}

impl Mounts {
    /// Finds out what a record of the audit system, which has device and inode, does not tell of a
    /// file: on which file system it lies; and the version, and the place, of a program.
    ///
    /// `executed`: when it was, nanoseconds since the epoch; none of a file that is being written.
    pub fn complete(
        &mut self,
        root: &Path,
        places: &mut Vec<Place>,
        version: &mut FileVersion,
        executed: Option<u64>,
    ) -> Result<(), Unread> {
        let proc = root.join("proc");
        self.refresh(&proc);
        for place in places.iter() {
            if let Place::Program(pid) | Place::Seen(pid, _) = place
                && procfs::is_gone(root, *pid)
            {
                continue;
            }
            let mounts = self.seen_at(&proc, place);
            let Some(mount) = mounts.iter().find(|it| it.device == version.device) else {
                continue;
            };
            version.filesystem = mount.filesystem.ok_or(Unread::NotLocal)?;
            let Some(executed) = executed else {
                return Ok(());
            };
            let found = program(root, place, version, &mounts);
            if let Some(found) = found.filter(|found| is_unchanged(place, found, executed)) {
                *version = found;
                *places = vec![place.clone()];
                return Ok(());
            }
        }
        Err(Unread::NotFound)
    }

    /// The mounts that may lead to a place. No two have one number, whoever sees them.
    fn seen_at(&self, proc: &Path, place: &Place) -> Cow<'_, [Mount]> {
        let (Place::Program(pid) | Place::Seen(pid, _)) = place else {
            return (&self.usual).into();
        };
        let process = pid.to_string();
        let its = namespace(proc, &process);
        if self.namespaces.contains(&its) {
            return (&self.usual).into();
        }
        let list = open(proc, &process);
        list.iter().flat_map(read).chain(memory()).collect()
    }

    fn refresh(&mut self, proc: &Path) {
        let is_first = self.lists.is_empty();
        if is_first {
            self.lists = USUAL.iter().filter_map(|it| open(proc, it)).collect();
            self.namespaces = USUAL.map(|it| namespace(proc, it)).into();
        }
        if is_first || any_has_changed(&self.lists) {
            self.usual = self.lists.iter().flat_map(read).chain(memory()).collect();
        }
    }
}

fn namespace(proc: &Path, process: &str) -> Option<PathBuf> {
    fs::read_link(proc.join(process).join("ns/mnt")).ok()
}

fn open(proc: &Path, process: &str) -> Option<File> {
    File::open(proc.join(process).join("mountinfo")).ok()
}

/// The version of the file at a place, if it is that inode. Some file systems show another device
/// than records have, so the device is the one of its mount.
fn program(
    root: &Path,
    place: &Place,
    version: &FileVersion,
    mounts: &[Mount],
) -> Option<FileVersion> {
    let file = find(root, place).ok()?;
    let number = mount_of(&file)?;
    let mount = mounts.iter().find(|it| it.number == number)?;
    let found = look(&file, version.filesystem)?;
    (mount.device == version.device && found.inode == version.inode).then_some(found)
}

/// Whether a program is what it was when it was executed. While it runs, nobody can write to it; of
/// one that has ended, only a time of change that is long enough ago tells.
fn is_unchanged(place: &Place, found: &FileVersion, executed: u64) -> bool {
    let is_running = matches!(place, Place::Program(_));
    found.changed < executed.saturating_add(STEP) && (is_running || !is_fresh(found, executed))
}

/// The number of the mount by which a file was found. statx tells it since Linux 5.8.
fn mount_of(file: &File) -> Option<u64> {
    let told = status(file, libc::STATX_MNT_ID)?;
    if told.stx_mask & libc::STATX_MNT_ID != 0 {
        return Some(told.stx_mnt_id);
    }
    mount_in_proc(file)
}

fn mount_in_proc(file: &File) -> Option<u64> {
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let number = about
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?;
    number.trim().parse().ok()
}

/// Whether mounts have changed since they were last asked for that: each list tells only once.
fn any_has_changed(lists: &[File]) -> bool {
    let asked = lists.iter().map(|list| libc::pollfd {
        fd: list.as_raw_fd(),
        events: libc::POLLPRI,
        revents: 0,
    });
    let mut asked: Vec<libc::pollfd> = asked.collect();
    // SAFETY: as many structs as are told, which live through the call.
    unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, 0) != 0 }
}

fn read(mut list: &File) -> Vec<Mount> {
    // Where that fails, there is nothing more to read.
    let _ = list.rewind();
    let lines = BufReader::new(list).split(b'\n').map_while(Result::ok);
    let listed = lines.take(MAX_MOUNTS);
    listed.filter_map(|line| mount(&line)).collect()
}

/// A line of mountinfo: `36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/sda rw`.
fn mount(line: &[u8]) -> Option<Mount> {
    let line = String::from_utf8_lossy(line);
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut fields = mount.split(' ');
    let number = fields.next()?.parse().ok()?;
    let (major, minor) = fields.nth(1)?.split_once(':')?;
    let name = filesystem.split(' ').next()?;
    let local = LOCAL.iter().find(|(_, names)| names.contains(&name));
    Some(Mount {
        number,
        device: (major.parse().ok()?, minor.parse().ok()?),
        filesystem: local.map(|(magic, _)| *magic),
    })
}

/// The mount of files in memory, which no process has in its list.
fn memory() -> Option<Mount> {
    // SAFETY: the name is a literal.
    let descriptor = unsafe { libc::memfd_create(c"".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the kernel has just given it, and nobody else has it.
    let file = unsafe { File::from_raw_fd(descriptor) };
    Some(Mount {
        number: mount_of(&file)?,
        device: look(&file, TMPFS)?.device,
        filesystem: Some(TMPFS),
    })
}

#[cfg(test)]
mod tests;
