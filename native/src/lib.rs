//! The capture core of endpoint-agent: what the kernel saw becomes ECS JSON in a durable queue.
//!
//! One event's way: [`capture`] → [`enrich`] → [`ecs`] → [`spool`], driven by [`pipeline`].

pub mod counters;
pub mod error;
pub mod event;
pub mod spool;
