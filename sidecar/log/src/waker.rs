//! Wakes the writer thread. A signal costs one atomic swap while the writer is busy anyway.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::sync::{AtomicBool, Condvar, Mutex};

/// A latch: set by any thread, waited for and cleared by one.
#[derive(Debug, Default)]
pub(crate) struct Waker {
    set: AtomicBool,
    sleeping: Mutex<()>,
    woken: Condvar,
}

impl Waker {
    /// There is work.
    pub(crate) fn wake(&self) {
        if !self.set.swap(true, Ordering::AcqRel) {
            // Taking the lock orders this wake after the sleeper's last look at the latch.
            let _sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
            self.woken.notify_one();
        }
    }

    /// Waits until there is work, or until `deadline`, and clears the latch.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        let mut sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.set.load(Ordering::Acquire) {
            let Some(deadline) = deadline else {
                sleeping = self.woken.wait(sleeping).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleeping =
                self.woken.wait_timeout(sleeping, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.set.store(false, Ordering::Release);
    }
}
