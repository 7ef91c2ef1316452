//! What was done to files and folders, and to what is seen where.

use super::call::{Act, Call, known};
use super::calls::{Flags, Folder, Removed, Row, Tells};
use super::join::kind;
use super::names::{Place, behind, inode, item, items, place};
use super::record::Record;
use super::rules::REFUSALS;
use crate::capture::ebpf::decode::file::MEMORY_OPTIONS;
use crate::capture::ebpf::decode::mount::{ATTACHED, MADE, Options, REMOVED, named_options};
use crate::event::{
    self, Attribute, FileChange, Inode, MountChange, Node, Ownership, Refusal, Times,
};

/// Flags of open(2) that write.
const WRITES: u64 = 0o3;
/// `O_TRUNC`, which writes whatever else is asked for.
const TRUNCATES: u64 = 0o1000;
/// `O_CREAT`.
const CREATES: u64 = 0o100;
/// `O_TMPFILE`.
const UNNAMED: u64 = 0o20_200_000;
/// No options.
const NONE: &Options = &[];
/// Permissions, set-id and sticky bits.
const MODE_BITS: u32 = 0o7777;

pub fn open(call: &Call, folder: Folder, flags: Flags) -> Option<Act> {
    let flags = match flags {
        Flags::In(number) => call.arguments[number],
        // Kernels before 5.16 do not tell: then only what is created is known to be written to.
        Flags::Apart => flags_of_openat2(call).unwrap_or(CREATES),
        Flags::Writes => WRITES,
    };
    let created = item(call.group, b"CREATE", 0);
    let (record, change) = created
        .map(|record| (record, FileChange::Created))
        .or_else(|| Some((item(call.group, b"NORMAL", 0)?, FileChange::Modified)))
        .filter(|(record, _)| file(record).is_some())
        .or_else(|| (flags & CREATES != 0).then(|| made_behind_link(call))?)?;
    if change == FileChange::Modified && flags & (WRITES | TRUNCATES) == 0 {
        return None;
    }
    let inode = file(&record)?;
    // By a handle, or behind a link, there is no name; but it is open now.
    let name = record.get("name").filter(|name| !name.raw.is_empty());
    let path = known(name).and_then(|_| place(call, &record, folder));
    let mut path = path.unwrap_or_else(|| behind(call.exit as i32, &record));
    let unnamed = flags & UNNAMED == UNNAMED;
    if unnamed {
        // As the kernel calls it; the name is that of the folder.
        path.path.extend(format!("/#{}", inode.number).bytes());
    }
    Some(Act::File {
        change,
        path,
        old: None,
        inode: Some(inode),
        unnamed,
    })
}

/// What the process may not do to a file. Which names there are depends on how far the kernel has come.
pub fn refused(call: &Call, row: &Row) -> Option<Act> {
    let error = i32::try_from(-call.exit).ok()?;
    if !row.tells_refusals() || !REFUSALS.contains(&error) {
        return None;
    }
    let (new, old) = row.folders();
    let is_parent = |record: &Record| record.get("nametype").is_some_and(|it| it.raw == b"PARENT");
    // The first of a symbolic link is its text.
    let text = usize::from(matches!(row.tells, Tells::Symlink(_)));
    let mut names = items(call.group)
        .filter(|record| !is_parent(record))
        .skip(text);
    let (first, last) = (names.next(), names.last());
    let has_two = matches!(row.tells, Tells::Rename(..) | Tells::Link(..));
    let is_new = |record: &Record| record.get("nametype").is_some_and(|it| it.raw == b"CREATE");
    let (path, old) = match (first, last) {
        (Some(from), Some(to)) if has_two => (place(call, &to, new)?, place(call, &from, old)),
        (Some(name), _) if has_two && !is_new(&name) => (place(call, &name, old)?, None),
        (Some(name), _) => (place(call, &name, new)?, None),
        (None, _) => (folder_of(call, new)?, None),
    };
    let change = FileChange::Refused(Refusal {
        call: event::Call::TOLD,
        error: error as u16,
    });
    named(change, path, old)
}

/// Where a call has come to no name. The record of a folder that a descriptor leads to has the name of
/// the working directory.
fn folder_of(call: &Call, folder: Folder) -> Option<Place> {
    let record = items(call.group).last()?;
    match folder.map(|number| call.descriptor(number)) {
        Some(descriptor) if descriptor != libc::AT_FDCWD => Some(behind(descriptor, &record)),
        _ => place(call, &record, folder),
    }
}

