//! What the rest of the world sees of one log while the writer thread works on it: the way in,
//! the published end, the newest batches, and the segments to read from.

mod damage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use event_listener::EventListener;

use crate::batch::Batch;
use crate::fate::{Fate, Refusal};
use crate::holes::Holes;
use crate::ids::StreamId;
use crate::index::SparseIndex;
use crate::mend::{Accepted, Authority};
use crate::orders::Orders;
use crate::pending::CommitQueue;
use crate::reader::Reader;
use crate::recover::Recovered;
use crate::sync::{AtomicBool, AtomicU64, Event, Mutex, MutexGuard, OnceLock};
use crate::tail::{InMemory, Tail};
use crate::vfs::File;
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

/// A log's marks, in seqs: `log_start <= published_end`, and neither falls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// First record kept.
    pub log_start: u64,
    /// First record that readers do not see yet.
    pub published_end: u64,
    /// First record that is not synced; above `published_end` only where that follows at once, and
    /// below it only in a weak sync mode.
    pub durable_end: u64,
    /// Records below are too old to be delivered, whether they are kept or not.
    pub expired_end: u64,
    /// Bytes of all segment files.
    pub disk_bytes: u64,
    /// Why the log is stopped, if it is: damage, with its place.
    pub stopped: Option<Arc<str>>,
    /// The last damage that was found and is not mended, whether it stops the log or not.
    pub damage: Option<Arc<str>>,
    /// Whether records wait for space, or were refused for want of it.
    pub full: bool,
    /// Whether records wait for space.
    pub waiting: bool,
}

#[derive(Debug)]
pub(crate) struct View {
    pub(crate) marks: Marks,
    pub(crate) tail: Tail,
    /// By base seq.
    pub(crate) segments: BTreeMap<u64, Arc<SegmentView>>,
    pub(crate) holes: Holes,
    /// Base seqs of segments that were found to be damaged.
    pub(crate) damaged: BTreeSet<u64>,
}

/// One segment as readers see it.
#[derive(Debug)]
pub(crate) struct SegmentView {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) base_seq: u64,
    pub(crate) salt: u64,
    /// Unix time of its first commit in nanoseconds.
    first_time: OnceLock<u64>,
    /// Seq after its last record, once it is closed.
    end_seq: OnceLock<u64>,
    /// Whether seqs may be missing between its batches.
    pub(crate) sparse: bool,
    /// Byte position up to which batches are published.
    published_len: AtomicU64,
    /// `None` until somebody needs it.
    pub(crate) index: Mutex<Option<SparseIndex>>,
}

impl SegmentView {
    pub(crate) fn new(
        path: PathBuf,
        file: Arc<dyn File>,
        header: &crate::segment::Header,
        published_len: u64,
        index: Option<SparseIndex>,
    ) -> Arc<Self> {
        Arc::new(Self {
            path,
            file,
            base_seq: header.base_seq,
            salt: header.salt,
            first_time: OnceLock::new(),
            end_seq: OnceLock::new(),
            sparse: header.mended,
            published_len: AtomicU64::new(published_len),
            index: Mutex::new(index),
        })
    }

    /// Unix time of its first commit in nanoseconds; `None` while it holds no record.
    pub(crate) fn first_time(&self) -> Option<u64> {
        self.first_time.get().copied()
    }

    /// Notes the time of a commit; only the first one counts.
    pub(crate) fn note_time(&self, time: u64) {
        self.first_time.get_or_init(|| time);
    }

    /// Seq after its last record, once it is closed.
    pub(crate) fn end_seq(&self) -> Option<u64> {
        self.end_seq.get().copied()
    }

    /// Notes where it ends: it is closed.
    pub(crate) fn note_end(&self, end_seq: u64) {
        self.end_seq.get_or_init(|| end_seq);
    }

    pub(crate) fn published_len(&self) -> u64 {
        self.published_len.load(Ordering::Acquire)
    }

    pub(crate) fn publish_len(&self, len: u64) {
        self.published_len.store(len, Ordering::Release);
    }
}

impl View {
    /// Of a log as it was found on the disk; the newest records are yet to come.
    pub(crate) fn of(recovered: &Recovered, tail_bytes: usize, holes: Holes) -> Self {
        let marks = Marks {
            log_start: 0,
            published_end: 0,
            durable_end: 0,
            expired_end: 0,
            disk_bytes: 0,
            stopped: None,
            damage: None,
            full: false,
            waiting: false,
        };
        let (tail, segments) = (Tail::new(tail_bytes), BTreeMap::new());
        let mut view =
            Self { marks, tail, segments, holes: Holes::default(), damaged: BTreeSet::new() };
        view.show(recovered, holes);
        view
    }

    /// Shows what is on the disk, without any damage.
    pub(crate) fn show(&mut self, recovered: &Recovered, holes: Holes) {
        let segments = recovered.sealed.iter();
        self.segments =
            segments.map(|segment| (segment.seqs.start, Arc::clone(&segment.view))).collect();
        self.holes = holes;
        self.damaged.clear();
        let end = recovered.end.seq;
        let marks = &mut self.marks;
        marks.log_start = self.segments.first_key_value().map_or(end, |(&base, _)| base);
        (marks.published_end, marks.durable_end) = (end, end);
        marks.disk_bytes = recovered.sealed.iter().map(|segment| segment.disk_len).sum();
        (marks.stopped, marks.damage) = (None, None);
    }
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
