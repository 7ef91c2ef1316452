//! The calls of Windows' library of the event log, with the handles closed and the buffers checked.

use std::ffi::c_void;
use std::io;
use std::ptr::null;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_INSUFFICIENT_BUFFER, GetLastError, HANDLE, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::EventLog::{
    EVT_HANDLE, EvtClose, EvtCreateBookmark, EvtNext, EvtRender, EvtRenderBookmark,
    EvtRenderEventXml, EvtSubscribe, EvtSubscribeStartAfterBookmark,
    EvtSubscribeStartAtOldestRecord, EvtSubscribeStrict, EvtUpdateBookmark,
};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, WaitForSingleObject};

/// Records that are asked for at once, at most.
pub const BATCH: usize = 64;
/// Bytes of one as XML.
const MAX_XML: usize = 4 << 20;

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
pub struct Signal(HANDLE);

// SAFETY: handles of events may be used from any thread.
unsafe impl Send for Signal {}

impl Drop for Signal {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { CloseHandle(self.0) };
    }
}

impl Signal {
    /// One that is set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: it needs no name and no attributes.
        let signal = unsafe { CreateEventW(null(), 1, 1, null()) };
        if signal.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(signal))
    }

    /// Waits until it is set, and resets it. Whether it was.
    pub fn take(&self, wait: Duration) -> bool {
        let wait = wait.as_millis().min(60_000) as u32;
        // SAFETY: it is open.
        unsafe { WaitForSingleObject(self.0, wait) == WAIT_OBJECT_0 && ResetEvent(self.0) != 0 }
    }
}

/// A place in a channel.
pub struct Bookmark(Object);

impl Bookmark {
    /// The place that a text tells, or none yet without one.
    pub fn new(text: Option<&[u16]>) -> Result<Self, u32> {
        let text = text.map(|text| [text, &[0]].concat());
        let text = text.as_ref().map_or(null(), |text| text.as_ptr());
        // SAFETY: the text is none, or ends with a NUL.
        let bookmark = unsafe { EvtCreateBookmark(text) };
        (bookmark != 0)
            .then_some(Self(Object(bookmark)))
            .ok_or_else(last_error)
    }

    /// Moves it to a record.
    pub fn pass(&self, record: &Record) {
        // SAFETY: both are open.
        unsafe { EvtUpdateBookmark(self.0.0, record.0.0) };
    }

    /// As text. `buffer` is of any size, and kept by the caller for the next call.
    pub fn text<'a>(&self, buffer: &'a mut Vec<u16>) -> io::Result<&'a [u16]> {
        render(self.0.0, EvtRenderBookmark, buffer)
    }
}

/// A record of a channel.
pub struct Record(Object);

impl Record {
    /// As XML. `buffer` as for [`Bookmark::text`].
    pub fn xml<'a>(&self, buffer: &'a mut Vec<u16>) -> io::Result<&'a [u16]> {
        render(self.0.0, EvtRenderEventXml, buffer)
    }
}

/// The records that a query gives, one after the other, as they are written.
pub struct Records(Object);

impl Records {
    /// Subscribes to what a structured query names: from after a bookmark, which has to be there, or
    /// from the oldest record on.
    pub fn open(query: &str, signal: &Signal, after: Option<&Bookmark>) -> Result<Self, u32> {
        let query: Vec<u16> = query.encode_utf16().chain([0]).collect();
        let (bookmark, flags) = match after {
            Some(bookmark) => (
                bookmark.0.0,
                EvtSubscribeStartAfterBookmark | EvtSubscribeStrict,
            ),
            None => (0, EvtSubscribeStartAtOldestRecord),
        };
        // SAFETY: the query ends with a NUL and names the channel, the handles are open, and there is
        // no callback.
        let records = unsafe {
            EvtSubscribe(
                0,
                signal.0,
                null(),
                query.as_ptr(),
                bookmark,
                null(),
                None,
                flags,
            )
        };
        (records != 0)
            .then_some(Self(Object(records)))
            .ok_or_else(last_error)
    }

    /// The next of them, at most `most` and [`BATCH`]; without waiting.
    pub fn next(&self, most: usize) -> Result<Vec<Record>, u32> {
        let mut handles = [0; BATCH];
        let mut count = 0;
        // SAFETY: there is room for as many handles as it is told, and the number of them.
        let done = unsafe {
            EvtNext(
                self.0.0,
                most.min(BATCH) as u32,
                handles.as_mut_ptr(),
                0,
                0,
                &raw mut count,
            )
        };
        if done == 0 {
            return Err(last_error());
        }
        let all = handles.into_iter().take(count as usize);
        Ok(all.map(|handle| Record(Object(handle))).collect())
    }
}

/// What Windows says of an error.
pub fn explained(error: u32) -> String {
    io::Error::from_raw_os_error(error.cast_signed()).to_string()
}

fn last_error() -> u32 {
    // SAFETY: it only reads what the call before has left.
    unsafe { GetLastError() }
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
