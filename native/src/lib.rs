//! The capture core of endpoint-agent: what the kernel saw becomes ECS JSON in a durable queue.
//!
//! One event's way: [`capture`] → [`engine`] ([`enrich`], [`filter`], [`ecs`]) → [`spool`], driven by
//! [`pipeline`]. What it means is in [`event`]; what became of it is in [`counters`].

// What is not marked builds for Windows as well.
#[cfg(target_os = "linux")]
pub mod capture;
pub mod counters;
#[cfg(target_os = "linux")]
pub mod ecs;
#[cfg(target_os = "linux")]
pub mod engine;
#[cfg(target_os = "linux")]
pub mod enrich;
pub mod error;
#[cfg(target_os = "linux")]
pub mod event;
#[cfg(target_os = "linux")]
pub mod filter;
#[cfg(target_os = "linux")]
pub mod host;
#[cfg(target_os = "linux")]
pub mod pipeline;
#[cfg(all(target_os = "linux", feature = "python"))]
mod python;
pub mod spool;
