//! What happens to files besides their content.

use super::file::two_names;
use super::path::{named, text};
use super::{Clock, Malformed, device, take};
use crate::capture::ebpf::wire::{self, TIME_KEPT, TIME_NOW, flag, how, kind};
use crate::event::{
    Action, Attribute, Call, File, FileChange, Inode, Node, Ownership, Refusal, Times,
};

/// `(uid_t)-1`: the owner is kept.
const KEPT: u32 = u32::MAX;

pub fn change(record: &[u8], clock: Clock) -> Result<Action, Malformed> {
    let (change, rest) = take::<wire::Change>(record)?;
    let (path, rest) = named(rest, change.name)?;
    let (attribute, _) = text(rest, change.attribute_size)?;
    let now = clock.wall(change.header.time);
    let what = match change.header.kind {
        kind::DIRECTORY_MADE => FileChange::DirectoryCreated,
        kind::NODE_MADE => FileChange::NodeCreated(Node {
            mode: change.mode,
            device: device(change.device),
        }),
        kind::MODE => FileChange::Permissions(change.mode),
        kind::OWNER => FileChange::Ownership(Ownership {
            uid: Some(change.uid).filter(|&uid| uid != KEPT),
            gid: Some(change.gid).filter(|&gid| gid != KEPT),
        }),
        kind::TIMES => FileChange::Times(Times {
            accessed: time(change.accessed, now),
            modified: time(change.modified, now),
        }),
        kind::ATTRIBUTE => FileChange::Attribute(Attribute {
            name: attribute,
            removed: change.how & how::REMOVED != 0,
        }),
        kind::TRUNCATE => FileChange::Truncated(change.size),
        _ => return Err(Malformed::Unknown("kind")),
    };
    let flags = change.header.flags;
    Ok(Action::File(File {
        path_truncated: flags & flag::PATH_CUT != 0,
        deleted: flags & flag::NAMELESS != 0,
        nofollow: change.how & how::NOFOLLOW != 0,
        inode: (change.inode.mode != 0).then(|| inode(change.inode)),
        ..File::new(what, path)
    }))
}

fn time(sent: u64, now: u64) -> Option<u64> {
    match sent {
        TIME_KEPT => None,
        TIME_NOW => Some(now),
        time => Some(time),
    }
}

fn inode(inode: wire::Inode) -> Inode {
    Inode {
        device: device(inode.device),
        filesystem: 0,
        number: inode.number,
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        size: Some(inode.size),
    }
}

pub fn link(record: &[u8]) -> Result<Action, Malformed> {
    let (link, rest) = take::<wire::Link>(record)?;
    two_names(FileChange::Linked, link.header, link.from, link.to, rest)
}

pub fn symlink(record: &[u8]) -> Result<Action, Malformed> {
    let (link, rest) = take::<wire::Symlink>(record)?;
    let (path, rest) = named(rest, link.name)?;
    let (target, _) = text(rest, link.target_size)?;
    Ok(Action::File(File {
        path_truncated: link.header.flags & flag::PATH_CUT != 0,
        ..File::new(FileChange::Symlinked(target), path)
    }))
}

