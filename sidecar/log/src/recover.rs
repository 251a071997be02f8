//! Opens a log directory after any kind of stop: finds the segments, proves that none is missing,
//! finds the end, and tells a torn tail, which nobody was given a receipt for, from damage.
//!
//! Nothing valid is ever cut off. Running it again, also after a crash in the middle of it, comes
//! to the same result.

mod tail;

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::active::{End, write_seal};
use crate::error::{Corruption, LogError};
use crate::ids::StreamId;
use crate::index::SparseIndex;
use crate::log::Sealed;
use crate::ranges::RangeSet;
use crate::reader::stored_index;
use crate::seal::{self, Seal};
use crate::segment;
use crate::sync_mode::JUMP;
use crate::vfs::{File, Vfs, read_exact_at, remove_if_there};
use crate::view::SegmentView;

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
    /// Whether the last of `sealed` was made anew after damage.
    mended: bool,
    /// The first damage found: the log must not be served.
    pub(crate) damage: Option<Damage>,
}

/// What is wrong with a log, and where.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) error: LogError,
    pub(crate) place: Place,
}

/// Which part of a log is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The segment whose name tells this seq. `chain` is what its header should be chained to, if
    /// that is what is wrong.
    Segment { base_seq: u64, chain: Option<u32> },
    /// Segments are missing before the one whose name tells this seq.
    Before { base_seq: u64 },
    /// The newest segments are missing.
    Newest,
}

/// Why a walk over the segments ends.
enum Halt {
    Damaged(Damage),
    Failed(LogError),
}

impl From<LogError> for Halt {
    fn from(error: LogError) -> Self {
        Self::Failed(error)
    }
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
            mended: false,
            damage: None,
        }
    }

    /// Leaves out the seqs that may have been given out without being known, and says which.
    ///
    /// # Errors
    /// As those of [`Self::jump_to`].
    pub(crate) fn jump(&mut self) -> Result<Range<u64>, LogError> {
        let start = self.end.seq;
        let limit = LogError::TooLarge { size: start, limit: u64::MAX - JUMP };
        self.jump_to(start.checked_add(JUMP).ok_or(limit)?)?;
        Ok(start..self.end.seq)
    }

    /// Has the log go on at `seq`, a whole number of jumps above its end.
    ///
    /// # Errors
    /// `TooLarge` when a header cannot tell of so many.
    pub(crate) fn jump_to(&mut self, seq: u64) -> Result<(), LogError> {
        let more = u32::try_from((seq - self.end.seq) / JUMP).ok();
        let jumps = more.and_then(|more| self.jumps.checked_add(more));
        self.jumps = jumps.ok_or(LogError::TooLarge { size: seq, limit: u64::MAX })?;
        self.end.seq = seq;
        Ok(())
    }
}

/// What the journal tells of a log.
pub(crate) struct Journaled<'a> {
    /// Numbers of the segments that are gone for good.
    pub(crate) deleted: &'a RangeSet,
    /// Seqs that belong to no record.
    pub(crate) jumps: &'a RangeSet,
    /// Whether the next record gets a seq behind another jump.
    pub(crate) jumping: bool,
}

impl Journaled<'_> {
    /// Whether the next record will get a higher seq than this one in any case.
    fn passes(&self, seq: u64) -> bool {
        self.jumping || self.jumps.contains(seq)
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

/// Recovers the log `id` in `dir`.
///
/// # Errors
/// Of the disk. Damage is no error here: it is in the result, so that other logs still open.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    id: StreamId,
    journaled: &Journaled<'_>,
) -> Result<Recovered, LogError> {
    let mut recovered = Recovered::nothing();
    match segments(vfs, dir, id, journaled, &mut recovered) {
        Ok(()) => {}
        Err(Halt::Damaged(damage)) => recovered.damage = Some(damage),
        Err(Halt::Failed(error)) => return Err(error),
    }
    Ok(recovered)
}

