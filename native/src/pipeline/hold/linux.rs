//! Which files events are about: the kernel tells the inode, and all of its version or what the hashing
//! thread needs to find that out.

use crate::event::{Action, Event, FileChange, FileVersion};
use crate::host::content::Place;

/// The file whose content an event is about. Of one that is being written, the kernel could not yet
/// tell the version.
pub fn subject(event: &Event) -> Option<(&[u8], FileVersion)> {
    match &event.action {
        Action::Exec(exec) => Some((&exec.executable, exec.file?)),
        Action::File(file)
            if matches!(file.change, FileChange::Created | FileChange::Modified)
                && !file.deleted =>
        {
            let inode = file.inode?;
            let version = FileVersion {
                device: inode.device,
                inode: inode.number,
                filesystem: inode.filesystem,
                ..FileVersion::default()
            };
            Some((&file.path, version))
        }
        _ => None,
    }
}

/// The process that acts may be gone before its file is looked for; its parent sees the same files
/// where both are in one container, and the agent where they are in none.
pub fn places(event: &Event, is_fresh: bool) -> Vec<Place> {
    let pid = event.process.pid;
    match &event.action {
        Action::Exec(_) if is_fresh => vec![Place::Program(pid)],
        Action::Exec(exec) => {
            let parent = exec.parent.map_or(pid, |parent| parent.pid);
            vec![
                Place::Program(pid),
                Place::Seen(parent, exec.executable.clone()),
                Place::Rooted(exec.executable.clone()),
            ]
        }
        Action::File(file) => vec![
            Place::Seen(pid, file.path.clone()),
            Place::Rooted(file.path.clone()),
        ],
        _ => Vec::new(),
    }
}
