//! `file.*`: what was made or changed.

use std::borrow::Cow;

use crate::ecs::content;
use crate::ecs::escape::hex;
use crate::ecs::json::Json;
use crate::ecs::system::write_failure;
use crate::ecs::time::Clock;
use crate::ecs::user::write_id;
use crate::enrich::program::file_name;
use crate::enrich::users::Users;
use crate::event::{Content, File, FileChange, Inode, Refusal};

/// `S_IFMT` of inode(7).
const TYPE_BITS: u32 = 0o170_000;

/// Writes `file`.
pub fn write(json: &mut Json, file: &File, content: &Content, users: &Users) {
    json.open("file");
    write_path(json, &file.path, file.path_truncated);
    match &file.inode {
        Some(inode) => write_inode(json, inode, users),
        None => write_change(json, &file.change, users),
    }
    if let FileChange::Times(times) = file.change {
        write_time(json, "accessed", times.accessed);
        write_time(json, "mtime", times.modified);
    }
    content::write(json, content);
    json.close();
}

/// Writes what a path tells: itself and its parts.
pub fn write_path(json: &mut Json, path: &[u8], truncated: bool) {
    let path = known_part(path, truncated);
    let name = file_name(&path);
    json.text("path", &path);
    json.text_if_known("name", name);
    json.text_if_known("directory", directory(&path));
    json.text_if_known("extension", extension(name));
    if truncated {
        json.note_cut("path");
        json.note_cut("directory");
    }
}

/// What a change says of the file as it is from now on.
fn write_change(json: &mut Json, change: &FileChange, users: &Users) {
    match change {
        FileChange::DirectoryCreated | FileChange::DirectoryDeleted => json.word("type", "dir"),
        FileChange::NodeCreated(node) => json.word("type", kind(node.mode).unwrap_or("file")),
        FileChange::Symlinked(target) => {
            json.text("target_path", target);
            json.word("type", "symlink");
        }
        FileChange::Permissions(mode) => write_mode(json, *mode),
        FileChange::Ownership(ownership) => write_owner(json, ownership.uid, ownership.gid, users),
        FileChange::Truncated(size) => json.number("size", *size),
        _ => {}
    }
}

/// Writes `action.properties` of a file.
pub fn write_properties(json: &mut Json, file: &File) {
    if let Some(path) = &file.old_path {
        write_other_path(json, "old_path", path, file.old_path_truncated);
    }
    match &file.change {
        FileChange::NodeCreated(node) if is_device(node.mode) => {
            write_device(json, "rdev", node.device);
        }
        FileChange::Attribute(attribute) => {
            json.text_if_known("attribute", &attribute.name);
            if attribute.removed {
                json.yes("removed");
            }
        }
        FileChange::Exchanged => json.words("flags", ["RENAME_EXCHANGE"]),
        &FileChange::Refused(Refusal { call, error }) => write_failure(json, call, error),
        FileChange::MemoryCreated(options) if !options.is_empty() => {
            json.words("flags", options);
        }
        _ => {}
    }
    if file.nofollow {
        json.words("flags", ["AT_SYMLINK_NOFOLLOW"]);
    }
}

/// Writes a path that has a part in what was done to another.
pub fn write_other_path(json: &mut Json, key: &'static str, path: &[u8], truncated: bool) {
    json.text(key, &known_part(path, truncated));
    if truncated {
        json.note_cut(key);
    }
}

/// A path; of one whose begin is lost, what is known behind `…/`, so that nobody takes it for one
/// that begins at the root.
fn known_part(path: &[u8], truncated: bool) -> Cow<'_, [u8]> {
    if !truncated {
        return path.into();
    }
    let relative = path.strip_prefix(b"/").unwrap_or(path);
    ["…/".as_bytes(), relative].concat().into()
}

fn write_inode(json: &mut Json, inode: &Inode, users: &Users) {
    json.digits("inode", inode.number);
    write_device(json, "device", inode.device);
    write_mode(json, inode.mode);
    write_owner(json, Some(inode.uid), Some(inode.gid), users);
    if let Some(size) = inode.size {
        json.number("size", size);
    }
    if let Some(kind) = kind(inode.mode) {
        json.word("type", kind);
    }
}

