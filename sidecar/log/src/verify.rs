//! Verifies all of one segment: its header, every batch and record, its seal.

use std::ops::Range;

use crate::error::{Corruption, LogError};
use crate::scan::{Halt, Walk};
use crate::seal::{self, Seal};
use crate::segment::{self, Header};
use crate::vfs::read_exact_at;
use crate::view::SegmentView;

/// How a verification ended that found no damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    /// All is as it was written: so many records.
    Whole(u64),
    /// It was told to stop.
    Interrupted,
}

/// Verifies a segment up to where it is published, and the seal behind that if it is `sealed`.
/// `pace` is shown the bytes that were read, piece by piece, and says whether to go on.
///
/// # Errors
/// `Corrupt` for the first thing that is not as it was written; of the disk.
pub(crate) fn verify(
    view: &SegmentView,
    sealed: bool,
    pace: &mut dyn FnMut(Range<u64>) -> bool,
) -> Result<Verified, LogError> {
    let limit = view.published_len();
    let sum = verify_header(view)?;
    let mut walk = Walk::from_batch(view, limit, segment::HEADER_LEN as u64, view.base_seq);
    walk.chained_to(sum);
    let (mut records, mut paced) = (0, 0);
    while walk.position() < limit {
        let position = walk.position();
        let error = |halt| halt_error(view, position, halt);
        let found = walk.header().map_err(error)?;
        walk.batch(&found).map_err(error)?;
        walk.pass(&found);
        records += u64::from(found.header.count);
        if !pace(std::mem::replace(&mut paced, walk.position())..walk.position()) {
            return Ok(Verified::Interrupted);
        }
    }
    if sealed {
        verify_seal(view, limit)?;
    }
    Ok(Verified::Whole(records))
}

/// Returns the header's checksum.
fn verify_header(view: &SegmentView) -> Result<u32, LogError> {
    let mut block = vec![0; segment::HEADER_LEN];
    read_exact_at(&*view.file, &mut block, 0).map_err(LogError::io("read", &view.path))?;
    match Header::decode(&block) {
        Ok((header, sum)) if header.salt == view.salt => Ok(sum),
        _ => Err(corrupt(view, 0, Corruption::FileHeader)),
    }
}

fn verify_seal(view: &SegmentView, position: u64) -> Result<(), LogError> {
    let mut bytes = [0; seal::LEN];
    let read = read_exact_at(&*view.file, &mut bytes, position);
    read.map_err(LogError::io("read", &view.path))?;
    let len = position + seal::LEN as u64;
    let seal = Seal::decode(&bytes, view.salt, len);
    seal.map(drop).ok_or_else(|| corrupt(view, position, Corruption::Content))
}

/// What keeps a walk over a segment from going on at `position`.
pub(crate) fn halt_error(view: &SegmentView, position: u64, halt: Halt) -> LogError {
    match halt {
        Halt::Io(source) => LogError::io("read", &view.path)(source),
        Halt::Invalid(kind) => corrupt(view, position, kind),
    }
}

fn corrupt(view: &SegmentView, position: u64, kind: Corruption) -> LogError {
    LogError::Corrupt { path: view.path.clone(), position, kind }
}
