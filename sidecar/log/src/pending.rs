//! The way into the log: records wait here, bounded in bytes, for the next group commit.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use bytes::{Bytes, BytesMut};
use event_listener::EventListener;

use crate::batch::ROW_LEN;
use crate::dedup_id::{DedupId, ID_LEN, Indexed};
use crate::fate::{Fate, Refusal};
use crate::sync::{Event, Mutex, MutexGuard};
use crate::waker::Waker;

/// Buffers kept for reuse: one is filled while the other is written.
const SPARE_BUFFERS: usize = 2;

/// Records to store: ranges of one buffer, in order, each a message's wire bytes.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What the ranges point into.
    pub bytes: &'a [u8],
    /// The records. Neighbours that touch are copied in one go.
    pub records: &'a [Range<u32>],
}

/// Where submitted records went: record `i` of the run gets `first_seq + index + i` once `fate`
/// says what `first_seq` is.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Becomes the first seq of the group of records that this run is a part of.
    pub fate: Arc<Fate<u64>>,
    /// Index of the run's first record within that group.
    pub index: u64,
}

impl Submitted {
    /// Seqs of the run's records, in order, once that is decided. Fewer than the run has where the
    /// others found no space; beyond them the range says nothing.
    pub fn seqs(&self) -> Option<Result<Range<u64>, Refusal>> {
        let outcome = self.fate.outcome()?;
        let end = |first: u64| first.saturating_add(self.fate.records());
        Some(outcome.map(|first| first + self.index..end(first)))
    }
}

/// Why a run was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The byte budget is spent; try again after [`CommitQueue::room`].
    Full,
    /// Nothing will be taken any more.
    Closed(Refusal),
}

/// What waits for a commit.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) payloads: BytesMut,
    pub(crate) ends: Vec<u32>,
    pub(crate) sums: Vec<u32>,
    /// Ids of those records that have one, in order.
    pub(crate) ids: Vec<Indexed>,
    pub(crate) fate: Arc<Fate<u64>>,
}

impl Pending {
    fn with(payloads: BytesMut) -> Self {
        let (ends, sums, ids) = (Vec::new(), Vec::new(), Vec::new());
        Self { payloads, ends, sums, ids, fate: Fate::undecided() }
    }

    /// What it takes of the byte budget: as much as it will take on disk, so that many empty
    /// records are no way around it.
    fn bytes(&self) -> usize {
        self.payloads.len() + self.ends.len() * ROW_LEN + self.ids.len() * ID_LEN
    }
}

/// A stream's records on their way to the next commit, bounded in bytes.
#[derive(Debug)]
pub struct CommitQueue {
    inner: Mutex<Inner>,
    room: Event,
    limit: usize,
    writer: Arc<Waker>,
}

#[derive(Debug)]
struct Inner {
    pending: Pending,
    /// Of what the writer took last.
    taken: Option<Arc<Fate<u64>>>,
    closed: Option<Refusal>,
    spare: Vec<BytesMut>,
}

impl CommitQueue {
    pub(crate) fn new(limit: usize, writer: Arc<Waker>) -> Self {
        let pending = Pending::with(BytesMut::new());
        let inner = Inner { pending, taken: None, closed: None, spare: Vec::new() };
        Self { inner: Mutex::new(inner), room: Event::new(), limit, writer }
    }

    /// Hands a run to the next commit. A run larger than the whole budget is taken when nothing
    /// else waits, so that no record within the format's limits is locked out.
    ///
    /// No record may be larger than [`crate::MAX_RECORD_LEN`]: the caller sees to that before it
    /// takes the bytes in. One that is ends the writer.
    ///
    /// Checksums are computed here, on the caller's thread and before the lock is taken.
    pub fn submit(&self, run: Run<'_>, scratch: &mut Vec<u32>) -> Result<Submitted, Rejection> {
        self.submit_with_ids(run, &[], scratch)
    }

