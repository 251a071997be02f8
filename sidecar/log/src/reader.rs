//! Reads published records from any seq: from memory near the end, else from the segments in
//! large pieces. Every byte that comes from disk is verified before it is handed out.

use std::sync::{Arc, PoisonError};

use crate::batch::{Batch, Header, Kind};
use crate::error::LogError;
use crate::handle::LogHandle;
use crate::index::{Entry, SparseIndex};
use crate::scan::{Halt, Walk};
use crate::segment;
use crate::verify::halt_error;
use crate::vfs::read_all;
use crate::view::SegmentView;

/// No index of a segment is larger.
const INDEX_LIMIT: u64 = 4 << 20;

/// What there is at a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The batch that holds it.
    Batch(Arc<Batch>),
    /// Nothing any more: its segment was deleted, or it is lost. The next record kept is this one,
    /// or lies behind it.
    Deleted {
        /// Seq of the next record kept, or the published end.
        next: u64,
    },
    /// Nothing yet.
    End,
}

/// A place in the log. Reading on from where the last read ended costs no search.
#[derive(Debug)]
pub struct Reader {
    log: Arc<LogHandle>,
    open: Option<OpenSegment>,
}

#[derive(Debug)]
pub(crate) struct OpenSegment {
    view: Arc<SegmentView>,
    walk: Walk,
    /// Seq of the batch that the walk comes to next.
    next_seq: u64,
}

impl Reader {
    pub(crate) fn new(log: Arc<LogHandle>) -> Self {
        Self { log, open: None }
    }

    /// What there is at `seq`. May block on the disk.
    ///
    /// # Errors
    /// `Corrupt` when the disk does not hold what was written; the caller stops the stream.
    pub fn read(&mut self, seq: u64) -> Result<Read, LogError> {
        let segment = {
            let view = self.log.view();
            if seq >= view.marks.published_end {
                return Ok(Read::End);
            }
            // What a limit took is gone, however long it stays in memory.
            if seq < view.marks.log_start {
                return Ok(Read::Deleted { next: view.marks.log_start });
            }
            if let Some(batch) = view.tail.get(seq) {
                return Ok(Read::Batch(batch));
            }
            let mut after = view.segments.range(seq + 1..);
            let next = after.next().map_or(view.marks.published_end, |(&base, _)| base);
            match view.segments.range(..=seq).next_back() {
                Some((_, segment)) => (Arc::clone(segment), next),
                None => return Ok(Read::Deleted { next }),
            }
        };
        self.read_from(segment.0, seq, segment.1)
    }

    /// Reads `seq` from `segment`, whose successor in the log starts at `next`.
    fn read_from(
        &mut self,
        segment: Arc<SegmentView>,
        seq: u64,
        next: u64,
    ) -> Result<Read, LogError> {
        let mut open = match self.open.take() {
            Some(open) if Arc::ptr_eq(&open.view, &segment) && open.next_seq <= seq => open,
            _ => OpenSegment::at(segment, |index| index.locate(seq))?,
        };
        open.walk.limit = open.view.published_len();
        loop {
            if open.walk.position() >= open.walk.limit {
                // The segment ends below `seq`: what held it was deleted.
                return Ok(Read::Deleted { next });
            }
            let found = open.walk.header().map_err(|halt| open.error(halt))?;
            let wanted = found.header.kind == Kind::Records && seq < found.header.end_seq();
            if wanted && seq < found.header.first_seq {
                self.open = Some(open);
                return Ok(Read::Deleted { next: found.header.first_seq });
            }
            let batch = wanted.then(|| open.walk.batch(&found)).transpose();
            let batch = batch.map_err(|halt| open.error(halt))?;
            open.walk.pass(&found);
            open.next_seq = found.header.end_seq();
            if let Some(batch) = batch {
                self.open = Some(open);
                return Ok(Read::Batch(Arc::new(batch)));
            }
        }
    }
}

impl OpenSegment {
    /// Opens `view` at the batch that `pick` finds in its index, else at its start.
    pub(crate) fn at(
        view: Arc<SegmentView>,
        pick: impl FnOnce(&SparseIndex) -> Option<Entry>,
    ) -> Result<Self, LogError> {
        let found = {
            let mut index = view.index.lock().unwrap_or_else(PoisonError::into_inner);
            let index = match &mut *index {
                Some(index) => index,
                empty => empty.insert(rebuild_index(&view)?),
            };
            pick(index)
        };
        let limit = view.published_len();
        // Where no batch can be, none would contradict the index: it could hide records.
        let found = found.filter(|entry| entry.position < limit);
        let start = (segment::HEADER_LEN as u64, view.base_seq);
        let (position, next_seq) = found.map_or(start, |entry| (entry.position, entry.seq));
        let walk = Walk::from_batch(&view, limit, position, next_seq);
        Ok(Self { view, walk, next_seq })
    }

    /// The header of the next published batch; `None` behind the last.
    pub(crate) fn next_header(&mut self) -> Result<Option<Header>, LogError> {
        if self.walk.position() >= self.walk.limit {
            return Ok(None);
        }
        let found = self.walk.header().map_err(|halt| self.error(halt))?;
        self.walk.pass(&found);
        Ok(Some(found.header))
    }

    fn error(&self, halt: Halt) -> LogError {
        halt_error(&self.view, self.walk.position(), halt)
    }
}

/// Makes the index of a segment from its batch headers.
fn rebuild_index(view: &SegmentView) -> Result<SparseIndex, LogError> {
    let mut index = SparseIndex::default();
    let limit = view.published_len();
    let start = segment::HEADER_LEN as u64;
    let mut walk = Walk::from_batch(view, limit, start, view.base_seq);
    while walk.position() < limit {
        let position = walk.position();
        let found = walk.header().map_err(|halt| halt_error(view, position, halt))?;
        if found.header.kind == Kind::Records {
            index.note(Entry { seq: found.header.first_seq, position, time: found.header.time });
        }
        walk.pass(&found);
    }
    Ok(index)
}

/// The index that was written when the segment was sealed, if it is whole.
pub(crate) fn stored_index(
    vfs: &dyn crate::vfs::Vfs,
    dir: &std::path::Path,
    header: &segment::Header,
) -> Option<SparseIndex> {
    let path = dir.join(segment::index_name(header.base_seq));
    SparseIndex::decode(&read_all(vfs, &path, INDEX_LIMIT).ok()?, header.salt)
}