fn write_device(json: &mut Json, key: &'static str, (major, minor): (u32, u32)) {
    match (u8::try_from(major), u8::try_from(minor)) {
        (Ok(major), Ok(minor)) => {
            let [a, b] = hex(major);
            let [c, d] = hex(minor);
            json.word(key, [a, b, b':', c, d]);
        }
        _ => json.plain(key, format_args!("{major:02x}:{minor:02x}")),
    }
}

fn write_mode(json: &mut Json, mode: u32) {
    let digits = [9, 6, 3, 0].map(|shift| b'0' + (mode >> shift & 7) as u8);
    json.word("mode", digits);
}

fn write_owner(json: &mut Json, uid: Option<u32>, gid: Option<u32>, users: &Users) {
    if let Some(uid) = uid {
        write_id(json, "uid", uid);
    }
    if let Some(gid) = gid {
        write_id(json, "gid", gid);
    }
    if let Some(owner) = uid.and_then(|uid| users.user(uid)) {
        json.text("owner", owner);
    }
    if let Some(group) = gid.and_then(|gid| users.group(gid)) {
        json.text("group", group);
    }
}

fn write_time(json: &mut Json, key: &'static str, time: Option<u64>) {
    if let Some(time) = time {
        json.word(key, Clock::new().show(time));
    }
}

/// ECS names the first three types; the others have the names of mknod(1) and stat(1).
/// What a node may be: see [`kind`].
pub const NODES: [&str; 5] = ["fifo", "socket", "char", "block", "file"];

/// `file.type`, by the bits of a mode.
pub fn kind(mode: u32) -> Option<&'static str> {
    match mode & TYPE_BITS {
        0o100_000 => Some("file"),
        0o040_000 => Some("dir"),
        0o120_000 => Some("symlink"),
        0o010_000 => Some("fifo"),
        0o140_000 => Some("socket"),
        0o020_000 => Some("char"),
        0o060_000 => Some("block"),
        _ => None,
    }
}

fn is_device(mode: u32) -> bool {
    matches!(kind(mode), Some("char" | "block"))
}

/// The part before the last slash, `/` for what lies in the root, empty for a path without any.
fn directory(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => b"/",
        Some(slash) => &path[..slash],
        None => b"",
    }
}

/// What follows the last dot, unless the name begins with that dot.
fn extension(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) if dot > 0 => &name[dot + 1..],
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::{directory, extension, kind, known_part};

    #[test]
    fn takes_a_path_apart() {
        assert_eq!(directory(b"/etc/ssh/sshd_config"), b"/etc/ssh");
        assert_eq!(directory(b"/vmlinuz"), b"/");
        assert_eq!(directory(b"/"), b"/");
        assert_eq!(directory(b"below/a/lost/root"), b"below/a/lost");
        assert_eq!(directory(b"name"), b"");
    }

    #[test]
    fn a_path_without_its_begin_does_not_look_absolute() {
        let cut = |path| String::from_utf8(known_part(path, true).into_owned()).unwrap();
        assert_eq!(cut(b"/deep/below/name"), "…/deep/below/name");
        assert_eq!(cut(b"name"), "…/name");
        assert_eq!(cut(b"/"), "…/");
        assert_eq!(directory("…/name".as_bytes()), "…".as_bytes());
        assert_eq!(&*known_part(b"/etc/passwd", false), b"/etc/passwd");
    }

    #[test]
    fn an_extension_needs_a_name_before_it() {
        assert_eq!(extension(b"backup.tar.gz"), b"gz");
        assert_eq!(extension(b".bashrc"), b"");
        assert_eq!(extension(b"trailing."), b"");
        assert_eq!(extension(b"Makefile"), b"");
    }

    #[test]
    fn names_the_types_of_files() {
        assert_eq!(kind(0o100_644), Some("file"));
        assert_eq!(kind(0o040_755), Some("dir"));
        assert_eq!(kind(0o120_777), Some("symlink"));
        assert_eq!(kind(0o020_666), Some("char"));
        assert_eq!(kind(0o644), None);
    }
}
