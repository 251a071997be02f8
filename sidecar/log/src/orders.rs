//! An order to the writer thread, from whoever gives it to the thread, which carries it out between
//! two commits. The thread looks at it after each commit, so an order that nobody gave costs one load.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::fate::{Fate, Refusal};
use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// The orders of one kind to one log: `D` is what one says, `T` what comes of it.
#[derive(Debug)]
pub(crate) struct Orders<D, T> {
    /// Whether there is an order, for a look without the lock.
    ordered: AtomicBool,
    waiting: Mutex<Waiting<D, T>>,
}

#[derive(Debug)]
struct Waiting<D, T> {
    order: Option<Order<D, T>>,
    /// Why nobody will follow any.
    closed: Option<Refusal>,
}

/// An order that waits.
#[derive(Debug)]
pub(crate) struct Order<D, T> {
    pub(crate) detail: D,
    pub(crate) fate: Arc<Fate<T>>,
}

impl<D: Ord, T: Copy> Orders<D, T> {
    pub(crate) fn new() -> Self {
        let waiting = Mutex::new(Waiting { order: None, closed: None });
        Self { ordered: AtomicBool::new(false), waiting }
    }

    /// Gives an order; one that comes while another waits joins that one, and the greater detail of
    /// both holds.
    pub(crate) fn give(&self, detail: D) -> Arc<Fate<T>> {
        let mut waiting = self.lock();
        let detail = match waiting.order.take() {
            Some(order) => Order { detail: order.detail.max(detail), ..order },
            None => Order { detail, fate: Fate::undecided() },
        };
        let fate = Arc::clone(&waiting.order.insert(detail).fate);
        let closed = waiting.closed;
        drop(waiting);
        if let Some(refusal) = closed {
            fate.decide(Err(refusal));
        }
        self.ordered.store(true, Ordering::Release);
        fate
    }

    /// The order, if there is one.
    pub(crate) fn take(&self) -> Option<Order<D, T>> {
        if !self.ordered.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.lock().order.take()
    }

    /// Nobody will follow any order any more.
    pub(crate) fn close(&self, refusal: Refusal) {
        let mut waiting = self.lock();
        waiting.closed.get_or_insert(refusal);
        if let Some(order) = waiting.order.take() {
            order.fate.decide(Err(refusal));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<D, T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_wait_are_one_and_the_greater_detail_holds() {
        let orders = Orders::<u8, u8>::new();
        assert!(orders.take().is_none());
        let fates = [3, 9, 1].map(|detail| orders.give(detail));
        let order = orders.take().unwrap();
        assert_eq!(order.detail, 9);
        assert!(orders.take().is_none());
        order.fate.decide(Ok(7));
        assert_eq!(fates.map(|fate| fate.outcome()), [Some(Ok(7)); 3]);
    }

    #[test]
    fn nobody_waits_for_what_nobody_will_do() {
        let orders = Orders::<(), ()>::new();
        let before = orders.give(());
        orders.close(Refusal::Stopped);
        orders.close(Refusal::Closed);
        let after = orders.give(());
        assert_eq!([before, after].map(|fate| fate.outcome()), [Some(Err(Refusal::Stopped)); 2]);
    }
}
