//! Walks through the bytes of one file and tells batches, gaps between them, and the tail apart.
//!
//! Pure. It reports; what a gap means, and what to do about it, is decided in `recover`.

use std::ops::Range;

use super::codec::{ALIGNMENT, Batch, FILE_HEADER, FileHeader, Link, decode_batch};
use crate::error::Corruption;

/// A place where a synced batch should be and is not, with a valid one behind it: damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    /// The bytes in doubt; empty when only the link between two batches is wrong.
    pub(super) bytes: Range<usize>,
    /// What is wrong at its start.
    pub(super) kind: Corruption,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    /// The valid batches in order, each with its position.
    pub(super) batches: Vec<(usize, Batch<'a>)>,
    pub(super) gaps: Vec<Gap>,
    /// Position after the last of them.
    pub(super) end: usize,
    /// Bytes from there to the last one that is not zero: the torn tail.
    pub(super) tail: usize,
    /// Why the tail is not the next batch.
    pub(super) tail_kind: Corruption,
    /// The place after the last batch.
    pub(super) link: Link,
}

/// Walks through a whole file, its header included, which was decoded to `header`.
///
/// Bytes that no sync covered reach the disk in any order, so a power cut may leave a valid batch
/// behind an invalid one. Only if a later batch says that the lost one was synced, or if the whole
/// file was (`sealed`), is it damage; otherwise the torn tail starts there.
pub(super) fn scan<'a>(file: &'a [u8], header: &FileHeader, sealed: bool) -> Scan<'a> {
    let synced = if sealed { u64::MAX } else { highest_synced(file, header.salt) };
    let (mut batches, mut gaps) = (Vec::new(), Vec::new());
    let (mut link, mut end) = (header.start(), FILE_HEADER);
    let tail_kind = loop {
        let kind = match read(file, end, header.salt, link.batches) {
            Ok(batch) if batch.number == link.batches && batch.chain == link.chain => {
                batches.push((end, batch));
                end += batch.len;
                link = batch.next;
                continue;
            }
            Ok(_) => Corruption::Chain,
            Err(kind) => kind,
        };
        let Some((position, batch)) = next_batch(file, end, header.salt, link.batches) else {
            break kind;
        };
        // Of two batches that do not fit together the earlier one is in doubt.
        let lost =
            if batch.number > link.batches { link.batches } else { link.batches.saturating_sub(1) };
        if lost >= synced {
            break kind;
        }
        gaps.push(Gap { bytes: end..position, kind });
        batches.push((position, batch));
        end = position + batch.len;
        link = batch.next;
    };
    let tail = file.get(end..).unwrap_or_default();
    let tail = tail.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    Scan { batches, gaps, end, tail, tail_kind, link }
}

/// How many batches the file itself says were synced.
fn highest_synced(file: &[u8], salt: u64) -> u64 {
    let (mut position, mut highest) = (FILE_HEADER, 0);
    while let Some((found, batch)) = next_batch(file, position, salt, 0) {
        highest = highest.max(batch.synced);
        position = found + batch.len;
    }
    highest
}

/// The first valid batch at or after `from` with at least this number.
fn next_batch(file: &[u8], from: usize, salt: u64, number: u64) -> Option<(usize, Batch<'_>)> {
    (from..file.len())
        .step_by(ALIGNMENT)
        .find_map(|position| Some((position, read(file, position, salt, number).ok()?)))
}

