//! How well the group commit groups.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start.
#[derive(Debug, Default)]
pub struct CommitStats {
    syncs: AtomicU64,
    records: AtomicU64,
}

impl CommitStats {
    pub(crate) fn committed(&self, records: u64) {
        if records > 0 {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.records.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// Commits that synced records.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Records that they synced.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
}