    /// The same, with the ids of those records that have one: the index of each in the run, in
    /// order. Only a log that keeps ids takes any (see [`crate::StreamOptions::keeps_ids`]).
    pub fn submit_with_ids(
        &self,
        run: Run<'_>,
        ids: &[(u32, DedupId)],
        scratch: &mut Vec<u32>,
    ) -> Result<Submitted, Rejection> {
        scratch.clear();
        let mut total = 0;
        for record in run.records {
            let payload = slice(run.bytes, record);
            scratch.push(crc32c::crc32c(payload));
            total += payload.len();
        }
        let mut inner = self.lock();
        if let Some(refusal) = inner.closed {
            return Err(Rejection::Closed(refusal));
        }
        let pending = &mut inner.pending;
        let more = total + run.records.len() * ROW_LEN + ids.len() * ID_LEN;
        // Ends have 32 bits.
        let reachable = u32::try_from(pending.payloads.len() + total).is_ok();
        if !reachable || (!pending.ends.is_empty() && pending.bytes() + more > self.limit) {
            return Err(Rejection::Full);
        }
        let index = pending.ends.len() as u64;
        // Fewer than payload bytes and rows, which have 32 bits.
        let before = u32::try_from(index).unwrap_or(u32::MAX);
        pending.ids.extend(ids.iter().map(|&(at, id)| (before + at, id)));
        copy_records(pending, run);
        pending.sums.extend_from_slice(scratch);
        let submitted = Submitted { fate: Arc::clone(&pending.fate), index };
        drop(inner);
        self.writer.wake();
        Ok(submitted)
    }

    /// Completes when bytes may have become free since the call, or when the channel was closed.
    /// Take the listener, try again, then wait: so that no wake-up is missed.
    pub fn room(&self) -> EventListener {
        self.room.listen()
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        self.lock().pending.payloads.len()
    }

    /// Records that wait.
    pub fn queued_records(&self) -> usize {
        self.lock().pending.ends.len()
    }

    /// The fate of what was handed over last; whatever was handed over before has its own by then.
    /// `None` when nothing ever was.
    pub fn newest(&self) -> Option<Arc<Fate<u64>>> {
        let inner = self.lock();
        let waiting = Some(&inner.pending).filter(|pending| !pending.ends.is_empty());
        waiting.map(|pending| &pending.fate).or(inner.taken.as_ref()).cloned()
    }

    /// All that waits; `None` when nothing does.
    pub(crate) fn take(&self) -> Option<Pending> {
        let mut inner = self.lock();
        if inner.pending.ends.is_empty() {
            return None;
        }
        let next = Pending::with(inner.spare.pop().unwrap_or_default());
        let taken = std::mem::replace(&mut inner.pending, next);
        inner.taken = Some(Arc::clone(&taken.fate));
        drop(inner);
        self.room.notify(usize::MAX);
        Some(taken)
    }

    /// Gives a payload buffer back that nobody reads any more. Fresh memory costs a page fault
    /// every 4 KiB, which at high rates is more than the copy.
    pub(crate) fn recycle(&self, payloads: Bytes) {
        if let Ok(buffer) = payloads.try_into_mut() {
            self.reuse(buffer);
        }
    }

    /// The same, of a buffer that nobody else has.
    pub(crate) fn reuse(&self, mut buffer: BytesMut) {
        if buffer.capacity() <= 2 * self.limit {
            buffer.clear();
            let mut inner = self.lock();
            if inner.spare.len() < SPARE_BUFFERS {
                inner.spare.push(buffer);
            }
        }
    }

    /// Takes nothing more. What waits stays for [`Self::take`]. The first reason holds, but for
    /// damage, which may be mended.
    pub(crate) fn close(&self, refusal: Refusal) {
        let mut inner = self.lock();
        if inner.closed.is_none_or(|earlier| earlier == Refusal::Stopped) {
            inner.closed = Some(refusal);
        }
        drop(inner);
        self.room.notify(usize::MAX);
    }

    /// Takes records again, if it was closed by damage that is mended now.
    pub(crate) fn reopen(&self) {
        let mut inner = self.lock();
        if inner.closed == Some(Refusal::Stopped) {
            inner.closed = None;
        }
        drop(inner);
        self.room.notify(usize::MAX);
    }

