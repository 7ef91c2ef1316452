//! What was asked for through io_uring, and was done as far as anyone told.

use super::path::named;
use super::{Malformed, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{Action, File, FileChange};

/// Operations (`IORING_OP_*`).
const OPENAT: u32 = 18;
const OPENAT2: u32 = 28;
const RENAMEAT: u32 = 35;
const UNLINKAT: u32 = 36;

/// With both, an open either makes a file or fails.
const MAKES: u32 = libc::O_CREAT as u32 | libc::O_EXCL as u32;
const REMOVES_FOLDER: u32 = libc::AT_REMOVEDIR as u32;

pub fn request(record: &[u8]) -> Result<Action, Malformed> {
    let (request, rest) = take::<wire::Request>(record)?;
    let (from, rest) = named(rest, request.from)?;
    let (to, _) = named(rest, request.to)?;
    let cut = |bit| request.header.flags & bit != 0;
    let asks = |bits| request.details & bits == bits;
    let change = match request.operation {
        OPENAT | OPENAT2 if asks(MAKES) => FileChange::Created,
        OPENAT | OPENAT2 => FileChange::Modified,
        RENAMEAT => FileChange::Renamed,
        UNLINKAT if asks(REMOVES_FOLDER) => FileChange::DirectoryDeleted,
        UNLINKAT => FileChange::Deleted,
        _ => return Err(Malformed::Unknown("operation")),
    };
    let two_names = change == FileChange::Renamed;
    let (path, old_path) = if two_names {
        (to, Some(from))
    } else {
        (from, None)
    };
    Ok(Action::File(File {
        change,
        path,
        old_path,
        path_truncated: cut(flag::PATH_CUT),
        old_path_truncated: two_names && cut(flag::OLD_PATH_CUT),
        deleted: false,
        unanswered: request.unanswered != 0,
        nofollow: false,
        inode: None,
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
        let deleted = told(UNLINKAT, 0, Name::default());
        assert_eq!((&*deleted.path, deleted.old_path), (&b"/tmp/x"[..], None));
        assert!(deleted.unanswered && !deleted.old_path_truncated);
    }

    #[test]
    fn a_rename_has_both_names() {
        let renamed = told(RENAMEAT, 0, NAME);
        assert_eq!(renamed.path, b"/var/y");
        assert_eq!(renamed.old_path.unwrap(), b"/tmp/x");
        assert!(renamed.old_path_truncated && !renamed.path_truncated);
    }
}
