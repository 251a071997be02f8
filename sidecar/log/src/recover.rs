//! Opens a log directory after any kind of stop: finds the segments, proves that none is missing,
//! finds the end, and tells a torn tail, which nobody was given a receipt for, from damage.
//!
//! Nothing valid is ever cut off. Running it again, also after a crash in the middle of it, comes
//! to the same result.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::active::{End, write_seal};
use crate::batch::{HEADER_LEN, Kind};
use crate::error::{Corruption, LogError};
use crate::handle::SegmentView;
use crate::ids::StreamId;
use crate::index::{Entry, SparseIndex};
use crate::log::Sealed;
use crate::ranges::RangeSet;
use crate::reader::stored_index;
use crate::scan::{Found, Halt, Walk};
use crate::seal::{self, Seal};
use crate::segment::{self, Rejected};
use crate::sync_mode::JUMP;
use crate::vfs::{File, Vfs, read_exact_at, remove_if_there};

/// What a log directory holds.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// All segments, sealed, in order.
    pub(crate) sealed: Vec<Sealed>,
    /// How the next segment continues.
    pub(crate) end: End,
    /// Number of the next segment.
    pub(crate) next_number: u64,
    /// Jumps that lie between the last segment with records and `end`.
    pub(crate) jumps: u32,
    /// Bytes of a torn tail that was cut off.
    pub(crate) discarded: u64,
    /// The first damage found: the log must not be served.
    pub(crate) damage: Option<LogError>,
}

impl Recovered {
    /// What an empty directory holds.
    pub(crate) fn nothing() -> Self {
        Self {
            sealed: Vec::new(),
            end: End { seq: 0, chain: 0, time: 0 },
            next_number: 0,
            jumps: 0,
            discarded: 0,
            damage: None,
        }
    }
}

/// A segment file with a valid header.
struct Candidate {
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
    header: segment::Header,
    sum: u32,
}

/// How a segment ends.
struct Ending {
    end: End,
    /// Byte position after the last batch, where the seal stands or goes.
    position: u64,
    first_time: u64,
    discarded: u64,
    sealed: bool,
    index: Option<SparseIndex>,
}

impl Ending {
    /// The seal that goes there.
    fn seal(&self) -> Seal {
        let End { seq, chain, time } = self.end;
        let Self { position, first_time, .. } = *self;
        Seal { end_seq: seq, time, chain, first_time, position }
    }
}

/// Recovers the log `id` in `dir`, of whose segments those numbered in `deleted` are gone for good.
/// `passed` tells whether the next record will get a higher seq than this one in any case.
///
/// # Errors
/// Of the disk. Damage is no error here: it is in the result, so that other logs still open.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    id: StreamId,
    deleted: &RangeSet,
    passed: impl Fn(u64) -> bool,
) -> Result<Recovered, LogError> {
    let mut recovered = Recovered::nothing();
    match segments(vfs, dir, id, deleted, passed, &mut recovered) {
        Ok(()) => {}
        Err(damage @ (LogError::Corrupt { .. } | LogError::Version { .. })) => {
            recovered.damage = Some(damage);
        }
        Err(error) => return Err(error),
    }
    Ok(recovered)
}

