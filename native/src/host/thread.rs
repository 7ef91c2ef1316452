//! The calling thread's priority, and what it uses.

pub use super::clock::thread_time as cpu_time;

/// `IOPRIO_WHO_PROCESS`, and the class that reads only when nobody else does, in `ioprio_set(2)`.
const IO_OF_THREAD: libc::c_int = 1;
const IO_IDLE: libc::c_int = 3 << 13;

/// Lets the host's other threads go first: a tenth of their share where they leave no more.
pub fn yield_to_others() {
    // SAFETY: numbers only, and both mean the calling thread. That one fails changes nothing else.
    unsafe {
        libc::nice(10);
        libc::syscall(libc::SYS_ioprio_set, IO_OF_THREAD, 0, IO_IDLE);
    }
}
