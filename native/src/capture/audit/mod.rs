//! The kernel's audit system: who logs in, and on kernels without eBPF everything else.
//!
//! It is spoken to over netlink, without the audit daemon's libraries and beside it.

pub mod beside;
pub mod call;
mod connector;
pub mod join;
mod loan;
pub mod login;
mod losses;
pub mod record;
mod rules;
mod socket;
mod source;
mod tasks;

pub use source::{Audit, Settings};
