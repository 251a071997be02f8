//! The ids by which a repeated message is known, as a batch holds them beside its records. Pure.
//!
//! Only records that came with an id have one, so that nobody else pays for it. What an id is made
//! of is the caller's business: here it is 16 bytes that are equal or not.

use crate::batch::{array_at, u32_at};
use crate::error::Corruption;

/// Bytes of one id on disk: the index of its record in the batch, key, content.
pub(crate) const ID_LEN: usize = 36;

/// By what a record is known when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DedupId {
    /// Two records with one key are the same message, sent twice.
    pub key: [u8; 16],
    /// Tells whether they really are: a digest of what was sent.
    pub content: [u8; 16],
}

/// The id of the record with this index.
pub(crate) type Indexed = (u32, DedupId);

/// The ids of those of `ids` whose index is in `from..end`, counted from `from`, as a batch has them.
/// `ids` are in the order of their indices.
pub(crate) fn encode(ids: &[Indexed], from: u32, end: u32) -> Vec<u8> {
    let start = ids.partition_point(|(index, _)| *index < from);
    let stop = ids.partition_point(|(index, _)| *index < end);
    let some = ids.get(start..stop).unwrap_or_default();
    let mut out = Vec::with_capacity(some.len() * ID_LEN);
    for (index, id) in some {
        out.extend_from_slice(&(index - from).to_le_bytes());
        out.extend_from_slice(&id.key);
        out.extend_from_slice(&id.content);
    }
    out
}

/// How many of `ids` have an index in `from..end`.
pub(crate) fn count(ids: &[Indexed], from: u32, end: u32) -> usize {
    let below = |bound| ids.partition_point(|(index, _)| *index < bound);
    below(end).saturating_sub(below(from))
}

/// The ids in `bytes`, with the index of each one's record.
pub(crate) fn decode(bytes: &[u8]) -> impl Iterator<Item = Indexed> + '_ {
    bytes
        .chunks_exact(ID_LEN)
        .map(|row| (u32_at(row, 0), DedupId { key: array_at(row, 4), content: array_at(row, 20) }))
}

/// Checks that the ids of a batch of `records` are whole, in order, and of its records.
pub(crate) fn check(bytes: &[u8], records: u32) -> Result<(), Corruption> {
    let mut next = 0;
    for (index, _) in decode(bytes) {
        if index < next || index >= records {
            return Err(Corruption::Content);
        }
        next = index + 1;
    }
    if bytes.len().is_multiple_of(ID_LEN) { Ok(()) } else { Err(Corruption::Content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(of: u8) -> DedupId {
        DedupId { key: [of; 16], content: [of + 1; 16] }
    }

    #[test]
    fn a_part_of_a_group_takes_its_own_ids_along() {
        let ids = [(1, id(1)), (4, id(4)), (5, id(5)), (9, id(9))];
        let part = encode(&ids, 4, 9);
        assert_eq!(decode(&part).collect::<Vec<_>>(), [(0, id(4)), (1, id(5))]);
        assert_eq!(count(&ids, 4, 9), 2);
        assert!(encode(&ids, 2, 4).is_empty());
        assert_eq!(count(&ids, 0, 10), 4);
    }

    #[test]
    fn ids_out_of_order_or_of_no_record_are_refused() {
        let good = encode(&[(1, id(1)), (4, id(4))], 0, 5);
        assert_eq!(check(&good, 5), Ok(()));
        assert_eq!(check(&good, 4), Err(Corruption::Content));
        assert_eq!(check(&good[..good.len() - 1], 5), Err(Corruption::Content));
        let (first, second) = good.split_at(ID_LEN);
        assert_eq!(check(&[second, first].concat(), 5), Err(Corruption::Content));
        assert_eq!(check(&[first, first].concat(), 5), Err(Corruption::Content));
    }
}