/// Adds the segments in order until one is damaged or missing.
fn segments(
    vfs: &dyn Vfs,
    dir: &Path,
    id: StreamId,
    deleted: &RangeSet,
    passed: impl Fn(u64) -> bool,
    recovered: &mut Recovered,
) -> Result<(), LogError> {
    let candidates = candidates(vfs, dir, id, deleted)?;
    let last = candidates.len().saturating_sub(1);
    let next_jumps: Vec<bool> =
        candidates.iter().skip(1).map(|next| next.header.jumps > 0).collect();
    for (at, candidate) in candidates.into_iter().enumerate() {
        follows(&candidate, deleted, recovered)?;
        let ending = ending(&candidate, at == last)?;
        recovered.end = ending.end;
        let jumped =
            next_jumps.get(at).copied().unwrap_or_else(|| passed(candidate.header.base_seq));
        if ending.end.seq == candidate.header.base_seq && !jumped {
            if at != last {
                return Err(corrupt(&candidate.path, ending.position, Corruption::Content));
            }
            recovered.next_number = candidate.header.number;
            recovered.end.chain = candidate.header.chain;
            recovered.jumps = candidate.header.jumps;
            recovered.discarded += ending.discarded;
            keep_place(&candidate, &ending)?;
            break;
        }
        recovered.next_number = candidate.header.number + 1;
        recovered.discarded += ending.discarded;
        let sealed = close(vfs, dir, candidate, ending, at == last, &mut recovered.end)?;
        recovered.sealed.push(sealed);
    }
    if let Some(number) = deleted.next_present(recovered.next_number) {
        return Err(missing(dir, number));
    }
    // After a kill the cache may show names that are not on the disk yet.
    vfs.sync_dir(dir).map_err(LogError::sync(dir))
}

/// Keeps an empty last segment for what its header says, the next seq, but not its space: the next
/// segment replaces it under the same name.
fn keep_place(candidate: &Candidate, ending: &Ending) -> Result<(), LogError> {
    let Candidate { path, file, header, .. } = candidate;
    if ending.sealed {
        return file.sync_data().map_err(LogError::sync(path));
    }
    write_seal(&**file, path, &ending.seal(), header.salt).map(|_| ())
}

