use super::*;
use crate::capture::etw::raw::of_epoch;
use crate::host::content::is_within;
use std::fs;
use std::path::Path;

const PATIENCE: Duration = Duration::from_secs(20);
const NOT_FOUND: Content = Content::Unread(Unread::NotFound);

fn start() -> Hashes {
    start_up_to(10)
}

fn start_up_to(max_size: u64) -> Hashes {
    let settings = Settings {
        max_size,
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
        time: 0,
        is_written: false,
        is_fresh: false,
        after: Instant::now(),
    };
    assert!(hashes.read(job));
    let first = hashes.done(PATIENCE).unwrap();
    assert_eq!(first.number, 7);
    if first.is_last {
        return first.content;
    }
    // Its signature takes longer.
    let last = hashes.done(PATIENCE).unwrap();
    assert!(last.number == 7 && last.is_last);
    let (Content::Known(digests), Content::Known(all)) = (first.content, &last.content) else {
        panic!("{last:?}")
    };
    assert_eq!(digests.digests, all.digests);
    assert_eq!(digests.signature, Signature::Unknown);
    last.content
}

fn signature(hashes: &Hashes, path: &Path) -> Signature {
    match read(hashes, path, later()) {
        Content::Known(found) => found.signature.clone(),
        other => panic!("{other:?}"),
    }
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
    let Content::Known(found) = &first else {
        panic!("{first:?}")
    };
    let digests = &found.digests;
    assert_eq!(digests.md5[..4], [0x90, 0x01, 0x50, 0x98]);
    assert_eq!(digests.sha1[..4], [0xa9, 0x99, 0x3e, 0x36]);
    assert_eq!(digests.sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
    let Content::Known(again) = read(&hashes, &path, executed) else {
        panic!()
    };
    assert!(Arc::ptr_eq(found, &again), "read twice");
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

/// A program that does nothing, signed by nobody who is known: `x86_64-w64-mingw32-gcc -nostdlib` of an empty
/// function, and `osslsigncode sign -h sha256` with a certificate of its own, for code, until 2126.
const SIGNED: &[u8] = include_bytes!("../../../../tests/windows/signed.exe");
/// What is said of it: `CERT_E_UNTRUSTEDROOT`, `TRUST_E_BAD_DIGEST`.
const UNTRUSTED: u32 = 0x800B_0109;
const OTHER_CONTENT: u32 = 0x8009_6010;

/// Wine has no catalogs, which are asked for and do not know the file, and takes whoever signed for trusted.
#[test]
fn a_program_tells_who_signed_it_and_whether_that_is_so() {
    let root = tempfile::tempdir().unwrap();
    let hashes = start_up_to(1 << 20);
    let write = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let signed = write("signed.exe", SIGNED);
    let by = |status| Signature::Present {
        subject: "Nobody who is trusted".into(),
        status,
    };
    let is_wine = std::env::var_os("WINEPREFIX").is_some();
    let first = by(if is_wine { 0 } else { UNTRUSTED });
    assert_eq!(signature(&hashes, &signed), first);
    let mut changed = SIGNED.to_vec();
    let text = changed.windows(5).position(|it| it == b".text").unwrap();
    changed[text + 1] = b'T';
    let changed = write("changed.exe", &changed);
    let wrong = signature(&hashes, &changed);
    assert!(
        matches!(wrong, Signature::Present { status, .. } if status == OTHER_CONTENT),
        "{wrong:?}"
    );
    let text = write("text.exe", b"no program");
    assert_eq!(signature(&hashes, &text), Signature::Missing);
    // The first was moved aside, and what is at its place has no signature.
    fs::rename(&signed, root.path().join("aside.exe")).unwrap();
    let mut plain = SIGNED.to_vec();
    let head = u32::from_le_bytes(plain[0x3c..0x40].try_into().unwrap()) as usize;
    // Where the signature is, and its size.
    let place = head + 24 + 112 + 4 * 8;
    let begin = u32::from_le_bytes(plain[place..place + 4].try_into().unwrap());
    plain.truncate(begin as usize);
    plain[place..place + 8].fill(0);
    let plain = write("signed.exe", &plain);
    assert_eq!(signature(&hashes, &plain), Signature::Missing);
}
