//! The two rings as one stream, in the order of time.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use zerocopy::FromBytes;

use super::ring::Ring;
use super::wire::Header;

/// The ring of processes' lives and the ring of everything else.
pub struct Rings {
    critical: Ring,
    bulk: Ring,
    waker: Waker,
}

impl Rings {
    /// Takes over the rings.
    pub fn new(critical: Ring, bulk: Ring) -> io::Result<Self> {
        Ok(Self {
            waker: Waker::new(&[critical.as_raw_fd(), bulk.as_raw_fd()])?,
            critical,
            bulk,
        })
    }

    /// Sleeps until a ring has filled to its mark, or the time is over.
    pub fn wait(&self, timeout: Duration) {
        self.waker.wait(timeout);
    }

    /// Hands over at most `limit` records, oldest first. True when there are more.
    ///
    /// An exec and the files its process opened travel on different rings; merging them by time
    /// keeps every act with the program that did it.
    pub fn read(&mut self, limit: usize, mut handle: impl FnMut(&[u8])) -> bool {
        for _ in 0..limit {
            // In this order: an exec is in its ring before the first file its program opens is in
            // the other, so a ring found empty after that file was seen held no such exec. One that
            // found no room there stands before that file in the same ring.
            let bulk = self.bulk.peek().map(time);
            let critical = self.critical.peek().map(time);
            let ring = match (critical, bulk) {
                (None, None) => return false,
                (Some(one), Some(other)) if one > other => &mut self.bulk,
                (Some(_), _) => &mut self.critical,
                (None, Some(_)) => &mut self.bulk,
            };
            if let Some(record) = ring.peek() {
                handle(record);
            }
            ring.pop();
        }
        true
    }
}

fn time(record: &[u8]) -> u64 {
    Header::read_from_prefix(record).map_or(0, |(header, _)| header.time)
}

/// Edge-triggered: a ring that merely holds something does not end the sleep.
struct Waker(OwnedFd);

impl Waker {
    fn new(rings: &[libc::c_int]) -> io::Result<Self> {
        // SAFETY: no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else has it.
        let waker = Self(unsafe { OwnedFd::from_raw_fd(epoll) });
        for &ring in rings {
            let events = (libc::EPOLLIN | libc::EPOLLET).cast_unsigned();
            let mut event = libc::epoll_event { events, u64: 0 };
            // SAFETY: `event` lives through the call, which copies it.
            if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, ring, &raw mut event) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(waker)
    }

    /// Ends early on any signal, which does no harm.
    fn wait(&self, timeout: Duration) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let milliseconds = timeout.as_millis().try_into().unwrap_or(libc::c_int::MAX);
        // SAFETY: there is room for the one event that is asked for.
        unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, milliseconds) };
    }
}
