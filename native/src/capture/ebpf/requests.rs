//! Requests made through io_uring, held until it is known what became of them.
//!
//! A request that is never answered is told all the same, marked as such: its maker may have asked
//! for silence about its success, or left no room for answers.

use std::mem::offset_of;

use lru::LruCache;
use zerocopy::FromBytes;

use super::wire::{Answer, Request};

/// How long an answer is waited for, nanoseconds.
const PATIENCE: u64 = 2_000_000_000;
/// Bytes of the requests that are held.
const MAX_BYTES: usize = 1 << 20;

/// Records of requests, oldest first, by the kernel's address of each.
pub struct Requests {
    held: LruCache<u64, Box<[u8]>>,
    bytes: usize,
}

impl Requests {
    /// None yet.
    pub fn new() -> Self {
        Self {
            held: LruCache::unbounded(),
            bytes: 0,
        }
    }

    /// Takes the record of a request in. Returns those that have to be told now: one at the same
    /// address, which is over then, and the oldest where there are too many.
    pub fn hold(&mut self, record: &[u8]) -> Vec<Box<[u8]>> {
        let Ok((request, _)) = Request::read_from_prefix(record) else {
            return vec![record.into()]; // the decoder counts it
        };
        let before = self.take(request.request).map(unanswered);
        let mut told: Vec<_> = before.into_iter().collect();
        self.bytes += record.len();
        self.held.put(request.request, record.into());
        while self.bytes > MAX_BYTES
            && let Some(oldest) = self.oldest()
        {
            told.push(unanswered(oldest));
        }
        told
    }

    /// The record of the request that an answer says was done.
    pub fn answer(&mut self, record: &[u8]) -> Option<Box<[u8]>> {
        let (answer, _) = Answer::read_from_prefix(record).ok()?;
        let request = self.take(answer.request)?;
        (answer.result >= 0).then_some(request)
    }

    /// The oldest request, if it has waited for too long at this boot time.
    pub fn overdue(&mut self, now: u64) -> Option<Box<[u8]>> {
        let (_, record) = self.held.peek_lru()?;
        let since = Request::read_from_prefix(record).map_or(0, |(it, _)| it.header.time);
        if now.saturating_sub(since) < PATIENCE {
            return None;
        }
        self.oldest().map(unanswered)
    }

    fn take(&mut self, request: u64) -> Option<Box<[u8]>> {
        let record = self.held.pop(&request)?;
        self.bytes -= record.len();
        Some(record)
    }

    fn oldest(&mut self) -> Option<Box<[u8]>> {
        let (_, record) = self.held.pop_lru()?;
        self.bytes -= record.len();
        Some(record)
    }
}

fn unanswered(mut record: Box<[u8]>) -> Box<[u8]> {
    if let Some(byte) = record.get_mut(offset_of!(Request, unanswered)) {
        *byte = 1;
    }
    record
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;
    use crate::capture::ebpf::wire::Header;

    fn request(address: u64, time: u64) -> Vec<u8> {
        let request = Request {
            header: Header {
                time,
                ..Default::default()
            },
            request: address,
            ..Default::default()
        };
        [request.as_bytes(), b"names"].concat()
    }

    fn answer(address: u64, result: i32) -> Vec<u8> {
        let answer = Answer {
            request: address,
            result,
            ..Default::default()
        };
        answer.as_bytes().into()
    }

    fn is_unanswered(record: &[u8]) -> bool {
        Request::read_from_prefix(record).unwrap().0.unanswered != 0
    }

    #[test]
    fn what_was_done_is_told_and_what_failed_is_not() {
        let mut requests = Requests::new();
        assert!(requests.hold(&request(1, 5)).is_empty());
        assert!(requests.hold(&request(2, 6)).is_empty());
        assert_eq!(&*requests.answer(&answer(1, 0)).unwrap(), request(1, 5));
        assert_eq!(requests.answer(&answer(2, -2)), None);
        assert_eq!(requests.answer(&answer(1, 0)), None);
        assert_eq!(requests.bytes, 0);
    }

    #[test]
    fn what_nobody_answers_is_told_as_such() {
        let mut requests = Requests::new();
        requests.hold(&request(1, 5));
        requests.hold(&request(2, 7));
        assert_eq!(requests.overdue(4 + PATIENCE), None);
        assert!(is_unanswered(&requests.overdue(6 + PATIENCE).unwrap()));
        assert_eq!(requests.overdue(6 + PATIENCE), None);
        let told = requests.hold(&request(2, 8));
        assert!(told.len() == 1 && is_unanswered(&told[0]));
    }

    #[test]
    fn too_many_push_out_the_oldest() {
        let mut requests = Requests::new();
        let told: Vec<_> = (0..20_000)
            .flat_map(|address| requests.hold(&request(address, 5)))
            .collect();
        assert!(!told.is_empty() && told.iter().all(|record| is_unanswered(record)));
        assert!(requests.bytes <= MAX_BYTES);
        assert_eq!(told.len() + requests.held.len(), 20_000);
    }

    #[test]
    fn what_is_too_short_goes_to_the_decoder() {
        assert_eq!(Requests::new().hold(b"short"), [b"short".as_slice().into()]);
        assert_eq!(Requests::new().answer(b"short"), None);
    }
}
