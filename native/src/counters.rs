//! Every counter of the agent, by name, once.
//!
//! Two sums hold at any quiet moment, and tests assert them:
//!
//! ```text
//! captured + reported == spooled + filtered + coalesced + lost
//! recovered + spooled == delivered + queued + evicted + rejected + damaged
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// A named counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Counter { $($(#[doc = $doc])+ $variant,)+ }

        impl Counter {
            /// Every counter, in the order of reports.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)+];

            /// The name in heartbeats, `status` and docs.
            pub fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)+ }
            }

            /// What it counts.
            pub fn doc(self) -> &'static str {
                match self { $(Counter::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

counters! {
    /// Occurrences the kernel saw and the agent reports on: every exec, exit, file change, connection.
    Captured => "captured",
    /// Records the agent wrote about itself: heartbeats, log lines, loss records.
    Reported => "reported",
    /// Occurrences dropped by a rule.
    Filtered => "filtered",
    /// Occurrences folded into another event, beyond the one that stands for them.
    Coalesced => "coalesced",
    /// Occurrences and records that reached neither the queue nor a rule.
    Lost => "lost",
    /// Of the lost: the kernel ring was full.
    LostRing => "lost_ring",
    /// Of the lost: the kernel side had no memory or buffer for the event, or Windows' log no room for it.
    LostKernel => "lost_kernel",
    /// Of the lost: given up in the kernel under overload, so that rarer acts still found room.
    LostShed => "lost_shed",
    /// Of the lost: the record could not be decoded.
    LostDecode => "lost_decode",
    /// Of the lost: the queue could not take it, as on a full disk.
    LostQueue => "lost_queue",
    /// Records written to the queue in this run.
    Spooled => "spooled",
    /// Records found in the queue at start, and those evicted before without an event that says so.
    Recovered => "recovered",
    /// Records the intake has accepted.
    Delivered => "delivered",
    /// Records pushed out of the queue by its size limit.
    Evicted => "evicted",
    /// Records the intake refused for good; they are in the quarantine file.
    Rejected => "rejected",
    /// Records lost to damage of the queue's files.
    Damaged => "damaged",
    /// Bytes of the queue's files found damaged.
    DamagedBytes => "damaged_bytes",
    /// Processes told apart by reading /proc because their start was not seen.
    Inferred => "inferred",
    /// Events without the hashes of their file, since there was too much to read or it took too long.
    Unhashed => "unhashed",
    /// Entries pushed out of the process table by its size limit.
    ProcessesForgotten => "processes_forgotten",
}

/// The counters of one run, shared by its threads.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; Counter::ALL.len()]);

impl Counters {
    /// Adds `n`.
    pub fn add(&self, counter: Counter, n: u64) {
        self.0[counter as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }
}
