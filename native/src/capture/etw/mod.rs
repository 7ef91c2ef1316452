//! Event tracing of Windows: what its events say, wherever they were recorded.
//!
//! [`raw`] reads the header of an event, [`payload`] its data, by [`templates`] that are made of the
//! facts in `providers.txt`. Events tell of a process by its number, of a file or key by an address of
//! the kernel: [`tell`] knows what these stand for, from the events before, and makes a
//! [`LogRecord`](crate::event::LogRecord) of each event that is told. [`recording`] is the file that
//! events are read from.
//!
//! All of it is hostile bytes: what an event may cost and what is remembered is bounded, and an
//! event that cannot be read costs itself alone.

#[cfg(windows)]
mod api;
#[cfg(windows)]
mod asked;
pub mod classes;
pub mod etl;
mod host;
#[cfg(windows)]
pub mod live;
mod lives;
mod names;
mod objects;
pub mod payload;
pub mod plan;
pub mod player;
mod processes;
pub mod queue;
pub mod raw;
#[cfg(windows)]
mod receive;
pub mod recorder;
pub mod recording;
pub mod schema;
#[cfg(windows)]
pub mod session;
mod show;
mod starts;
pub mod tell;
pub mod template;
pub mod templates;
mod whose;

pub use super::eventlog::Malformed;
