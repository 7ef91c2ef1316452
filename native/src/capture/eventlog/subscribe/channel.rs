//! One channel that is read as it is written, and how far it was.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_EVT_CHANNEL_NOT_FOUND, ERROR_EVT_INVALID_CHANNEL_PATH,
    ERROR_EVT_INVALID_QUERY, ERROR_EVT_QUERY_RESULT_INVALID_POSITION, ERROR_EVT_QUERY_RESULT_STALE,
    ERROR_INVALID_OPERATION, ERROR_NO_MORE_ITEMS, ERROR_NOT_FOUND, ERROR_TIMEOUT,
};

use super::api::{BATCH, Bookmark, Record, Records, Signal, explained};
use crate::capture::eventlog::query::Query;
use crate::capture::{Hook, HookState};

/// Between two attempts at a channel that has failed, the first time and at last.
const RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// It is not among the errors of Windows' own, but of its calls between processes.
const RPC_S_INVALID_BOUND: u32 = 1734;
/// Records that are read before their time, at most but for a batch.
const MAX_EARLY: usize = 1024;
/// Bytes of a bookmark's file.
const MAX_BOOKMARK: u64 = 65_536;

/// One channel.
pub struct Channel {
    query: Query,
    /// Where its bookmark is kept.
    path: PathBuf,
    bookmark: Option<Bookmark>,
    records: Option<Records>,
    failure: Option<Failure>,
    /// Records that were read too early.
    early: VecDeque<Record>,
    /// Records that are asked for at once: fewer where they are large.
    batch: usize,
    /// Something was given since the last mark.
    has_moved: bool,
    /// The bookmark as it was at the last mark.
    marked: Option<Vec<u16>>,
    /// Number of the last record before a hole, until the next one is read.
    before_hole: Option<u64>,
}

struct Failure {
    error: u32,
    until: Instant,
    wait: Duration,
}

impl Channel {
    /// Opens it from its bookmark on, or from its oldest record if there is none.
    pub fn open(query: Query, folder: &Path, signal: &Signal, notices: &mut Vec<String>) -> Self {
        let mut this = Self {
            path: folder.join(file_name(&query.channel)),
            query,
            bookmark: None,
            records: None,
            failure: None,
            early: VecDeque::new(),
            batch: BATCH,
            has_moved: false,
            marked: None,
            before_hole: None,
        };
        this.subscribe(signal, notices);
        this
    }

    /// Begins where it was saved last; what was given since comes again.
    pub fn subscribe(&mut self, signal: &Signal, notices: &mut Vec<String>) {
        self.records = None;
        self.early.clear();
        self.bookmark = None;
        (self.has_moved, self.marked) = (false, None);
        let saved = match self.saved() {
            Ok(None) => return self.begin(signal, notices),
            Ok(Some(saved)) => saved,
            Err(error) => {
                let path = self.path.display();
                notices.push(format!("cannot read the bookmark {path}: {error}"));
                return self.begin(signal, notices);
            }
        };
        match Bookmark::new(Some(&saved)) {
            Ok(bookmark) => {
                self.bookmark = Some(bookmark);
                self.go_on(signal, notices);
            }
            Err(_) => self.begin_anew(number(&saved), signal, notices),
        }
    }

    /// Tries again what has failed, if it is time.
    pub fn retry(&mut self, signal: &Signal, notices: &mut Vec<String>) {
        let is_due = |failure: &Failure| failure.until <= Instant::now();
        if !self.failure.as_ref().is_some_and(is_due) {
            return;
        }
        self.go_on(signal, notices);
        if self.records.is_some() {
            notices.push(format!("{} is read again", self.query.channel));
        }
    }

    /// Goes on after its bookmark, as it is in memory.
    fn go_on(&mut self, signal: &Signal, notices: &mut Vec<String>) {
        let mut buffer = vec![0; 1024];
        let Some(bookmark) = &self.bookmark else {
            return self.begin(signal, notices);
        };
        let text = bookmark.text(&mut buffer).unwrap_or_default();
        let Some(number) = number(text) else {
            return self.begin(signal, notices);
        };
        match Records::open(&self.query.text(), signal, Some(bookmark)) {
            Ok(records) => self.has_opened(records),
            Err(
                ERROR_NOT_FOUND
                | ERROR_EVT_QUERY_RESULT_STALE
                | ERROR_EVT_QUERY_RESULT_INVALID_POSITION,
            ) => self.begin_anew(Some(number), signal, notices),
            Err(error) => self.has_failed(error, notices),
        }
    }

    /// The record of its bookmark is not in it any more.
    fn begin_anew(&mut self, last: Option<u64>, signal: &Signal, notices: &mut Vec<String>) {
        notices.push(format!(
            "the bookmark of {} is not in it any more: what came after it may be lost, and all that \
             there is is told",
            self.query.channel
        ));
        self.before_hole = last.filter(|_| self.query.ids.is_empty());
        self.begin(signal, notices);
    }

    fn begin(&mut self, signal: &Signal, notices: &mut Vec<String>) {
        let opened = Bookmark::new(None).and_then(|bookmark| {
            let records = Records::open(&self.query.text(), signal, None)?;
            Ok((bookmark, records))
        });
        match opened {
            Ok((bookmark, records)) => {
                self.bookmark = Some(bookmark);
                self.has_opened(records);
            }
            Err(error) => self.has_failed(error, notices),
        }
    }

