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
