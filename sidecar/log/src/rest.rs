//! A group of records on its way into the log, which may take more than one step.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

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
    pub(crate) fate: Arc<Fate<u64>>,
    pub(crate) first_seq: u64,
    /// Records of it already appended.
    pub(crate) done: usize,
}

impl Rest {
    /// All of it, to be appended from `first_seq` on.
    pub(crate) fn new(pending: Pending, first_seq: u64, queue: &CommitQueue) -> Self {
        let Pending { payloads, ends, sums, fate } = pending;
        let (payloads, capacity) = shrink(payloads, queue);
        Self { payloads, capacity, ends, sums, fate, first_seq, done: 0 }
    }

    /// Where the first record starts that is not appended.
    pub(crate) fn start(&self) -> u32 {
        self.done.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
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
