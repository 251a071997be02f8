//! What readers see of one log at one moment: its marks, its newest batches, and its segments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::holes::Holes;
use crate::index::SparseIndex;
use crate::recover::Recovered;
use crate::segment::Header;
use crate::sync::{AtomicU64, Mutex, OnceLock};
use crate::tail::Tail;
use crate::vfs::File;

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
        header: &Header,
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
