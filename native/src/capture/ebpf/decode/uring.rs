//! What was asked for through io_uring, and was done as far as anyone told.

use super::path::{base_and_name, join, named, path};
use super::{Malformed, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, File, FileChange};

/// Operations (`IORING_OP_*`).
const OPENAT: u32 = 18;
const OPENAT2: u32 = 28;
const RENAMEAT: u32 = 35;
const UNLINKAT: u32 = 36;
const MKDIRAT: u32 = 37;
const SYMLINKAT: u32 = 38;
const LINKAT: u32 = 39;

/// With both, an open either makes a file or fails.
const MAKES: u32 = libc::O_CREAT as u32 | libc::O_EXCL as u32;
const REMOVES_FOLDER: u32 = libc::AT_REMOVEDIR as u32;
const EXCHANGES: u32 = libc::RENAME_EXCHANGE;

pub fn request(record: &[u8]) -> Result<Action, Malformed> {
    let (request, rest) = take::<wire::Request>(record)?;
    let (base, given, rest) = base_and_name(rest, request.from)?;
    let (to, _) = named(rest, request.to)?;
    let from = join(path(base), given);
    let cut = |bit| request.header.flags & bit != 0;
    let asks = |bits| request.details & bits == bits;
    let change = match request.operation {
        OPENAT | OPENAT2 if asks(MAKES) => FileChange::Created,
        OPENAT | OPENAT2 => FileChange::Modified,
        RENAMEAT if asks(EXCHANGES) => FileChange::Exchanged,
        RENAMEAT => FileChange::Renamed,
        UNLINKAT if asks(REMOVES_FOLDER) => FileChange::DirectoryDeleted,
        UNLINKAT => FileChange::Deleted,
        MKDIRAT => FileChange::DirectoryCreated,
        SYMLINKAT => FileChange::Symlinked(given.into()),
        LINKAT => FileChange::Linked,
        _ => return Err(Malformed::Unknown("operation")),
    };
    let (path, old_path) = match change {
        FileChange::Renamed | FileChange::Exchanged | FileChange::Linked => (to, Some(from)),
        FileChange::Symlinked(_) => (to, None),
        _ => (from, None),
    };
    Ok(Action::File(File {
        path_truncated: cut(flag::PATH_CUT),
        old_path_truncated: old_path.is_some() && cut(flag::OLD_PATH_CUT),
        old_path,
        unanswered: request.unanswered != 0,
        ..File::new(change, path)
    }))
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;
    use crate::capture::ebpf::decode::tests::{action, header, record};
    use crate::capture::ebpf::wire::{Name, Request, kind};

    const NAME: Name = Name {
        base_size: 4,
        name_size: 2,
    };

    fn told(operation: u32, details: u32, to: Name) -> File {
        let request = Request {
            header: header(kind::REQUEST, flag::OLD_PATH_CUT),
            from: NAME,
            to,
            operation,
            details,
            unanswered: 1,
            ..Default::default()
        };
        let sections: [&[u8]; 4] = [b"tmp\0", b"x\0", b"var\0", b"y\0"];
        match action(&record(request.as_bytes(), &sections)) {
            Action::File(file) => file,
            other => panic!("not a file: {other:?}"),
        }
    }

    #[test]
    fn requests_are_the_acts_they_ask_for() {
        let change = |operation, details| told(operation, details, Name::default()).change;
        assert_eq!(change(OPENAT, MAKES), FileChange::Created);
        assert_eq!(change(OPENAT2, libc::O_CREAT as u32), FileChange::Modified);
        assert_eq!(change(UNLINKAT, 0), FileChange::Deleted);
        assert_eq!(
            change(UNLINKAT, REMOVES_FOLDER),
            FileChange::DirectoryDeleted
        );
        assert_eq!(change(MKDIRAT, 0), FileChange::DirectoryCreated);
        let deleted = told(UNLINKAT, 0, Name::default());
        assert_eq!((&*deleted.path, deleted.old_path), (&b"/tmp/x"[..], None));
        assert!(deleted.unanswered && !deleted.old_path_truncated);
    }

    #[test]
    fn a_rename_and_a_link_have_both_names() {
        for (operation, details, change) in [
            (RENAMEAT, 0, FileChange::Renamed),
            (RENAMEAT, EXCHANGES, FileChange::Exchanged),
            (LINKAT, 0, FileChange::Linked),
        ] {
            let told = told(operation, details, NAME);
            assert_eq!(told.change, change);
            assert_eq!(told.path, b"/var/y");
            assert_eq!(told.old_path.unwrap(), b"/tmp/x");
            assert!(told.old_path_truncated && !told.path_truncated);
        }
    }

    #[test]
    fn the_text_of_a_symbolic_link_is_no_path() {
        let request = Request {
            header: header(kind::REQUEST, 0),
            from: Name {
                base_size: 0,
                name_size: 5,
            },
            to: NAME,
            operation: SYMLINKAT,
            ..Default::default()
        };
        let sections: [&[u8]; 3] = [b"../x\0", b"tmp\0", b"y\0"];
        let Action::File(linked) = action(&record(request.as_bytes(), &sections)) else {
            panic!("not a file");
        };
        assert_eq!(linked.change, FileChange::Symlinked(b"../x".into()));
        assert_eq!((&*linked.path, linked.old_path), (&b"/tmp/y"[..], None));
    }
}
