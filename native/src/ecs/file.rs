//! `file.*`: what was changed.

use std::borrow::Cow;

use crate::ecs::json::Json;
use crate::ecs::user::write_id;
use crate::enrich::program::file_name;
use crate::enrich::users::Users;
use crate::event::{File, FileChange, Inode};

/// `S_IFMT` of inode(7).
const TYPE_BITS: u32 = 0o170_000;
/// Permissions, set-id and sticky bits.
const MODE_BITS: u32 = 0o7_777;

/// Writes `file`.
pub fn write(json: &mut Json, file: &File, users: &Users) {
    json.open("file");
    write_path(json, &file.path, file.path_truncated);
    match (&file.inode, file.change) {
        (Some(inode), _) => write_inode(json, inode, users),
        (None, FileChange::DirectoryDeleted) => json.plain("type", "dir"),
        (None, _) => {}
    }
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

/// Writes the path before a rename.
pub fn write_old_path(json: &mut Json, file: &File) {
    if let Some(path) = &file.old_path {
        json.text("old_path", &known_part(path, file.old_path_truncated));
        if file.old_path_truncated {
            json.note_cut("old_path");
        }
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
    let (major, minor) = inode.device;
    json.digits("inode", inode.number);
    json.plain("device", format_args!("{major:02x}:{minor:02x}"));
    json.plain("mode", format_args!("{:04o}", inode.mode & MODE_BITS));
    write_id(json, "uid", inode.uid);
    write_id(json, "gid", inode.gid);
    if let Some(owner) = users.user(inode.uid) {
        json.text("owner", owner);
    }
    if let Some(group) = users.group(inode.gid) {
        json.text("group", group);
    }
    if let Some(size) = inode.size {
        json.number("size", size);
    }
    if let Some(kind) = kind(inode.mode) {
        json.plain("type", kind);
    }
}

/// ECS names three types of files.
fn kind(mode: u32) -> Option<&'static str> {
    match mode & TYPE_BITS {
        0o100_000 => Some("file"),
        0o040_000 => Some("dir"),
        0o120_000 => Some("symlink"),
        _ => None,
    }
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
    fn names_the_types_that_ecs_names() {
        assert_eq!(kind(0o100_644), Some("file"));
        assert_eq!(kind(0o040_755), Some("dir"));
        assert_eq!(kind(0o120_777), Some("symlink"));
        assert_eq!(kind(0o020_666), None);
    }
}
