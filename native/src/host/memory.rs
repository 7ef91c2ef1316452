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

/// Takes constants out of memory that are not read again soon; who does has them from the program's file.
pub fn put_away(constants: &'static [u8]) {
    const PAGE: usize = 4096; // of all x86-64
    let before = constants.as_ptr().align_offset(PAGE);
    let whole = constants.len().saturating_sub(before) / PAGE * PAGE;
    if whole > 0 {
        let first = constants[before..].as_ptr();
        // SAFETY: whole pages of constants that have no addresses in them: none differs from the file.
        unsafe { libc::madvise(first.cast_mut().cast(), whole, libc::MADV_DONTNEED) };
    }
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
