//! Scenes of what happens to files besides their content, and of mounts.

use endpoint_agent_native::event::{
    Action, Attribute, Call, File, FileChange, Inode, Mount, MountChange, Node, Ownership, Refusal,
    Times,
};

use crate::scene::{BEGIN, SHELL, Scene, file, inode, john, root};

/// What is made without an open, and every change that leaves the content alone.
pub fn changes() -> Scene {
    let mut scene = Scene::with_shell();
    let mut happens = |file| scene.happens(john(SHELL), Action::File(file));
    happens(file(FileChange::DirectoryCreated, b"/tmp/build.d"));
    for (mode, device) in [
        (0o010_644, (0, 0)),
        (0o140_644, (0, 0)),
        (0o020_666, (1, 3)),
        (0o060_660, (8, 1)),
        (0o100_644, (0, 0)),
        (0o644, (0, 0)),
    ] {
        let node = Node { mode, device };
        happens(file(FileChange::NodeCreated(node), b"/tmp/node"));
    }
    let existing = Some(b"/etc/shadow".to_vec());
    happens(File {
        old_path: existing.clone(),
        ..file(FileChange::Linked, b"/tmp/shadow")
    });
    happens(File {
        old_path: existing.clone(),
        ..file(FileChange::Exchanged, b"/tmp/shadow")
    });
    let link = FileChange::Symlinked(b"../etc/shadow".into());
    happens(file(link, b"/tmp/link"));
    happens(file(FileChange::Truncated(0), b"/var/log/wtmp"));

    happens(file(FileChange::Permissions(0o106_755), b"/tmp/set-id"));
    happens(File {
        inode: Some(Inode {
            mode: 0o104_755,
            ..inode()
        }),
        deleted: true,
        ..file(FileChange::Permissions(0o4755), b"/tmp/#1048671")
    });
    for (uid, gid) in [(Some(0), Some(42)), (None, Some(4711)), (Some(1000), None)] {
        let owner = FileChange::Ownership(Ownership { uid, gid });
        happens(File {
            nofollow: uid.is_none(),
            ..file(owner, b"/tmp/owned")
        });
    }
    let (accessed, modified) = (Some(0), Some(BEGIN));
    happens(File {
        inode: Some(inode()),
        ..file(
            FileChange::Times(Times { accessed, modified }),
            b"/bin/login",
        )
    });
    let kept = Times {
        accessed: None,
        modified: None,
    };
    happens(file(FileChange::Times(kept), b"/bin/login"));
    for removed in [false, true] {
        let attribute = Attribute {
            name: b"security.capability".into(),
            removed,
        };
        happens(file(FileChange::Attribute(attribute), b"/usr/bin/ping"));
    }
    let refused = |call, error| {
        FileChange::Refused(Refusal {
            call: Call(call),
            error,
        })
    };
    happens(file(refused(257, 13), b"/etc/shadow"));
    happens(File {
        old_path: existing,
        ..file(refused(82, 1), b"/tmp/shadow")
    });
    scene
}

/// File systems come and go, and roots change.
pub fn mounts() -> Scene {
    let mut scene = Scene::with_shell();
    let mut happens = |mount| scene.happens(root(SHELL), Action::Mount(mount));
    let device = mount(MountChange::Mounted, b"/mnt");
    happens(Mount {
        source: b"/dev/sda1".into(),
        filesystem: b"ext4".into(),
        options: vec!["MS_NOSUID", "MS_NODEV"],
        ..device.clone()
    });
    happens(Mount {
        source: b"/home/john_doe".into(),
        source_truncated: true,
        options: vec!["MS_BIND"],
        ..device.clone()
    });
    happens(Mount {
        path_truncated: true,
        ..device
    });
    happens(Mount {
        options: vec!["MNT_DETACH"],
        ..mount(MountChange::Unmounted, b"/mnt")
    });
    happens(Mount {
        put_old: Some(b"/jail/old".into()),
        ..mount(MountChange::RootSwapped, b"/jail")
    });
    happens(mount(MountChange::RootChanged, b"/srv/jail"));
    scene
}

fn mount(change: MountChange, path: &[u8]) -> Mount {
    Mount {
        change,
        path: path.into(),
        path_truncated: false,
        source: Vec::new(),
        source_truncated: false,
        put_old: None,
        filesystem: Vec::new(),
        options: Vec::new(),
    }
}
