//! Channels of the event log of this host as a source of events: the only code here that calls Windows.
//!
//! Each channel is read from its bookmark on, which is kept in a file and moves on behind the
//! queue: it is saved once what it covers was handed over [`SETTLED`] ago, by when the queue has
//! written it to the disk. So a record may come twice after a crash, and none is left out.

use std::ffi::c_void;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_INSUFFICIENT_BUFFER, ERROR_NO_MORE_ITEMS, GetLastError, HANDLE,
};
use windows_sys::Win32::System::EventLog::{
    EVT_HANDLE, EvtClose, EvtCreateBookmark, EvtNext, EvtRender, EvtRenderBookmark,
    EvtRenderEventXml, EvtSubscribe, EvtSubscribeStartAfterBookmark,
    EvtSubscribeStartAtOldestRecord, EvtSubscribeStrict, EvtUpdateBookmark,
};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, WaitForSingleObject};

use super::builder::Builder;
use super::xml;
use crate::capture::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};

/// By then the queue has written to the disk what it was given.
pub const SETTLED: Duration = Duration::from_secs(2);
/// Between two attempts at a channel that has failed.
const RETRY: Duration = Duration::from_secs(1);
/// Records that are asked for at once, and bytes of one as XML.
const BATCH: usize = 64;
const MAX_XML: usize = 4 << 20;

/// Channels that are read as they are written.
pub struct Subscription {
    channels: Vec<Channel>,
    /// Set by Windows when a channel has something.
    signal: Signal,
    builder: Builder,
    buffer: Vec<u16>,
    malformed: u64,
    /// Of the last record, nanoseconds since the epoch.
    time: u64,
    notices: Vec<String>,
}

struct Channel {
    name: String,
    /// Where its bookmark is kept.
    path: PathBuf,
    bookmark: Object,
    records: Option<Object>,
    failure: Option<(u32, Instant)>,
    /// A bookmark that is to be saved, and since when all of it is handed over.
    waiting: Option<(Instant, Vec<u16>)>,
}

/// A handle of the event log, or 0 for none.
struct Object(EVT_HANDLE);

// SAFETY: the event log's handles may be used from any thread.
unsafe impl Send for Object {}

impl Drop for Object {
    fn drop(&mut self) {
        if self.0 != 0 {
            // SAFETY: it is open, and nobody else closes it.
            unsafe { EvtClose(self.0) };
        }
    }
}

/// An event of Windows that stays set until it is reset.
struct Signal(HANDLE);

// SAFETY: handles of events may be used from any thread.
unsafe impl Send for Signal {}

impl Drop for Signal {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { CloseHandle(self.0) };
    }
}

impl Subscription {
    /// Reads channels. `folder`: where their bookmarks are kept; it is there, and the agent's alone.
    pub fn open(channels: &[&str], folder: &Path) -> Result<Self> {
        // SAFETY: it needs no name and no attributes.
        let signal = unsafe { CreateEventW(null(), 1, 1, null()) };
        if signal.is_null() {
            let failed = Error::io("cannot be told of what happens in", "the event log");
            return Err(failed(io::Error::last_os_error()));
        }
        let mut this = Self {
            channels: Vec::new(),
            signal: Signal(signal),
            builder: Builder::default(),
            buffer: vec![0; 4096],
            malformed: 0,
            time: 0,
            notices: Vec::new(),
        };
        for name in channels {
            let file = format!("{}.xml", name.replace(['/', '\\', ' '], "_"));
            let mut channel = Channel {
                name: (*name).into(),
                path: folder.join(file),
                bookmark: Object(0),
                records: None,
                failure: None,
                waiting: None,
            };
            channel.subscribe(&this.signal, &mut this.notices);
            this.channels.push(channel);
        }
        Ok(this)
    }

