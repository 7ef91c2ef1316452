//! What did not get through, told apart by kind and cause.

use std::mem;
use std::os::fd::{AsFd, AsRawFd};

use aya::maps::{MapData, PerCpuArray};
use zerocopy::{Immutable, IntoBytes};

use super::attach::Running;
use super::decode::Clock;
use super::wire::{Tally, kind};
use crate::event::Loss;
use crate::host::clock;

/// `BPF_OBJ_GET_INFO_BY_FD`.
const GET_INFO: libc::c_long = 15;

/// Where `struct bpf_prog_info` has `recursion_misses` (Linux 5.12), its last field that is read.
const MISSES: usize = 208;

/// Counts that only grow, as they were at the last look.
#[derive(Clone, Copy, Default)]
struct Known {
    ring: u64,
    kernel: u64,
    shed: u64,
    busy: u64,
}

/// The kernel side's counts and the decoder's.
pub struct Losses {
    tallies: PerCpuArray<MapData, Tally>,
    known: [Known; kind::NAMES.len()],
    programs: Vec<Running>,
    malformed: u64,
    uncounted: u64,
    /// When the counts were last read, nanoseconds since the epoch.
    since: u64,
}

impl Losses {
    /// Watches the tallies and the programs from now on.
    pub fn new(tallies: PerCpuArray<MapData, Tally>, programs: Vec<Running>) -> Self {
        Self {
            tallies,
            known: [Known::default(); kind::NAMES.len()],
            programs,
            malformed: 0,
            uncounted: 0,
            since: clock::read().wall(clock::boot_time()),
        }
    }

    /// A record could not be decoded.
    pub fn malformed(&mut self) {
        self.malformed += 1;
    }

    /// Compares the repeats the kernel has counted with those that were reported, at the end.
    pub fn settle_repeats(&mut self, reported: u64) {
        let kinds = 0..kind::NAMES.len() as u32;
        let counted: u64 = kinds
            .filter_map(|number| self.sum(number, |tally| tally.coalesced))
            .sum();
        self.uncounted = counted.saturating_sub(reported);
    }

    /// What was lost since the last call.
    pub fn take(&mut self, clock: Clock) -> Vec<Loss> {
        let (from, to) = (self.since, clock.wall(clock::boot_time()));
        self.since = to;
        let mut losses = Vec::new();
        let mut lost = |what, count, cause, place| {
            if count > 0 {
                losses.push(Loss {
                    what,
                    count,
                    cause,
                    place,
                    from,
                    to,
                });
            }
        };
        for (number, what) in kind::NAMES.iter().enumerate() {
            let before = self.known[number];
            let now = self.read(number as u32).unwrap_or(before);
            self.known[number] = Known {
                busy: now.busy.max(before.busy),
                ..now
            };
            lost(what, now.ring - before.ring, "ring full", "kernel ring");
            lost(
                what,
                now.kernel - before.kernel,
                "no buffer",
                "kernel program",
            );
            let shed = now.shed - before.shed;
            lost(what, shed, "overload", "kernel shedding");
            // How many of the passes a program was skipped for it would have reported cannot be told.
            lost(
                what,
                now.busy.saturating_sub(before.busy),
                "program busy, at most",
                "kernel program",
            );
        }
        lost(
            "record",
            mem::take(&mut self.malformed),
            "malformed record",
            "decoder",
        );
        lost(
            "record",
            mem::take(&mut self.uncounted),
            "repeat without event",
            "kernel program",
        );
        losses
    }

    fn read(&self, number: u32) -> Option<Known> {
        Some(Known {
            ring: self.sum(number, |tally| tally.lost_ring)?,
            kernel: self.sum(number, |tally| tally.lost_kernel)?,
            shed: self.sum(number, |tally| tally.lost_shed)?,
            busy: self.busy(number)?,
        })
    }

    /// Passes that no program looked at, its spare included.
    fn busy(&self, number: u32) -> Option<u64> {
        // The spare counts after the kernel has skipped the first.
        let spared = self.sum(number, |tally| tally.spared)?;
        let what = kind::NAMES[number as usize];
        let of_it = self.programs.iter().filter(|program| program.what == what);
        Some(of_it.filter_map(misses).sum::<u64>().saturating_sub(spared))
    }

    /// A sum over the CPUs.
    fn sum(&self, number: u32, field: fn(&Tally) -> u64) -> Option<u64> {
        let tallies = self.tallies.get(&number, 0).ok()?;
        Some(tallies.iter().map(field).sum())
    }
}

/// How often the kernel has skipped a program because it was running already on the same CPU.
fn misses(program: &Running) -> Option<u64> {
    /// The members of `union bpf_attr` for this question.
    #[derive(IntoBytes, Immutable)]
    #[repr(C)]
    struct Attributes {
        program: u32,
        size: u32,
        info: u64,
    }
    let mut info = [0_u8; MISSES + size_of::<u64>()];
    let attributes = Attributes {
        program: program.program.as_fd().as_raw_fd().cast_unsigned(),
        size: info.len() as u32,
        info: info.as_mut_ptr() as u64,
    };
    // SAFETY: the kernel writes at most `size` bytes to `info`, and both live through the call.
    let status = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            GET_INFO,
            std::ptr::from_ref(&attributes),
            size_of::<Attributes>(),
        )
    };
    let bytes = info[MISSES..].try_into().ok()?;
    (status == 0).then(|| u64::from_ne_bytes(bytes))
}
