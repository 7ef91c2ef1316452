//! The capture core of endpoint-agent: what the kernel saw becomes ECS JSON in a durable queue.
//!
//! One event's way: [`capture`] → [`engine`] ([`enrich`], [`filter`], [`ecs`]) → [`spool`], driven by
//! [`pipeline`]. What it means is in [`event`]; what became of it is in [`counters`].

// What is not marked builds for Windows as well.
pub mod capture;
pub mod counters;
pub mod ecs;
pub mod engine;
pub mod enrich;
pub mod error;
pub mod event;
pub mod filter;
pub mod host;
pub mod pipeline;
#[cfg(feature = "python")]
mod python;
#[cfg(windows)]
pub mod service;
pub mod spool;