    /// Hands over what a channel has. Whether there was anything.
    fn read(&mut self, place: usize, sink: &mut dyn FnMut(Event)) -> bool {
        let mut had_any = false;
        while let Some(records) = self.channels[place].next() {
            for record in &records {
                self.tell(record, sink);
                self.channels[place].pass(record);
                had_any = true;
            }
        }
        if had_any && self.channels[place].waiting.is_none() {
            let bookmark = self.channels[place].bookmark.0;
            if let Ok(text) = render(bookmark, EvtRenderBookmark, &mut self.buffer) {
                self.channels[place].waiting = Some((Instant::now(), text.to_vec()));
            }
        }
        had_any
    }

    fn tell(&mut self, record: &Object, sink: &mut dyn FnMut(Event)) {
        let Ok(text) = render(record.0, EvtRenderEventXml, &mut self.buffer) else {
            self.malformed += 1;
            return;
        };
        let read = xml::read(&String::from_utf16_lossy(text), &mut self.builder);
        let (record, time) = self.builder.take();
        self.time = time.unwrap_or(self.time);
        match read {
            Ok(()) => sink(record.into_event(self.time)),
            Err(_) => self.malformed += 1,
        }
    }
}

impl Channel {
    /// Opens it from its bookmark on, or from its oldest record if there is none.
    fn subscribe(&mut self, signal: &Signal, notices: &mut Vec<String>) {
        let saved: Vec<u16> = fs::read(&self.path)
            .unwrap_or_default()
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .chain([0])
            .collect();
        let has_saved = saved.len() > 1;
        // SAFETY: `saved` ends with a NUL.
        let marked = has_saved.then(|| unsafe { EvtCreateBookmark(saved.as_ptr()) });
        let marked = marked.filter(|&bookmark| bookmark != 0).map(Object);
        if has_saved {
            let from = marked.as_ref().map_or(0, |bookmark| bookmark.0);
            let flags = EvtSubscribeStartAfterBookmark | EvtSubscribeStrict;
            if from != 0 && self.attach(signal, from, flags) {
                self.bookmark = marked.unwrap_or(Object(0));
                return;
            }
            let (name, error) = (&self.name, self.failure.map_or(0, |(error, _)| error));
            notices.push(format!(
                "the bookmark of {name} is not in it any more (error {error}): what came after it \
                 may be lost, and all that there is is told"
            ));
        }
        // SAFETY: without XML it is a bookmark of nothing yet.
        self.bookmark = Object(unsafe { EvtCreateBookmark(null()) });
        self.attach(signal, 0, EvtSubscribeStartAtOldestRecord);
    }

    fn attach(&mut self, signal: &Signal, bookmark: EVT_HANDLE, flags: u32) -> bool {
        let wide = |text: &str| -> Vec<u16> { text.encode_utf16().chain([0]).collect() };
        let (name, query) = (wide(&self.name), wide("*"));
        // SAFETY: both texts end with a NUL, the handles are open, and there is no callback.
        let records = unsafe {
            EvtSubscribe(
                0,
                signal.0,
                name.as_ptr(),
                query.as_ptr(),
                bookmark,
                null(),
                None,
                flags,
            )
        };
        // SAFETY: it only reads what the call has left.
        let error = unsafe { GetLastError() };
        self.records = (records != 0).then_some(Object(records));
        self.failure = (records == 0).then(|| (error, Instant::now()));
        records != 0
    }

    /// The next records. Nothing if there are none now; a failure ends the subscription.
    fn next(&mut self) -> Option<Vec<Object>> {
        let records = self.records.as_ref()?;
        let mut handles = [0; BATCH];
        let mut count = 0;
        // SAFETY: there is room for as many handles as it is told, and the number of them.
        let done = unsafe {
            EvtNext(
                records.0,
                BATCH as u32,
                handles.as_mut_ptr(),
                0,
                0,
                &raw mut count,
            )
        };
        if done == 0 {
            // SAFETY: it only reads what the call has left.
            let error = unsafe { GetLastError() };
            if error != ERROR_NO_MORE_ITEMS {
                self.records = None;
                self.failure = Some((error, Instant::now()));
            }
            return None;
        }
        let all = handles.into_iter().take(count as usize);
        Some(all.map(Object).collect())
    }