/// A link led to where nothing was, and no record has the name of what was made there.
fn made_behind_link<'a>(call: &Call<'a>) -> Option<(Record<'a>, FileChange)> {
    let created = |record: &Record| record.get("nametype").is_some_and(|it| it.raw == b"CREATE");
    let made = items(call.group).find(|record| created(record) && file(record).is_some());
    Some((made?, FileChange::Created))
}

fn file(record: &Record) -> Option<Inode> {
    inode(record).filter(|inode| inode.mode & libc::S_IFMT == libc::S_IFREG)
}

/// Written in octal digits.
fn flags_of_openat2(call: &Call) -> Option<u64> {
    let told = call.group.first(kind::OPENAT2)?.get("oflag")?;
    u64::from_str_radix(str::from_utf8(told.raw).ok()?, 8).ok()
}

/// Its name stands in the memory of the caller, and in the path of what it has opened.
pub fn memory(call: &Call, options: usize) -> Option<Act> {
    let options = named_options(call.arguments[options], MEMORY_OPTIONS);
    let path = Place {
        path: Vec::new(),
        folder: Some(call.exit as i32),
        inodes: Vec::new(),
    };
    named(FileChange::MemoryCreated(options), path, None)
}

pub fn delete(call: &Call, folder: Folder) -> Option<Act> {
    let record = item(call.group, b"DELETE", 0)?;
    let mode = inode(&record).map_or(0, |inode| inode.mode);
    let change = if mode & libc::S_IFMT == libc::S_IFDIR {
        FileChange::DirectoryDeleted
    } else {
        FileChange::Deleted
    };
    named(change, place(call, &record, folder)?, None)
}

/// A file that the new name replaced is deleted under it, after the old name. Of an exchange both
/// names are deleted and created.
pub fn rename(call: &Call, from: Folder, to: Folder) -> Option<Act> {
    let old = item(call.group, b"DELETE", 0)?;
    let new = item(call.group, b"CREATE", 0).or_else(|| item(call.group, b"DELETE", 1))?;
    if item(call.group, b"CREATE", 1).is_some() {
        let new = item(call.group, b"DELETE", 1)?;
        let old = place(call, &old, from);
        return named(FileChange::Exchanged, place(call, &new, to)?, old);
    }
    let old = place(call, &old, from);
    named(FileChange::Renamed, place(call, &new, to)?, old)
}

pub fn link(call: &Call, from: Folder, to: Folder) -> Option<Act> {
    let old = item(call.group, b"NORMAL", 0)?;
    let new = item(call.group, b"CREATE", 0)?;
    let old = place(call, &old, from);
    named(FileChange::Linked, place(call, &new, to)?, old)
}

/// The text of the link was never looked up as a name, but read as one.
pub fn symlink(call: &Call, folder: Folder) -> Option<Act> {
    let new = item(call.group, b"CREATE", 0)?;
    let text = item(call.group, b"UNKNOWN", 0).and_then(|text| text.get("name"));
    let text = text.map_or_else(Vec::new, |text| text.decoded().into_owned());
    named(
        FileChange::Symlinked(text),
        place(call, &new, folder)?,
        None,
    )
}

pub fn directory(call: &Call, folder: Folder) -> Option<Act> {
    created(call, FileChange::DirectoryCreated, folder)
}

pub fn node(call: &Call, folder: Folder, mode: usize) -> Option<Act> {
    let device = call.word(mode + 1);
    let node = Node {
        mode: call.word(mode),
        device: (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00),
    };
    created(call, FileChange::NodeCreated(node), folder)
}

fn created(call: &Call, change: FileChange, folder: Folder) -> Option<Act> {
    let record = item(call.group, b"CREATE", 0)?;
    Some(Act::File {
        change,
        path: place(call, &record, folder)?,
        old: None,
        inode: inode(&record),
        unnamed: false,
    })
}

fn named(change: FileChange, path: Place, old: Option<Place>) -> Option<Act> {
    Some(Act::File {
        change,
        path,
        old,
        inode: None,
        unnamed: false,
    })
}

