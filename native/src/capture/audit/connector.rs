//! The kernel's process events (`linux/cn_proc.h`): every fork, every end, every change of ids.
//!
//! They cost a host less than rules on the calls, and tell of ends that no call made. Of those that
//! are not read anybody can cause any number, as by naming or starting threads: the kernel keeps them
//! out.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::inbox::Inbox;
use super::socket::{address, check};

/// `CN_IDX_PROC` and `CN_VAL_PROC`.
const CONNECTOR: [u32; 2] = [1, 1];
/// `NETLINK_CONNECTOR`.
const PROTOCOL: libc::c_int = 11;
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;

/// Bytes for a message, of which the kernel uses some 80.
const ROOM: usize = 256;

/// `PROC_EVENT_FORK`, …
const FORK: u32 = 0x1;
const USERS: u32 = 0x4;
const GROUPS: u32 = 0x40;
const EXIT: u32 = 0x8000_0000;

/// `nlmsghdr`, `cn_msg`, and what comes before the particulars in `proc_event`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    id: [u32; 2],
    count: u32,
    acknowledge: u32,
    size: u16,
    connector_flags: u16,
}

/// The begin of `proc_event` and as much of its particulars as is read.
#[derive(Clone, Copy, FromBytes)]
#[repr(C, packed)]
struct Body {
    what: u32,
    cpu: u32,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    time: u64,
    words: [u32; 4],
}

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It created another.
    Fork {
        /// Who did.
        parent: u32,
        /// The new one.
        child: u32,
    },
    /// It ended.
    Exit {
        /// Which.
        pid: u32,
        /// Its wait status.
        status: u32,
    },
    /// It has other user ids.
    Users {
        /// Which.
        pid: u32,
        /// Real.
        real: u32,
        /// Effective.
        effective: u32,
    },
    /// It has other group ids.
    Groups {
        /// Which.
        pid: u32,
        /// Real.
        real: u32,
        /// Effective.
        effective: u32,
    },
}

impl Change {
    /// The change as the kernel has it in four words; the first says which it is.
    pub fn words(self) -> [u32; 4] {
        match self {
            Self::Fork { parent, child } => [FORK, parent, child, 0],
            Self::Exit { pid, status } => [EXIT, pid, status, 0],
            Self::Users {
                pid,
                real,
                effective,
            } => [USERS, pid, real, effective],
            Self::Groups {
                pid,
                real,
                effective,
            } => [GROUPS, pid, real, effective],
        }
    }

    /// The change of such words.
    pub fn from_words(words: [u32; 4]) -> Option<Self> {
        let [what, one, two, three] = words;
        Some(match what {
            FORK => Self::Fork {
                parent: one,
                child: two,
            },
            EXIT => Self::Exit {
                pid: one,
                status: two,
            },
            USERS => Self::Users {
                pid: one,
                real: two,
                effective: three,
            },
            GROUPS => Self::Groups {
                pid: one,
                real: two,
                effective: three,
            },
            _ => return None,
        })
    }
}

/// What a reading came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Events that did not fit into the socket.
    pub dropped: u64,
    /// It ended at its limit.
    pub more: bool,
}

/// The stream of process events.
pub struct Connector {
    fd: OwnedFd,
    dropped: u32,
    inbox: Inbox,
}

