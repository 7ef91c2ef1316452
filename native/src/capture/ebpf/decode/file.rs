//! What happens to files.

use super::mount::{Options, named_options};
use super::path::{named, path};
use super::{Malformed, device, section, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, File, FileChange, Inode};

pub fn open(record: &[u8]) -> Result<Action, Malformed> {
    let (open, rest) = take::<wire::Open>(record)?;
    let (components, _) = section(rest, open.path_size.into())?;
    let is = |bit| open.header.flags & bit != 0;
    let change = if is(flag::CREATED) {
        FileChange::Created
    } else {
        FileChange::Modified
    };
    Ok(Action::File(File {
        path_truncated: is(flag::PATH_CUT),
        deleted: is(flag::NAMELESS),
        inode: Some(Inode {
            device: device(open.key.device),
            filesystem: open.key.filesystem,
            number: open.key.inode,
            mode: open.mode,
            uid: open.uid,
            gid: open.gid,
            size: Some(open.size),
        }),
        ..File::new(change, path(components))
    }))
}

/// Options of memfd_create(2). (include/uapi/linux/memfd.h)
pub const MEMORY_OPTIONS: &Options = &[
    (0x1, "MFD_CLOEXEC"),
    (0x2, "MFD_ALLOW_SEALING"),
    (0x4, "MFD_HUGETLB"),
    (0x8, "MFD_NOEXEC_SEAL"),
    (0x10, "MFD_EXEC"),
];

pub fn memory(record: &[u8]) -> Result<Action, Malformed> {
    let (made, rest) = take::<wire::MemoryFile>(record)?;
    let (components, _) = section(rest, made.path_size.into())?;
    let options = named_options(made.options.into(), MEMORY_OPTIONS);
    Ok(Action::File(File {
        path_truncated: made.header.flags & flag::PATH_CUT != 0,
        deleted: true,
        ..File::new(FileChange::MemoryCreated(options), path(components))
    }))
}

pub fn delete(record: &[u8]) -> Result<Action, Malformed> {
    let (delete, rest) = take::<wire::Delete>(record)?;
    let (path, _) = named(rest, delete.name)?;
    let is = |bit| delete.header.flags & bit != 0;
    let change = if is(flag::DIRECTORY) {
        FileChange::DirectoryDeleted
    } else {
        FileChange::Deleted
    };
    Ok(Action::File(File {
        path_truncated: is(flag::PATH_CUT),
        ..File::new(change, path)
    }))
}

pub fn rename(record: &[u8]) -> Result<Action, Malformed> {
    let (rename, rest) = take::<wire::Rename>(record)?;
    let change = if rename.header.flags & flag::EXCHANGED != 0 {
        FileChange::Exchanged
    } else {
        FileChange::Renamed
    };
    two_names(change, rename.header, rename.from, rename.to, rest)
}

/// A file that had a name and has another.
pub fn two_names(
    change: FileChange,
    header: wire::Header,
    from: wire::Name,
    to: wire::Name,
    sections: &[u8],
) -> Result<Action, Malformed> {
    let (from, rest) = named(sections, from)?;
    let (to, _) = named(rest, to)?;
    Ok(Action::File(File {
        old_path: Some(from),
        path_truncated: header.flags & flag::PATH_CUT != 0,
        old_path_truncated: header.flags & flag::OLD_PATH_CUT != 0,
        ..File::new(change, to)
    }))
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use crate::capture::ebpf::decode::tests::{action, header, record};
    use crate::capture::ebpf::wire::{
        Delete, MemoryFile, Name, Open, Rename, RepeatKey, flag, kind,
    };
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
        let made = MemoryFile {
            header: header(kind::MEMORY_FILE, 0),
            options: 0x11,
            path_size: 8,
            ..Default::default()
        };
        let made = file(&record(made.as_bytes(), &[b"memfd:x\0"]));
        let options = vec!["MFD_CLOEXEC", "MFD_EXEC"];
        assert_eq!(made.change, FileChange::MemoryCreated(options));
        assert!(made.deleted && made.path == b"/memfd:x");
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
