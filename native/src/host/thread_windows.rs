//! The calling thread's priority, and what it uses.

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Threading::{
    GetCurrentThread, GetThreadTimes, SetThreadPriority, THREAD_MODE_BACKGROUND_BEGIN,
};

/// Lets the host's other threads go first, at the CPU and at the disk.
pub fn yield_to_others() {
    // SAFETY: the handle means the calling thread. That it fails changes nothing else.
    unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) };
}

/// Nanoseconds of CPU time that the calling thread has used.
pub fn cpu_time() -> u64 {
    let mut times = [FILETIME::default(); 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the handle means the calling thread, and the four live through the call. Where it fails
    // they stay zero.
    unsafe { GetThreadTimes(GetCurrentThread(), created, ended, kernel, user) };
    let of = |time: &FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    (of(kernel) + of(user)) * 100
}