impl Connector {
    /// Starts to listen.
    pub fn open() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = check(unsafe {
            libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
                PROTOCOL,
            )
        })?;
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        super::socket::reserve(&fd, 4 << 20);
        keep_out_others(&fd)?;
        let group = address(CONNECTOR[0]);
        // SAFETY: `group` is a whole `sockaddr_nl` and outlives the call.
        check(unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const group).cast(),
                size_of::<libc::sockaddr_nl>() as libc::socklen_t,
            )
        })?;
        let connector = Self {
            fd,
            dropped: 0,
            inbox: Inbox::new(ROOM),
        };
        connector.subscribe()?;
        Ok(connector)
    }

    /// Hands over what is there, when (`CLOCK_MONOTONIC`) and what, of `limit` messages at most:
    /// some process may cause them as fast as they are read.
    pub fn read(&mut self, limit: usize, sink: &mut dyn FnMut(u64, Change)) -> io::Result<Outcome> {
        let mut dropped = 0;
        for _ in 0..limit {
            match self.next() {
                Ok(Some(Some((time, change)))) => sink(time, change),
                Ok(Some(None)) => {}
                Ok(None) => {
                    return Ok(Outcome {
                        dropped,
                        more: false,
                    });
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    dropped += super::socket::newly_dropped(&self.fd, &mut self.dropped);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome {
            dropped,
            more: true,
        })
    }

    /// The next event that is there, none for what is not of interest. The outer option is empty
    /// when nothing is there.
    fn next(&mut self) -> io::Result<Option<Option<(u64, Change)>>> {
        let datagram = self.inbox.next(&self.fd)?;
        Ok(datagram.map(|datagram| datagram.and_then(decode)))
    }

    fn subscribe(&self) -> io::Result<()> {
        let header = Header {
            length: (size_of::<Header>() + size_of::<u32>()) as u32,
            kind: libc::NLMSG_DONE as u16,
            flags: 0,
            sequence: 0,
            port: 0,
            id: CONNECTOR,
            count: 0,
            acknowledge: 0,
            size: size_of::<u32>() as u16,
            connector_flags: 0,
        };
        let message = [header.as_bytes(), LISTEN.as_bytes()].concat();
        super::socket::send(&self.fd, &message)
    }
}

/// Lets the kernel drop what is not read, threads too, before it takes room in the socket.
fn keep_out_others(fd: &OwnedFd) -> io::Result<()> {
    const WHAT: u32 = size_of::<Header>() as u32;
    const WORDS: u32 = WHAT + std::mem::offset_of!(Body, words) as u32;
    const IS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const IS_OTHER: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_X;
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = |at| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let keep = step(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0);
    let end = |size| step(libc::BPF_RET | libc::BPF_K, 0, 0, size);
    // The filter takes every word for one of the network.
    let word = |what: u32| u32::from_be_bytes(what.to_ne_bytes());
    // Jumps are over so many steps.
    let mut steps = [
        load(WHAT),
        step(IS, 11, 0, word(USERS)),
        step(IS, 10, 0, word(GROUPS)),
        step(IS, 5, 0, word(FORK)),
        step(IS, 0, 9, word(EXIT)),
        // Its number is that of its process.
        load(WORDS),
        keep,
        load(WORDS + 4),
        step(IS_OTHER, 4, 5, 0),
        // The same of the new one.
        load(WORDS + 8),
        keep,
        load(WORDS + 12),
        step(IS_OTHER, 0, 1, 0),
        end(u32::MAX),
        end(0),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as libc::c_ushort,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: `program` leads to `len` steps; the kernel copies both before the call returns.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

fn decode(datagram: &[u8]) -> Option<(u64, Change)> {
    let (header, rest) = Header::read_from_prefix(datagram).ok()?;
    let (body, _) = Body::read_from_prefix(rest).ok()?;
    if header.id != CONNECTOR {
        return None;
    }
    let words = body.words;
    let change = match (body.what, words) {
        // Threads are no processes.
        (FORK, [_, parent, child, group]) if child == group && parent != group => {
            [FORK, parent, child, 0]
        }
        (EXIT, [thread, pid, status, _]) if thread == pid => [EXIT, pid, status, 0],
        (what @ (USERS | GROUPS), [_, pid, real, effective]) => [what, pid, real, effective],
        _ => return None,
    };
    Some((body.time, Change::from_words(change)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::{
        CONNECTOR, Change, Connector, EXIT, FORK, GROUPS, Inbox, Outcome, ROOM, USERS, decode,
        keep_out_others,
    };

    fn message(what: u32, words: [u32; 4]) -> Vec<u8> {
        let mut message = vec![0_u8; 16];
        for word in CONNECTOR.iter().chain(&[0, 0, 40, what, 0]) {
            message.extend(word.to_ne_bytes());
        }
        message.extend(77_u64.to_ne_bytes());
        message.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        message
    }

    #[test]
    fn tells_processes_and_not_threads() {
        let told = |what, words| decode(&message(what, words));
        let fork = Change::Fork {
            parent: 5,
            child: 9,
        };
        assert_eq!(told(1, [6, 5, 9, 9]), Some((77, fork)));
        assert_eq!(told(1, [6, 5, 9, 5]), None);
        let exit = Change::Exit {
            pid: 9,
            status: 0x300,
        };
        assert_eq!(told(0x8000_0000, [9, 9, 0x300, 17]), Some((77, exit)));
        assert_eq!(told(0x8000_0000, [10, 9, 0x300, 17]), None);
        assert_eq!(told(2, [9, 9, 0, 0]), None);
    }

    /// A socket in the place of the kernel's, and its other end.
    fn pair() -> (UnixDatagram, Connector) {
        let (kernel, agent) = UnixDatagram::pair().unwrap();
        let connector = Connector {
            fd: agent.into(),
            dropped: 0,
            inbox: Inbox::new(ROOM),
        };
        (kernel, connector)
    }

    #[test]
    fn a_reading_ends_though_there_is_always_more() {
        let (kernel, mut connector) = pair();
        kernel.send(&message(2, [9, 9, 0, 0])).unwrap();
        for _ in 0..3 {
            kernel.send(&message(0x8000_0000, [9, 9, 0, 17])).unwrap();
        }
        let mut told = 0;
        let mut read = |limit| {
            let outcome = connector.read(limit, &mut |_, _| told += 1).unwrap();
            assert_eq!(outcome.dropped, 0);
            (told, outcome.more)
        };
        // The first is not of interest, and costs a turn all the same.
        assert_eq!(read(2), (1, true));
        assert_eq!(read(9), (3, false));
    }

    #[test]
    fn the_kernel_keeps_out_what_is_not_read() {
        let (kernel, mut connector) = pair();
        keep_out_others(&connector.fd).unwrap();
        // Exec, session, tracing, name, core dump.
        for what in [2, 0x80, 0x100, 0x200, 0x4000_0000] {
            kernel.send(&message(what, [9, 9, 9, 9])).unwrap();
        }
        // Threads.
        kernel.send(&message(FORK, [6, 5, 9, 5])).unwrap();
        kernel.send(&message(EXIT, [10, 9, 0, 17])).unwrap();
        assert_eq!(connector.next().unwrap(), None);

        let (parent, child, pid, status) = (5, 9, 9, 0x300);
        let (real, effective) = (1, 2);
        kernel.send(&message(FORK, [6, 5, 9, 9])).unwrap();
        kernel.send(&message(USERS, [10, 9, 1, 2])).unwrap();
        kernel.send(&message(GROUPS, [10, 9, 1, 2])).unwrap();
        kernel.send(&message(EXIT, [9, 9, 0x300, 17])).unwrap();
        let mut told = Vec::new();
        let outcome = connector.read(9, &mut |_, change| told.push(change));
        let (dropped, more) = (0, false);
        assert_eq!(outcome.unwrap(), Outcome { dropped, more });
        let changes = [
            Change::Fork { parent, child },
            Change::Users {
                pid,
                real,
                effective,
            },
            Change::Groups {
                pid,
                real,
                effective,
            },
            Change::Exit { pid, status },
        ];
        assert_eq!(told, changes);
    }

    #[test]
    fn a_change_survives_a_recording() {
        for what in [1, 4, 0x40, 0x8000_0000_u32] {
            let change = Change::from_words([what, 1, 2, 3]).unwrap();
            assert_eq!(Change::from_words(change.words()), Some(change));
        }
        assert_eq!(Change::from_words([2, 1, 2, 3]), None);
    }

    #[test]
    fn half_a_message_is_none() {
        let whole = message(1, [6, 5, 9, 9]);
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None);
        }
        assert_eq!(decode(&[0xff; 80]), None);
    }
}
