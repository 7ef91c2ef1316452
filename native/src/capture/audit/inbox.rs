//! Datagrams of a netlink socket, many by one call: a call for each would cost about as much as the
//! datagram itself.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, OwnedFd};

/// Datagrams that one call takes.
const BATCH: usize = 32;

/// What was received and is not taken yet.
pub struct Inbox {
    /// Room for each datagram of a batch, side by side.
    rooms: Box<[u8]>,
    room: usize,
    /// Their lengths; none of what another process has sent: only the kernel has port 0.
    lengths: [Option<usize>; BATCH],
    next: usize,
    end: usize,
}

impl Inbox {
    /// Nothing was received. `room`: bytes of the longest datagram.
    pub fn new(room: usize) -> Self {
        Self {
            rooms: vec![0; room * BATCH].into(),
            room,
            lengths: [None; BATCH],
            next: 0,
            end: 0,
        }
    }

    /// Nothing that was received waits here.
    pub fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// The next datagram that is there, without waiting; the inner option is empty for what another
    /// process has sent.
    pub fn next(&mut self, fd: &OwnedFd) -> io::Result<Option<Option<&[u8]>>> {
        if self.is_empty() {
            (self.next, self.end) = (0, 0);
            self.end = match self.receive(fd) {
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Ok(None),
                    _ => return Err(error),
                },
                Ok(count) => count,
            };
            if self.end == 0 {
                return Ok(None);
            }
        }
        let (length, begin) = (self.lengths[self.next], self.next * self.room);
        self.next += 1;
        Ok(Some(
            length.and_then(|length| self.rooms.get(begin..begin + length)),
        ))
    }

    fn receive(&mut self, fd: &OwnedFd) -> io::Result<usize> {
        // SAFETY: numbers and pointers, for which all zeros are valid.
        let (mut senders, mut rooms, mut headers): (
            [libc::sockaddr_nl; BATCH],
            [libc::iovec; BATCH],
            [libc::mmsghdr; BATCH],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        for (index, room) in self.rooms.chunks_exact_mut(self.room).enumerate() {
            rooms[index] = libc::iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: room.len(),
            };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut senders[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
            header.msg_iov = &raw mut rooms[index];
            header.msg_iovlen = 1;
        }
        // SAFETY: the pointers lead to memory of the lengths given, which outlives the call.
        let received = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for index in 0..count {
            let is_kernels = senders[index].nl_pid == 0;
            self.lengths[index] = is_kernels.then_some(headers[index].msg_len as usize);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::{BATCH, Inbox};

    #[test]
    fn gives_all_in_their_order_and_then_nothing() {
        let (kernel, agent) = UnixDatagram::pair().unwrap();
        agent.set_nonblocking(true).unwrap();
        let (agent, mut inbox) = (agent.into(), Inbox::new(8));
        assert!(inbox.next(&agent).unwrap().is_none());
        // More than a batch; the queue of the pair may take less than two.
        kernel.set_nonblocking(true).unwrap();
        let (mut sent, mut told) = (0_u64, 0_u64);
        while told <= 2 * BATCH as u64 {
            while kernel.send(&sent.to_ne_bytes()).is_ok() {
                sent += 1;
            }
            while let Some(datagram) = inbox.next(&agent).unwrap() {
                assert_eq!(datagram, Some(&told.to_ne_bytes()[..]));
                told += 1;
            }
            assert!(inbox.is_empty() && told == sent);
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let (kernel, agent) = UnixDatagram::pair().unwrap();
        let (agent, mut inbox) = (agent.into(), Inbox::new(8));
        for datagram in [&b"0123456789"[..], b"next"] {
            kernel.send(datagram).unwrap();
        }
        assert_eq!(inbox.next(&agent).unwrap(), Some(Some(&b"01234567"[..])));
        assert!(!inbox.is_empty());
        assert_eq!(inbox.next(&agent).unwrap(), Some(Some(&b"next"[..])));
    }

    #[test]
    fn what_a_process_has_sent_is_nothing() {
        use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
        let open = || {
            // SAFETY: no pointers.
            let fd =
                unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_USERSOCK) };
            assert!(fd >= 0);
            // SAFETY: the descriptor was just made and belongs to nobody else.
            unsafe { OwnedFd::from_raw_fd(fd) }
        };
        let (agent, other) = (open(), open());
        let mut address = super::super::socket::address(0);
        let mut size = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the pointers lead to a `sockaddr_nl` and its size, which outlive the calls.
        let sent = unsafe {
            libc::bind(agent.as_raw_fd(), (&raw const address).cast(), size);
            libc::getsockname(agent.as_raw_fd(), (&raw mut address).cast(), &raw mut size);
            libc::sendto(
                other.as_raw_fd(),
                b"hostile".as_ptr().cast(),
                7,
                0,
                (&raw const address).cast(),
                size,
            )
        };
        assert_eq!(sent, 7);
        let mut inbox = Inbox::new(64);
        assert_eq!(inbox.next(&agent).unwrap(), Some(None));
        assert_eq!(inbox.next(&agent).unwrap(), None);
    }
}
