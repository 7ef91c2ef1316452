//! Repeats the kernel counted instead of sending: when their window ends, one event stands for them.
//!
//! The kernel's counts only grow and only this side removes entries, so no count is taken twice. An
//! entry is removed when it has been idle for two windows: no program still counts on it then.

use std::collections::{HashMap as Table, VecDeque};
use std::hash::Hash;
use std::os::fd::{AsFd, AsRawFd};

use aya::Pod;
use aya::maps::{HashMap, IterableMap, MapData, MapError};
use zerocopy::{FromBytes, IntoBytes};

use super::decode::Clock;
use super::wire::{PeerKey, RepeatKey, RepeatValue};
use crate::event::{Action, Event, FileChange, Repeat};

/// Windows of idleness after which an entry is removed.
const IDLE_WINDOWS: u64 = 2;

/// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`, which `aya` does not offer for this kind of map (Linux 5.14).
const LOOKUP_AND_DELETE: libc::c_long = 21;

/// What tells acts apart: the key of a map of repeats.
pub trait Key: Pod + Eq + Hash {
    /// Whose act.
    fn pid(&self) -> u32;
}

impl Key for RepeatKey {
    fn pid(&self) -> u32 {
        self.pid
    }
}

impl Key for PeerKey {
    fn pid(&self) -> u32 {
        self.pid
    }
}

/// An event whose repeats are being counted.
struct Pending {
    event: Event,
    reported: u64,
    since: u64,
}

/// What a change of `first` was at its `last` repeat, times of events.
fn settle_change(change: &mut FileChange, first: u64, last: u64) {
    match change {
        // What was created once can only have been opened again.
        FileChange::Created => *change = FileChange::Modified,
        FileChange::Times(times) => {
            for time in [&mut times.accessed, &mut times.modified] {
                if *time == Some(first) {
                    *time = Some(last); // now
                }
            }
        }
        _ => {}
    }
}

/// A map of repeats and the events they belong to.
pub struct Repeats<K: Key> {
    map: HashMap<MapData, K, RepeatValue>,
    pending: Table<K, Pending>,
    /// How many of the pending belong to each process.
    owners: Table<u32, usize>,
    /// Repeats reported so far.
    reported: u64,
    due: VecDeque<(u64, K)>,
    window: u64,
}

impl<K: Key> Repeats<K> {
    /// Takes over the map; `window` as the programs were told, nanoseconds.
    pub fn new(map: HashMap<MapData, K, RepeatValue>, window: u64) -> Self {
        Self {
            map,
            pending: Table::new(),
            owners: Table::new(),
            reported: 0,
            due: VecDeque::new(),
            window,
        }
    }

    /// Remembers an event whose entry the kernel has made or renewed at boot time `time`.
    pub fn track(
        &mut self,
        key: K,
        event: &Event,
        time: u64,
        clock: Clock,
        sink: &mut dyn FnMut(Event),
    ) {
        if self.pending.contains_key(&key) {
            // What was counted so far belongs to the event before.
            if let Ok(value) = self.map.get(&key, 0) {
                self.report(key, value, clock, sink);
            }
            if let Some(pending) = self.pending.get_mut(&key) {
                pending.event = event.clone();
            }
            return;
        }
        let pending = Pending {
            event: event.clone(),
            reported: 0,
            since: event.time,
        };
        self.pending.insert(key, pending);
        *self.owners.entry(key.pid()).or_default() += 1;
        self.due.push_back((time + self.window, key));
    }

    /// Emits the events of the windows that have ended at boot time `now`.
    pub fn settle(&mut self, now: u64, clock: Clock, sink: &mut dyn FnMut(Event)) {
        while let Some((_, key)) = self.due.pop_front_if(|(due, _)| *due <= now) {
            let value = match self.map.get(&key, 0) {
                Ok(value) => value,
                Err(MapError::KeyNotFound) => {
                    self.forget(&key);
                    continue;
                }
                Err(_) => {
                    self.due.push_back((now + self.window, key));
                    continue;
                }
            };
            let idle = now.saturating_sub(value.since.max(value.last));
            if idle > IDLE_WINDOWS * self.window {
                self.retire(key, clock, sink);
            } else {
                self.report(key, value, clock, sink);
                self.due.push_back((now + self.window, key));
            }
        }
    }

