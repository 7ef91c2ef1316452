//! Scenes of files: every change of one, acts that are counted, and what files hold.

use std::sync::Arc;

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::event::{
    Action, Content, Digests, Direction, Event, File, FileChange, Inode, Inspection, Repeat,
    Signature, Unread,
};

use crate::scene::{BEGIN, SHELL, Scene, Who, connection, exec, file, inode, john, key};

/// Every change of a file, and paths of every form.
pub fn files() -> Scene {
    let mut scene = Scene::with_shell();
    let mut happens = |file| scene.happens(john(SHELL), Action::File(file));
    happens(File {
        inode: Some(inode()),
        ..file(FileChange::Created, b"/etc/ld.so.preload")
    });
    let odd = Inode {
        device: (259, 1_048_575),
        mode: 0o106_755,
        uid: 4711,
        gid: u32::MAX,
        ..inode()
    };
    let large = Inode {
        number: u64::MAX,
        size: Some(u64::MAX),
        ..odd
    };
    happens(File {
        inode: Some(large),
        ..file(FileChange::Modified, b"/srv/archive.tar.gz")
    });
    happens(File {
        inode: Some(Inode {
            mode: 0o120_777,
            ..inode()
        }),
        ..file(FileChange::Modified, b"/link")
    });
    happens(file(FileChange::Deleted, b"/home/john_doe/.bashrc"));
    happens(file(FileChange::DirectoryDeleted, b"/tmp/build.d"));
    let old_path = Some(b"/etc/passwd+".to_vec());
    happens(File {
        old_path,
        ..file(FileChange::Renamed, b"/etc/passwd")
    });
    happens(File {
        path_truncated: true,
        ..file(FileChange::Deleted, b"/below/something/lost")
    });
    let moved = |old_path: &[u8], path| File {
        old_path: Some(old_path.into()),
        ..file(FileChange::Renamed, path)
    };
    happens(File {
        old_path_truncated: true,
        ..moved(b"/too/deep", b"/srv/shallow")
    });
    happens(File {
        path_truncated: true,
        ..moved(b"/srv/shallow", b"/deep")
    });
    happens(File {
        deleted: true,
        inode: Some(inode()),
        ..file(FileChange::Modified, b"/tmp/#1048671")
    });
    happens(file(FileChange::Deleted, b"/"));
    let options = vec!["MFD_CLOEXEC", "MFD_ALLOW_SEALING"];
    for options in [options, Vec::new()] {
        happens(File {
            deleted: true,
            ..file(FileChange::MemoryCreated(options), b"/memfd:stage")
        });
    }
    let thread = Who {
        thread: 1207,
        ..john(SHELL)
    };
    scene.happens(
        thread,
        Action::File(file(FileChange::Created, b"/tmp/by-a-thread")),
    );
    scene
}

/// Events that stand for several.
pub fn repeats() -> Scene {
    let mut scene = Scene::with_shell();
    let repeated = |count, action| Event {
        time: BEGIN + 2_000_000_000,
        process: key(SHELL),
        thread: SHELL,
        credentials: john(SHELL).credentials,
        login: john(SHELL).login,
        content: Content::Unasked,
        repeat: Some(Repeat {
            count,
            first: BEGIN,
            last: BEGIN + 1_999_999_999,
        }),
        call: None,
        action,
    };
    scene.event(repeated(
        12_345,
        Action::File(file(FileChange::Modified, b"/var/log/app.log")),
    ));
    let again = connection(Direction::Egress, "10.0.1.4:40000", "10.0.1.5:5432");
    scene.event(repeated(2, again.clone()));
    // One that happened once is like any other.
    scene.event(repeated(1, again));
    assert_eq!(scene.counted(Counter::Captured), 12_348);
    assert_eq!(scene.counted(Counter::Coalesced), 12_345);
    scene
}

/// An executed and a written file whose content is known, and one that could not be read.
pub fn hashes() -> Scene {
    let mut scene = Scene::with_shell();
    let digests = Digests {
        md5: [0x0f; 16],
        sha1: [0xa1; 20],
        sha256: [0x7e; 32],
    };
    let content = Content::Known(Arc::new(Inspection {
        digests,
        signature: Signature::Unknown,
    }));
    let mut happens = |content, action| {
        scene.event(Event {
            time: BEGIN,
            process: key(SHELL),
            thread: SHELL,
            credentials: john(SHELL).credentials,
            login: john(SHELL).login,
            repeat: None,
            call: None,
            content,
            action,
        });
    };
    let written = File {
        inode: Some(inode()),
        ..file(FileChange::Created, b"/home/john_doe/bin/tool")
    };
    happens(content.clone(), Action::File(written.clone()));
    happens(Content::Unread(Unread::Late), Action::File(written));
    let tool = exec(Some(800), "/home/john_doe/bin/tool", &["tool"]);
    happens(content, Action::Exec(tool));
    scene
}
