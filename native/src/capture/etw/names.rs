//! What addresses of the kernel stand for: files and registry keys.

use lru::LruCache;

/// Names that are known at most, and bytes of all of them.
pub const MAX_NAMES: usize = 65_536;
#[allow(missing_docs)]
pub const MAX_BYTES: usize = 8 << 20;

/// Names by address; where there are too many, the one that was not asked for longest is forgotten.
#[derive(Debug)]
pub struct Names {
    known: LruCache<u64, Box<str>>,
    size: usize,
    forgotten: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            known: LruCache::unbounded(),
            size: 0,
            forgotten: 0,
        }
    }
}

impl Names {
    /// What is at an address now.
    pub fn learn(&mut self, address: u64, name: &str) {
        if address == 0 || name.is_empty() {
            return;
        }
        self.size += name.len();
        if let Some(before) = self.known.put(address, name.into()) {
            self.size -= before.len();
        }
        while self.known.len() > MAX_NAMES || self.size > MAX_BYTES {
            let Some((_, name)) = self.known.pop_lru() else {
                return;
            };
            self.size -= name.len();
            self.forgotten += 1;
        }
    }

    /// What is at an address.
    pub fn get(&mut self, address: u64) -> Option<&str> {
        self.known.get(&address).map(|name| &**name)
    }

    /// There is nothing at an address any more.
    pub fn forget(&mut self, address: u64) {
        if let Some(name) = self.known.pop(&address) {
            self.size -= name.len();
        }
    }

    /// How many were forgotten for want of room since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, MAX_NAMES, Names};

    #[test]
    fn knows_what_is_at_an_address_until_it_is_gone() {
        let mut names = Names::default();
        names.learn(8, "a");
        names.learn(8, "bc");
        names.learn(0, "nothing");
        names.learn(9, "");
        assert_eq!(names.get(8), Some("bc"));
        assert_eq!(names.get(0), None);
        assert_eq!(names.get(9), None);
        assert_eq!(names.size, 2);
        names.forget(8);
        assert_eq!(names.get(8), None);
        assert_eq!(names.size, 0);
    }

    #[test]
    fn forgets_the_oldest_when_there_are_too_many_or_too_long_ones() {
        let mut names = Names::default();
        for address in 1..=MAX_NAMES as u64 + 3 {
            names.learn(address, "x");
        }
        assert_eq!(names.take_forgotten(), 3);
        assert_eq!(names.get(3), None);
        assert_eq!(names.get(4), Some("x"));
        let long = "y".repeat(MAX_BYTES / 4);
        for address in 0..9 {
            names.learn(1_000_000 + address, &long);
            assert!(names.size <= MAX_BYTES);
        }
        assert!(names.take_forgotten() > MAX_NAMES as u64 - 10);
        names.learn(1, &"z".repeat(MAX_BYTES + 1));
        assert_eq!(names.size, 0);
        assert_eq!(names.get(1), None);
    }
}
