use super::*;
use std::os::unix::fs::{MetadataExt, symlink};
use tempfile::TempDir;

const DEVICE: (u32, u32) = (9, 1);
const BTRFS: u32 = 0x9123_683e;
/// After a file that is written now has rested.
const LATER: u64 = 1_000_000_000;

/// A root where process 5 runs `/tool`, which lies on a mount of this type.
fn root(kind: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let tool = root.path().join("tool");
    fs::write(&tool, "abc").unwrap();
    fs::create_dir_all(root.path().join("proc/5")).unwrap();
    fs::create_dir_all(root.path().join("proc/self")).unwrap();
    symlink(&tool, root.path().join("proc/5/exe")).unwrap();
    list(&root, "self", kind);
    root
}

fn list(root: &TempDir, process: &str, kind: &str) {
    let number = mount_of(&File::open(root.path().join("tool")).unwrap()).unwrap();
    let line = format!("{number} 1 9:1 / /a\\040b rw shared:1 - {kind} none rw\n");
    let list = format!("proc/{process}/mountinfo");
    fs::write(root.path().join(list), "odd\n".to_owned() + &line).unwrap();
}

/// What a record has of a file.
fn recorded(root: &TempDir, name: &str) -> FileVersion {
    FileVersion {
        device: DEVICE,
        inode: fs::metadata(root.path().join(name)).unwrap().ino(),
        ..FileVersion::default()
    }
}

fn changed(root: &TempDir) -> u64 {
    let status = fs::metadata(root.path().join("tool")).unwrap();
    (status.ctime() * 1_000_000_000 + status.ctime_nsec()).cast_unsigned()
}

type Completed = Result<(Vec<Place>, FileVersion), Unread>;

fn complete(root: &TempDir, mut version: FileVersion, executed: Option<u64>) -> Completed {
    let mut places = vec![Place::Program(5), Place::Rooted("/tool".into())];
    let mut mounts = Mounts::default();
    let completed = mounts.complete(root.path(), &mut places, &mut version, executed);
    completed.map(|()| (places, version))
}

#[test]
fn a_program_is_found_while_it_runs_and_later_where_it_lies() {
    let root = root("btrfs");
    let (recorded, changed) = (recorded(&root, "tool"), changed(&root));
    let (places, version) = complete(&root, recorded, Some(changed + LATER)).unwrap();
    assert_eq!(places, [Place::Program(5)]);
    assert_eq!(
        (version.inode, version.changed, version.size),
        (recorded.inode, changed, 3)
    );
    assert_eq!(version.filesystem, BTRFS);
    // A record has thousandths of a second, so it may be told earlier than it was.
    let at_once = changed - changed % STEP;
    assert!(complete(&root, recorded, Some(at_once)).is_ok());

    fs::remove_file(root.path().join("proc/5/exe")).unwrap();
    let (places, _) = complete(&root, recorded, Some(changed + LATER)).unwrap();
    assert_eq!(places, [Place::Rooted("/tool".into())]);
    let fresh = complete(&root, recorded, Some(changed + 1));
    assert_eq!(fresh, Err(Unread::NotFound));
}

#[test]
fn another_file_and_one_that_has_changed_since_are_not_taken_for_it() {
    let root = root("btrfs");
    let (tool, changed) = (recorded(&root, "tool"), changed(&root));
    let executed = Some(changed + LATER);
    fs::write(root.path().join("other"), "abc").unwrap();
    let other = recorded(&root, "other");
    assert_eq!(complete(&root, other, executed), Err(Unread::NotFound));
    let elsewhere = FileVersion {
        device: (9, 2),
        ..tool
    };
    assert_eq!(complete(&root, elsewhere, executed), Err(Unread::NotFound));
    let before = Some(changed - LATER);
    assert_eq!(complete(&root, tool, before), Err(Unread::NotFound));
}

#[test]
fn what_lies_on_no_file_system_of_this_host_is_not_looked_at() {
    for kind in ["fuse", "fuse.ext4", "fuseblk", "nfs4", "proc"] {
        let root = root(kind);
        let recorded = recorded(&root, "tool");
        for executed in [None, Some(changed(&root) + LATER)] {
            let completed = complete(&root, recorded, executed);
            assert_eq!(completed, Err(Unread::NotLocal), "{kind}");
        }
    }
}

#[test]
fn of_a_written_file_the_file_system_is_found_out() {
    let root = root("btrfs");
    let recorded = recorded(&root, "tool");
    let (places, version) = complete(&root, recorded, None).unwrap();
    assert_eq!(places.len(), 2);
    let expected = FileVersion {
        filesystem: BTRFS,
        ..recorded
    };
    assert_eq!(version, expected);
}

#[test]
fn a_process_that_sees_other_mounts_is_asked_for_them() {
    let root = root("nfs4");
    for (process, namespace) in [("self", "mnt:[1]"), ("5", "mnt:[2]")] {
        let folder = root.path().join("proc").join(process).join("ns");
        fs::create_dir(&folder).unwrap();
        symlink(namespace, folder.join("mnt")).unwrap();
    }
    let executed = Some(changed(&root) + LATER);
    let recorded = recorded(&root, "tool");
    assert_eq!(complete(&root, recorded, executed), Err(Unread::NotLocal));
    list(&root, "5", "btrfs");
    assert!(complete(&root, recorded, executed).is_ok());
}

#[test]
fn a_program_in_memory_is_found_on_no_listed_mount() {
    let root = root("btrfs");
    // SAFETY: the name is a literal, and nobody else has the descriptor.
    let file = unsafe { File::from_raw_fd(libc::memfd_create(c"".as_ptr(), libc::MFD_CLOEXEC)) };
    let link = root.path().join("proc/5/exe");
    fs::remove_file(&link).unwrap();
    symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), link).unwrap();
    let told = look(&file, TMPFS).unwrap();
    let recorded = FileVersion {
        device: told.device,
        inode: told.inode,
        ..FileVersion::default()
    };
    let (places, version) = complete(&root, recorded, Some(told.changed + LATER)).unwrap();
    assert_eq!((places, version), (vec![Place::Program(5)], told));
}

#[test]
fn mounts_are_read_again_when_they_have_changed() {
    // A thread that has mounts of its own, as root may.
    let thread = std::thread::spawn(|| {
        // SAFETY: numbers only.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return;
        }
        let lists = [File::open("/proc/thread-self/mountinfo").unwrap()];
        read(&lists[0]);
        assert!(!any_has_changed(&lists));
        let (none, private) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
        let (kind, folder) = (c"tmpfs".as_ptr(), c"/tmp".as_ptr());
        // SAFETY: the names are literals.
        let is_mounted = unsafe {
            libc::mount(none, c"/".as_ptr(), none, private, none.cast()) == 0
                && libc::mount(kind, folder, kind, 0, none.cast()) == 0
        };
        assert!(is_mounted && any_has_changed(&lists) && !any_has_changed(&lists));
    });
    thread.join().unwrap();
}

#[test]
fn the_number_of_a_mount_is_the_listed_one() {
    let list = File::open("/proc/self/mountinfo").unwrap();
    let number = mount_of(&list).unwrap();
    assert_eq!(mount_in_proc(&list), Some(number));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts
        .lines()
        .find(|line| line.starts_with(&format!("{number} ")));
    assert!(
        line.is_some_and(|line| line.contains(" - proc ")),
        "{line:?}"
    );
}
