//! The newest batches in memory, bounded in bytes: live deliveries read here, not from disk.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::Batch;

/// A batch and the memory that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InMemory {
    pub(crate) batch: Arc<Batch>,
    /// In bytes: the whole buffer behind the payloads, however little of it they fill.
    cost: usize,
}

impl InMemory {
    /// `memory`: bytes of the buffer behind the batch's payloads, which no other batch shares.
    pub(crate) fn new(batch: Batch, memory: usize) -> Self {
        let beside = batch.ends.capacity() * size_of::<u32>() + batch.ids.len();
        let cost = memory + beside + size_of::<Batch>();
        Self { batch: Arc::new(batch), cost }
    }
}

/// A ring of consecutive batches that ends at the log's published end.
#[derive(Debug)]
pub(crate) struct Tail {
    batches: VecDeque<InMemory>,
    bytes: usize,
    limit: usize,
}

impl Tail {
    /// An empty ring that holds at most `limit` bytes of payload buffers and record ends.
    pub(crate) fn new(limit: usize) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, limit }
    }

    /// Adds the newest batch and returns those that had to go for it, perhaps itself.
    pub(crate) fn push(&mut self, newest: InMemory) -> Vec<Arc<Batch>> {
        self.bytes += newest.cost;
        self.batches.push_back(newest);
        let mut evicted = Vec::new();
        while self.bytes > self.limit
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.cost;
            evicted.push(oldest.batch);
        }
        evicted
    }

    /// The batch that holds `seq`, if it is still here.
    pub(crate) fn get(&self, seq: u64) -> Option<Arc<Batch>> {
        let after = self.batches.partition_point(|held| held.batch.first_seq <= seq);
        let held = self.batches.get(after.checked_sub(1)?)?;
        (seq < held.batch.end_seq()).then(|| Arc::clone(&held.batch))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn batch(first_seq: u64, records: u32) -> Batch {
        let ends = (1..=records).collect();
        Batch {
            first_seq,
            time: 0,
            ends,
            payloads: vec![0; records as usize].into(),
            ids: Bytes::new(),
        }
    }

    /// A batch of ten records in a buffer of this size.
    fn held(first_seq: u64, memory: usize) -> InMemory {
        InMemory::new(batch(first_seq, 10), memory)
    }

    #[test]
    fn holds_the_newest_batches_within_its_bytes() {
        let mut tail = Tail::new(2 * held(0, 10).cost);
        assert!(tail.push(held(0, 10)).is_empty());
        assert!(tail.push(held(10, 10)).is_empty());
        assert_eq!(tail.push(held(20, 10)), [Arc::new(batch(0, 10))]);
        assert_eq!(tail.get(9), None);
        assert_eq!(tail.get(10).unwrap().first_seq, 10);
        assert_eq!(tail.get(29).unwrap().first_seq, 20);
        assert_eq!(tail.get(30), None);
    }

    #[test]
    fn a_batch_larger_than_the_ring_is_not_kept() {
        let mut tail = Tail::new(10);
        assert_eq!(tail.push(held(0, 10)).len(), 1);
        assert_eq!(tail.get(0), None);
    }

    #[test]
    fn the_buffer_counts_and_not_what_is_in_it() {
        let mut tail = Tail::new(2000);
        assert!(tail.push(held(0, 1000)).is_empty());
        assert_eq!(tail.push(held(10, 1000)).len(), 1);
        assert_eq!(tail.bytes, held(10, 1000).cost);
    }
}
