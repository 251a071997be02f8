//! Sparse index of one segment: where to start reading for a seq. Derived from the segment and
//! never trusted over it: a reader still checks every batch that the index leads to.

use crate::batch::{salted_sum, u32_at, u64_at};

/// At most one entry for so many bytes of segment.
const STRIDE: u64 = 64 << 10;
const MAGIC: [u8; 8] = *b"LBINDEX1";
const HEADER_LEN: usize = 24;
const ENTRY_LEN: usize = 24;

/// One batch's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Seq of the batch's first record.
    pub(crate) seq: u64,
    /// Byte position of its header.
    pub(crate) position: u64,
    /// Unix time of its commit in nanoseconds.
    pub(crate) time: u64,
}

/// Some of a segment's batches, in order, about one every 64 KiB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SparseIndex {
    entries: Vec<Entry>,
}

impl SparseIndex {
    /// Notes a batch, unless the last one noted is near. Batches come in order.
    pub(crate) fn note(&mut self, entry: Entry) {
        if self.entries.last().is_none_or(|last| entry.position >= last.position + STRIDE) {
            self.entries.push(entry);
        }
    }

    /// The last noted batch that starts at or before `seq`.
    pub(crate) fn locate(&self, seq: u64) -> Option<Entry> {
        let after = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The last noted batch that was committed before `time`.
    pub(crate) fn locate_before(&self, time: u64) -> Option<Entry> {
        let after = self.entries.partition_point(|entry| entry.time < time);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The index file's bytes, bound to its segment by the segment's salt.
    pub(crate) fn encode(&self, salt: u64) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.entries.len() * ENTRY_LEN);
        for entry in &self.entries {
            entries.extend_from_slice(&entry.seq.to_le_bytes());
            entries.extend_from_slice(&entry.position.to_le_bytes());
            entries.extend_from_slice(&entry.time.to_le_bytes());
        }
        let mut out = Vec::with_capacity(HEADER_LEN + entries.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        out.extend_from_slice(&salted_sum(salt, &entries).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&entries);
        out
    }

    /// The index in `bytes`; `None` for anything but the whole index of the segment with `salt`.
    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let entries = bytes.get(HEADER_LEN..)?;
        let whole = bytes.starts_with(&MAGIC)
            && entries.len() as u64 == u64_at(bytes, 8).checked_mul(ENTRY_LEN as u64)?
            && salted_sum(salt, entries) == u32_at(bytes, 16);
        whole.then(|| Self {
            entries: entries
                .chunks_exact(ENTRY_LEN)
                .map(|entry| Entry {
                    seq: u64_at(entry, 0),
                    position: u64_at(entry, 8),
                    time: u64_at(entry, 16),
                })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SparseIndex {
        let mut index = SparseIndex::default();
        for batch in 0..40 {
            let entry = Entry { seq: batch * 10, position: 4096 + batch * 10_000, time: batch };
            index.note(entry);
        }
        index
    }

    #[test]
    fn leads_to_a_batch_at_or_before_the_seq() {
        let index = sample();
        assert!(index.entries.len() < 10);
        for seq in 0..400 {
            let position = index.locate(seq).unwrap().position;
            assert!((position - 4096) / 10_000 * 10 <= seq);
            assert!((position - 4096) + STRIDE + 10_000 > seq / 10 * 10_000);
        }
        assert_eq!(SparseIndex::default().locate(5), None);
    }

    #[test]
    fn survives_its_file_and_nothing_less() {
        let bytes = sample().encode(7);
        assert_eq!(SparseIndex::decode(&bytes, 7), Some(sample()));
        assert_eq!(SparseIndex::decode(&bytes, 8), None);
        for len in 0..bytes.len() {
            assert_eq!(SparseIndex::decode(&bytes[..len], 7), None, "{len} bytes");
        }
        for at in (0..HEADER_LEN - 4).chain(HEADER_LEN..bytes.len()) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(SparseIndex::decode(&damaged, 7), None, "byte {at}");
        }
    }
}
