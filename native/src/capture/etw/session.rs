//! A session of Windows' event tracing: started, asked for events, read on a thread of its own, stopped.
//!
//! Windows is called through [`Api`] alone.

use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_INSUFFICIENT_BUFFER, ERROR_SUCCESS,
};
use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, ENABLE_TRACE_PARAMETERS, ENABLE_TRACE_PARAMETERS_VERSION_2,
    EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_CONTROL_CODE_ENABLE_PROVIDER, EVENT_FILTER_DESCRIPTOR,
    EVENT_FILTER_TYPE_EVENT_ID, EVENT_RECORD, EVENT_TRACE_CONTROL_QUERY, EVENT_TRACE_CONTROL_STOP,
    EVENT_TRACE_INDEPENDENT_SESSION_MODE, EVENT_TRACE_LOGFILEW, EVENT_TRACE_PROPERTIES,
    EVENT_TRACE_REAL_TIME_MODE, EVENT_TRACE_SYSTEM_LOGGER_MODE, PROCESS_TRACE_MODE_EVENT_RECORD,
    PROCESS_TRACE_MODE_REAL_TIME, PROCESSTRACE_HANDLE, WNODE_FLAG_TRACED_GUID,
};
use windows_sys::core::GUID;

pub use super::api::{Api, WINDOWS};
use super::plan::{self, Enabled};
use super::queue::Queue;
use super::raw::HEADER;
use super::receive::receive;

/// What `OpenTraceW` gives when it fails.
const NO_TRACE: u64 = u64::MAX;
/// Bytes of the names behind the properties of a session.
const NAMES: usize = 2 * 2 * 1024;
/// The clock of events is the host's, as that of files, processes and the event log is. The other one, the
/// performance counter, knows nothing of a clock that is set or corrected while a session runs.
const SYSTEM_TIME: u32 = 2;
/// Seconds after which what is in a buffer is handed over, however little it is.
const FLUSH: u32 = 1;
/// After so long what has happened was told, of what is not lost.
pub const DELAY: Duration = Duration::from_secs(2 * FLUSH as u64);
/// How long the last events of a session are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of what Windows says of an event.
const MAX_DESCRIPTION: usize = 1 << 20;

/// A call that has failed: what was called, and Windows' error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub &'static str, pub u32);

/// What a session has lost since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events for which there was no room in a buffer.
    pub events: u32,
    /// Buffers that were not handed over in time.
    pub buffers: u32,
}

/// A session that runs, until it is dropped.
pub struct Session {
    api: &'static Api,
    name: Vec<u16>,
    handle: CONTROLTRACE_HANDLE,
    trace: PROCESSTRACE_HANDLE,
    has_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// What the callback is given: it has to be there as long as the thread is.
    _queue: Arc<Queue>,
}

/// Properties of a session, with room for its names behind them.
struct Properties(Vec<u64>);

impl Properties {
    fn new() -> Self {
        let size = size_of::<EVENT_TRACE_PROPERTIES>() + NAMES;
        let mut this = Self(vec![0; size.div_ceil(8)]);
        let properties = this.get();
        properties.Wnode.BufferSize = size as u32;
        properties.Wnode.Flags = WNODE_FLAG_TRACED_GUID;
        properties.Wnode.ClientContext = SYSTEM_TIME;
        properties.LoggerNameOffset = size_of::<EVENT_TRACE_PROPERTIES>() as u32;
        properties.LogFileNameOffset = (size_of::<EVENT_TRACE_PROPERTIES>() + NAMES / 2) as u32;
        this
    }

    fn of(session: &plan::Session) -> Self {
        let mut this = Self::new();
        let properties = this.get();
        properties.BufferSize = session.buffers.size;
        properties.MinimumBuffers = session.buffers.least;
        properties.MaximumBuffers = session.buffers.most;
        properties.FlushTimer = FLUSH;
        properties.EnableFlags = session.flags;
        properties.LogFileMode = EVENT_TRACE_REAL_TIME_MODE
            | if session.flags == 0 {
                // Without it, others have seen half of the events vanish uncounted.
                EVENT_TRACE_INDEPENDENT_SESSION_MODE
            } else {
                EVENT_TRACE_SYSTEM_LOGGER_MODE
            };
        this
    }

    fn get(&mut self) -> &mut EVENT_TRACE_PROPERTIES {
        // SAFETY: it is aligned for and larger than the properties, for which all bytes of 0 are a
        // value.
        unsafe { &mut *self.0.as_mut_ptr().cast() }
    }
}

