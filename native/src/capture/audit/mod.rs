//! The kernel's audit system: who logs in, sessions, accounts.
//!
//! It is spoken to over netlink, without the audit daemon's libraries and beside it.

pub mod beside;
mod loan;
pub mod login;
pub mod record;
mod rules;
mod socket;
