//! Disk space that a stream may take, shared by its log and its dead letters.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::LogError;

/// Bytes taken and their limit.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicU64,
    short: AtomicBool,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { taken: AtomicU64::new(0), short: AtomicBool::new(false), limit }
    }

    /// Gives `returned` bytes back and takes others, or does nothing.
    ///
    /// # Errors
    /// `Full` when they are not there.
    pub(crate) fn exchange(&self, returned: u64, bytes: u64) -> Result<(), LogError> {
        let within = |taken: u64| {
            let sum = taken.saturating_sub(returned).checked_add(bytes);
            sum.filter(|&sum| sum <= self.limit)
        };
        let done = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, within);
        self.short.store(done.is_err(), Ordering::Release);
        done.map(|_| ()).map_err(|_| LogError::Full)
    }

    /// Whether the last one who asked for bytes went away without.
    pub(crate) fn is_short(&self) -> bool {
        self.short.load(Ordering::Acquire)
    }

    /// Counts bytes that are on disk already, even beyond the limit.
    pub(crate) fn found(&self, bytes: u64) {
        self.taken.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Gives bytes back. Who went away without may find enough now.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
        self.short.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_all_or_nothing() {
        let budget = Budget::new(10);
        budget.found(4);
        assert!(budget.exchange(0, 6).is_ok());
        assert!(matches!(budget.exchange(0, 1), Err(LogError::Full)));
        assert!(budget.is_short());
        budget.give_back(4);
        assert!(!budget.is_short());
        assert!(matches!(budget.exchange(0, 5), Err(LogError::Full)));
        assert!(budget.exchange(0, 4).is_ok());
        assert!(matches!(budget.exchange(4, 5), Err(LogError::Full)));
        assert!(budget.exchange(4, 4).is_ok());
    }
}
