use super::*;
use crate::capture::etw::raw::of_epoch;
use crate::host::content::is_within;
use std::fs;
use std::path::Path;

const PATIENCE: Duration = Duration::from_secs(20);
const NOT_FOUND: Content = Content::Unread(Unread::NotFound);

fn start() -> Hashes {
    let settings = Settings {
        max_size: 10,
        excluded: vec![r"C:\Excluded".into()],
        root: PathBuf::new(),
    };
    Hashes::start(settings).unwrap().unwrap()
}

/// Now, as a process would be created, after what was written before.
fn later() -> u64 {
    std::thread::sleep(Duration::from_millis(50));
    of_epoch(wall::now())
}

fn read(hashes: &Hashes, path: &Path, executed: u64) -> Content {
    let path = path.to_str().unwrap();
    assert_eq!(
        hashes.ask(path.as_bytes(), &FileVersion::default()),
        None,
        "the version is not known before it is opened"
    );
    let job = Job {
        number: 7,
        places: vec![Place {
            path: path.into(),
            executed,
        }],
        version: FileVersion::default(),
        is_written: false,
        is_fresh: false,
        after: Instant::now(),
    };
    assert!(hashes.read(job));
    let (number, content) = hashes.done(PATIENCE).unwrap();
    assert_eq!(number, 7);
    content
}

fn kept(hashes: &Hashes) -> usize {
    hashes.shared.known.lock().unwrap().len()
}

#[test]
fn a_program_is_read_once_and_stands_in_nobodys_way() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("tool.exe");
    fs::write(&path, "abc").unwrap();
    let (hashes, executed) = (start(), later());
    let first = read(&hashes, &path, executed);
    let Content::Known(digests) = &first else {
        panic!("{first:?}")
    };
    assert_eq!(digests.md5[..4], [0x90, 0x01, 0x50, 0x98]);
    assert_eq!(digests.sha1[..4], [0xa9, 0x99, 0x3e, 0x36]);
    assert_eq!(digests.sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
    let Content::Known(again) = read(&hashes, &path, executed) else {
        panic!()
    };
    assert!(Arc::ptr_eq(digests, &again), "read twice");
    assert_eq!(kept(&hashes), 1);
    let places = [Place {
        path: path.to_str().unwrap().into(),
        executed,
    }];
    let open = content::open(Path::new(""), &places, &FileVersion::default());
    let open = open.unwrap();
    fs::write(&path, "abcd").unwrap();
    fs::remove_file(&path).unwrap();
    drop(open);
    assert_eq!(read(&hashes, &path, executed), NOT_FOUND);
}

#[test]
fn another_file_that_stands_there_has_no_hash() {
    let root = tempfile::tempdir().unwrap();
    let (path, other) = (root.path().join("tool.exe"), root.path().join("other.exe"));
    fs::write(&path, "abc").unwrap();
    fs::write(&other, "xyz").unwrap();
    let (hashes, executed) = (start(), later());
    assert!(matches!(read(&hashes, &path, executed), Content::Known(_)));
    // Another file, written and made before the process.
    fs::rename(&path, root.path().join("aside.exe")).unwrap();
    later();
    fs::rename(&other, &path).unwrap();
    assert_eq!(read(&hashes, &path, executed), NOT_FOUND);
    // The next process does run it, until it is written again.
    let executed = later();
    assert!(matches!(read(&hashes, &path, executed), Content::Known(_)));
    fs::write(&path, "xyy").unwrap();
    assert_eq!(read(&hashes, &path, executed), NOT_FOUND);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "new").unwrap();
    assert_eq!(read(&hashes, &path, executed), NOT_FOUND);
    assert_eq!(kept(&hashes), 2);
}

#[test]
fn leaves_out_what_it_was_told_to_and_what_is_too_large_or_far() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("tool.exe");
    fs::write(&path, "12345678901").unwrap();
    let (hashes, executed) = (start(), later());
    let unknown = FileVersion::default();
    let excluded = hashes.ask(br"c:\excluded\a.exe", &unknown);
    assert_eq!(excluded, Some(Content::Unasked));
    assert_eq!(hashes.ask(br"C:\excluded2\a.exe", &unknown), None);
    assert!(is_within(br"C:\a", Path::new(r"c:\")) && is_within(br"C:\a\b", Path::new("C:/A/")));
    let too_large = Content::Unread(Unread::TooLarge);
    assert_eq!(read(&hashes, &path, executed), too_large);
    let far = Content::Unread(Unread::NotLocal);
    for path in [
        r"\\server\share\a.exe",
        r"\Device\Mup\server\share\a.exe",
        r"\\.\pipe\a",
        "a.exe",
    ] {
        assert_eq!(read(&hashes, Path::new(path), executed), far, "{path}");
    }
    for path in [root.path().to_owned(), root.path().join("tool.exe:stream")] {
        assert_eq!(read(&hashes, &path, executed), NOT_FOUND, "{path:?}");
    }
}
