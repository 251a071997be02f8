//! How well the group commit groups, and whether it gets on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counters since the start.
#[derive(Debug, Default)]
pub struct CommitStats {
    syncs: AtomicU64,
    records: AtomicU64,
    running_since: Mutex<Option<Instant>>,
}

impl CommitStats {
    pub(crate) fn committed(&self, records: u64) {
        if records > 0 {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.records.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// Says that a commit runs, until the answer is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        *self.running_since() = Some(Instant::now());
        Running(self)
    }

    /// For how long the commit has run that runs now. The disk that it waits for may hang.
    pub fn running_for(&self) -> Option<Duration> {
        self.running_since().map(|since| since.elapsed())
    }

    /// Commits that synced records.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Records that they synced.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    fn running_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.running_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit that runs.
pub(crate) struct Running<'a>(&'a CommitStats);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.running_since() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_runs_until_it_has_ended() {
        let stats = CommitStats::default();
        assert_eq!(stats.running_for(), None);
        let running = stats.running();
        assert!(stats.running_for().is_some());
        drop(running);
        assert_eq!(stats.running_for(), None);
    }
}
