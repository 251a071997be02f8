//! Disk space that a stream may take: one for its log and its dead letters, one for copies of ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::LogError;

/// A stream that keeps ids gives this part of its space to their copies.
const PART: u64 = 16;

/// Bytes taken and their limit.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicU64,
    short: AtomicBool,
    limit: AtomicU64,
}

/// The limit of one stream's space, to be changed while it is in use.
#[derive(Debug, Clone)]
pub struct SpaceLimit {
    records: Arc<Budget>,
    keeps_ids: bool,
}

impl SpaceLimit {
    pub(crate) fn new(records: &Arc<Budget>, keeps_ids: bool) -> Self {
        Self { records: Arc::clone(records), keeps_ids }
    }

    /// Sets the limit in bytes, of which the copies of ids keep the part that they had. What is on
    /// disk beyond it stays; nothing is added until it is below again. The size of segments stays
    /// what it was.
    pub fn set(&self, bytes: u64) {
        let (records, _) = divide(bytes, self.keeps_ids);
        self.records.limit.store(records, Ordering::Release);
    }
}

/// The bytes of a stream's space for its own log and for the copies of its ids.
pub(crate) fn divide(max_bytes: u64, keeps_ids: bool) -> (u64, u64) {
    let copies = if keeps_ids { max_bytes / PART } else { 0 };
    (max_bytes - copies, copies)
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            taken: AtomicU64::new(0),
            short: AtomicBool::new(false),
            limit: AtomicU64::new(limit),
        }
    }

    /// Gives `returned` bytes back and takes others, or does nothing.
    ///
    /// # Errors
    /// `Full` when they are not there.
    pub(crate) fn exchange(&self, returned: u64, bytes: u64) -> Result<(), LogError> {
        let limit = self.limit.load(Ordering::Acquire);
        let within = |taken: u64| {
            let sum = taken.saturating_sub(returned).checked_add(bytes);
            sum.filter(|&sum| sum <= limit)
        };
        let done = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, within);
        self.short.store(done.is_err(), Ordering::Release);
        done.map(|_| ()).map_err(|_| LogError::Full)
    }

    /// Whether `bytes` are there for who gives `returned` back.
    pub(crate) fn has(&self, returned: u64, bytes: u64) -> bool {
        let taken = self.taken.load(Ordering::Acquire).saturating_sub(returned);
        taken.saturating_add(bytes) <= self.limit.load(Ordering::Acquire)
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
        let budget = Arc::new(budget);
        SpaceLimit::new(&budget, false).set(12);
        assert!(budget.exchange(0, 2).is_ok());
        SpaceLimit::new(&budget, false).set(3);
        assert!(matches!(budget.exchange(0, 0), Err(LogError::Full)));
    }
}
