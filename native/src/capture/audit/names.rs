//! The names that a call used: their paths, and what they led to.

use super::call::{Call, known};
use super::calls::Folder;
use super::join::{Group, kind};
use super::record::Record;
use crate::event::Inode;

/// A path as the call was told it, as far as it can be made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path.
    pub path: Vec<u8>,
    /// It begins at the folder behind this descriptor; an empty one is what the descriptor leads to.
    pub folder: Option<i32>,
    /// Numbers of the inodes of which the descriptor led to one; none if that is not known.
    pub inodes: Vec<u64>,
}

/// The name of a type (`nametype`), the first of them or a later one, that the call was given. What
/// a file system does beneath it, as overlayfs in its layers, is recorded too, without names.
pub fn item<'a>(group: &'a Group, nametype: &[u8], index: usize) -> Option<Record<'a>> {
    let is_of = |record: &Record| {
        record.get("nametype").is_some_and(|it| it.raw == nametype) && known_name(record).is_some()
    };
    items(group).filter(is_of).nth(index)
}

/// All names, in the order in which the call used them.
pub fn items(group: &Group) -> impl Iterator<Item = Record<'_>> {
    group.records().filter(|record| record.kind == kind::PATH)
}

/// The path of a name. A relative one counts from the working directory, unless the call was given
/// another folder; a call that took no name, only a descriptor, is about what that leads to.
pub fn place(call: &Call, name: &Record, folder: Folder) -> Option<Place> {
    let folder = folder.map(|number| call.descriptor(number));
    let folder = folder.filter(|&folder| folder != libc::AT_FDCWD);
    let Some(path) = known_name(name) else {
        return Some(behind(folder?, name));
    };
    let path = path.decoded();
    let (path, folder) = match folder {
        _ if path.starts_with(b"/") => (normal(&path), None),
        Some(folder) if path.is_empty() => return Some(behind(folder, name)),
        Some(folder) => (path.into_owned(), Some(folder)),
        None => {
            let cwd = call.group.first(kind::CWD)?.get("cwd")?.decoded();
            (below(&cwd, &path), None)
        }
    };
    let is_directly_below = folder.is_some() && !path.contains(&b'/');
    Some(Place {
        path,
        folder,
        inodes: if is_directly_below {
            folders(call.group, name)
        } else {
            Vec::new()
        },
    })
}

/// The numbers of the folders in which a call has made or removed names, if this is one of them.
fn folders(group: &Group, name: &Record) -> Vec<u64> {
    let is_of = |record: &Record, kind| record.get("nametype").is_some_and(|it| it.raw == kind);
    if !is_of(name, b"CREATE") && !is_of(name, b"DELETE") {
        return Vec::new();
    }
    let parents = items(group).filter(|record| is_of(record, b"PARENT"));
    parents
        .filter_map(|record| record.number("inode"))
        .collect()
}

/// An empty name is quoted.
fn known_name<'a>(name: &Record<'a>) -> Option<super::record::Value<'a>> {
    known(name.get("name"))
}

/// What a descriptor leads to, of which this is the record.
pub fn behind(descriptor: i32, record: &Record) -> Place {
    Place {
        path: Vec::new(),
        folder: Some(descriptor),
        inodes: record.number("inode").into_iter().collect(),
    }
}

/// A path below a folder; an empty one is the folder itself.
pub fn below(folder: &[u8], path: &[u8]) -> Vec<u8> {
    normal(&[folder, b"/", path].concat())
}

/// An absolute path without `.`, `..` and empty parts; links are not followed.
fn normal(path: &[u8]) -> Vec<u8> {
    let is_normal = path.len() > 1
        && path[1..]
            .split(|&byte| byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b".."));
    if is_normal {
        return path.to_vec();
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    [&b"/"[..], &parts.join(&b'/')].concat()
}

/// All but the size, which the audit system does not tell. The attributes are those from before
/// the call.
pub fn inode(name: &Record) -> Option<Inode> {
    let text = |key| name.get(key).and_then(|it| str::from_utf8(it.raw).ok());
    let (major, minor) = text("dev")?.split_once(':')?;
    Some(Inode {
        device: (
            u32::from_str_radix(major, 16).ok()?,
            u32::from_str_radix(minor, 16).ok()?,
        ),
        filesystem: 0,
        number: name.number("inode")?,
        mode: u32::from_str_radix(text("mode")?, 8).ok()?,
        uid: name.number("ouid")?,
        gid: name.number("ogid")?,
        size: None,
    })
}
