//! Counts the bytes of things that share a limit.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sum of what has been charged and not been dropped.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<AtomicUsize>);

impl Ledger {
    /// Counts `size` bytes for as long as the value lives.
    pub fn charge<T>(&self, value: T, size: usize) -> Charged<T> {
        self.0.fetch_add(size, Ordering::Relaxed);
        Charged {
            value,
            size,
            ledger: self.clone(),
        }
    }

    /// Bytes now.
    pub fn total(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A value whose bytes are counted.
#[derive(Debug)]
pub struct Charged<T> {
    value: T,
    size: usize,
    ledger: Ledger,
}

impl<T> Deref for Charged<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Charged<T> {
    fn drop(&mut self) {
        self.ledger.0.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;
    use std::sync::Arc;

    #[test]
    fn counts_a_shared_value_once_and_until_its_last_owner_is_gone() {
        let ledger = Ledger::default();
        let one = Arc::new(ledger.charge("program", 100));
        let other = one.clone();
        let _more = ledger.charge("text", 11);
        assert_eq!(ledger.total(), 111);
        drop(one);
        assert_eq!(ledger.total(), 111);
        drop(other);
        assert_eq!(ledger.total(), 11);
    }
}
