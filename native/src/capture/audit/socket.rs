//! The kernel's audit system over netlink (`linux/audit.h`): requests with their answers, and the
//! stream of records.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::inbox::Inbox;

/// `AUDIT_NLGRP_READLOG`, as the bit of `sockaddr_nl.nl_groups`. Kernels before 3.16 have no group.
pub const READ_LOG: u32 = 1;

/// A record is at most 8,970 bytes with its header (`MAX_AUDIT_MESSAGE_LENGTH`).
const MAX_MESSAGE: usize = 9 * 1024;

/// How long an answer may take; the kernel gives it within the call.
const PATIENCE: Duration = Duration::from_secs(2);

/// Message types of requests.
pub mod request {
    /// Asks for the state.
    pub const GET: u16 = 1000;
    /// Changes the state.
    pub const SET: u16 = 1001;
    /// Adds a rule.
    pub const ADD_RULE: u16 = 1011;
    /// Deletes a rule.
    pub const DELETE_RULE: u16 = 1012;
    /// Asks for all rules.
    pub const LIST_RULES: u16 = 1013;
}

/// `nlmsghdr`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// `struct audit_status`; older kernels fill less of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Status {
    /// Which members a SET changes: [`mask`].
    pub mask: u32,
    /// 0 off, 1 on, 2 on and locked until the next boot.
    pub enabled: u32,
    /// What the kernel does when it cannot log.
    pub failure: u32,
    /// The audit daemon, 0 if none runs.
    pub pid: u32,
    /// Records a second, 0 without limit.
    pub rate_limit: u32,
    /// Records that may wait for the daemon.
    pub backlog_limit: u32,
    /// Records lost since the boot.
    pub lost: u32,
    /// Records that wait.
    pub backlog: u32,
    /// What this kernel can do.
    pub features: u32,
    /// Ticks that a program waits for room in the backlog.
    pub backlog_wait_time: u32,
    /// Ticks that programs have waited.
    pub backlog_waited: u32,
}

/// Bits of [`Status::mask`].
pub mod mask {
    /// [`super::Status::enabled`].
    pub const ENABLED: u32 = 1;
    /// [`super::Status::pid`].
    pub const PID: u32 = 4;
    /// [`super::Status::backlog_limit`].
    pub const BACKLOG_LIMIT: u32 = 16;
}

/// A socket of the audit system.
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
    dropped: u32,
    inbox: Inbox,
}

/// A message of the kernel: its type and payload.
pub struct Message<'a> {
    /// Type of the record or answer.
    pub kind: u16,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl Socket {
    /// Opens a socket that receives what is sent to `groups`, and answers to its requests.
    pub fn open(groups: u32) -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = check(unsafe {
            libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                libc::NETLINK_AUDIT,
            )
        })?;
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let address = address(groups);
        // SAFETY: `address` is a whole `sockaddr_nl` and outlives the call.
        check(unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_nl>() as libc::socklen_t,
            )
        })?;
        Ok(Self {
            fd,
            sequence: 0,
            dropped: 0,
            inbox: Inbox::new(MAX_MESSAGE),
        })
    }

    /// Bytes of records that may wait in the socket.
    pub fn reserve(&self, bytes: libc::c_int) {
        reserve(&self.fd, bytes);
    }

    /// The state of the audit system.
    pub fn status(&mut self) -> io::Result<Status> {
        let mut status = None;
        self.ask(request::GET, &[], &mut |message| {
            if message.kind == request::GET {
                status = Some(read_status(message.payload));
            }
        })?;
        status.ok_or_else(|| io::Error::other("the audit system did not tell its state"))
    }

    /// Changes the members of the state that the mask names.
    pub fn set(&mut self, status: Status) -> io::Result<()> {
        self.ask(request::SET, status.as_bytes(), &mut |_| {})
    }

    /// Sends a request, and hands over what comes before the kernel has acknowledged it.
    pub fn ask(
        &mut self,
        kind: u16,
        payload: &[u8],
        sink: &mut dyn FnMut(Message),
    ) -> io::Result<()> {
        self.sequence += 1;
        let sequence = self.sequence;
        self.send(kind, payload)?;
        let mut acknowledged = false;
        loop {
            if self.inbox.is_empty() && !self.wait(PATIENCE)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let datagram = self.inbox.next(&self.fd)?.flatten();
            let Some((of, message)) = datagram.and_then(message) else {
                continue;
            };
            let is_answer = of == sequence;
            match libc::c_int::from(message.kind) {
                libc::NLMSG_ERROR if is_answer => {
                    outcome(message.payload)?;
                    acknowledged = true;
                }
                libc::NLMSG_DONE if is_answer => return Ok(()),
                _ => {
                    let answered = is_answer && message.kind == kind;
                    sink(message);
                    // The state comes from a thread of the kernel, after the acknowledgement.
                    if answered && kind == request::GET {
                        return Ok(());
                    }
                }
            }
            if acknowledged && kind != request::LIST_RULES && kind != request::GET {
                return Ok(());
            }
        }
    }

    /// The next message that is there, without waiting; the inner option is empty for what is no
    /// message of the kernel.
    ///
    /// Fails with `ENOBUFS` when messages were dropped because the socket was full.
    pub fn next(&mut self) -> io::Result<Option<Option<Message<'_>>>> {
        let datagram = self.inbox.next(&self.fd)?;
        Ok(datagram.map(|bytes| bytes.and_then(message).map(|(_, message)| message)))
    }

    /// How many messages the kernel has dropped since the last call, at least one.
    pub fn newly_dropped(&mut self) -> u64 {
        newly_dropped(&self.fd, &mut self.dropped)
    }

    /// Waits until there is something to receive.
    fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let mut poll = libc::pollfd {
            fd: self.fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one `pollfd`, which outlives the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as libc::c_int) };
        match check(ready) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            other => other.map(|ready| ready > 0),
        }
    }

    fn send(&self, kind: u16, payload: &[u8]) -> io::Result<()> {
        let header = Header {
            length: (size_of::<Header>() + payload.len()) as u32,
            kind,
            flags: (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16,
            sequence: self.sequence,
            port: 0,
        };
        send(&self.fd, &[header.as_bytes(), payload].concat())
    }
}

