//! The event log of Windows: its records from files, on any host.
//!
//! A file ([`file`]) is a head and chunks of 64 KiB, each of which stands for itself: it holds the
//! names and templates of its records. A record is XML in a binary form ([`binxml`]): a template
//! with places for values ([`value`]), and the values. [`builder`] makes a
//! [`LogRecord`](crate::event::LogRecord) of that, which is all that the rest of the agent sees.
//!
//! The formats are those of [MS-EVEN6] 2.2.12 and of libevtx' documentation. All of it is hostile
//! bytes: what a record may cost is bounded, and one that cannot be read costs itself alone.

pub mod binxml;
pub mod builder;
pub mod chunk;
mod cursor;
pub mod file;
pub mod query;
#[cfg(windows)]
pub mod subscribe;
mod value;
pub mod xml;

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);
