//! A MOCK of Windows' event tracing: sessions that run until they are stopped, and give their reader
//! what the test says.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use endpoint_agent_native::capture::etw::session::Api;
use endpoint_agent_native::capture::etw::templates::DNS;
use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_PARAMETER, ERROR_NOT_FOUND,
    ERROR_SUCCESS, ERROR_WMI_INSTANCE_NOT_FOUND, FILETIME, SetLastError,
};
use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, ENABLE_TRACE_PARAMETERS, EVENT_FILTER_TYPE_EVENT_ID,
    EVENT_HEADER_EXTENDED_DATA_ITEM, EVENT_RECORD, EVENT_TRACE_LOGFILEW, EVENT_TRACE_PROPERTIES,
    PEVENT_RECORD_CALLBACK, PROCESSTRACE_HANDLE, TDH_CONTEXT, TRACE_EVENT_INFO,
};
use windows_sys::core::{GUID, PCWSTR};

use crate::made::Made;

pub static MOCK: Api = Api {
    start,
    control,
    enable,
    open,
    process,
    close,
    describe,
};

/// What is wrong with a record.
#[derive(Clone, Copy)]
pub enum Odd {
    NoRecord,
    NoContext,
    NoData,
    NoAttached,
    ManyAttached,
    ShortData,
    NewVersion,
    UnknownVersion,
    OtherEvent,
    AttachedNothing,
}

/// A call of `EnableTraceEx2`.
pub struct Asked {
    pub guid: [u8; 16],
    pub code: u32,
    pub level: u8,
    pub keywords: u64,
    pub ids: Vec<u16>,
}

