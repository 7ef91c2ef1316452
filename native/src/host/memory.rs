//! The process's own memory, kept small.

/// Lets all threads share one arena of the allocator: a second one keeps what a busy moment took
/// apart from what another thread could use, and the agent's few threads do not wait for each other.
pub fn share_one_arena() {
    // SAFETY: plain numbers; a setting that is not known is ignored.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}

/// Returns free memory to the system.
pub fn give_back() {
    // SAFETY: no arguments to get wrong; it only returns free memory.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Lifts the limit on locked memory, against which kernels before 5.11 count the maps of eBPF
/// programs. Without the right to do so the limit stays.
pub fn lift_lock_limit() {
    let none = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `none` lives through the call, which copies it.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const none) };
}
