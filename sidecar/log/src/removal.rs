//! The order to remove a stream, from whoever purges it to the writer thread, which does it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::fate::{Fate, Refusal};
use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// Of one stream's log of records.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    /// Whether there is an order, for a look without the lock.
    ordered: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    order: Option<Arc<Fate<()>>>,
    /// Why nobody will follow any.
    closed: Option<Refusal>,
}

impl Removal {
    /// Orders it; whoever orders it while an order waits joins that one.
    pub(crate) fn order(&self) -> Arc<Fate<()>> {
        let mut waiting = self.lock();
        let closed = waiting.closed;
        let fate = Arc::clone(waiting.order.get_or_insert_with(Fate::undecided));
        drop(waiting);
        if let Some(refusal) = closed {
            fate.decide(Err(refusal));
        }
        self.ordered.store(true, Ordering::Release);
        fate
    }

    /// The order, if there is one.
    pub(crate) fn take(&self) -> Option<Arc<Fate<()>>> {
        if !self.ordered.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.lock().order.take()
    }

    /// Nobody will remove anything any more.
    pub(crate) fn close(&self, refusal: Refusal) {
        let mut waiting = self.lock();
        waiting.closed.get_or_insert(refusal);
        if let Some(fate) = waiting.order.take() {
            fate.decide(Err(refusal));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
