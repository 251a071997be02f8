//! A group of records on its way into the log, which may take more than one step.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::active::Active;
use crate::dedup_id::{self, Indexed};
use crate::fate::Fate;
use crate::pending::{CommitQueue, Pending};

/// What is left to append of one group of records.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) payloads: Bytes,
    /// Bytes of the buffer behind `payloads`.
    pub(crate) capacity: usize,
    pub(crate) ends: Vec<u32>,
    pub(crate) sums: Vec<u32>,
    ids: Vec<Indexed>,
    pub(crate) fate: Arc<Fate<u64>>,
    pub(crate) first_seq: u64,
    /// Records of it already appended.
    pub(crate) done: usize,
}

impl Rest {
    /// All of it, to be appended from `first_seq` on.
    pub(crate) fn new(pending: Pending, first_seq: u64, queue: &CommitQueue) -> Self {
        let Pending { payloads, ends, sums, ids, fate } = pending;
        let (payloads, capacity) = shrink(payloads, queue);
        Self { payloads, capacity, ends, sums, ids, fate, first_seq, done: 0 }
    }

    /// Where the first record starts that is not appended.
    pub(crate) fn start(&self) -> u32 {
        self.done.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
    }

    /// Bytes of a segment that holds the first of those, and nothing else.
    pub(crate) fn needed(&self) -> u64 {
        let end = self.ends.get(self.done).copied().unwrap_or_default();
        Active::len_for(end.saturating_sub(self.start()) as usize)
    }

    /// The indices of the next `count` records.
    fn next(&self, count: usize) -> Range<u32> {
        // A group has fewer records than bytes, which have 32 bits.
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        index(self.done)..index(self.done + count)
    }

    /// How many of the next `count` records have an id.
    pub(crate) fn ids_in(&self, count: usize) -> usize {
        let Range { start, end } = self.next(count);
        dedup_id::count(&self.ids, start, end)
    }

    /// The ids of the next `count` records.
    pub(crate) fn encoded_ids(&self, count: usize) -> Bytes {
        let Range { start, end } = self.next(count);
        dedup_id::encode(&self.ids, start, end).into()
    }
}

/// What a large buffer holds is copied if it is little, so that the tail ring holds records, not
/// air, and the buffer is filled again. Returns the bytes and how much memory they take.
fn shrink(payloads: BytesMut, queue: &CommitQueue) -> (Bytes, usize) {
    let (len, capacity) = (payloads.len(), payloads.capacity());
    if len < capacity / 4 {
        let copied = Bytes::copy_from_slice(&payloads);
        queue.reuse(payloads);
        (copied, len)
    } else {
        (payloads.freeze(), capacity)
    }
}
