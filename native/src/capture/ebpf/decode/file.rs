//! What happens to files.

use super::path::{named, path};
use super::{Malformed, device, section, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, File, FileChange, Inode};

pub fn open(record: &[u8]) -> Result<Action, Malformed> {
    let (open, rest) = take::<wire::Open>(record)?;
    let (components, _) = section(rest, open.path_size.into())?;
    let created = open.header.flags & flag::CREATED != 0;
    Ok(Action::File(File {
        change: if created {
            FileChange::Created
        } else {
            FileChange::Modified
        },
        path: path(components),
        old_path: None,
        path_truncated: open.header.flags & flag::PATH_CUT != 0,
        old_path_truncated: false,
        nofollow: false,
        deleted: open.header.flags & flag::NAMELESS != 0,
        unanswered: false,
        inode: Some(Inode {
            device: device(open.key.device),
            filesystem: open.key.filesystem,
            number: open.key.inode,
            mode: open.mode,
            uid: open.uid,
            gid: open.gid,
            size: Some(open.size),
        }),
    }))
}

pub fn delete(record: &[u8]) -> Result<Action, Malformed> {
    let (delete, rest) = take::<wire::Delete>(record)?;
    let (path, _) = named(rest, delete.name)?;
    let directory = delete.header.flags & flag::DIRECTORY != 0;
    Ok(Action::File(File {
        change: if directory {
            FileChange::DirectoryDeleted
        } else {
            FileChange::Deleted
        },
        path,
        old_path: None,
        path_truncated: delete.header.flags & flag::PATH_CUT != 0,
        old_path_truncated: false,
        deleted: false,
        unanswered: false,
        nofollow: false,
        inode: None,
    }))
}

pub fn rename(record: &[u8]) -> Result<Action, Malformed> {
    let (rename, rest) = take::<wire::Rename>(record)?;
    let (from, rest) = named(rest, rename.from)?;
    let (to, _) = named(rest, rename.to)?;
    let exchanged = rename.header.flags & flag::EXCHANGED != 0;
    Ok(Action::File(File {
        change: if exchanged {
            FileChange::Exchanged
        } else {
            FileChange::Renamed
        },
        path: to,
        old_path: Some(from),
        path_truncated: rename.header.flags & flag::PATH_CUT != 0,
        old_path_truncated: rename.header.flags & flag::OLD_PATH_CUT != 0,
        deleted: false,
        unanswered: false,
        nofollow: false,
        inode: None,
    }))
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use crate::capture::ebpf::decode::tests::{action, header, record};
    use crate::capture::ebpf::wire::{Delete, Name, Open, Rename, RepeatKey, flag, kind};
    use crate::event::{Action, File, FileChange};

    fn file(record: &[u8]) -> File {
        match action(record) {
            Action::File(file) => file,
            other => panic!("not a file: {other:?}"),
        }
    }

    #[test]
    fn an_open_creates_or_modifies() {
        let open = |flags| Open {
            header: header(kind::OPEN, flags),
            key: RepeatKey {
                inode: 77,
                device: 8 << 20 | 1,
                ..Default::default()
            },
            size: 5,
            mode: 0o100_644,
            path_size: 6,
            ..Default::default()
        };
        let created = file(&record(open(flag::CREATED).as_bytes(), &[b"x\0tmp\0"]));
        assert_eq!(created.change, FileChange::Created);
        assert_eq!(created.path, b"/tmp/x");
        assert_eq!(created.inode.unwrap().device, (8, 1));
        let unnamed = file(&record(open(flag::NAMELESS).as_bytes(), &[b"x\0tmp\0"]));
        assert!(unnamed.deleted);
        let modified = file(&record(open(flag::PATH_CUT).as_bytes(), &[b"x\0tmp\0"]));
        assert_eq!(modified.change, FileChange::Modified);
        assert!(modified.path_truncated);
    }

    #[test]
    fn deletions_and_renames_have_names() {
        let name = Name {
            base_size: 4,
            name_size: 2,
        };
        let delete = Delete {
            header: header(kind::DELETE, flag::DIRECTORY),
            name,
            reserved: 0,
        };
        let deleted = file(&record(delete.as_bytes(), &[b"tmp\0", b"x\0"]));
        assert_eq!(
            (deleted.change, deleted.path),
            (FileChange::DirectoryDeleted, b"/tmp/x".to_vec())
        );

        let rename = Rename {
            header: header(kind::RENAME, flag::OLD_PATH_CUT),
            from: name,
            to: name,
        };
        let renamed = file(&record(
            rename.as_bytes(),
            &[b"tmp\0", b"x\0", b"var\0", b"y\0"],
        ));
        assert_eq!(renamed.old_path.unwrap(), b"/tmp/x");
        assert_eq!(renamed.path, b"/var/y");
        assert!(renamed.old_path_truncated && !renamed.path_truncated);
        assert_eq!(renamed.change, FileChange::Renamed);
    }
}