/// The batch at `position`, if its number is at least `number`.
fn read(file: &[u8], position: usize, salt: u64, number: u64) -> Result<Batch<'_>, Corruption> {
    let bytes = file.get(position..).ok_or(Corruption::Truncated)?;
    let batch = decode_batch(bytes, salt)?;
    if batch.number < number { Err(Corruption::Chain) } else { Ok(batch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{StreamId, VolumeId};
    use crate::journal::codec::{BATCH_HEADER, Kind, encode_batch};
    use crate::state::Op;

    fn header() -> FileHeader {
        let previous = Link::default();
        FileHeader { kind: Kind::Journal, volume: VolumeId([7; 16]), number: 1, salt: 5, previous }
    }

    /// A file with one batch for each number of synced batches given, and where each starts.
    fn file(synced: &[u64]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut link, mut starts) =
            (header().encode().to_vec(), header().start(), Vec::new());
        for &synced in synced {
            starts.push(bytes.len());
            let op = Op::StreamRemoved { stream: StreamId([1; 16]) };
            link = encode_batch(&mut bytes, 5, link, synced, [&op]).unwrap();
        }
        bytes.resize(bytes.len() + 100, 0);
        (bytes, starts)
    }

    fn numbers(scan: &Scan<'_>) -> Vec<u64> {
        scan.batches.iter().map(|(_, batch)| batch.number).collect()
    }

    #[test]
    fn an_intact_file_has_no_gap_and_no_tail() {
        let (bytes, _) = file(&[0, 1, 1]);
        let scan = scan(&bytes, &header(), false);
        assert_eq!((numbers(&scan), scan.gaps.len(), scan.tail), (vec![0, 1, 2], 0, 0));
        assert_eq!(scan.end, bytes.len() - 100);
    }

    #[test]
    fn a_torn_last_batch_is_the_tail() {
        let (mut bytes, starts) = file(&[0, 1]);
        bytes[starts[1] + BATCH_HEADER] ^= 1;
        let scan = scan(&bytes, &header(), false);
        assert_eq!((numbers(&scan), scan.gaps.len(), scan.end), (vec![0], 0, starts[1]));
        assert!(scan.tail > BATCH_HEADER);
        assert_eq!(scan.tail_kind, Corruption::Checksum);
    }

    #[test]
    fn a_lost_batch_is_damage_only_if_it_was_synced() {
        let cases = [
            ([0, 1, 1, 1], false, false),
            ([0, 1, 1, 1], true, true),
            ([0, 1, 1, 2], false, true),
            ([0, 1, 2, 2], false, true),
        ];
        for (synced, sealed, damage) in cases {
            let (mut bytes, starts) = file(&synced);
            bytes[starts[1]] ^= 1;
            let scan = scan(&bytes, &header(), sealed);
            if damage {
                assert_eq!((numbers(&scan), scan.tail), (vec![0, 2, 3], 0));
                let gap = Gap { bytes: starts[1]..starts[2], kind: Corruption::Header };
                assert_eq!(scan.gaps, [gap]);
            } else {
                assert_eq!((numbers(&scan), scan.end), (vec![0], starts[1]));
                assert!(scan.gaps.is_empty() && scan.tail > 2 * BATCH_HEADER);
            }
        }
    }

    #[test]
    fn a_batch_that_was_put_in_the_place_of_another_breaks_the_link() {
        for (synced, damage) in [([0, 0, 0], false), ([0, 0, 1], true)] {
            let (mut bytes, starts) = file(&synced);
            let mut other = Vec::new();
            let op = Op::StreamRemoved { stream: StreamId([9; 16]) };
            encode_batch(&mut other, 5, header().start(), 0, [&op]).unwrap();
            bytes[starts[0]..starts[1]].copy_from_slice(&other);
            let scan = scan(&bytes, &header(), false);
            let gap = Gap { bytes: starts[1]..starts[1], kind: Corruption::Chain };
            assert_eq!(scan.gaps, if damage { vec![gap] } else { vec![] });
            assert_eq!(numbers(&scan), if damage { vec![0, 1, 2] } else { vec![0] });
        }
    }

    #[test]
    fn an_older_batch_is_not_taken_for_a_newer_one() {
        let (mut bytes, starts) = file(&[0, 0, 0]);
        let first = bytes[starts[0]..starts[1]].to_vec();
        bytes[starts[2]..][..first.len()].copy_from_slice(&first);
        let scan = scan(&bytes, &header(), false);
        assert_eq!((numbers(&scan), scan.tail_kind), (vec![0, 1], Corruption::Chain));
    }
}