    /// Has the writer look for something else to do.
    pub(crate) fn wake_writer(&self) {
        self.writer.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends the run's records and their cumulative ends.
fn copy_records(pending: &mut Pending, run: Run<'_>) {
    let mut end = pending.ends.last().copied().unwrap_or(0);
    let mut copy = 0..0;
    for record in run.records {
        end += record.end.saturating_sub(record.start);
        pending.ends.push(end);
        if record.start == copy.end {
            copy.end = record.end;
        } else {
            pending.payloads.extend_from_slice(slice(run.bytes, &copy));
            copy = record.clone();
        }
    }
    pending.payloads.extend_from_slice(slice(run.bytes, &copy));
}

#[expect(clippy::indexing_slicing, reason = "a run whose ranges are not its own must not get in")]
fn slice<'a>(bytes: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    &bytes[range.start as usize..range.end as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The range of a lone record.
    fn lone(len: u32) -> [Range<u32>; 1] {
        std::array::from_fn(|_| 0..len)
    }

    fn queue(limit: usize) -> CommitQueue {
        CommitQueue::new(limit, Arc::default())
    }

    fn run<'a>(bytes: &'a [u8], records: &'a [Range<u32>]) -> Run<'a> {
        Run { bytes, records }
    }

    #[test]
    fn records_with_and_without_gaps_arrive_back_to_back() {
        let queue = queue(100);
        let bytes = b"..aabb.ccc";
        let records = [2..4, 4..6, 7..10];
        let submitted = queue.submit(run(bytes, &records), &mut Vec::new()).unwrap();
        assert_eq!(submitted.index, 0);
        let more = queue.submit(run(b"d", &[0..1, 1..1]), &mut Vec::new()).unwrap();
        assert_eq!(more.index, 3);
        let pending = queue.take().unwrap();
        assert_eq!(&pending.payloads[..], b"aabbcccd");
        assert_eq!(pending.ends, [2, 4, 7, 8, 8]);
        assert_eq!(pending.sums[2], crc32c::crc32c(b"ccc"));
        assert!(queue.take().is_none());
    }

    #[test]
    fn the_byte_budget_holds_except_for_a_lone_large_record() {
        let queue = queue(4);
        assert!(queue.submit(run(b"larger than four", &lone(16)), &mut Vec::new()).is_ok());
        let refused = queue.submit(run(b"x", &lone(1)), &mut Vec::new());
        assert_eq!(refused.unwrap_err(), Rejection::Full);
        let room = queue.room();
        assert_eq!(queue.take().unwrap().ends, [16]);
        event_listener::Listener::wait(room);
        assert!(queue.submit(run(b"x", &lone(1)), &mut Vec::new()).is_ok());
    }

    #[test]
    fn the_newest_fate_is_of_what_waits_or_of_what_was_taken_last() {
        let queue = queue(100);
        assert!(queue.newest().is_none());
        let submit = || queue.submit(run(b"x", &lone(1)), &mut Vec::new()).unwrap().fate;
        let first = submit();
        queue.take();
        assert!(Arc::ptr_eq(&queue.newest().unwrap(), &first));
        let second = submit();
        assert!(Arc::ptr_eq(&queue.newest().unwrap(), &second));
    }

    #[test]
    fn empty_records_count_too() {
        let queue = queue(100);
        let submit = || queue.submit(run(b"", &[0..0, 0..0]), &mut Vec::new());
        assert_eq!((0..10).take_while(|_| submit().is_ok()).count(), 100 / (2 * ROW_LEN));
    }

    #[test]
    fn a_closed_channel_says_why() {
        let queue = queue(4);
        queue.close(Refusal::Poisoned);
        queue.close(Refusal::Closed);
        let refused = queue.submit(run(b"x", &lone(1)), &mut Vec::new());
        assert_eq!(refused.unwrap_err(), Rejection::Closed(Refusal::Poisoned));
    }
}