/// Adds the segments in order until one is damaged or missing.
fn segments(
    vfs: &dyn Vfs,
    dir: &Path,
    id: StreamId,
    journaled: &Journaled<'_>,
    recovered: &mut Recovered,
) -> Result<(), Halt> {
    let deleted = journaled.deleted;
    let candidates = candidates(vfs, dir, id, deleted)?;
    let last = candidates.len().saturating_sub(1);
    let next_jumps: Vec<bool> =
        candidates.iter().skip(1).map(|next| next.header.jumps > 0).collect();
    for (at, candidate) in candidates.into_iter().enumerate() {
        follows(&candidate, journaled, recovered)?;
        let base_seq = candidate.header.base_seq;
        let ending =
            ending(vfs, &candidate, at == last).map_err(|error| in_segment(error, base_seq))?;
        // One that was made anew from nothing has no time of its own.
        let time = ending.end.time.max(recovered.end.time);
        recovered.end = End { time, ..ending.end };
        recovered.mended = candidate.header.mended;
        let jumped = next_jumps.get(at).copied().unwrap_or_else(|| journaled.passes(base_seq));
        if ending.end.seq == base_seq && !jumped {
            if at != last {
                let error = corrupt(&candidate.path, ending.position, Corruption::Content);
                return Err(in_segment(error, base_seq));
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
        let error = missing(&dir.join("newest"), number);
        return Err(Halt::Damaged(Damage { error, place: Place::Newest }));
    }
    // After a kill the cache may show names that are not on the disk yet.
    Ok(vfs.sync_dir(dir).map_err(LogError::sync(dir))?)
}

/// Sorts an error of one segment: damage of that segment, or another one.
fn in_segment(error: LogError, base_seq: u64) -> Halt {
    let place = Place::Segment { base_seq, chain: None };
    match error {
        error @ LogError::Version { .. } => Halt::Damaged(Damage { error, place }),
        error if error.damaged_file().is_some() => Halt::Damaged(Damage { error, place }),
        error => Halt::Failed(error),
    }
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
) -> Result<Vec<Candidate>, Halt> {
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
            candidate => candidate.map_err(|error| in_segment(error, base_seq))?,
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
    let (header, sum) = segment::decode(&path, &block)?;
    if header.log != id || header.base_seq != base_seq {
        return Err(corrupt(&path, 0, Corruption::Chain));
    }
    Ok(Candidate { path, file, len, header, sum })
}

/// Checks that nothing is missing between the segments so far and `candidate`.
fn follows(
    candidate: &Candidate,
    journaled: &Journaled<'_>,
    recovered: &Recovered,
) -> Result<(), Halt> {
    let deleted = journaled.deleted;
    let Candidate { path, header, .. } = candidate;
    let base_seq = header.base_seq;
    let damaged = |error, place| Err(Halt::Damaged(Damage { error, place }));
    let between = recovered.next_number..header.number;
    if header.number >= recovered.next_number && !deleted.covers(&between) {
        let lost = deleted.next_absent(between.start);
        return damaged(missing(path, lost), Place::Before { base_seq });
    }
    let chained = recovered.mended || header.chain == recovered.end.chain;
    let continues = chained && meets(header, recovered, journaled.jumps);
    let first = header.number == 0 && u64::from(header.jumps).checked_mul(JUMP) == Some(base_seq);
    let in_order = header.number >= recovered.next_number
        && if between.is_empty() { continues || first } else { base_seq >= recovered.end.seq };
    if !in_order {
        let place = Place::Segment { base_seq, chain: Some(recovered.end.chain) };
        return damaged(corrupt(path, 0, Corruption::Chain), place);
    }
    Ok(())
}

/// Whether a segment begins where the one before it ends, but for jumps: those that its header tells
/// of, or, where damage took a header, the journal.
fn meets(header: &segment::Header, recovered: &Recovered, jumps: &RangeSet) -> bool {
    let end = recovered.end.seq;
    let jumped = u64::from(header.jumps).checked_mul(JUMP);
    let told = jumped.and_then(|jumped| header.base_seq.checked_sub(jumped)) == Some(end);
    let mended = recovered.mended || header.mended;
    let known = header.base_seq == end || jumps.covers(&(end..header.base_seq));
    told || (mended && end <= header.base_seq && known)
}

/// Finds where a segment ends. Only the last may lack its seal.
fn ending(vfs: &dyn Vfs, candidate: &Candidate, last: bool) -> Result<Ending, LogError> {
    let Candidate { path, len, .. } = candidate;
    if last {
        // After a failed sync the cache shows what the disk does not have, and takes it for clean.
        candidate.file.forget(0..*len);
    }
    if let Some(ending) = sealed_ending(candidate)? {
        return Ok(ending);
    }
    // A segment is as long as its header says until it is sealed.
    if !last || *len < candidate.header.len {
        return Err(corrupt(path, *len, Corruption::Truncated));
    }
    let uncached = vfs.open_uncached(path).map_err(LogError::io("open", path))?;
    tail::scan_tail(candidate, &uncached)
}

fn sealed_ending(candidate: &Candidate) -> Result<Option<Ending>, LogError> {
    let Candidate { path, file, len, header, .. } = candidate;
    let Some(position) = len.checked_sub(seal::LEN as u64) else { return Ok(None) };
    let mut bytes = [0; seal::LEN];
    read_exact_at(&**file, &mut bytes, position).map_err(LogError::io("read", path))?;
    // One that ends before its segment begins would make the next seq go backwards.
    let seal =
        Seal::decode(&bytes, header.salt, *len).filter(|(seal, _)| seal.end_seq >= header.base_seq);
    Ok(seal.map(|(seal, sum)| Ending {
        end: End { seq: seal.end_seq, chain: sum, time: seal.time },
        position,
        first_time: seal.first_time,
        discarded: 0,
        sealed: true,
        index: None,
    }))
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
    if ending.position > segment::HEADER_LEN as u64 {
        view.note_time(ending.first_time);
    }
    view.note_end(seqs.end);
    let disk_len = ending.position + seal::LEN as u64;
    Ok(Sealed {
        number: header.number,
        seqs,
        disk_len,
        counted: true,
        last_time: end.time,
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