/// A change of what the call's only name leads to, with its attributes as they are after it.
fn changed(
    call: &Call,
    folder: Folder,
    change: FileChange,
    update: impl FnOnce(&mut Inode),
) -> Option<Act> {
    let record = subject(call)?;
    let mut inode = inode(&record);
    if let Some(inode) = &mut inode {
        update(inode);
    }
    Some(Act::File {
        change,
        path: place(call, &record, folder)?,
        old: None,
        inode,
        unnamed: false,
    })
}

/// The last name that was not only passed on the way.
fn subject<'a>(call: &Call<'a>) -> Option<Record<'a>> {
    item(call.group, b"NORMAL", 0).or_else(|| items(call.group).next())
}

pub fn mode(call: &Call, folder: Folder, mode: usize) -> Option<Act> {
    let mode = call.word(mode) & MODE_BITS;
    changed(call, folder, FileChange::Permissions(mode), |inode| {
        inode.mode = inode.mode & !MODE_BITS | mode;
    })
}

/// `kept`: the number that means no change.
pub fn owner(call: &Call, folder: Folder, user: usize, kept: u32) -> Option<Act> {
    let id = |number| Some(call.word(number) & kept).filter(|&id| id != kept);
    let ownership = Ownership {
        uid: id(user),
        gid: id(user + 1),
    };
    changed(call, folder, FileChange::Ownership(ownership), |inode| {
        inode.uid = ownership.uid.unwrap_or(inode.uid);
        inode.gid = ownership.gid.unwrap_or(inode.gid);
    })
}

/// Other times than the present stand in the memory of the caller.
pub fn times(call: &Call, folder: Folder, times: usize) -> Option<Act> {
    let now = (call.arguments[times] == 0).then_some(call.group.time);
    let times = Times {
        accessed: now,
        modified: now,
    };
    changed(call, folder, FileChange::Times(times), |_| {})
}

/// The attribute's name stands in the memory of the caller.
pub fn attribute(call: &Call, folder: Folder, removed: Removed) -> Option<Act> {
    let attribute = Attribute {
        name: Vec::new(),
        removed,
    };
    changed(call, folder, FileChange::Attribute(attribute), |_| {})
}

pub fn truncate(call: &Call, arguments: usize) -> Option<Act> {
    let size = match arguments {
        1 => call.arguments[1],
        _ => u64::from(call.word(2)) << 32 | u64::from(call.word(1)),
    };
    changed(call, None, FileChange::Truncated(size), |inode| {
        inode.size = Some(size);
    })
}

/// A name that was looked up, after those that stand before it.
fn looked_up(call: &Call, index: usize, folder: Folder) -> Option<Place> {
    let names = items(call.group).filter(|name| name.get("inode").is_some());
    let mut names = names.filter(|name| {
        name.get("nametype")
            .is_none_or(|kind| kind.raw != b"PARENT")
    });
    place(call, &names.nth(index)?, folder)
}

fn mounted(
    change: MountChange,
    path: Place,
    source: Option<Place>,
    (bits, names): (u64, &Options),
) -> Option<Act> {
    Some(Act::Mount {
        change,
        path,
        source,
        options: named_options(bits, names),
    })
}

/// The folder is looked up before what is mounted there, which need not be a name.
pub fn mount(call: &Call) -> Option<Act> {
    let path = looked_up(call, 0, None)?;
    let options = call.arguments[3];
    let source = looked_up(call, 1, None);
    mounted(MountChange::Mounted, path, source, (options, MADE))
}

/// The source is looked up first, unless it is a descriptor of a mount without a place.
pub fn move_mount(call: &Call) -> Option<Act> {
    let second = looked_up(call, 1, Some(2));
    let source = second.as_ref().and_then(|_| looked_up(call, 0, Some(0)));
    let path = second.or_else(|| looked_up(call, 0, Some(2)))?;
    mounted(MountChange::Mounted, path, source, (0, ATTACHED))
}

pub fn unmount(call: &Call) -> Option<Act> {
    let path = looked_up(call, 0, None)?;
    let options = call.arguments[1];
    mounted(MountChange::Unmounted, path, None, (options, REMOVED))
}

pub fn pivot_root(call: &Call) -> Option<Act> {
    let (path, old) = (looked_up(call, 0, None)?, looked_up(call, 1, None));
    mounted(MountChange::RootSwapped, path, old, (0, NONE))
}

pub fn chroot(call: &Call) -> Option<Act> {
    let path = looked_up(call, 0, None)?;
    mounted(MountChange::RootChanged, path, None, (0, NONE))
}
