//! What the host knows about those who act: the process table, users and groups.

pub mod containers;
pub mod guid;
pub mod hashes;
pub mod ledger;
pub mod processes;
pub mod program;
pub mod users;
