//! Finds the end of a segment that was being written, and tells a torn tail from damage.

use std::sync::Arc;

use super::{Candidate, Ending, corrupt};
use crate::active::End;
use crate::batch::{HEADER_LEN, Kind};
use crate::error::{Corruption, LogError};
use crate::index::{Entry, SparseIndex};
use crate::scan::{Found, Halt, Walk};
use crate::vfs::{File, read_exact_at};

/// Verifies an unsealed segment from its start to the first place that does not validate, and
/// decides what that place is.
pub(super) fn scan_tail(candidate: &Candidate, file: &Arc<dyn File>) -> Result<Ending, LogError> {
    let Candidate { path, len, header, sum, .. } = candidate;
    let mut walk = Walk::from_start(Arc::clone(file), *len, header, *sum);
    let mut end = End { seq: header.base_seq, chain: *sum, time: header.created };
    let (mut index, mut first_time) = (SparseIndex::default(), None);
    let (kind, seal_found) = loop {
        match verified(&mut walk) {
            // A crash while it was being sealed: it is sealed again, at the same place.
            Ok(found) if found.header.kind == Kind::Seal => break (Corruption::Content, true),
            Ok(found) => {
                if found.header.kind == Kind::Records {
                    let (seq, time) = (found.header.first_seq, found.header.time);
                    first_time.get_or_insert(time);
                    index.note(Entry { seq, position: found.position, time });
                }
                walk.pass(&found);
                end =
                    End { seq: found.header.end_seq(), chain: found.sum, time: found.header.time };
            }
            Err(Halt::Invalid(kind)) => break (kind, false),
            Err(Halt::Io(source)) => return Err(LogError::io("read", path)(source)),
        }
    };
    let position = walk.position();
    let written = written_behind(&**file, position, *len).map_err(LogError::io("read", path))?;
    // Behind what was written there is nothing to find, only most of a segment to look through.
    // A header may end in zeros.
    walk.limit = (position + written + HEADER_LEN as u64).min(*len);
    if let Some(durable_end) =
        proven_durable(&mut walk, position).map_err(LogError::io("read", path))?
        && durable_end > end.seq
    {
        return Err(corrupt(path, position, kind));
    }
    let discarded = if seal_found { 0 } else { written };
    let first_time = first_time.unwrap_or(end.time);
    Ok(Ending { end, position, first_time, discarded, sealed: false, index: Some(index) })
}

fn verified(walk: &mut Walk) -> Result<Found, Halt> {
    let found = walk.header()?;
    walk.batch(&found)?;
    Ok(found)
}

/// Looks at every place behind `position` for batches of this segment, and returns the highest
/// durable end that they claim. A batch behind the gap that claims less was written in the same
/// unsynced stretch: the disk may reorder that, and nobody was given a receipt for it.
fn proven_durable(walk: &mut Walk, position: u64) -> std::io::Result<Option<u64>> {
    let (mut highest, mut from) = (None, position);
    while let Some(found) = walk.search(from)? {
        highest = highest.max(Some(found.header.durable_end));
        from = found.position + 1;
    }
    Ok(highest)
}

/// Bytes from `position` to the last one that is not zero: what a torn write left.
fn written_behind(file: &dyn File, position: u64, len: u64) -> std::io::Result<u64> {
    const PIECE: usize = 256 << 10;
    let (mut at, mut written) = (position, 0);
    let mut piece = vec![0; PIECE];
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
        let piece = piece.get_mut(..wanted).unwrap_or_default();
        read_exact_at(file, piece, at)?;
        if let Some(last) = last_written(piece) {
            written = at + last as u64 + 1 - position;
        }
        at += wanted as u64;
    }
    Ok(written)
}

/// The last byte that is not zero. Whole blocks first: those take a few instructions each.
fn last_written(piece: &[u8]) -> Option<usize> {
    const BLOCK: usize = 4096;
    let not_zero = |block: &[u8]| block.iter().fold(0, |all, byte| all | byte) != 0;
    let start = piece.chunks(BLOCK).rposition(not_zero)? * BLOCK;
    let last = piece.get(start..)?.iter().take(BLOCK).rposition(|&byte| byte != 0)?;
    Some(start + last)
}
