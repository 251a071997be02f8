//! The order to mend a log, from whoever met its damage to the writer thread, which does it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use event_listener::Event;

use crate::fate::{Fate, Refusal};
use crate::mend::Authority;

/// What it cost that a log goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Damaged places that were mended.
    pub places: u64,
    /// Records that are lost and that not every delivery had settled.
    pub lost: u64,
    /// Records of damaged segments that were kept.
    pub kept: u64,
}

/// Of one log.
#[derive(Debug, Default)]
pub(crate) struct Mending {
    /// Whether there is an order, for a look without the lock.
    ordered: AtomicBool,
    order: Mutex<Option<Order>>,
    /// Something was mended.
    pub(crate) done: Event,
}

/// An order that waits.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) authority: Authority,
    pub(crate) fate: Arc<Fate<Accepted>>,
}

impl Mending {
    /// Orders it; whoever orders it while an order waits joins that one.
    pub(crate) fn order(&self, authority: Authority) -> Arc<Fate<Accepted>> {
        let mut waiting = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let order = waiting.get_or_insert_with(|| Order { authority, fate: Fate::undecided() });
        if authority == Authority::Operator {
            order.authority = authority;
        }
        let fate = Arc::clone(&order.fate);
        drop(waiting);
        self.ordered.store(true, Ordering::Release);
        fate
    }

    /// The order, if there is one.
    pub(crate) fn take(&self) -> Option<Order> {
        if !self.ordered.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.order.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nobody will mend anything any more.
    pub(crate) fn close(&self, refusal: Refusal) {
        if let Some(order) = self.take() {
            order.fate.decide(Err(refusal));
        }
    }
}
