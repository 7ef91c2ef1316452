//! One BPF ring buffer, mapped once (Linux, Documentation/bpf/ringbuf.rst).
//!
//! The kernel offers its data twice, back to back, so that no record ever wraps; every page of both
//! would count as memory of the agent. Here a record that wraps is copied together instead.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use aya::maps::{Map, MapData};

/// Bits of a record's length (`include/uapi/linux/bpf.h`).
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// Length and page offset, ahead of each record.
const HEADER: usize = 8;

/// A ring and how far it has been read.
pub struct Ring {
    map: MapData,
    consumed: Pages,
    produced: Pages,
    /// Bytes of the data, a power of two.
    size: usize,
    page: usize,
    /// Where a record that wraps is put together.
    whole: Vec<u8>,
}

impl Ring {
    /// Takes over a ring that nobody has read from.
    pub fn new(map: Map) -> io::Result<Self> {
        let Map::RingBuf(map) = map else {
            return Err(io::Error::other("the map is no ring"));
        };
        let size = map.info().map_err(io::Error::other)?.max_entries() as usize;
        let page = page_size();
        let fd = map.fd().as_fd().as_raw_fd();
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        Ok(Self {
            consumed: Pages::map(fd, page, writable, 0)?,
            produced: Pages::map(fd, page + size, libc::PROT_READ, page)?,
            map,
            size,
            page,
            whole: Vec::new(),
        })
    }

    /// The oldest record, which stays in the ring until [`Ring::pop`].
    pub fn peek(&mut self) -> Option<&[u8]> {
        loop {
            let at = self.consumed.position().load(Ordering::Relaxed);
            if at == self.produced.position().load(Ordering::Acquire) {
                return None;
            }
            let length = self.length(at).load(Ordering::Acquire);
            if length & BUSY != 0 {
                return None;
            }
            let bytes = (length & !DISCARDED) as usize;
            if length & DISCARDED == 0 {
                return Some(self.record(at + HEADER, bytes));
            }
            self.consume(at, bytes);
        }
    }

    /// Gives the oldest record's room back, if there is one.
    pub fn pop(&mut self) {
        let at = self.consumed.position().load(Ordering::Relaxed);
        if at != self.produced.position().load(Ordering::Acquire) {
            let length = self.length(at).load(Ordering::Acquire);
            if length & BUSY == 0 {
                self.consume(at, (length & !DISCARDED) as usize);
            }
        }
    }

    fn consume(&self, at: usize, bytes: usize) {
        let next = at + (HEADER + bytes).next_multiple_of(8);
        self.consumed.position().store(next, Ordering::Release);
    }

    /// The length of the record whose header is at a position.
    fn length(&self, at: usize) -> &AtomicU32 {
        let offset = self.page + (at & (self.size - 1));
        // SAFETY: positions are multiples of 8 and `size` is one of the page's, so that the four
        // bytes are aligned and inside the mapping, which lives as long as `self`.
        unsafe { self.produced.start.add(offset).cast().as_ref() }
    }

    /// The `bytes` behind a header. The kernel never makes a record longer than the ring; should it
    /// say so, what there is is taken for it.
    fn record(&mut self, at: usize, bytes: usize) -> &[u8] {
        let begin = at & (self.size - 1);
        let bytes = bytes.min(self.size);
        let first = bytes.min(self.size - begin);
        // SAFETY: both parts lie inside the mapping, and the kernel does not write to them before
        // the record is consumed, which takes `&mut self`.
        let part = |from: usize, length: usize| unsafe {
            std::slice::from_raw_parts(self.produced.start.add(self.page + from).as_ptr(), length)
        };
        if first == bytes {
            return part(begin, bytes);
        }
        let (head, tail) = (part(begin, first), part(0, bytes - first));
        self.whole.clear();
        self.whole.extend_from_slice(head);
        self.whole.extend_from_slice(tail);
        &self.whole
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.map.fd().as_fd().as_raw_fd()
    }
}

/// A mapping that is undone with it.
struct Pages {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: nothing else refers to the mapping, and no thread is special to it.
unsafe impl Send for Pages {}

impl Pages {
    fn map(fd: RawFd, length: usize, protection: libc::c_int, offset: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at a place the kernel chooses.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                fd,
                offset as libc::off_t,
            )
        };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Self { start, length }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The position that the first page of either mapping begins with.
    fn position(&self) -> &AtomicUsize {
        // SAFETY: the page is mapped as long as `self` lives, and aligned.
        unsafe { self.start.cast().as_ref() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping of `map`, to which no reference is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

fn page_size() -> usize {
    // SAFETY: no pointers.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}
