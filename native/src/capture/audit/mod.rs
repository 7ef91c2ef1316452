//! The kernel's audit system: who logs in, and on kernels without eBPF everything else.
//!
//! It is spoken to over netlink, without the audit daemon's libraries and beside it.

pub mod beside;
pub mod call;
mod calls;
mod connector;
pub mod digest;
mod exec;
mod files;
pub mod host;
mod inbox;
pub mod join;
mod journal;
mod loan;
pub mod login;
mod losses;
pub mod names;
mod network;
pub mod record;
mod rules;
mod socket;
mod source;
mod system;
mod tasks;
mod tell;

pub use journal::Player;
pub use source::{Audit, Settings};
