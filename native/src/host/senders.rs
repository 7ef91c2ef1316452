//! Who sent a signal: what the kernel tells a handler, and Python does not pass on.

use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

/// Signals up to this number can be noted: those that are not of real time.
const SIGNALS: usize = 32;

/// Nobody is known.
const NONE: i64 = -1;

/// Of each signal, the handler that was there before, and who sent the last one.
struct Noted {
    before: AtomicUsize,
    /// Process id in the upper half, user id in the lower, so that both are of one sender.
    sender: AtomicI64,
}

static NOTED: [Noted; SIGNALS] = [const {
    Noted {
        before: AtomicUsize::new(libc::SIG_DFL),
        sender: AtomicI64::new(NONE),
    }
}; SIGNALS];

/// Has the senders of a signal noted, before the handler that is installed for it runs.
///
/// # Errors
/// There is no such signal, or no handler that takes its number alone.
pub fn note(number: libc::c_int) -> io::Result<()> {
    let noted = slot(number).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: `sigaction` is integers, of which zero is one.
    let mut action: libc::sigaction = unsafe { zeroed() };
    // SAFETY: the kernel writes one `sigaction`, which lives through the call.
    check(unsafe { libc::sigaction(number, null_mut(), &raw mut action) })?;
    let is_plain = action.sa_flags & libc::SA_SIGINFO == 0;
    if !is_plain || [libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    noted.before.store(action.sa_sigaction, Relaxed);
    noted.sender.store(NONE, Relaxed);
    action.sa_sigaction = handle as *const () as usize;
    action.sa_flags |= libc::SA_SIGINFO;
    // SAFETY: the handler calls nothing but what the one before called, which was allowed to.
    check(unsafe { libc::sigaction(number, &raw const action, null_mut()) })
}

/// The process, in this process's PID namespace, and the user that sent a signal last. None where it
/// has not come, or was the kernel's own, as of a terminal.
pub fn last(number: libc::c_int) -> Option<(u32, u32)> {
    let sender = slot(number)?.sender.load(Relaxed);
    (sender != NONE).then_some(((sender >> 32) as u32, sender as u32))
}

fn slot(number: libc::c_int) -> Option<&'static Noted> {
    NOTED.get(usize::try_from(number).ok()?)
}

/// Runs in the middle of anything: atomics, and the handler of before.
extern "C" fn handle(number: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let Some(noted) = slot(number) else { return };
    // SAFETY: with SA_SIGINFO the kernel gives one, which lives as long as the handler runs.
    let info = unsafe { &*info };
    // Codes of zero and less are those of processes: kill, sigqueue, tgkill.
    let sender = if info.si_code <= 0 {
        // SAFETY: these codes have the fields of a process.
        let (process, user) = unsafe { (info.si_pid(), info.si_uid()) };
        i64::from(process) << 32 | i64::from(user)
    } else {
        NONE
    };
    noted.sender.store(sender, Relaxed);
    let before = noted.before.load(Relaxed);
    // SAFETY: `note` stored it, and only a handler that takes the number alone.
    let before: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(before) };
    before(number);
}

fn check(status: libc::c_int) -> io::Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI32;

    static CAME: AtomicI32 = AtomicI32::new(0);

    extern "C" fn plain(number: libc::c_int) {
        CAME.store(number, Relaxed);
    }

    #[test]
    fn the_sender_is_noted_and_the_handler_of_before_runs() {
        // SAFETY: a handler that stores a number, of a signal that nothing else here uses.
        unsafe { libc::signal(libc::SIGURG, plain as *const () as usize) };
        note(libc::SIGURG).unwrap();
        assert_eq!(last(libc::SIGURG), None);

        // SAFETY: the handler of it returns.
        unsafe { libc::raise(libc::SIGURG) };

        assert_eq!(CAME.load(Relaxed), libc::SIGURG);
        // SAFETY: it reads a number.
        let user = unsafe { libc::getuid() };
        assert_eq!(last(libc::SIGURG), Some((std::process::id(), user)));
    }

    #[test]
    fn a_signal_without_a_handler_or_that_is_none_is_refused() {
        for number in [libc::SIGUSR2, -1, 0, 31 + 1, 4096] {
            assert!(note(number).is_err(), "{number}");
            assert_eq!(last(number), None);
        }
    }
}