pub fn refused(record: &[u8]) -> Result<Action, Malformed> {
    let (refused, rest) = take::<wire::Refused>(record)?;
    let (path, rest) = named(rest, refused.name)?;
    let (old, _) = named(rest, refused.old)?;
    let has_old = refused.old != wire::Name::default();
    let change = FileChange::Refused(Refusal {
        call: Call(refused.call),
        error: refused.error.try_into().unwrap_or(u16::MAX),
    });
    let is_cut = |flag| refused.header.flags & flag != 0;
    Ok(Action::File(File {
        old_path: has_old.then_some(old),
        path_truncated: is_cut(flag::PATH_CUT),
        old_path_truncated: is_cut(flag::OLD_PATH_CUT),
        ..File::new(change, path)
    }))
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;
    use crate::capture::ebpf::decode::tests::{action, header, record};
    use crate::capture::ebpf::wire::{Change, Link, Name, Refused, Symlink};

    #[test]
    fn a_refusal_names_one_file_or_two() {
        let name = |base_size, name_size| Name {
            base_size,
            name_size,
        };
        let mut refused = Refused {
            header: header(kind::REFUSED, flag::OLD_PATH_CUT),
            key: wire::RepeatKey::default(),
            name: name(4, 7),
            old: Name::default(),
            error: 13,
            call: 82,
        };
        let file = |old: Option<&[u8]>| {
            let change = FileChange::Refused(Refusal {
                call: Call(82),
                error: 13,
            });
            Action::File(File {
                old_path: old.map(<[u8]>::to_vec),
                old_path_truncated: true,
                ..File::new(change, b"/etc/shadow".into())
            })
        };
        let (new, old): ([&[u8]; 2], [&[u8]; 2]) = ([b"etc\0", b"shadow\0"], [b"tmp\0", b"x\0"]);
        let whole = record(refused.as_bytes(), &new);
        assert_eq!(action(&whole), file(None));
        refused.old = name(4, 2);
        let whole = record(refused.as_bytes(), &[new, old].concat());
        assert_eq!(action(&whole), file(Some(b"/tmp/x")));
    }

    fn file(record: &[u8]) -> File {
        match action(record) {
            Action::File(file) => file,
            other => panic!("not a file: {other:?}"),
        }
    }

    const NAME: Name = Name {
        base_size: 4,
        name_size: 2,
    };

    fn changed(kind: u16, fill: impl FnOnce(&mut Change)) -> File {
        let mut change = Change {
            header: header(kind, 0),
            name: NAME,
            ..Default::default()
        };
        fill(&mut change);
        file(&record(change.as_bytes(), &[b"tmp\0", b"x\0", b"user.x\0"]))
    }

    #[test]
    fn every_change_says_what_is_new() {
        let directory = changed(kind::DIRECTORY_MADE, |_| {});
        assert_eq!(directory.change, FileChange::DirectoryCreated);
        assert_eq!(directory.path, b"/tmp/x");
        assert_eq!(directory.inode, None);

        let node = changed(kind::NODE_MADE, |change| {
            change.mode = 0o020_600;
            change.device = 1 << 20 | 3;
        });
        let null = Node {
            mode: 0o020_600,
            device: (1, 3),
        };
        assert_eq!(node.change, FileChange::NodeCreated(null));

        let owner = changed(kind::OWNER, |change| {
            change.uid = u32::MAX;
            change.gid = 7;
        });
        let group = Ownership {
            uid: None,
            gid: Some(7),
        };
        assert_eq!(owner.change, FileChange::Ownership(group));

        let times = changed(kind::TIMES, |change| {
            change.accessed = TIME_KEPT;
            change.modified = TIME_NOW;
        });
        let now = Times {
            accessed: None,
            modified: Some(5_000_000_007),
        };
        assert_eq!(times.change, FileChange::Times(now));

        let attribute = changed(kind::ATTRIBUTE, |change| {
            change.attribute_size = 7;
            change.how = how::REMOVED | how::NOFOLLOW;
        });
        let removed = Attribute {
            name: b"user.x".into(),
            removed: true,
        };
        assert_eq!(attribute.change, FileChange::Attribute(removed));
        assert!(attribute.nofollow);

        let truncated = changed(kind::TRUNCATE, |change| change.size = 9);
        assert_eq!(truncated.change, FileChange::Truncated(9));
    }

    #[test]
    fn a_descriptor_tells_the_inode() {
        let mode = changed(kind::MODE, |change| {
            change.header.flags = flag::NAMELESS;
            change.mode = 0o600;
            change.inode.mode = 0o100_600;
            change.inode.number = 77;
            change.inode.device = 8 << 20 | 1;
        });
        assert_eq!(mode.change, FileChange::Permissions(0o600));
        assert_eq!(mode.inode.unwrap().device, (8, 1));
        assert!(mode.deleted);
    }

    #[test]
    fn links_have_two_ends() {
        let link = Link {
            header: header(kind::LINK, flag::OLD_PATH_CUT),
            from: NAME,
            to: NAME,
        };
        let linked = file(&record(
            link.as_bytes(),
            &[b"tmp\0", b"x\0", b"var\0", b"y\0"],
        ));
        assert_eq!(linked.path, b"/var/y");
        assert_eq!(linked.old_path.unwrap(), b"/tmp/x");
        assert!(linked.old_path_truncated && !linked.path_truncated);

        let symlink = Symlink {
            header: header(kind::SYMLINK, 0),
            name: NAME,
            target_size: 5,
            reserved: 0,
        };
        let linked = file(&record(symlink.as_bytes(), &[b"tmp\0", b"x\0", b"../y\0"]));
        assert_eq!(linked.path, b"/tmp/x");
        assert_eq!(linked.change, FileChange::Symlinked(b"../y".into()));
    }
}
