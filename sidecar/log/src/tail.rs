//! The newest batches in memory, bounded in bytes: live deliveries read here, not from disk.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::Batch;

/// A ring of consecutive batches that ends at the log's published end.
#[derive(Debug)]
pub(crate) struct Tail {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    limit: usize,
}

impl Tail {
    /// An empty ring that holds at most `limit` bytes of payload and record ends.
    pub(crate) fn new(limit: usize) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, limit }
    }

    /// Adds the newest batch and returns those that had to go for it, perhaps itself.
    pub(crate) fn push(&mut self, batch: Arc<Batch>) -> Vec<Arc<Batch>> {
        self.bytes += cost(&batch);
        self.batches.push_back(batch);
        let mut evicted = Vec::new();
        while self.bytes > self.limit
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= cost(&oldest);
            evicted.push(oldest);
        }
        evicted
    }

    /// The batch that holds `seq`, if it is still here.
    pub(crate) fn get(&self, seq: u64) -> Option<Arc<Batch>> {
        let after = self.batches.partition_point(|batch| batch.first_seq <= seq);
        let batch = self.batches.get(after.checked_sub(1)?)?;
        (seq < batch.end_seq()).then(|| Arc::clone(batch))
    }
}

fn cost(batch: &Batch) -> usize {
    batch.payloads.len() + batch.ends.len() * size_of::<u32>() + size_of::<Batch>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_seq: u64, records: usize) -> Arc<Batch> {
        let ends = (1..=records as u32).collect();
        Arc::new(Batch { first_seq, time: 0, ends, payloads: vec![0; records].into() })
    }

    #[test]
    fn holds_the_newest_batches_within_its_bytes() {
        let one = cost(&batch(0, 10));
        let mut tail = Tail::new(2 * one);
        assert!(tail.push(batch(0, 10)).is_empty());
        assert!(tail.push(batch(10, 10)).is_empty());
        assert_eq!(tail.push(batch(20, 10)), [batch(0, 10)]);
        assert_eq!(tail.get(9), None);
        assert_eq!(tail.get(10).unwrap().first_seq, 10);
        assert_eq!(tail.get(29).unwrap().first_seq, 20);
        assert_eq!(tail.get(30), None);
    }

    #[test]
    fn a_batch_larger_than_the_ring_is_not_kept() {
        let mut tail = Tail::new(10);
        assert_eq!(tail.push(batch(0, 10)).len(), 1);
        assert_eq!(tail.get(0), None);
    }
}
