//! One byte budget that all connections of a process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that read buffers may hold beyond their small start.
///
/// A connection that gets no more works on with what it has.
#[derive(Debug)]
pub struct MemoryBudget {
    free: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(bytes) })
    }

    /// Bytes not taken.
    pub fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }

    fn try_acquire(&self, bytes: usize) -> bool {
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes))
            .is_ok()
    }

    fn release(&self, bytes: usize) {
        self.free.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What one holder has taken; given back on drop.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Holds exactly `bytes` from now on; false, and nothing changed, when the budget has not as
    /// much.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            if !self.budget.try_acquire(bytes - self.bytes) {
                return false;
            }
        } else {
            self.budget.release(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_given_back() {
        let budget = MemoryBudget::new(100);
        let mut one = Charge::new(Arc::clone(&budget));
        let mut two = Charge::new(Arc::clone(&budget));
        assert!(one.resize(60));
        assert!(!two.resize(41));
        assert!(two.resize(40));
        assert_eq!(budget.free(), 0);
        assert!(one.resize(10));
        assert_eq!(budget.free(), 50);
        drop(two);
        assert_eq!(budget.free(), 90);
    }
}
