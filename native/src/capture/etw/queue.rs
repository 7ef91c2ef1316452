//! Between the threads that Windows calls with events and the one that tells them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::recording;

/// Bytes of the events that wait at most, and what each takes besides. A host's list of open files has
/// tens of thousands at once.
pub const MAX_BYTES: usize = 64 << 20;
const OVERHEAD: usize = 64;

/// Events that wait, as frames of a recording. Who puts them in never waits: what finds no room is
/// counted.
pub struct Queue {
    sender: Sender<Vec<u8>>,
    receiver: Mutex<Receiver<Vec<u8>>>,
    bytes: AtomicUsize,
    dropped: AtomicU64,
    malformed: AtomicU64,
}

impl Default for Queue {
    fn default() -> Self {
        let (sender, receiver) = channel();
        Self {
            sender,
            receiver: Mutex::new(receiver),
            bytes: AtomicUsize::default(),
            dropped: AtomicU64::default(),
            malformed: AtomicU64::default(),
        }
    }
}

impl Queue {
    /// Puts in an event: its `EVENT_HEADER`, what is attached by its types, and its data.
    pub fn push<'a>(
        &self,
        header: &[u8],
        attached: impl Iterator<Item = (u16, &'a [u8])>,
        data: &[u8],
    ) {
        let frame = recording::event(header, attached, data);
        let size = frame.len() + OVERHEAD;
        let is_full = self.bytes.fetch_add(size, Ordering::Relaxed) + size > MAX_BYTES;
        if is_full || self.sender.send(frame).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The next event, if one comes in time.
    pub fn next(&self, timeout: Duration) -> Option<Vec<u8>> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = if timeout.is_zero() {
            receiver.try_recv().ok()
        } else {
            receiver.recv_timeout(timeout).ok()
        }?;
        self.bytes
            .fetch_sub(frame.len() + OVERHEAD, Ordering::Relaxed);
        Some(frame)
    }

    /// One came that is not what it has to be.
    pub fn count_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many found no room since the last call.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// How many were not what they have to be since the last call.
    pub fn take_malformed(&self) -> u64 {
        self.malformed.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_BYTES, Queue};

    #[test]
    fn what_finds_no_room_is_counted() {
        let queue = Queue::default();
        let data = vec![0; MAX_BYTES / 4];
        for _ in 0..6 {
            queue.push(&[1; 80], std::iter::empty(), &data);
        }
        assert_eq!((queue.take_dropped(), queue.take_dropped()), (3, 0));
        for _ in 0..3 {
            assert_eq!(queue.next(Duration::ZERO).unwrap().len(), 84 + data.len());
        }
        assert!(queue.next(Duration::from_millis(1)).is_none());
        queue.push(&[1; 80], [(2, &[7_u8; 3][..])].into_iter(), b"data");
        let frame = queue.next(Duration::ZERO).unwrap();
        assert_eq!(frame[80..], *b"\x07\0\0\0\x02\0\x03\0\x07\x07\x07data");
        queue.count_malformed();
        assert_eq!((queue.take_malformed(), queue.take_malformed()), (1, 0));
    }
}
