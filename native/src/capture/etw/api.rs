//! The functions of event tracing that are called, in a table, so that a mock can take the place of
//! Windows in tests.

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, CloseTrace, ControlTraceW, ENABLE_TRACE_PARAMETERS, EVENT_RECORD,
    EVENT_TRACE_LOGFILEW, EVENT_TRACE_PROPERTIES, EnableTraceEx2, OpenTraceW, PROCESSTRACE_HANDLE,
    ProcessTrace, StartTraceW, TDH_CONTEXT, TRACE_EVENT_INFO, TdhGetEventInformation,
};
use windows_sys::core::{GUID, PCWSTR};

/// The functions of Windows that are called.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Api {
    pub start: unsafe extern "system" fn(
        *mut CONTROLTRACE_HANDLE,
        PCWSTR,
        *mut EVENT_TRACE_PROPERTIES,
    ) -> u32,
    pub control: unsafe extern "system" fn(
        CONTROLTRACE_HANDLE,
        PCWSTR,
        *mut EVENT_TRACE_PROPERTIES,
        u32,
    ) -> u32,
    pub enable: unsafe extern "system" fn(
        CONTROLTRACE_HANDLE,
        *const GUID,
        u32,
        u8,
        u64,
        u64,
        u32,
        *const ENABLE_TRACE_PARAMETERS,
    ) -> u32,
    pub open: unsafe extern "system" fn(*mut EVENT_TRACE_LOGFILEW) -> PROCESSTRACE_HANDLE,
    pub process: unsafe extern "system" fn(
        *const PROCESSTRACE_HANDLE,
        u32,
        *const FILETIME,
        *const FILETIME,
    ) -> u32,
    pub close: unsafe extern "system" fn(PROCESSTRACE_HANDLE) -> u32,
    pub describe: unsafe extern "system" fn(
        *const EVENT_RECORD,
        u32,
        *const TDH_CONTEXT,
        *mut TRACE_EVENT_INFO,
        *mut u32,
    ) -> u32,
}

macro_rules! forward {
    ($name:ident($($argument:ident: $type:ty),*) -> $result:ty) => {{
        unsafe extern "system" fn forward($($argument: $type),*) -> $result {
            // SAFETY: who calls it keeps what the function asks for.
            unsafe { $name($($argument),*) }
        }
        forward
    }};
}

/// Windows itself.
pub static WINDOWS: Api = Api {
    start: forward!(StartTraceW(
        handle: *mut CONTROLTRACE_HANDLE, name: PCWSTR, properties: *mut EVENT_TRACE_PROPERTIES
    ) -> u32),
    control: forward!(ControlTraceW(
        handle: CONTROLTRACE_HANDLE, name: PCWSTR, properties: *mut EVENT_TRACE_PROPERTIES, code: u32
    ) -> u32),
    enable: forward!(EnableTraceEx2(
        handle: CONTROLTRACE_HANDLE, provider: *const GUID, code: u32, level: u8, any: u64, all: u64,
        timeout: u32, parameters: *const ENABLE_TRACE_PARAMETERS
    ) -> u32),
    open: forward!(OpenTraceW(file: *mut EVENT_TRACE_LOGFILEW) -> PROCESSTRACE_HANDLE),
    process: forward!(ProcessTrace(
        handles: *const PROCESSTRACE_HANDLE, count: u32, from: *const FILETIME, to: *const FILETIME
    ) -> u32),
    close: forward!(CloseTrace(handle: PROCESSTRACE_HANDLE) -> u32),
    describe: forward!(TdhGetEventInformation(
        event: *const EVENT_RECORD, count: u32, context: *const TDH_CONTEXT,
        buffer: *mut TRACE_EVENT_INFO, size: *mut u32
    ) -> u32),
};
