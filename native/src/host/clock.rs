//! The kernel's clocks, and the boot they count from.

use std::path::Path;

use uuid::Uuid;

use crate::capture::ebpf::decode::Clock;

/// Nanoseconds since boot, sleep included (`CLOCK_BOOTTIME`).
pub fn boot_time() -> u64 {
    nanoseconds(libc::CLOCK_BOOTTIME)
}

/// The offset between boot time and the epoch, as it is now.
///
/// Of three readings the one that took least: a thread that is put aside between two clocks would
/// shift the time of everything it reads next.
pub fn read() -> Clock {
    let readings = (0..3).map(|_| {
        let before = boot_time();
        let epoch = real_time();
        let took = boot_time().saturating_sub(before);
        (took, epoch.wrapping_sub(before + took / 2))
    });
    let offset = readings.min().map_or(0, |(_, offset)| offset);
    Clock { offset }
}

/// What `CLOCK_MONOTONIC` is behind boot time and behind the epoch, nanoseconds: if a thread is put
/// aside between the two, rather more.
pub fn since_monotonic() -> (u64, u64) {
    let monotonic = nanoseconds(libc::CLOCK_MONOTONIC);
    let to_boot = boot_time().wrapping_sub(monotonic);
    (to_boot, read().wall(to_boot))
}

/// Nanoseconds since the epoch.
pub fn real_time() -> u64 {
    nanoseconds(libc::CLOCK_REALTIME)
}

/// Nanoseconds of CPU time that the calling thread has used.
pub fn thread_time() -> u64 {
    nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The id of this boot, of zeros where the kernel does not tell.
pub fn boot_id(root: &Path) -> [u8; 16] {
    let text = std::fs::read_to_string(root.join("proc/sys/kernel/random/boot_id"));
    let id = text.ok().and_then(|text| Uuid::try_parse(text.trim()).ok());
    id.unwrap_or_default().into_bytes()
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable; every clock exists since Linux 2.6.39, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
