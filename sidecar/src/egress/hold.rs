//! Keeps new records back from one delivery for a moment, so that it can be told of some of them
//! before any goes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat_log::LogHandle;

/// Where no hold is.
const NONE: u64 = u64::MAX;

/// How far a delivery may hand out.
#[derive(Debug)]
pub(super) struct Hold {
    log: Arc<LogHandle>,
    from: AtomicU64,
}

impl Hold {
    /// No hold.
    pub(super) fn new(log: &Arc<LogHandle>) -> Self {
        Self { log: Arc::clone(log), from: AtomicU64::new(NONE) }
    }

    /// Nothing from here on may be handed out. To be read under the delivery's lock.
    pub(super) fn end(&self) -> u64 {
        self.log.published_end().min(self.from.load(Ordering::Acquire))
    }

    /// Holds back what is not published yet. To be called under the delivery's lock: then nothing
    /// later was handed out before.
    pub(super) fn set(&self) {
        self.from.store(self.log.published_end(), Ordering::Release);
    }

    /// Lets everything through. To be called under the delivery's lock, after what is to be skipped
    /// was settled.
    pub(super) fn release(&self) {
        self.from.store(NONE, Ordering::Release);
    }
}