    /// A record is handed over.
    fn pass(&self, record: &Object) {
        // SAFETY: both are open.
        unsafe { EvtUpdateBookmark(self.bookmark.0, record.0) };
    }

    /// Saves the bookmark, if what it covers is on the disk.
    fn save(&mut self) -> io::Result<()> {
        let is_settled = |(since, _): &mut (Instant, Vec<u16>)| since.elapsed() >= SETTLED;
        let Some((_, text)) = self.waiting.take_if(is_settled) else {
            return Ok(());
        };
        let bytes: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let new = self.path.with_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(&new, &self.path)
    }
}

/// What Windows makes of a record or a bookmark, without the NUL at its end.
fn render(object: EVT_HANDLE, how: u32, buffer: &mut Vec<u16>) -> io::Result<&[u16]> {
    let (mut used, mut count) = (0, 0);
    for _ in 0..2 {
        let size = (2 * buffer.len()) as u32;
        let target = buffer.as_mut_ptr().cast::<c_void>();
        // SAFETY: `target` has `size` bytes.
        let done =
            unsafe { EvtRender(0, object, how, size, target, &raw mut used, &raw mut count) };
        let used = used as usize / 2;
        if done != 0 {
            let text = &buffer[..used.min(buffer.len())];
            return Ok(text.strip_suffix(&[0]).unwrap_or(text));
        }
        let error = io::Error::last_os_error();
        let is_small = error.raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER.cast_signed());
        if !is_small || used > MAX_XML / 2 {
            return Err(error);
        }
        buffer.resize(used.max(buffer.len()), 0);
    }
    Err(io::ErrorKind::InvalidData.into())
}

impl Source for Subscription {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        // SAFETY: it is open. What comes from here on sets it again.
        unsafe { ResetEvent(self.signal.0) };
        let mut had_any = false;
        for place in 0..self.channels.len() {
            let channel = &mut self.channels[place];
            if let Err(error) = channel.save() {
                let path = channel.path.display();
                self.notices
                    .push(format!("cannot save the bookmark {path}: {error}"));
            }
            if let Some((_, since)) = channel.failure
                && since.elapsed() >= RETRY
            {
                channel.resume(&self.signal, &mut self.notices);
            }
            had_any |= self.read(place, sink);
        }
        if !had_any {
            let wait = timeout.as_millis().min(60_000) as u32;
            // SAFETY: it is open.
            unsafe { WaitForSingleObject(self.signal.0, wait) };
        }
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        for place in 0..self.channels.len() {
            self.read(place, sink);
        }
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        let loss = Loss {
            what: "record",
            count: std::mem::take(&mut self.malformed),
            cause: "malformed record",
            place: "event log",
            from: self.time,
            to: self.time,
        };
        if loss.count == 0 {
            Vec::new()
        } else {
            vec![loss]
        }
    }

    fn coverage(&self) -> Vec<Hook> {
        /// `ERROR_EVT_CHANNEL_NOT_FOUND`.
        const NO_CHANNEL: u32 = 15007;
        let hook = |channel: &Channel| Hook {
            name: channel.name.clone(),
            state: match channel.failure {
                None => HookState::Attached,
                Some((NO_CHANNEL, _)) => HookState::Missing,
                Some(_) => HookState::Failed,
            },
            reason: match channel.failure {
                None => String::new(),
                Some((error, _)) => io::Error::from_raw_os_error(error.cast_signed()).to_string(),
            },
        };
        self.channels.iter().map(hook).collect()
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

impl Channel {
    /// Goes on where it was, after the event log was not there.
    fn resume(&mut self, signal: &Signal, notices: &mut Vec<String>) {
        let mut buffer = vec![0; 4096];
        let marked = render(self.bookmark.0, EvtRenderBookmark, &mut buffer);
        if marked.is_ok_and(|text| text.len() > 20) {
            let flags = EvtSubscribeStartAfterBookmark | EvtSubscribeStrict;
            self.attach(signal, self.bookmark.0, flags);
        } else {
            self.subscribe(signal, notices);
        }
        if self.records.is_some() {
            notices.push(format!("{} is read again", self.name));
        }
    }
}
