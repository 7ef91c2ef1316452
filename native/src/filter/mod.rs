//! The user's rules: which tags an event gets, and which events are dropped.
//!
//! Python reads and checks the files and hands over what is here as [`Watch`] and [`Drop`]; so what
//! is compiled here is sound, and anything else is merely never matched.

pub mod drops;
pub mod facts;
mod operator;
mod pattern;
mod plain;
mod record;
pub mod watch;

pub use drops::{Drop, Drops};
pub use watch::{Watch, Watches};

/// All rules of a run, ready to be applied. The empty ones cost nothing.
#[derive(Debug, Default)]
pub struct Rules {
    /// What events are tagged for.
    pub watches: Watches,
    /// What is dropped.
    pub drops: Drops,
}
