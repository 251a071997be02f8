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
use crate::mending::Mending;
use crate::pending::CommitQueue;
use crate::reader::Reader;
use crate::recover::Recovered;
use crate::removal::Removal;
use crate::sync::{AtomicU64, Event, Mutex, MutexGuard};
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
    on_damage: OnDamage,
    mending: Mending,
    removal: Removal,
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

/// A log's marks, in seqs: `log_start <= published_end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// First record kept.
    pub log_start: u64,
    /// First record that readers do not see yet: below it everything is synced.
    pub published_end: u64,
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
            sparse: header.mended,
            published_len: AtomicU64::new(published_len),
            index: Mutex::new(index),
        })
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
        marks.published_end = end;
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
        let (published, view) = (Event::new(), Mutex::new(view));
        let (mending, removal) = (Mending::default(), Removal::default());
        Arc::new(Self { id, queue, refusing, published, on_damage, mending, removal, view })
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

    /// Completes at the next change of [`Self::marks`]. Take the listener, look at the marks, then
    /// wait: so that no change is missed.
    pub fn changed(&self) -> EventListener {
        self.published.listen()
    }

    /// A new reader.
    pub fn reader(self: &Arc<Self>) -> Reader {
        Reader::new(Arc::clone(self))
    }

    /// The batch that holds `seq`, if it is published and still in memory.
    pub fn in_memory(&self, seq: u64) -> Option<Arc<Batch>> {
        self.view().tail.get(seq)
    }

    /// Removes the stream whose records these are, with its dead letters and the copies of its ids,
    /// for ever. Done once the fate says so; a crash before may have done it or not.
    ///
    /// The fate's errors: `NoSpace` when it stays, for the journal finds none; `Stopped` for a stream
    /// that does not know its own id.
    pub fn remove_stream(&self) -> Arc<Fate<()>> {
        let fate = self.removal.order();
        self.queue.wake_writer();
        fate
    }

    pub(crate) fn removal(&self) -> &Removal {
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

    /// Changes the view and wakes those who wait for a change.
    pub(crate) fn update(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view());
        self.published.notify(usize::MAX);
    }
}