/// What a session has not, by its name, and why.
type Refused = (&'static str, Failure);

impl Session {
    /// Starts a session, one of the same name that somebody left behind being stopped before, and reads
    /// it into a queue. Tells what could not be asked for as well.
    pub fn start(
        api: &'static Api,
        plan: &plan::Session,
        queue: &Arc<Queue>,
    ) -> Result<(Self, Vec<Refused>), Failure> {
        let name: Vec<u16> = plan.name.encode_utf16().chain([0]).collect();
        let mut this = Self {
            api,
            handle: begin(api, &name, plan)?,
            name,
            trace: PROCESSTRACE_HANDLE { Value: NO_TRACE },
            has_ended: Arc::default(),
            thread: None,
            _queue: queue.clone(),
        };
        let mut refused = Vec::new();
        for provider in &plan.providers {
            if let Err(failure) = this.enable(provider) {
                refused.push((provider.provider.name, failure));
            }
        }
        this.open(queue)?;
        this.read()?;
        for provider in plan.providers.iter().filter(|it| it.has_rundown) {
            let code = EVENT_CONTROL_CODE_CAPTURE_STATE;
            if let Err(failure) = this.call(provider, code, null()) {
                refused.push((provider.provider.name, failure));
            }
        }
        Ok((this, refused))
    }

    fn enable(&self, provider: &Enabled) -> Result<(), Failure> {
        // `EVENT_FILTER_EVENT_ID`: let these through, and so many of them.
        let mut filter = vec![1, provider.ids.len() as u16];
        filter.extend(&provider.ids);
        let mut descriptor = EVENT_FILTER_DESCRIPTOR {
            Ptr: filter.as_ptr() as u64,
            Size: (2 * filter.len()) as u32,
            Type: EVENT_FILTER_TYPE_EVENT_ID,
        };
        let parameters = ENABLE_TRACE_PARAMETERS {
            Version: ENABLE_TRACE_PARAMETERS_VERSION_2,
            EnableFilterDesc: &raw mut descriptor,
            FilterDescCount: 1,
            ..ENABLE_TRACE_PARAMETERS::default()
        };
        let code = EVENT_CONTROL_CODE_ENABLE_PROVIDER;
        let filtered = self.call(provider, code, &raw const parameters);
        // An older Windows has no such filter; what nobody asked for is left out later then.
        filtered.or_else(|_| self.call(provider, code, null()))
    }

    fn call(
        &self,
        provider: &Enabled,
        code: u32,
        parameters: *const ENABLE_TRACE_PARAMETERS,
    ) -> Result<(), Failure> {
        let guid = guid(&provider.provider.guid);
        // SAFETY: what it points to lives until it returns.
        let error = unsafe {
            (self.api.enable)(
                self.handle,
                &raw const guid,
                code,
                provider.level,
                provider.keywords,
                0,
                0,
                parameters,
            )
        };
        check("EnableTraceEx2", error)
    }

    fn open(&mut self, queue: &Arc<Queue>) -> Result<(), Failure> {
        let mut file = EVENT_TRACE_LOGFILEW {
            LoggerName: self.name.as_mut_ptr(),
            Context: Arc::as_ptr(queue).cast_mut().cast::<c_void>(),
            ..EVENT_TRACE_LOGFILEW::default()
        };
        file.Anonymous1.ProcessTraceMode =
            PROCESS_TRACE_MODE_REAL_TIME | PROCESS_TRACE_MODE_EVENT_RECORD;
        file.Anonymous2.EventRecordCallback = Some(receive);
        // SAFETY: the name ends with a NUL, and the queue is there as long as this session.
        self.trace = unsafe { (self.api.open)(&raw mut file) };
        if self.trace.Value == NO_TRACE {
            let error = std::io::Error::last_os_error().raw_os_error();
            return Err(Failure(
                "OpenTraceW",
                error.unwrap_or_default().cast_unsigned(),
            ));
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Failure> {
        let (process, trace) = (self.api.process, self.trace);
        let has_ended = self.has_ended.clone();
        let thread = std::thread::Builder::new().name("tracing".into());
        let thread = thread.spawn(move || {
            // SAFETY: the handle is open until the thread has ended.
            unsafe { process(&raw const trace, 1, null(), null()) };
            has_ended.store(true, Ordering::Release);
        });
        self.thread = Some(thread.map_err(|_| Failure("a thread for ProcessTrace", 0))?);
        Ok(())
    }

    /// Nothing comes any more, as when somebody has stopped it.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// What it has lost since it was started.
    pub fn lost(&self) -> Result<Lost, Failure> {
        let mut properties = Properties::new();
        let control = self.api.control;
        // SAFETY: the properties have the room that they say.
        let error = unsafe {
            control(
                self.handle,
                null(),
                properties.get(),
                EVENT_TRACE_CONTROL_QUERY,
            )
        };
        check("ControlTraceW", error)?;
        let told = properties.get();
        Ok(Lost {
            events: told.EventsLost,
            buffers: told.RealTimeBuffersLost.wrapping_add(told.LogBuffersLost),
        })
    }
}

impl Drop for Session {
    /// Stops it, and hands over what it still has.
    fn drop(&mut self) {
        let mut properties = Properties::new();
        let control = self.api.control;
        // SAFETY: as above; whatever it answers, nothing more can be done.
        unsafe {
            control(
                self.handle,
                null(),
                properties.get(),
                EVENT_TRACE_CONTROL_STOP,
            )
        };
        let begin = Instant::now();
        while self.thread.is_some() && !self.has_ended() && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.trace.Value != NO_TRACE {
            // SAFETY: it is open. A thread that still reads returns after it.
            unsafe { (self.api.close)(self.trace) };
        }
        if let Some(thread) = self.thread.take() {
            // Its callbacks catch their own panics.
            let _ = thread.join();
        }
    }
}

/// Has Windows start a session.
fn begin(api: &Api, name: &[u16], plan: &plan::Session) -> Result<CONTROLTRACE_HANDLE, Failure> {
    let mut handle = CONTROLTRACE_HANDLE::default();
    let mut start = || {
        let mut properties = Properties::of(plan);
        // SAFETY: the name ends with a NUL, and the properties have the room that they say.
        unsafe { (api.start)(&raw mut handle, name.as_ptr(), properties.get()) }
    };
    let mut error = start();
    if error == ERROR_ALREADY_EXISTS {
        let mut properties = Properties::new();
        let none = CONTROLTRACE_HANDLE::default();
        let control = api.control;
        // SAFETY: as above.
        unsafe {
            control(
                none,
                name.as_ptr(),
                properties.get(),
                EVENT_TRACE_CONTROL_STOP,
            )
        };
        error = start();
    }
    check("StartTraceW", error)?;
    Ok(handle)
}

fn check(what: &'static str, error: u32) -> Result<(), Failure> {
    match error {
        ERROR_SUCCESS => Ok(()),
        error => Err(Failure(what, error)),
    }
}

/// A GUID as Windows takes it, from how it stands in events.
fn guid(bytes: &[u8; 16]) -> GUID {
    let [a, b, c, d, e, f, g, h, data4 @ ..] = *bytes;
    GUID {
        data1: u32::from_le_bytes([a, b, c, d]),
        data2: u16::from_le_bytes([e, f]),
        data3: u16::from_le_bytes([g, h]),
        data4,
    }
}

/// What Windows says of events with this header (`TRACE_EVENT_INFO`), if it knows them.
pub fn describe(api: &Api, header: &[u8]) -> Option<Vec<u8>> {
    let mut record = EVENT_RECORD::default();
    let header = header.get(..HEADER)?;
    // SAFETY: a header has so many bytes, whatever they are.
    unsafe {
        let target = (&raw mut record.EventHeader).cast::<u8>();
        std::ptr::copy_nonoverlapping(header.as_ptr(), target, HEADER);
    }
    let mut buffer: Vec<u64> = vec![0; 512];
    for _ in 0..2 {
        let mut size = (8 * buffer.len()) as u32;
        let target = buffer.as_mut_ptr().cast();
        // SAFETY: there is as much room as it is told.
        let error = unsafe { (api.describe)(&raw const record, 0, null(), target, &raw mut size) };
        let size = size as usize;
        match error {
            ERROR_SUCCESS => {
                let bytes = buffer.iter().flat_map(|part| part.to_le_bytes());
                return Some(bytes.take(size).collect());
            }
            ERROR_INSUFFICIENT_BUFFER if (8 * buffer.len()..=MAX_DESCRIPTION).contains(&size) => {
                buffer.resize(size.div_ceil(8), 0);
            }
            _ => return None,
        }
    }
    None
}
