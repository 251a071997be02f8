//! The way into the state journal: what deliveries learned waits here for the writer thread.

use std::sync::{Arc, PoisonError};

use crate::fate::{Fate, Refusal};
use crate::state::Op;
use crate::sync::{Mutex, MutexGuard};
use crate::waker::Waker;

/// When operations must be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Within the journal's own interval. A crash before that costs redeliveries.
    Lazy,
    /// With the next commit: somebody waits for it before going on.
    Now,
}

/// Operations on their way to the journal.
#[derive(Debug)]
pub struct JournalQueue {
    inner: Mutex<Taken>,
    closed: Mutex<Option<Refusal>>,
    writer: Arc<Waker>,
}

/// What the writer takes at once.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) ops: Vec<Op>,
    pub(crate) urgency: Urgency,
    pub(crate) fate: Arc<Fate<()>>,
}

impl Taken {
    fn nothing() -> Self {
        Self { ops: Vec::new(), urgency: Urgency::Lazy, fate: Fate::undecided() }
    }
}

impl JournalQueue {
    pub(crate) fn new(writer: Arc<Waker>) -> Self {
        Self { inner: Mutex::new(Taken::nothing()), closed: Mutex::new(None), writer }
    }

    /// Hands operations over, in order. The fate is decided once they are durable, and with
    /// [`Urgency::Now`] also what was handed over before.
    ///
    /// What waits is bounded by what is in flight: each record adds a few operations until it is
    /// settled, and settled neighbours become one.
    pub fn submit(&self, ops: impl IntoIterator<Item = Op>, urgency: Urgency) -> Arc<Fate<()>> {
        let mut inner = lock(&self.inner);
        let idle = inner.ops.is_empty();
        for op in ops {
            push(&mut inner.ops, op);
        }
        if inner.ops.is_empty() && urgency == Urgency::Lazy {
            let nothing = Fate::undecided();
            nothing.decide(Ok(()));
            return nothing;
        }
        let urgent = urgency > inner.urgency;
        inner.urgency = inner.urgency.max(urgency);
        let fate = Arc::clone(&inner.fate);
        drop(inner);
        if let Some(refusal) = *lock(&self.closed) {
            fate.decide(Err(refusal));
        } else if idle || urgent {
            self.writer.wake();
        }
        fate
    }

    /// All that waits; `None` when nothing does.
    pub(crate) fn take(&self) -> Option<Taken> {
        let mut inner = lock(&self.inner);
        let waiting = !inner.ops.is_empty() || inner.urgency == Urgency::Now;
        waiting.then(|| std::mem::replace(&mut *inner, Taken::nothing()))
    }

    /// Takes nothing more.
    pub(crate) fn close(&self, refusal: Refusal) {
        lock(&self.closed).get_or_insert(refusal);
        lock(&self.inner).fate.decide(Err(refusal));
    }
}

/// Appends `op`, or widens the last one when it settles what follows.
fn push(ops: &mut Vec<Op>, op: Op) {
    if let (
        Some(Op::Settled { stream, delivery, range }),
        Op::Settled { stream: next_stream, delivery: next_delivery, range: next },
    ) = (ops.last_mut(), &op)
        && stream == next_stream
        && delivery == next_delivery
        && range.end == next.start
    {
        range.end = next.end;
    } else {
        ops.push(op);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeliveryId, StreamId};

    fn settled(start: u64, end: u64) -> Op {
        Op::Settled { stream: StreamId([0; 16]), delivery: DeliveryId(1), range: start..end }
    }

    #[test]
    fn settled_neighbours_become_one_operation() {
        let queue = JournalQueue::new(Arc::default());
        queue.submit([settled(0, 3), settled(3, 5)], Urgency::Lazy);
        let fate = queue.submit([settled(5, 6), settled(9, 10)], Urgency::Now);
        let taken = queue.take().unwrap();
        assert_eq!(taken.ops, [settled(0, 6), settled(9, 10)]);
        assert_eq!(taken.urgency, Urgency::Now);
        taken.fate.decide(Ok(()));
        assert_eq!(fate.outcome(), Some(Ok(())));
        assert!(queue.take().is_none());
    }

    #[test]
    fn nothing_is_durable_at_once_and_still_asks_for_a_sync_if_urgent() {
        let queue = JournalQueue::new(Arc::default());
        assert_eq!(queue.submit([], Urgency::Lazy).outcome(), Some(Ok(())));
        assert!(queue.take().is_none());
        assert_eq!(queue.submit([], Urgency::Now).outcome(), None);
        assert!(queue.take().unwrap().ops.is_empty());
    }

    #[test]
    fn a_closed_channel_decides_at_once() {
        let queue = JournalQueue::new(Arc::default());
        let waiting = queue.submit([settled(0, 1)], Urgency::Lazy);
        queue.close(Refusal::Poisoned);
        assert_eq!(waiting.outcome(), Some(Err(Refusal::Poisoned)));
        let late = queue.submit([settled(1, 2)], Urgency::Lazy);
        assert_eq!(late.outcome(), Some(Err(Refusal::Poisoned)));
    }
}
