//! The form in which ids are copied to the log that outlives their records (FORMAT.md). Pure.

use lifeboat_log::DedupId;

use super::{Key, Known};

/// Bytes of one copied id.
const ROW: usize = 48;

/// An id and what is known by it.
pub(super) type Copied = (Key, Known);

/// What an id in a batch becomes.
pub(super) fn copied(seq: u64, id: DedupId, time: u64) -> Copied {
    (id.key, Known { content: id.content, seq, time })
}

/// Ids as one record.
pub(super) fn encode(ids: &[Copied]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ids.len() * ROW);
    for row in ids {
        append(&mut out, row);
    }
    out
}

/// Appends one id.
pub(super) fn append(out: &mut Vec<u8>, (key, known): &Copied) {
    out.extend_from_slice(&known.seq.to_le_bytes());
    out.extend_from_slice(&known.time.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&known.content);
}

/// The ids in a record. What is no whole row is passed over: checksums have said that it is what
/// was written.
pub(super) fn decode(record: &[u8]) -> impl Iterator<Item = Copied> + '_ {
    record.chunks_exact(ROW).filter_map(|row| {
        let (seq, row) = row.split_first_chunk()?;
        let (time, row) = row.split_first_chunk()?;
        let (key, content) = row.split_first_chunk()?;
        let (content, _) = content.split_first_chunk()?;
        let (seq, time) = (u64::from_le_bytes(*seq), u64::from_le_bytes(*time));
        Some((*key, Known { content: *content, seq, time }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_as_they_were() {
        let ids: Vec<Copied> = (1..4)
            .map(|of| ([of; 16], Known { content: [of + 9; 16], seq: of.into(), time: 7 }))
            .collect();
        let record = encode(&ids);
        assert_eq!(record.len(), 3 * ROW);
        assert_eq!(decode(&record).collect::<Vec<_>>(), ids);
        assert_eq!(decode(&record[..=ROW]).count(), 1);
    }
}
