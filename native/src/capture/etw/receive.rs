//! What Windows calls with each event, on threads of its own choice.

use std::panic::{AssertUnwindSafe, catch_unwind};

use windows_sys::Win32::System::Diagnostics::Etw::{
    EVENT_HEADER_EXT_TYPE_RELATED_ACTIVITYID, EVENT_HEADER_EXT_TYPE_SID, EVENT_RECORD,
};

use super::queue::Queue;
use super::raw::HEADER;

/// Things that are attached to an event at most; Windows knows 18 kinds.
const MAX_ATTACHED: u16 = 64;

/// What Windows calls with each event. Nothing may leave it but by returning.
pub(super) unsafe extern "system" fn receive(record: *mut EVENT_RECORD) {
    // SAFETY: Windows gives a record, or nothing, and in it what it was given.
    let Some(record) = (unsafe { record.as_ref() }) else {
        return;
    };
    // SAFETY: it is the queue of the session that this is called for, which outlives it.
    let Some(queue) = (unsafe { record.UserContext.cast::<Queue>().as_ref() }) else {
        return;
    };
    let taken = catch_unwind(AssertUnwindSafe(|| take(record, queue)));
    if taken.is_err() {
        queue.count_malformed();
    }
}

/// Copies an event into a queue.
fn take(record: &EVENT_RECORD, queue: &Queue) {
    let header = (&raw const record.EventHeader).cast::<u8>();
    let data = record.UserData.cast::<u8>().cast_const();
    let count = record.ExtendedDataCount;
    let is_odd = (data.is_null() && record.UserDataLength > 0)
        || (record.ExtendedData.is_null() && count > 0)
        || count > MAX_ATTACHED;
    if is_odd {
        queue.count_malformed();
        return;
    }
    // SAFETY: a header has so many bytes, each of which may be looked at, and the data as many as the
    // record says.
    let (header, data) = unsafe {
        (
            slice(header, HEADER),
            slice(data, record.UserDataLength.into()),
        )
    };
    // SAFETY: there are so many of them.
    let items = unsafe { slice(record.ExtendedData.cast_const(), count.into()) };
    let wanted = items.iter().filter(|item| {
        let kind = u32::from(item.ExtType);
        let is_wanted =
            kind == EVENT_HEADER_EXT_TYPE_RELATED_ACTIVITYID || kind == EVENT_HEADER_EXT_TYPE_SID;
        is_wanted && item.DataPtr != 0
    });
    let attached = wanted.map(|item| {
        // SAFETY: it has as many bytes as it says.
        let bytes = unsafe { slice(item.DataPtr as *const u8, item.DataSize.into()) };
        (item.ExtType, bytes)
    });
    queue.push(header, attached, data);
}

/// So many of what is at a place; none where that is nothing.
///
/// # Safety
///
/// If it is something, there are as many, and they stay as they are.
unsafe fn slice<'a, T>(place: *const T, count: usize) -> &'a [T] {
    if place.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller says so.
    unsafe { std::slice::from_raw_parts(place, count) }
}
