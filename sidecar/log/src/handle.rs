//! What the rest of the world sees of one log while the writer thread works on it: the way in,
//! the published end, the newest batches, and the segments to read from.

mod damage;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use event_listener::EventListener;

use crate::batch::Batch;
use crate::fate::{Fate, Refusal};
use crate::ids::StreamId;
use crate::mend::{Accepted, Authority};
use crate::orders::Orders;
use crate::pending::CommitQueue;
use crate::reader::Reader;
use crate::sync::{AtomicBool, Event, Mutex, MutexGuard};
use crate::tail::InMemory;
use crate::view::{Marks, View};
use crate::waker::Waker;

/// One log, shared by its producers, its readers and the writer thread.
#[derive(Debug)]
pub struct LogHandle {
    id: StreamId,
    queue: CommitQueue,
    refusing: CommitQueue,
    published: Event,
    floor: Event,
    on_damage: OnDamage,
    mended: Event,
    mending: Orders<Authority, Accepted>,
    removal: Orders<(), ()>,
    /// Whether somebody wants what was written to be synced before its time.
    sync_ordered: AtomicBool,
    view: Mutex<View>,
}

/// What a log does about damage that is met while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDamage {
    /// It stops until an operator accepts the gap.
    Stop,
    /// It is mended and goes on.
    SkipWithGap,
}

impl LogHandle {
    pub(crate) fn new(
        id: StreamId,
        queue_bytes: usize,
        writer: &Arc<Waker>,
        on_damage: OnDamage,
        view: View,
    ) -> Arc<Self> {
        let queue = CommitQueue::new(queue_bytes, Arc::clone(writer));
        // Whatever is in it is decided with the next commit, so a little is enough.
        let refusing = CommitQueue::new(queue_bytes / 4, Arc::clone(writer));
        Arc::new(Self {
            id,
            queue,
            refusing,
            published: Event::new(),
            floor: Event::new(),
            on_damage,
            mended: Event::new(),
            mending: Orders::new(),
            removal: Orders::new(),
            sync_ordered: AtomicBool::new(false),
            view: Mutex::new(view),
        })
    }

    /// The log's id.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The way in: without space, records wait.
    pub fn queue(&self) -> &CommitQueue {
        &self.queue
    }

    /// The way in for producers that would rather know: without space, and while others wait for
    /// some, records are refused with [`Refusal::NoSpace`].
    pub fn refusing_queue(&self) -> &CommitQueue {
        &self.refusing
    }

    /// Where the log stands.
    pub fn marks(&self) -> Marks {
        self.view().marks.clone()
    }

    /// First record that readers do not see yet.
    pub fn published_end(&self) -> u64 {
        self.view().marks.published_end
    }

    /// Bytes of its segment files that hold published batches, headers included.
    pub fn data_bytes(&self) -> u64 {
        self.view().segments.values().map(|segment| segment.published_len()).sum()
    }

    /// Whether damage keeps it from going on.
    pub fn is_stopped(&self) -> bool {
        self.view().marks.stopped.is_some()
    }

    /// Has what was handed over so far synced with the next commit, whatever the sync mode says:
    /// [`Marks::durable_end`] tells when that is done.
    pub fn order_sync(&self) {
        self.sync_ordered.store(true, Ordering::Release);
        self.queue.wake_writer();
    }

    pub(crate) fn sync_is_ordered(&self) -> bool {
        self.sync_ordered.load(Ordering::Acquire)
    }

    /// The order is carried out.
    pub(crate) fn sync_done(&self) {
        self.sync_ordered.store(false, Ordering::Release);
    }

    /// Completes at the next change of [`Self::marks`]. Take the listener, look at the marks, then
    /// wait: so that no change is missed.
    pub fn changed(&self) -> EventListener {
        self.published.listen()
    }

    /// Completes when [`Marks::log_start`] or [`Marks::expired_end`] rises next. To be used as
    /// [`Self::changed`].
    pub fn floor_raised(&self) -> EventListener {
        self.floor.listen()
    }

    /// A new reader.
    pub fn reader(self: &Arc<Self>) -> Reader {
        Reader::new(Arc::clone(self))
    }

    /// The batch that holds `seq`, if it is published, kept, and still in memory.
    pub fn in_memory(&self, seq: u64) -> Option<Arc<Batch>> {
        let view = self.view();
        (seq >= view.marks.log_start).then(|| view.tail.get(seq)).flatten()
    }

    /// Removes the stream whose records these are, with its dead letters and the copies of its ids,
    /// for ever. Done once the fate says so; a crash before may have done it or not.
    ///
    /// The fate's errors: `NoSpace` when it stays, for the journal finds none; `Stopped` for a stream
    /// that does not know its own id.
    pub fn remove_stream(&self) -> Arc<Fate<()>> {
        let fate = self.removal.give(());
        self.queue.wake_writer();
        fate
    }

    pub(crate) fn removal(&self) -> &Orders<(), ()> {
        &self.removal
    }

    /// Takes nothing more.
    pub(crate) fn close(&self, refusal: Refusal) {
        self.queue.close(refusal);
        self.refusing.close(refusal);
    }

    /// Takes records again, if it was closed by damage that is mended now.
    pub(crate) fn reopen(&self) {
        self.queue.reopen();
        self.refusing.reopen();
        self.floor.notify(usize::MAX);
    }

    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets readers see batches that were just synced.
    pub(crate) fn publish(&self, batches: Vec<InMemory>) {
        let mut evicted = Vec::new();
        let mut view = self.view();
        for held in batches {
            let Batch { first_seq, .. } = *held.batch;
            assert!(first_seq == view.marks.published_end, "batches are published in order");
            view.marks.published_end = held.batch.end_seq();
            evicted.extend(view.tail.push(held));
        }
        drop(view);
        self.published.notify(usize::MAX);
        for batch in evicted {
            if let Some(batch) = Arc::into_inner(batch) {
                self.queue.recycle(batch.payloads);
            }
        }
    }

    /// Records below `end` are too old to be delivered.
    pub(crate) fn expire(&self, end: u64) {
        let mut view = self.view();
        if end > view.marks.expired_end {
            view.marks.expired_end = end;
            drop(view);
            self.floor.notify(usize::MAX);
        }
    }

    /// The segment that starts with `base_seq` and took `disk_len` bytes is deleted.
    pub(crate) fn deleted(&self, base_seq: u64, disk_len: u64) {
        self.update(|view| {
            view.segments.remove(&base_seq);
            view.marks.disk_bytes -= disk_len;
            // What is wrong with it matters to nobody any more.
            if view.damaged.remove(&base_seq)
                && view.damaged.is_empty()
                && view.marks.stopped.is_none()
            {
                view.marks.damage = None;
            }
            let first = view.segments.first_key_value();
            view.marks.log_start = first.map_or(view.marks.published_end, |(&base, _)| base);
        });
        self.floor.notify(usize::MAX);
    }

    /// Changes the view and wakes those who wait for a change.
    pub(crate) fn update(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view());
        self.published.notify(usize::MAX);
    }
}