/// Bytes that may wait in a socket. A failure leaves the default.
pub fn reserve(fd: &OwnedFd, bytes: libc::c_int) {
    // SAFETY: the option is an int, which outlives the call.
    unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

/// How many messages the kernel has dropped since the last call, at least one. `known`: the count
/// at that call.
pub fn newly_dropped(fd: &OwnedFd, known: &mut u32) -> u64 {
    let count = dropped(fd).unwrap_or(known.wrapping_add(1));
    let before = std::mem::replace(known, count);
    u64::from(count.wrapping_sub(before)).max(1)
}

/// `SK_MEMINFO_DROPS`, which kernels have since 4.12.
fn dropped(fd: &OwnedFd) -> Option<u32> {
    const DROPS: usize = 8;
    let mut information = [0_u32; DROPS + 1];
    let mut size = size_of_val(&information) as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes to `information`; both outlive the call.
    let status = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            information.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    (status == 0).then_some(information[DROPS])
}

/// Sends a message to the kernel.
pub fn send(fd: &OwnedFd, message: &[u8]) -> io::Result<()> {
    let kernel = address(0);
    // SAFETY: both pointers lead to memory of the lengths given, which outlives the call.
    let sent = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            message.as_ptr().cast(),
            message.len(),
            0,
            (&raw const kernel).cast(),
            size_of::<libc::sockaddr_nl>() as libc::socklen_t,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// One datagram is one message: of a record sent to the audit daemon the header counts the length
/// without itself, so the datagram's own length decides.
fn message(datagram: &[u8]) -> Option<(u32, Message<'_>)> {
    let (header, payload) = Header::read_from_prefix(datagram).ok()?;
    let kind = header.kind;
    Some((header.sequence, Message { kind, payload }))
}

/// The state as far as this kernel tells it.
fn read_status(payload: &[u8]) -> Status {
    let mut status = Status::default();
    let known = payload.len().min(size_of::<Status>());
    status.as_mut_bytes()[..known].copy_from_slice(&payload[..known]);
    status
}

/// What `nlmsgerr` says: 0, or the error's number negated.
fn outcome(payload: &[u8]) -> io::Result<()> {
    match i32::read_from_prefix(payload) {
        Ok((0, _)) => Ok(()),
        Ok((error, _)) => Err(io::Error::from_raw_os_error(error.wrapping_neg())),
        Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The kernel's end, or the groups that are listened to.
pub fn address(groups: u32) -> libc::sockaddr_nl {
    // SAFETY: plain numbers, for which all zeros are valid.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = groups;
    address
}

/// The result of a call that fails with a negative number.
pub fn check(status: libc::c_int) -> io::Result<libc::c_int> {
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_an_older_kernel_is_shorter() {
        let words = [0_u32, 1, 1, 77, 0, 64, 5, 0];
        let status = read_status(words.as_bytes());
        assert_eq!((status.enabled, status.pid, status.lost), (1, 77, 5));
        assert_eq!(status.backlog_wait_time, 0);
        assert_eq!(read_status(&[0xff; 100]).backlog_waited, u32::MAX);
    }

    #[test]
    fn an_answer_is_a_number() {
        assert!(outcome(&0_i32.to_ne_bytes()).is_ok());
        let refused = outcome(&(-libc::EEXIST).to_ne_bytes()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EEXIST));
        assert!(outcome(&[1]).is_err());
        assert!(outcome(&i32::MIN.to_ne_bytes()).is_err());
    }
}
