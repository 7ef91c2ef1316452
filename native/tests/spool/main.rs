//! The durable queue seen from outside: its promises, a model of it, kills and full disks.

// Clippy takes the helpers of tests for no tests.
#![allow(clippy::unwrap_used)]

mod batches;
mod damage;
mod eviction;
mod format;
#[cfg(target_os = "linux")]
mod full_disk;
mod help;
mod kill;
mod left;
mod life;
mod model;
mod random;
