//! The order to mend a log, from whoever met its damage to the writer thread, which does it.

use std::ops::AddAssign;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::fate::{Fate, Refusal};
use crate::mend::Authority;
use crate::sync::{AtomicBool, Event, Mutex, MutexGuard};

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

impl Accepted {
    /// The same of a log whose records are copies of ids: losing one loses no message.
    #[must_use]
    pub fn without_records(self) -> Self {
        Self { lost: 0, kept: 0, ..self }
    }
}

impl AddAssign for Accepted {
    fn add_assign(&mut self, other: Self) {
        self.places += other.places;
        self.lost += other.lost;
        self.kept += other.kept;
    }
}

/// Of one log.
#[derive(Debug, Default)]
pub(crate) struct Mending {
    /// Whether there is an order, for a look without the lock.
    ordered: AtomicBool,
    waiting: Mutex<Waiting>,
    /// Something was mended.
    pub(crate) done: Event,
}

#[derive(Debug, Default)]
struct Waiting {
    order: Option<Order>,
    /// Why nobody will follow any.
    closed: Option<Refusal>,
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
        let mut waiting = self.lock();
        let Waiting { order, closed } = &mut *waiting;
        let order = order.get_or_insert_with(|| Order { authority, fate: Fate::undecided() });
        if authority == Authority::Operator {
            order.authority = authority;
        }
        let fate = Arc::clone(&order.fate);
        if let Some(refusal) = *closed {
            fate.decide(Err(refusal));
        }
        drop(waiting);
        self.ordered.store(true, Ordering::Release);
        fate
    }

    /// The order, if there is one.
    pub(crate) fn take(&self) -> Option<Order> {
        if !self.ordered.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.lock().order.take()
    }

    /// Nobody will mend anything any more.
    pub(crate) fn close(&self, refusal: Refusal) {
        let mut waiting = self.lock();
        waiting.closed.get_or_insert(refusal);
        if let Some(order) = waiting.order.take() {
            order.fate.decide(Err(refusal));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
