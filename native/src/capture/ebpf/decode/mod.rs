//! Records to events. Pure: bytes in, an [`Event`] or a reason out, whatever the bytes are.

mod change;
mod dns;
pub(crate) mod file;
pub(crate) mod mount;
mod network;
mod path;
mod process;
mod system;
mod uring;

use zerocopy::FromBytes;

use super::wire::{self, kind};
use crate::event::{Action, Content, Credentials, Event, LoginSession, ProcessKey};

pub use process::encode_snapshot;

/// A boot-time nanosecond in a clock tick of `/proc` (`USER_HZ` is 100 on every architecture).
pub const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// What a record cannot be decoded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The record ends before its kind's struct or sections do.
    #[error("the record is cut off")]
    Short,
    /// No such kind, family or name.
    #[error("the record's {0} is not known")]
    Unknown(&'static str),
}

/// The difference between the epoch's clock and the kernel's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, nanoseconds.
    pub offset: u64,
}

impl Clock {
    /// The time since the epoch of a boot time.
    pub fn wall(self, boot: u64) -> u64 {
        boot.wrapping_add(self.offset)
    }
}

/// Decodes one record, whole and alone in `record`.
pub fn decode(record: &[u8], clock: Clock) -> Result<Event, Malformed> {
    let (header, _) = take::<wire::Header>(record)?;
    let action = match header.kind {
        kind::FORK => process::fork(record)?,
        kind::EXEC => Action::Exec(process::exec(record)?),
        kind::SNAPSHOT => Action::Snapshot(process::exec(record)?),
        kind::EXIT => process::exit(record)?,
        kind::OPEN => file::open(record)?,
        kind::MEMORY_FILE => file::memory(record)?,
        kind::DELETE => file::delete(record)?,
        kind::RENAME => file::rename(record)?,
        kind::CONNECTION => network::connection(record)?,
        kind::CONNECT_FAILURE => network::failure(record)?,
        kind::LISTEN => network::listen(record)?,
        kind::DISCONNECTION => network::end(record)?,
        kind::DATAGRAM => network::datagram(record)?,
        kind::DNS => dns::dns(record)?,
        kind::EXEC_FAILED => system::exec_failed(record)?,
        kind::IDENTITY => system::identity(record)?,
        kind::CAPABILITIES => system::capabilities(record)?,
        kind::NAMESPACE => system::namespace(record)?,
        kind::INJECTION => system::injection(record)?,
        kind::SIGNAL => system::signal(record)?,
        kind::MODULE => system::module(record)?,
        kind::BPF => system::bpf(record)?,
        kind::REQUEST => uring::request(record)?,
        kind::REFUSED => change::refused(record)?,
        kind::LINK => change::link(record)?,
        kind::SYMLINK => change::symlink(record)?,
        kind::DIRECTORY_MADE..=kind::TRUNCATE => change::change(record, clock)?,
        kind::MOUNT => mount::mount(record)?,
        _ => return Err(Malformed::Unknown("kind")),
    };
    Ok(Event {
        time: clock.wall(header.time),
        process: key(header.pid, header.start),
        thread: header.tid,
        credentials: Credentials {
            uid: header.uid,
            euid: header.euid,
            gid: header.gid,
            egid: header.egid,
        },
        login: LoginSession {
            uid: header.login_uid,
            session: header.session,
        },
        repeat: None,
        call: None,
        content: Content::Unasked,
        action,
    })
}

fn take<T: FromBytes>(bytes: &[u8]) -> Result<(T, &[u8]), Malformed> {
    T::read_from_prefix(bytes).map_err(|_| Malformed::Short)
}

fn section(bytes: &[u8], size: usize) -> Result<(&[u8], &[u8]), Malformed> {
    bytes.split_at_checked(size).ok_or(Malformed::Short)
}

/// Major and minor number of a device as the kernel keeps it.
fn device(packed: u32) -> (u32, u32) {
    (packed >> 20, packed & 0xf_ffff)
}

fn key(pid: u32, start: u64) -> ProcessKey {
    ProcessKey {
        pid,
        start: start / NANOSECONDS_PER_TICK,
    }
}

#[cfg(test)]
mod tests;