#[derive(Default)]
pub struct Mock {
    /// Names of the sessions that run, those of others first.
    pub running: Vec<String>,
    /// What a session gives at once, and when it is stopped.
    pub events: Vec<(&'static str, Made)>,
    pub at_end: Vec<(&'static str, Made)>,
    pub odd: Vec<(&'static str, Made, Odd)>,
    /// What a session says that it has lost: events and buffers.
    pub lost: Vec<(&'static str, (u32, u32))>,
    /// A provider that is refused.
    pub refused: Option<[u8; 16]>,
    /// Filters are refused.
    pub has_no_filters: bool,
    /// The error of every start, or 0.
    pub refuses_all: u32,
    pub orphans_stopped: Vec<String>,
    pub enabled: Vec<Asked>,
    /// Of each session: its mode and flags, and its buffers.
    pub started: BTreeMap<String, (u32, u32, u32, u32, u32)>,
    /// Traces that are open, and all that were: the name of each, and what is called with its events.
    pub open: usize,
    pub traces: Vec<(String, usize, PEVENT_RECORD_CALLBACK)>,
    pub names: Vec<String>,
}

static STATE: Mutex<Option<Mock>> = Mutex::new(None);
static STOPPED: Condvar = Condvar::new();
static ALONE: Mutex<()> = Mutex::new(());

/// The mock, for one test.
pub struct Guard {
    _alone: MutexGuard<'static, ()>,
}

pub struct State(MutexGuard<'static, Option<Mock>>);

impl std::ops::Deref for State {
    type Target = Mock;

    fn deref(&self) -> &Mock {
        self.0.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for State {
    fn deref_mut(&mut self) -> &mut Mock {
        self.0.as_mut().unwrap()
    }
}

pub fn alone(mock: Mock) -> Guard {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    *STATE.lock().unwrap_or_else(PoisonError::into_inner) = Some(mock);
    Guard { _alone: alone }
}

fn state() -> State {
    State(STATE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Guard {
    pub fn state(&self) -> State {
        state()
    }

    /// Somebody else stops a session.
    pub fn stop(&self, name: &str) {
        state().running.retain(|running| running != name);
        STOPPED.notify_all();
    }
}

/// Text up to its NUL.
fn text(name: PCWSTR) -> String {
    // SAFETY: it ends with a NUL.
    let size = (0..).find(|&at| unsafe { *name.add(at) } == 0).unwrap();
    // SAFETY: so many are there.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(name, size) })
}

fn bytes(guid: &GUID) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&guid.data1.to_le_bytes());
    bytes[4..6].copy_from_slice(&guid.data2.to_le_bytes());
    bytes[6..8].copy_from_slice(&guid.data3.to_le_bytes());
    bytes[8..].copy_from_slice(&guid.data4);
    bytes
}

/// Fills the room that properties say they have, which has to be theirs.
fn check(properties: *mut EVENT_TRACE_PROPERTIES) {
    // SAFETY: the caller gives properties with the room that they say.
    unsafe {
        let size = (*properties).Wnode.BufferSize as usize;
        let names = (*properties).LoggerNameOffset as usize;
        let files = (*properties).LogFileNameOffset as usize;
        assert!(names >= size_of::<EVENT_TRACE_PROPERTIES>() && names < files && files < size);
        assert_eq!((*properties).Wnode.Flags & 0x0002_0000, 0x0002_0000);
        // The host's clock, and not the performance counter.
        assert_eq!((*properties).Wnode.ClientContext, 2);
        // Windows copies the name there.
        let room = properties.cast::<u8>().add(names);
        room.write_bytes(0, size - names);
    }
}

unsafe extern "system" fn start(
    handle: *mut CONTROLTRACE_HANDLE,
    name: PCWSTR,
    properties: *mut EVENT_TRACE_PROPERTIES,
) -> u32 {
    let name = text(name);
    check(properties);
    let mut mock = state();
    if mock.refuses_all != 0 {
        return mock.refuses_all;
    }
    if mock.running.contains(&name) {
        return ERROR_ALREADY_EXISTS;
    }
    // SAFETY: it is there for the call.
    let it = unsafe { &*properties };
    let asked = (
        it.LogFileMode,
        it.EnableFlags,
        it.BufferSize,
        it.MinimumBuffers,
        it.MaximumBuffers,
    );
    assert_eq!(it.FlushTimer, 1);
    mock.started.insert(name.clone(), asked);
    mock.running.push(name.clone());
    mock.names.push(name);
    // SAFETY: there is room for it.
    unsafe { (*handle).Value = mock.names.len() as u64 };
    ERROR_SUCCESS
}

unsafe extern "system" fn control(
    handle: CONTROLTRACE_HANDLE,
    name: PCWSTR,
    properties: *mut EVENT_TRACE_PROPERTIES,
    code: u32,
) -> u32 {
    check(properties);
    let mut mock = state();
    let is_orphan = handle.Value == 0;
    let name = if is_orphan {
        text(name)
    } else {
        mock.names[handle.Value as usize - 1].clone()
    };
    if !mock.running.contains(&name) {
        return ERROR_WMI_INSTANCE_NOT_FOUND;
    }
    match code {
        0 => {
            let found = mock.lost.iter().find(|(session, _)| *session == name);
            if let Some((_, (events, buffers))) = found {
                // SAFETY: it is there for the call.
                unsafe {
                    (*properties).EventsLost = *events;
                    (*properties).RealTimeBuffersLost = *buffers;
                }
            }
        }
        1 => {
            mock.running.retain(|running| *running != name);
            if is_orphan {
                mock.orphans_stopped.push(name);
            }
            STOPPED.notify_all();
        }
        _ => return ERROR_INVALID_PARAMETER,
    }
    ERROR_SUCCESS
}

unsafe extern "system" fn enable(
    handle: CONTROLTRACE_HANDLE,
    provider: *const GUID,
    code: u32,
    level: u8,
    any: u64,
    all: u64,
    timeout: u32,
    parameters: *const ENABLE_TRACE_PARAMETERS,
) -> u32 {
    // SAFETY: it is there for the call.
    let guid = bytes(unsafe { &*provider });
    let mut ids = Vec::new();
    // SAFETY: what it points to is as large as it says, for the call.
    if let Some(parameters) = unsafe { parameters.as_ref() } {
        assert_eq!((parameters.Version, parameters.FilterDescCount), (2, 1));
        // SAFETY: as above.
        let filter = unsafe { &*parameters.EnableFilterDesc };
        assert_eq!(
            (filter.Type, filter.Size % 2),
            (EVENT_FILTER_TYPE_EVENT_ID, 0)
        );
        let units = filter.Size as usize / 2;
        // SAFETY: as above.
        let units = unsafe { std::slice::from_raw_parts(filter.Ptr as *const u16, units) };
        assert_eq!((units[0], usize::from(units[1])), (1, units.len() - 2));
        ids = units[2..].to_vec();
    }
    let mut mock = state();
    assert!(handle.Value as usize <= mock.names.len());
    assert_eq!((all, timeout), (0, 0));
    if mock.refused == Some(guid) || (mock.has_no_filters && !ids.is_empty()) {
        return ERROR_INVALID_PARAMETER;
    }
    mock.enabled.push(Asked {
        guid,
        code,
        level,
        keywords: any,
        ids,
    });
    ERROR_SUCCESS
}

unsafe extern "system" fn open(file: *mut EVENT_TRACE_LOGFILEW) -> PROCESSTRACE_HANDLE {
    // SAFETY: it is there for the call.
    let file = unsafe { &*file };
    let name = text(file.LoggerName);
    let mut mock = state();
    // SAFETY: the agent sets these members of the two unions.
    let (mode, callback) = unsafe {
        (
            file.Anonymous1.ProcessTraceMode,
            file.Anonymous2.EventRecordCallback,
        )
    };
    assert_eq!(mode, 0x1000_0100);
    if !mock.running.contains(&name) {
        // SAFETY: it takes a number.
        unsafe { SetLastError(ERROR_WMI_INSTANCE_NOT_FOUND) };
        return PROCESSTRACE_HANDLE { Value: u64::MAX };
    }
    mock.traces.push((name, file.Context as usize, callback));
    mock.open += 1;
    PROCESSTRACE_HANDLE {
        Value: mock.traces.len() as u64 - 1,
    }
}

unsafe extern "system" fn process(
    handles: *const PROCESSTRACE_HANDLE,
    count: u32,
    from: *const FILETIME,
    to: *const FILETIME,
) -> u32 {
    assert!(count == 1 && from.is_null() && to.is_null());
    // SAFETY: there is one.
    let place = unsafe { (*handles).Value } as usize;
    let (name, context, callback) = state().traces[place].clone();
    let take = |list: &mut Vec<(&'static str, Made)>| -> Vec<Made> {
        let is_own = |(session, _): &mut (&str, Made)| *session == name;
        list.extract_if(.., is_own)
            .map(|(_, event)| event)
            .collect()
    };
    let is_own = |(session, ..): &mut (&str, Made, Odd)| *session == name;
    let odd: Vec<_> = state().odd.extract_if(.., is_own).collect();
    for (_, event, odd) in odd {
        give(&event, Some(odd), context, callback);
    }
    let now = take(&mut state().events);
    now.iter()
        .for_each(|event| give(event, None, context, callback));
    let mut mock = state();
    while mock.running.contains(&name) {
        let wait = Duration::from_millis(100);
        mock = State(STOPPED.wait_timeout(mock.0, wait).unwrap().0);
    }
    let rest = take(&mut mock.at_end);
    drop(mock);
    rest.iter()
        .for_each(|event| give(event, None, context, callback));
    ERROR_SUCCESS
}

unsafe extern "system" fn close(_handle: PROCESSTRACE_HANDLE) -> u32 {
    state().open -= 1;
    ERROR_SUCCESS
}

/// Knows one event: a name, and then a number, after which comes what an agent need not read.
unsafe extern "system" fn describe(
    event: *const EVENT_RECORD,
    count: u32,
    context: *const TDH_CONTEXT,
    buffer: *mut TRACE_EVENT_INFO,
    size: *mut u32,
) -> u32 {
    assert!(count == 0 && context.is_null());
    // SAFETY: it is there for the call.
    let header = unsafe { (*event).EventHeader };
    if bytes(&header.ProviderId) != DNS.guid || header.EventDescriptor.Version != 77 {
        return ERROR_NOT_FOUND;
    }
    let names = "QueryName\0QueryType\0";
    let mut info = vec![0; 112 + 24 * 3];
    info[104] = 3;
    for (place, (flags, held, name)) in [(0, 1, 0), (0, 8, 20), (1, 0, 0)].into_iter().enumerate() {
        let at = 112 + 24 * place;
        (info[at], info[at + 8], info[at + 16]) = (flags, held, 1);
        info[at + 4..at + 6].copy_from_slice(&(184_u16 + name).to_le_bytes());
    }
    info.extend(names.encode_utf16().flat_map(u16::to_le_bytes));
    // Much else may stand behind it.
    info.resize(5_000, 0);
    // SAFETY: there is as much room as it says.
    unsafe {
        let room = std::mem::replace(&mut *size, info.len() as u32);
        if (room as usize) < info.len() {
            return ERROR_INSUFFICIENT_BUFFER;
        }
        std::ptr::copy_nonoverlapping(info.as_ptr(), buffer.cast::<u8>(), info.len());
    }
    ERROR_SUCCESS
}

/// Calls back with an event.
fn give(event: &Made, odd: Option<Odd>, context: usize, callback: PEVENT_RECORD_CALLBACK) {
    let callback = callback.unwrap();
    let mut data = event.data();
    let mut item = EVENT_HEADER_EXTENDED_DATA_ITEM {
        ExtType: 2,
        DataSize: 12,
        ..EVENT_HEADER_EXTENDED_DATA_ITEM::default()
    };
    let mut record = EVENT_RECORD {
        UserDataLength: data.len() as u16,
        UserData: data.as_mut_ptr().cast::<c_void>(),
        UserContext: context as *mut c_void,
        ..EVENT_RECORD::default()
    };
    let header = event.header();
    // SAFETY: a header has so many bytes.
    unsafe {
        let target = (&raw mut record.EventHeader).cast::<u8>();
        std::ptr::copy_nonoverlapping(header.as_ptr(), target, header.len());
    }
    match odd {
        Some(Odd::NoContext) => record.UserContext = null_mut(),
        Some(Odd::NoData) => record.UserData = null_mut(),
        Some(Odd::NoAttached) => record.ExtendedDataCount = 3,
        Some(Odd::ManyAttached) => {
            record.ExtendedDataCount = u16::MAX;
            record.ExtendedData = &raw mut item;
        }
        Some(Odd::ShortData) => record.UserDataLength = 1,
        Some(Odd::NewVersion) => record.EventHeader.EventDescriptor.Version = 77,
        Some(Odd::OtherEvent) => record.EventHeader.EventDescriptor.Id = 3010,
        Some(Odd::UnknownVersion) => record.EventHeader.EventDescriptor.Version = 78,
        Some(Odd::AttachedNothing) => {
            record.ExtendedDataCount = 1;
            record.ExtendedData = &raw mut item;
        }
        Some(Odd::NoRecord) | None => {}
    }
    let given = if matches!(odd, Some(Odd::NoRecord)) {
        null_mut()
    } else {
        &raw mut record
    };
    // SAFETY: as Windows calls it, or with nothing in it.
    unsafe { callback(given) };
}