/// The segment files of a directory, in order. Finishes deletions and failed creations.
fn candidates(
    vfs: &dyn Vfs,
    dir: &Path,
    id: StreamId,
    deleted: &RangeSet,
) -> Result<Vec<Candidate>, LogError> {
    let mut candidates = Vec::new();
    for name in vfs.list(dir).map_err(LogError::io("list", dir))? {
        let path = dir.join(&name);
        if name.ends_with(segment::TEMPORARY) {
            remove_if_there(vfs, &path).map_err(LogError::io("remove", &path))?;
        }
        let Some(base_seq) = segment::parse_file_name(&name) else { continue };
        let candidate = match open(vfs, path, id, base_seq) {
            // Removed since it was listed, on behalf of an earlier opening in this process. That it
            // was not to be removed shows in the numbers.
            Err(LogError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
            candidate => candidate?,
        };
        if deleted.contains(candidate.header.number) {
            let path = &candidate.path;
            remove_if_there(vfs, path).map_err(LogError::io("remove", path))?;
            // Derived, so a failure to remove it costs nothing but its bytes.
            vfs.remove(&dir.join(segment::index_name(base_seq))).ok();
        } else {
            candidates.push(candidate);
        }
    }
    Ok(candidates)
}

/// Opens a segment and checks that its header is whole and belongs where it is.
fn open(vfs: &dyn Vfs, path: PathBuf, id: StreamId, base_seq: u64) -> Result<Candidate, LogError> {
    let file = vfs.open(&path).map_err(LogError::io("open", &path))?;
    let len = file.len().map_err(LogError::io("read", &path))?;
    if len < (segment::HEADER_LEN) as u64 {
        return Err(corrupt(&path, 0, Corruption::Truncated));
    }
    let mut block = vec![0; segment::HEADER_LEN];
    read_exact_at(&*file, &mut block, 0).map_err(LogError::io("read", &path))?;
    let (header, sum) = segment::Header::decode(&block).map_err(|rejected| match rejected {
        Rejected::Damaged => corrupt(&path, 0, Corruption::FileHeader),
        Rejected::Version { major, features } => LogError::Version {
            path: path.clone(),
            reason: format!(
                "segment format {major}, features {features:#x}; this version reads format {}",
                segment::MAJOR
            ),
        },
    })?;
    if header.log != id || header.base_seq != base_seq {
        return Err(corrupt(&path, 0, Corruption::Chain));
    }
    Ok(Candidate { path, file, len, header, sum })
}

/// Checks that nothing is missing between the segments so far and `candidate`.
fn follows(
    candidate: &Candidate,
    deleted: &RangeSet,
    recovered: &Recovered,
) -> Result<(), LogError> {
    let Candidate { path, header, .. } = candidate;
    let between = recovered.next_number..header.number;
    if header.number < recovered.next_number {
        return Err(corrupt(path, 0, Corruption::Chain));
    }
    if !deleted.covers(&between) {
        let lost = deleted.next_absent(between.start);
        return Err(missing(path, lost));
    }
    let jumped = u64::from(header.jumps).checked_mul(JUMP);
    let base_seq = jumped.and_then(|jumped| header.base_seq.checked_sub(jumped));
    let continues = header.chain == recovered.end.chain && base_seq == Some(recovered.end.seq);
    let first = header.number == 0 && base_seq == Some(0);
    let in_order =
        if between.is_empty() { continues || first } else { header.base_seq >= recovered.end.seq };
    if !in_order {
        return Err(corrupt(path, 0, Corruption::Chain));
    }
    Ok(())
}

/// Finds where a segment ends. Only the last may lack its seal.
fn ending(candidate: &Candidate, last: bool) -> Result<Ending, LogError> {
    if last {
        // After a failed sync the cache shows what the disk does not have, and takes it for clean.
        candidate.file.forget(candidate.len);
    }
    if let Some(ending) = sealed_ending(candidate)? {
        return Ok(ending);
    }
    // A segment is as long as its header says until it is sealed.
    if !last || candidate.len < candidate.header.len {
        return Err(corrupt(&candidate.path, candidate.len, Corruption::Truncated));
    }
    scan_tail(candidate)
}

fn sealed_ending(candidate: &Candidate) -> Result<Option<Ending>, LogError> {
    let Candidate { path, file, len, header, .. } = candidate;
    let Some(position) = len.checked_sub(seal::LEN as u64) else { return Ok(None) };
    let mut bytes = [0; seal::LEN];
    read_exact_at(&**file, &mut bytes, position).map_err(LogError::io("read", path))?;
    Ok(Seal::decode(&bytes, header.salt, *len).map(|(seal, sum)| Ending {
        end: End { seq: seal.end_seq, chain: sum, time: seal.time },
        position,
        first_time: seal.first_time,
        discarded: 0,
        sealed: true,
        index: None,
    }))
}

/// Verifies an unsealed segment from its start to the first place that does not validate, and
/// decides what that place is.
fn scan_tail(candidate: &Candidate) -> Result<Ending, LogError> {
    let Candidate { path, file, len, header, sum } = candidate;
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

/// Seals the last segment where it ends, if it is not, and makes it ready for readers.
fn close(
    vfs: &dyn Vfs,
    dir: &Path,
    candidate: Candidate,
    ending: Ending,
    last: bool,
    end: &mut End,
) -> Result<Sealed, LogError> {
    let Candidate { path, file, header, .. } = candidate;
    if !ending.sealed {
        end.chain = write_seal(&*file, &path, &ending.seal(), header.salt)?;
    } else if last {
        // After a kill the cache may show a seal, and batches, that are not on the disk yet.
        file.sync_data().map_err(LogError::sync(&path))?;
    }
    let index = ending.index.or_else(|| stored_index(vfs, dir, &header));
    let seqs: Range<u64> = header.base_seq..ending.end.seq;
    let view = SegmentView::new(path, file, &header, ending.position, index);
    view.note_time(ending.first_time);
    view.note_end(seqs.end);
    let disk_len = ending.position + seal::LEN as u64;
    Ok(Sealed {
        number: header.number,
        seqs,
        disk_len,
        counted: true,
        last_time: ending.end.time,
        replaceable: false,
        view,
    })
}

fn corrupt(path: &Path, position: u64, kind: Corruption) -> LogError {
    LogError::Corrupt { path: path.to_owned(), position, kind }
}

/// Segment `number`, which should be somewhere around `path`.
fn missing(path: &Path, number: u64) -> LogError {
    corrupt(&path.with_file_name(format!("segment number {number}")), 0, Corruption::Missing)
}
