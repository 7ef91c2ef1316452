use super::*;
use crate::event::Digests;
use crate::host::content::{TICK, is_within};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use tempfile::TempDir;

const TMPFS: u32 = 0x0102_1994;
const PATIENCE: Duration = Duration::from_secs(20);

fn version(path: &Path) -> FileVersion {
    let status = fs::metadata(path).unwrap();
    FileVersion {
        device: (libc::major(status.dev()), libc::minor(status.dev())),
        inode: status.ino(),
        changed: (status.ctime() * 1_000_000_000 + status.ctime_nsec()).cast_unsigned(),
        size: status.size(),
        filesystem: TMPFS,
    }
}

/// As the kernel tells a file that is being written.
fn written(version: FileVersion) -> FileVersion {
    FileVersion {
        changed: 0,
        size: 0,
        ..version
    }
}

fn start(root: &TempDir, max_size: u64) -> Hashes {
    let settings = Settings {
        max_size,
        excluded: vec!["/excluded".into()],
        root: root.path().into(),
    };
    Hashes::start(settings).unwrap().unwrap()
}

fn job(version: FileVersion, places: Vec<Place>) -> Job {
    Job {
        number: 7,
        places,
        version,
        time: 0,
        is_written: version.changed == 0,
        is_fresh: false,
        after: Instant::now(),
    }
}

fn done(hashes: &Hashes, job: Job) -> Content {
    assert!(hashes.read(job));
    let Answer {
        number, content, ..
    } = hashes.done(PATIENCE).unwrap();
    assert_eq!(number, 7);
    content
}

fn read(hashes: &Hashes, version: FileVersion, path: &str) -> Content {
    let places = vec![Place::Program(1), Place::Rooted(path.into())];
    done(hashes, job(version, places))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn reads_a_version_once() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "abc").unwrap();
    let hashes = start(&root, 10);
    let version = version(&path);
    assert_eq!(hashes.ask(b"/file", &version), None);
    let Content::Known(found) = read(&hashes, version, "/file") else {
        panic!()
    };
    let Digests { md5, sha1, sha256 } = &found.digests;
    assert_eq!(hex(md5), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(hex(sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(
        hex(sha256),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    fs::remove_file(&path).unwrap();
    let known = Content::Known(found);
    assert_eq!(hashes.ask(b"/file", &version), Some(known.clone()));
    assert_eq!(read(&hashes, version, "/file"), known);
}

#[test]
fn does_not_take_another_file_for_it() {
    let not_found = Content::Unread(Unread::NotFound);
    let root = tempfile::tempdir().unwrap();
    let (path, other) = (root.path().join("file"), root.path().join("other"));
    fs::write(&path, "abc").unwrap();
    fs::write(&other, "abc").unwrap();
    let (version, other_version) = (version(&path), version(&other));
    let hashes = start(&root, 10);
    assert_eq!(read(&hashes, version, "/other"), not_found);
    fs::remove_file(&path).unwrap();
    symlink("other", &path).unwrap();
    assert_eq!(read(&hashes, other_version, "/file"), not_found);
    // Nor what was written since under the same number.
    fs::write(&other, "abcd").unwrap();
    assert_eq!(read(&hashes, other_version, "/other"), not_found);
}

#[test]
fn a_written_file_is_read_when_it_rests_and_its_version_is_not_kept() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "abc").unwrap();
    let (hashes, version) = (start(&root, 10), version(&path));
    let begun = Instant::now();
    let content = loop {
        let content = read(&hashes, written(version), "/file");
        if content != Content::Unread(Unread::Changing) {
            break content;
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert!(matches!(content, Content::Known(_)));
    assert!(!is_fresh(&version, wall::now()));
    assert_eq!(hashes.ask(b"/file", &version), None);
}

#[test]
fn a_fresh_file_has_to_be_there_afterwards_and_is_not_kept() {
    let root = tempfile::tempdir().unwrap();
    let process = root.path().join("proc/5");
    fs::create_dir_all(&process).unwrap();
    fs::write(process.join("exe"), "abc").unwrap();
    let (hashes, version) = (start(&root, 10), version(&process.join("exe")));
    let fresh = Job {
        is_fresh: true,
        ..job(version, vec![Place::Program(5)])
    };
    assert!(matches!(done(&hashes, fresh), Content::Known(_)));
    assert_eq!(hashes.ask(b"/file", &version), None);
    assert!(is_fresh(&version, version.changed + TICK - 1));
    assert!(is_fresh(&version, version.changed));
    assert!(!is_fresh(&version, version.changed + TICK));
}

#[test]
fn leaves_out_what_it_was_told_to_and_what_is_too_large_or_far() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "12345678901").unwrap();
    let (hashes, version) = (start(&root, 10), version(&path));
    assert_eq!(hashes.ask(b"/excluded/x", &version), Some(Content::Unasked));
    assert_eq!(hashes.ask(b"/excluded", &version), Some(Content::Unasked));
    assert!(is_within(b"/a/b", Path::new("/a/")) && is_within(b"/a", Path::new("/")));
    let too_large = Content::Unread(Unread::TooLarge);
    assert_eq!(hashes.ask(b"/file", &version), Some(too_large.clone()));
    let unknown = written(version);
    assert_eq!(hashes.ask(b"/excluded2", &unknown), None);
    let far = FileVersion {
        filesystem: 0x6969,
        ..unknown
    };
    let not_local = Content::Unread(Unread::NotLocal);
    assert_eq!(hashes.ask(b"/file", &far), Some(not_local));
    assert_eq!(read(&hashes, unknown, "/file"), too_large);
    assert!(Hashes::start(Settings::default()).unwrap().is_none());
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("pipe");
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name lives through the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let (hashes, version) = (start(&root, 10), version(&path));
    let not_found = Content::Unread(Unread::NotFound);
    assert_eq!(read(&hashes, version, "/pipe"), not_found);
}

#[test]
fn a_job_waits_for_its_time_and_keeps_no_other_waiting() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "abc").unwrap();
    let (hashes, version) = (start(&root, 10), version(&root.path().join("file")));
    let begun = Instant::now();
    let wait = Duration::from_millis(300);
    for (number, after) in [(1, begun + wait), (2, begun)] {
        let job = Job {
            number,
            after,
            ..job(version, Vec::new())
        };
        assert!(hashes.read(job));
    }
    assert_eq!(hashes.done(PATIENCE).unwrap().number, 2);
    assert_eq!(hashes.done(PATIENCE).unwrap().number, 1);
    assert!(begun.elapsed() >= wait);
}

#[test]
fn what_is_used_beyond_the_budget_is_paid_for_later() {
    let begun = Instant::now();
    let after = |burst: u64| begun + Duration::from_nanos(burst * BURST * SHARE);
    let budget = Budget::new(begun);
    assert!(budget.allows(begun));
    budget.spend(begun, 3 * BURST);
    assert!(!budget.allows(after(2) - Duration::from_secs(1)));
    assert!(budget.allows(after(2)));
    // A long rest earns one burst, and no more.
    budget.spend(after(100), BURST + 1);
    assert!(!budget.allows(after(100)));
}
