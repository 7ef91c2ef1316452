//! Records as XML, which another reader has made of the golden files (`tests/golden/test_eventlog.py`
//! compares), give what the files give.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use endpoint_agent_native::capture::eventlog::builder::Builder;
use endpoint_agent_native::capture::eventlog::file::LogFile;
use endpoint_agent_native::capture::eventlog::xml;
use endpoint_agent_native::capture::{Progress, Source};
use endpoint_agent_native::event::{Action, LogRecord};

use crate::repository;

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    if path.extension().is_some_and(|ending| ending == "gz") {
        let packed = std::mem::take(&mut bytes);
        let mut reader = flate2::read::GzDecoder::new(&packed[..]);
        reader.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// The records of a file, and their times.
fn of_file(path: &Path) -> Vec<(LogRecord, u64)> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&unpacked(path)).unwrap();
    let mut log = LogFile::open(file.path()).unwrap();
    let mut all = Vec::new();
    loop {
        let progress = log.drain(Duration::ZERO, &mut |event| match event.action {
            Action::Logged(record) => all.push((*record, event.time)),
            other => panic!("{other:?}"),
        });
        if progress.unwrap() == Progress::Ended {
            return all;
        }
    }
}

/// The records of XML documents, with a NUL between them.
fn of_xml(path: &Path) -> Vec<(LogRecord, u64)> {
    let text = String::from_utf8(unpacked(path)).unwrap();
    let mut builder = Builder::default();
    let read = |document: &str| {
        xml::read(document, &mut builder).unwrap();
        let (record, time) = builder.take();
        (*record, time.unwrap_or_default())
    };
    text.split('\0').map(read).collect()
}

/// What both write alike: the other reader has no braces about GUIDs, ends times at microseconds, and
/// leaves out what XML has no word for.
fn plain(value: &str) -> String {
    let bare = value.trim_matches(['{', '}']);
    let is_guid = bare.len() == 36 && bare.bytes().filter(|&byte| byte == b'-').count() == 4;
    let is_time = value.len() == 28 && value.ends_with("0Z");
    match value {
        _ if is_time => value.replace("0Z", "Z"),
        _ if is_guid => bare.to_ascii_uppercase(),
        // It breaks lines in elements without text.
        value if value.trim_ascii().is_empty() => String::new(),
        value => value.into(),
    }
}

fn differences(file: &Path, xml: &Path) -> Vec<String> {
    let (ours, theirs) = (of_file(file), of_xml(xml));
    assert_eq!(ours.len(), theirs.len(), "{}", file.display());
    let mut all = Vec::new();
    for ((mine, time), (other, other_time)) in ours.into_iter().zip(theirs) {
        let number = mine.number;
        // One that a collector writes in place of a forwarded record says no number; its file does.
        let other = LogRecord {
            number: if other.number == 0 {
                number
            } else {
                other.number
            },
            ..other
        };
        if time / 1_000 != other_time / 1_000 {
            all.push(format!("{number} time: {time} {other_time}"));
        }
        let pairs = |record: &LogRecord| -> Vec<(String, String)> {
            let data = record.data.iter();
            data.map(|(name, value)| (name.into(), plain(value)))
                .collect()
        };
        let (mine_data, other_data) = (pairs(&mine), pairs(&other));
        if mine_data != other_data {
            for (one, two) in mine_data.iter().zip(&other_data) {
                if one != two {
                    all.push(format!("{number} data: {one:?} {two:?}"));
                }
            }
            if mine_data.len() != other_data.len() {
                all.push(format!(
                    "{number} count: {} {}",
                    mine_data.len(),
                    other_data.len()
                ));
            }
        }
        let head = |record: LogRecord| LogRecord {
            data: Default::default(),
            provider_guid: plain(&record.provider_guid).into(),
            activity: plain(&record.activity),
            related_activity: plain(&record.related_activity),
            ..record
        };
        let shown = |record: LogRecord| format!("{:#?}", head(record));
        let (mine, other) = (shown(mine), shown(other));
        for (one, two) in mine.lines().zip(other.lines()) {
            if one != two {
                all.push(format!("{number} head: {one} {two}"));
            }
        }
    }
    all
}

/// Files of the log, and the XML of their records: the golden ones, and those of the folder that
/// `EVENT_XML` names, where each `NAME.evtx` has a `NAME.xml`.
fn logs() -> Vec<(PathBuf, PathBuf)> {
    let golden = repository("tests/golden/eventlog");
    let other = std::env::var_os("EVENT_XML").map(PathBuf::from);
    let folders = [Some((golden, ".gz")), other.map(|folder| (folder, ""))];
    let mut all = Vec::new();
    for (folder, packed) in folders.into_iter().flatten() {
        for entry in fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if let Some(stem) = name.strip_suffix(&format!(".evtx{packed}")) {
                all.push((
                    folder.join(&name),
                    folder.join(format!("{stem}.xml{packed}")),
                ));
            }
        }
    }
    all
}

#[test]
fn the_xml_of_a_record_tells_what_its_file_tells() {
    let logs = logs();
    assert!(logs.len() >= 14, "{}", logs.len());
    for (file, xml) in logs {
        assert_eq!(differences(&file, &xml), [""; 0], "{}", file.display());
    }
}
