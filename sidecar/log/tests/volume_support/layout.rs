//! Where the batches of a segment lie, by FORMAT.md and without the crate's own code.

use std::ops::Range;

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 4096;
/// Bytes of a batch's header.
pub(crate) const BATCH_HEADER: usize = 64;

/// The batches of a segment, its seal included, to the first place where none begins.
pub(crate) fn batches(segment: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), SEGMENT_HEADER);
    while segment.get(at..).is_some_and(|rest| rest.starts_with(b"LBB1")) {
        let number = |offset: usize| {
            let bytes = segment[at + offset..at + offset + 4].try_into().unwrap();
            u32::from_le_bytes(bytes) as usize
        };
        let body = (number(12) * 8 + number(40) + number(44)).next_multiple_of(8);
        let end = at + BATCH_HEADER + body;
        found.push(at..end);
        at = end;
    }
    found
}