    /// Emits and removes what a process did with the program that it leaves.
    pub fn leave(&mut self, pid: u32, clock: Clock, sink: &mut dyn FnMut(Event)) {
        if !self.owners.contains_key(&pid) {
            return;
        }
        let keys: Vec<_> = self
            .pending
            .keys()
            .filter(|key| key.pid() == pid)
            .copied()
            .collect();
        for key in keys {
            self.retire(key, clock, sink);
        }
    }

    /// How many repeats were reported.
    pub fn reported(&self) -> u64 {
        self.reported
    }

    /// Emits and removes everything, when nothing counts any more.
    pub fn finish(&mut self, clock: Clock, sink: &mut dyn FnMut(Event)) {
        while let Some((_, key)) = self.due.pop_front() {
            self.retire(key, clock, sink);
        }
    }

    fn retire(&mut self, key: K, clock: Clock, sink: &mut dyn FnMut(Event)) {
        if let Some(value) = self.take(&key) {
            self.report(key, value, clock, sink);
        }
        self.forget(&key);
    }

    fn forget(&mut self, key: &K) {
        if self.pending.remove(key).is_none() {
            return;
        }
        if let Some(count) = self.owners.get_mut(&key.pid()) {
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&key.pid());
            }
        }
    }

    fn report(&mut self, key: K, value: RepeatValue, clock: Clock, sink: &mut dyn FnMut(Event)) {
        let Some(pending) = self.pending.get_mut(&key) else {
            return;
        };
        let count = value.count.saturating_sub(pending.reported);
        if count == 0 {
            return;
        }
        let last = clock.wall(value.last);
        let repeat = Repeat {
            count,
            first: pending.since,
            last,
        };
        pending.reported = value.count;
        self.reported += count;
        pending.since = last;
        let mut event = Event {
            time: last,
            repeat: Some(repeat),
            ..pending.event.clone()
        };
        if let Action::File(file) = &mut event.action {
            settle_change(&mut file.change, pending.event.time, last);
        }
        sink(event);
    }

    /// Removes an entry and returns its last value, in one step where the kernel can.
    fn take(&mut self, key: &K) -> Option<RepeatValue> {
        self.lookup_and_delete(key).or_else(|| {
            let value = self.map.get(key, 0).ok();
            let _ = self.map.remove(key);
            value
        })
    }

    fn lookup_and_delete(&self, key: &K) -> Option<RepeatValue> {
        /// The members of `union bpf_attr` for operations on elements.
        #[derive(IntoBytes, zerocopy::Immutable)]
        #[repr(C)]
        struct Attributes {
            map: u32,
            padding: u32,
            key: u64,
            value: u64,
            flags: u64,
        }
        let mut value = [0_u8; size_of::<RepeatValue>()];
        let attributes = Attributes {
            map: self.map.map().fd().as_fd().as_raw_fd().cast_unsigned(),
            padding: 0,
            key: std::ptr::from_ref(key) as u64,
            value: value.as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: key and value have the sizes the map was made with and live through the call.
        let status = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                LOOKUP_AND_DELETE,
                std::ptr::from_ref(&attributes),
                size_of::<Attributes>(),
            )
        };
        (status == 0)
            .then(|| RepeatValue::read_from_bytes(&value).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Times;

    #[test]
    fn a_repeat_tells_what_was_last() {
        let mut change = FileChange::Created;
        settle_change(&mut change, 5, 9);
        assert_eq!(change, FileChange::Modified);
        let mut change = FileChange::Times(Times {
            accessed: Some(4),
            modified: Some(5),
        });
        settle_change(&mut change, 5, 9);
        let expected = Times {
            accessed: Some(4),
            modified: Some(9),
        };
        assert_eq!(change, FileChange::Times(expected));
        let mut change = FileChange::Permissions(0o600);
        settle_change(&mut change, 5, 9);
        assert_eq!(change, FileChange::Permissions(0o600));
    }
}
