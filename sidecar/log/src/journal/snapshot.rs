//! Bytes of a snapshot: the whole state as operations, in batches like the journal's, the last
//! one empty. Anything less than all of it, unharmed, is no snapshot.

use super::codec::{FileHeader, HeaderError, Kind, encode_batch};
use super::scan::scan;
use crate::error::{Corruption, LogError};
use crate::state::State;

/// Operations in one batch, so that none comes near the limit of a body.
const OPS_A_BATCH: usize = 1000;

/// The bytes of a snapshot file.
pub(super) fn encode(header: &FileHeader, state: &State) -> Result<Vec<u8>, LogError> {
    let mut bytes = header.encode().to_vec();
    let mut place = header.start();
    let mut ops = state.ops().peekable();
    while ops.peek().is_some() {
        let some: Vec<_> = ops.by_ref().take(OPS_A_BATCH).collect();
        place = encode_batch(&mut bytes, header.salt, place, 0, &some)?;
    }
    encode_batch(&mut bytes, header.salt, place, 0, [])?;
    Ok(bytes)
}

/// Why a snapshot is not taken, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SnapshotError {
    Header(HeaderError),
    Damaged(usize, Corruption),
}

/// Reads a snapshot file.
pub(super) fn decode(file: &[u8]) -> Result<(FileHeader, State), SnapshotError> {
    let header = FileHeader::decode(file, Kind::Snapshot).map_err(SnapshotError::Header)?;
    let scan = scan(file, &header, true);
    if let Some(gap) = scan.gaps.first() {
        return Err(SnapshotError::Damaged(gap.bytes.start, gap.kind));
    }
    let damaged = |kind| Err(SnapshotError::Damaged(scan.end, kind));
    let Some(((_, last), batches)) = scan.batches.split_last() else {
        return damaged(scan.tail_kind);
    };
    if !last.is_end() || scan.end != file.len() {
        return damaged(scan.tail_kind);
    }
    let mut state = State::default();
    for (_, batch) in batches {
        let Some(ops) = batch.ops() else { return damaged(Corruption::Content) };
        state.apply_all(&ops);
    }
    Ok((header, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeliveryId, StreamId, VolumeId};
    use crate::journal::codec::Link;
    use crate::state::Op;

    fn header() -> FileHeader {
        let previous = Link::default();
        FileHeader { kind: Kind::Snapshot, volume: VolumeId([7; 16]), number: 1, salt: 5, previous }
    }

    fn state(records: u64) -> State {
        let (stream, delivery) = (StreamId([1; 16]), DeliveryId(1));
        let mut state = State::default();
        state.apply(&Op::DeliveryCreated { stream, delivery, name: "d".into(), cursor: 0 });
        for seq in 0..records {
            state.apply(&Op::Attempt {
                stream,
                delivery,
                seq,
                attempt: 2,
                failures: 1,
                suspect: true,
            });
        }
        state
    }

    #[test]
    fn a_state_of_any_size_reads_back() {
        for records in [0, 1, 999, 1000, 2500] {
            let bytes = encode(&header(), &state(records)).unwrap();
            assert_eq!(decode(&bytes), Ok((header(), state(records))));
        }
        let empty = encode(&header(), &State::default()).unwrap();
        assert_eq!(decode(&empty), Ok((header(), State::default())));
    }

    #[test]
    fn any_flipped_bit_and_any_missing_byte_is_found() {
        let mut bytes = encode(&header(), &state(3)).unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "length {len}");
        }
        bytes.extend([0; 8]);
        assert!(decode(&bytes).is_err());
    }
}