    fn has_opened(&mut self, records: Records) {
        self.records = Some(records);
        self.failure = None;
    }

    fn has_failed(&mut self, error: u32, notices: &mut Vec<String>) {
        self.records = None;
        // They come again, after the bookmark.
        self.early.clear();
        let before = self.failure.as_ref();
        let wait = before.map_or(RETRY, |failure| LAST_RETRY.min(2 * failure.wait));
        if before.is_none_or(|failure| failure.error != error)
            && error != ERROR_EVT_CHANNEL_NOT_FOUND
        {
            notices.push(format!(
                "{} is not read: {}",
                self.query.channel,
                told(error)
            ));
        }
        self.failure = Some(Failure {
            error,
            until: Instant::now() + wait,
            wait,
        });
    }

    /// The next records, at most [`BATCH`]. None if there are none now; a failure ends the subscription.
    pub fn next(&mut self, notices: &mut Vec<String>) -> VecDeque<Record> {
        if !self.early.is_empty() {
            return std::mem::take(&mut self.early);
        }
        self.fetch(notices).into()
    }

    fn fetch(&mut self, notices: &mut Vec<String>) -> Vec<Record> {
        loop {
            let Some(records) = &self.records else {
                return Vec::new();
            };
            match records.next(self.batch) {
                Ok(records) => return records,
                // The last is what older versions say of a subscription that has nothing.
                Err(ERROR_NO_MORE_ITEMS | ERROR_TIMEOUT | ERROR_INVALID_OPERATION) => {
                    return Vec::new();
                }
                // Together they are too large for a message between processes.
                Err(error) if error == RPC_S_INVALID_BOUND && self.batch > 1 => {
                    self.batch /= 2;
                }
                Err(error) => {
                    self.has_failed(error, notices);
                    return Vec::new();
                }
            }
        }
    }

    /// These were read too early, and are the next. What has come after them is read as well: who clears the
    /// channel meanwhile is not to take it away.
    pub fn keep(&mut self, records: VecDeque<Record>, notices: &mut Vec<String>) {
        self.early = records;
        while self.early.len() < MAX_EARLY {
            let more = self.fetch(notices);
            if more.is_empty() {
                return;
            }
            self.early.extend(more);
        }
    }

    /// A record was given, of this number. How many before it are missing.
    pub fn pass(&mut self, record: &Record, number: u64) -> u64 {
        if let Some(bookmark) = &self.bookmark {
            bookmark.pass(record);
            self.has_moved = true;
        }
        let last = self.before_hole.take();
        last.map_or(0, |last| number.saturating_sub(last + 1))
    }

    /// Remembers where it is; whether that is further than before.
    pub fn mark(&mut self, buffer: &mut Vec<u16>) -> bool {
        if self.has_moved
            && let Some(bookmark) = &self.bookmark
            && let Ok(text) = bookmark.text(buffer)
        {
            self.marked = Some(text.to_vec());
            self.has_moved = false;
        }
        self.marked.is_some()
    }

    /// Saves what was marked.
    pub fn settle(&mut self, notices: &mut Vec<String>) {
        let Some(text) = self.marked.take() else {
            return;
        };
        let bytes: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        if let Err(error) = replace(&self.path, &bytes) {
            // The next mark covers it, too.
            self.has_moved = true;
            let path = self.path.display();
            notices.push(format!("cannot save the bookmark {path}: {error}"));
        }
    }

    fn saved(&self) -> io::Result<Option<Vec<u16>>> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BOOKMARK).read_to_end(&mut bytes)?;
        let units = bytes.chunks_exact(2);
        let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        Ok(Some(units.collect()))
    }

    /// Whether it is read, and why not.
    pub fn hook(&self) -> Hook {
        let state = match &self.failure {
            None => HookState::Attached,
            Some(failure) if failure.error == ERROR_EVT_CHANNEL_NOT_FOUND => HookState::Missing,
            Some(_) => HookState::Failed,
        };
        Hook {
            name: self.query.channel.clone(),
            state,
            reason: self
                .failure
                .as_ref()
                .map_or_else(String::new, |failure| told(failure.error)),
        }
    }
}

/// Why a channel is not read, and what to do. Windows keeps the texts of its log's errors elsewhere.
fn told(error: u32) -> String {
    match error {
        ERROR_EVT_CHANNEL_NOT_FOUND => "this host has no such channel".into(),
        ERROR_EVT_INVALID_QUERY | ERROR_EVT_INVALID_CHANNEL_PATH => {
            format!("the log takes no such query (error {error}); correct EventLogChannels")
        }
        ERROR_ACCESS_DENIED => {
            explained(error) + "; run the agent as the system, or as a reader of event logs"
        }
        _ => explained(error),
    }
}

/// The number of the record in the text of a bookmark.
fn number(text: &[u16]) -> Option<u64> {
    let text = String::from_utf16_lossy(text);
    let after = text.split("RecordId=").nth(1)?.get(1..)?;
    let digits = after.find(|char: char| !char.is_ascii_digit())?;
    after[..digits].parse().ok()
}

/// A name for each channel, whatever is in its own.
fn file_name(channel: &str) -> String {
    let mut name = String::new();
    for byte in channel.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(byte.into());
        } else {
            name += &format!("%{byte:02x}");
        }
    }
    name + ".xml"
}

/// Puts a file in the place of another: after a crash, it is one of the two.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&part, path)
}
