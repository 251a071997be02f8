//! Makes a damaged log whole again: what can be read is kept under its own seq, what cannot is put
//! on record as a gap, and the damaged bytes are set aside.
//!
//! Nothing is changed in place. The order is: copies to quarantine, the new segment under a
//! temporary name, synced, the gap in the journal, synced, and only then the new name. A crash
//! anywhere leaves the damage as it was, or mended; doing it again ends in the same state.

mod identify;
mod report;
mod segment_end;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::active::{Active, End, Records};
use crate::batch::Batch;
use crate::error::{Corruption, LogError};
use crate::ids::StreamId;
use crate::journal::Journal;
use crate::log::Entropy;
use crate::quarantine::{Quarantine, audit};
use crate::ranges::RangeSet;
use crate::recover::{Damage, Journaled, Place, Recovered, recover};
use crate::reserve::Reserve;
use crate::salvage::{Salvage, Unreadable};
use crate::segment::{self, Header};
use crate::state::{Op, State, StreamState};
use crate::sync_mode::JUMP;
use crate::vfs::{File, Vfs, remove_if_there};
pub use report::{Accepted, Authority, Mended};
use segment_end::{Known, known_end};

/// So many operations go into one batch of the journal.
const OPS_A_BATCH: usize = 10_000;

/// The log to be mended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patient<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) id: StreamId,
    /// Bytes that copies of damage may take.
    pub(crate) quarantine_bytes: u64,
    pub(crate) authority: Authority,
    /// Whether the log goes on behind another jump.
    pub(crate) jumping: bool,
}

/// Bytes that copies of damage may take, of a log with segments of this length.
pub(crate) fn quarantine_bytes(segment_bytes: u64) -> u64 {
    2 * segment_bytes
}

/// What mending needs of the volume.
pub(crate) struct Mender<'a> {
    pub(crate) vfs: &'a Arc<dyn Vfs>,
    pub(crate) journal: &'a mut Journal,
    pub(crate) reserve: &'a mut Reserve,
    pub(crate) salt: Entropy<'a>,
    /// Of the writer.
    pub(crate) epoch: u64,
}

/// What a log directory holds, as far as the journal's state can tell, and where the log goes on:
/// behind the jumps that the journal tells of. With `jumping`, another one follows.
pub(crate) fn examine(
    vfs: &dyn Vfs,
    dir: &Path,
    id: StreamId,
    state: &State,
    jumping: bool,
) -> Result<Recovered, LogError> {
    let nothing = StreamState::default();
    let state = state.stream(id).unwrap_or(&nothing);
    let journaled = Journaled { deleted: &state.deleted_segments, jumps: &state.jumps, jumping };
    let mut recovered = recover(vfs, dir, id, &journaled)?;
    recovered.jump_to(state.jumps.next_absent(recovered.end.seq))?;
    let synced = !state.weakly_synced;
    if recovered.damage.is_none() && synced && state.settled_end() > recovered.end.seq {
        // Settled records were on the disk once, synced: the end of the log is gone.
        let path = dir.join("the newest segment");
        let error = LogError::Corrupt { path, position: 0, kind: Corruption::Missing };
        recovered.damage = Some(Damage { error, place: Place::Newest });
    }
    Ok(recovered)
}

/// Bytes of a segment, with what of it is lost.
struct Plan {
    header: Header,
    seqs: Range<u64>,
    /// Where the seqs end that are known to have been used.
    known_end: u64,
}

impl Plan {
    fn unknown_from(&self) -> Option<u64> {
        (self.known_end < self.seqs.end).then_some(self.known_end)
    }
}

impl Mender<'_> {
    /// Mends what is damaged, place by place, until nothing is, or something cannot be mended: that
    /// is then in the result. Damage of `first` segments is known, though a start does not see it.
    pub(crate) fn mend_all(
        &mut self,
        patient: Patient<'_>,
        first: &[u64],
        done: &mut Vec<Mended>,
    ) -> Result<Recovered, LogError> {
        let mut tried = Vec::new();
        for &base_seq in first {
            let place = Place::Segment { base_seq, chain: None };
            let path = patient.dir.join(segment::file_name(base_seq));
            let error = LogError::Corrupt { path, position: 0, kind: Corruption::Checksum };
            // It may be lost as a whole.
            if self.has_segment(patient.dir, base_seq)? {
                let recovered = self.examine(patient)?;
                done.push(self.mend(patient, &Damage { error, place }, &recovered)?);
            }
        }
        loop {
            let recovered = self.examine(patient)?;
            let Some(damage) = &recovered.damage else { return Ok(recovered) };
            // The same place again: it is beyond mending. Another version's is not ours to mend.
            let hopeless = tried.contains(&damage.place);
            if hopeless || damage.error.damaged_file().is_none() {
                return Ok(recovered);
            }
            tried.push(damage.place);
            done.push(self.mend(patient, damage, &recovered)?);
        }
    }

    fn examine(&self, patient: Patient<'_>) -> Result<Recovered, LogError> {
        let Patient { dir, id, jumping, .. } = patient;
        examine(&**self.vfs, dir, id, self.journal.state(), jumping)
    }

    fn has_segment(&self, dir: &Path, base_seq: u64) -> Result<bool, LogError> {
        let names = self.vfs.list(dir).map_err(LogError::io("list", dir))?;
        Ok(names.contains(&segment::file_name(base_seq)))
    }

    fn mend(
        &mut self,
        patient: Patient<'_>,
        damage: &Damage,
        recovered: &Recovered,
    ) -> Result<Mended, LogError> {
        let mended = match damage.place {
            Place::Segment { base_seq, chain } => self.segment(patient, base_seq, chain)?,
            Place::Before { base_seq } => self.missing(patient, base_seq, recovered)?,
            Place::Newest => self.newest(patient, recovered)?,
        };
        let Some(path) = damage.error.damaged_file() else { return Ok(mended) };
        let mended = Mended { path: path.to_owned(), damage: damage.error.to_string(), ..mended };
        audit(&**self.vfs, patient.dir, &mended.line())?;
        Ok(mended)
    }

    /// Makes a segment anew from what can be read of it.
    fn segment(
        &mut self,
        patient: Patient<'_>,
        base_seq: u64,
        chain: Option<u32>,
    ) -> Result<Mended, LogError> {
        let path = patient.dir.join(segment::file_name(base_seq));
        let file = self.vfs.open_read(&path).map_err(LogError::io("open", &path))?;
        let sick = Unreadable::within(file, patient.authority.may_give_up());
        let file: Arc<dyn File> = sick.clone();
        let known = self.identify(patient, &path, &*file, base_seq)?;
        let next = self.next_base(patient.dir, base_seq)?;
        let within = base_seq..next.unwrap_or(u64::MAX);
        let scanned = Salvage::scan(&file, known.salt(), &within);
        let mut salvage = scanned.map_err(LogError::io("read", &path))?;
        let settled_end = self.state(patient.id).settled_end();
        let is_unreadable = sick.is_met();
        let (known_end, end) = known_end(&known, &salvage, next, settled_end, is_unreadable, JUMP);
        let Some(number) = known.number() else {
            // Every number that it could have is that of a deleted segment: it was on its way out.
            self.vfs.remove(&path).map_err(LogError::io("remove", &path))?;
            self.vfs.sync_dir(patient.dir).map_err(LogError::sync(patient.dir))?;
            return Ok(Mended::nothing(patient.authority));
        };
        let len = file.len().map_err(LogError::io("read", &path))?;
        let header = Header {
            log: patient.id,
            number,
            base_seq,
            chain: chain.unwrap_or(known.chain()),
            jumps: known.jumps(),
            created: known.created(),
            epoch: self.epoch,
            keeps_ids: known.keeps_ids(),
            salt: (self.salt)(),
            len: len.max(Active::len_for(0)),
            mended: true,
        };
        let plan = Plan { header, seqs: base_seq..end, known_end };
        let kept = self.write(&path, &plan, |each| salvage.records(&path, each))?;
        let mut damaged = std::mem::take(&mut salvage.damaged);
        if !known.is_whole() {
            damaged.insert(0..len.min(segment::HEADER_LEN as u64));
        }
        let quarantine =
            Quarantine { vfs: &**self.vfs, dir: patient.dir, limit: patient.quarantine_bytes };
        let name = segment::file_name(base_seq);
        let quarantined = quarantine.copy(&*file, &name, &damaged)?;
        let lost = self.record(patient.id, &plan, &kept, None)?;
        self.publish(patient.dir, &path)?;
        let unknown_from = plan.unknown_from();
        let (kept, nothing) = (kept.len(), Mended::nothing(patient.authority));
        Ok(Mended { lost, unknown_from, kept, quarantined, ..nothing })
    }

    /// Goes on behind segments that are missing.
    fn missing(
        &mut self,
        patient: Patient<'_>,
        base_seq: u64,
        recovered: &Recovered,
    ) -> Result<Mended, LogError> {
        let path = patient.dir.join(segment::file_name(base_seq));
        let file = self.vfs.open_read(&path).map_err(LogError::io("open", &path))?;
        let Known::Header(header) = self.identify(patient, &path, &*file, base_seq)? else {
            return Err(LogError::Corrupt { path, position: 0, kind: Corruption::FileHeader });
        };
        let numbers = recovered.next_number..header.number;
        let gone = recovered.end.seq.min(base_seq)..base_seq;
        let lost = self.state(patient.id).unsettled(&gone);
        self.journal(&ops(patient.id, &lost, None, Some(numbers)))?;
        Ok(Mended { lost, ..Mended::nothing(patient.authority) })
    }

    /// Puts a segment without records in the place of the newest ones, which are missing.
    fn newest(&mut self, patient: Patient<'_>, recovered: &Recovered) -> Result<Mended, LogError> {
        let state = self.state(patient.id);
        let base_seq = recovered.end.seq;
        let known_end = state.settled_end().max(base_seq);
        let deleted = state.deleted_segments.iter().last().map_or(0, |numbers| numbers.end);
        let header = Header {
            log: patient.id,
            number: deleted.max(recovered.next_number),
            base_seq,
            chain: recovered.end.chain,
            jumps: recovered.jumps,
            created: recovered.end.time,
            epoch: self.epoch,
            keeps_ids: false,
            salt: (self.salt)(),
            len: Active::len_for(0),
            mended: true,
        };
        let path = patient.dir.join(segment::file_name(base_seq));
        let plan = Plan { header, seqs: base_seq..known_end + JUMP, known_end };
        let kept = self.write(&path, &plan, |_| Ok(RangeSet::new()))?;
        let numbers = recovered.next_number..header.number;
        let lost = self.record(patient.id, &plan, &kept, Some(numbers))?;
        self.publish(patient.dir, &path)?;
        let unknown_from = plan.unknown_from();
        Ok(Mended { lost, unknown_from, ..Mended::nothing(patient.authority) })
    }

    /// Writes a segment under its temporary name, sealed and synced. Returns the seqs in it.
    fn write(
        &mut self,
        path: &Path,
        plan: &Plan,
        records: impl FnOnce(
            &mut dyn FnMut(Batch) -> Result<(), LogError>,
        ) -> Result<RangeSet, LogError>,
    ) -> Result<RangeSet, LogError> {
        let temporary = segment::temporary(path);
        let Plan { header, seqs, .. } = plan;
        let made = self.reserve.lend(|| {
            // An earlier attempt may have left its own.
            remove_if_there(&**self.vfs, &temporary).map_err(LogError::io("remove", &temporary))?;
            Active::unnamed(&**self.vfs, &temporary, header)
        });
        let written = made.and_then(|(mut active, chain)| {
            let mut end = End { seq: header.base_seq, chain, time: header.created };
            let kept = records(&mut |batch: Batch| {
                let sums: Vec<u32> = batch.sums().collect();
                end = End { seq: batch.first_seq, time: end.time.max(batch.time), ..end };
                let Batch { ends, payloads, ids, .. } = &batch;
                let records = Records { payloads, ends, sums: &sums, ids };
                end = active.append(end, batch.first_seq, &records)?;
                Ok(())
            })?;
            active.close(End { seq: seqs.end, ..end })?;
            Ok(kept)
        });
        written.inspect_err(|_| {
            // Best effort: what stays behind is removed by the next start.
            self.vfs.remove(&temporary).ok();
        })
    }

    /// Journals what is lost of a segment, synced.
    fn record(
        &mut self,
        id: StreamId,
        plan: &Plan,
        kept: &RangeSet,
        deleted: Option<Range<u64>>,
    ) -> Result<Vec<Range<u64>>, LogError> {
        let mut gone: RangeSet = std::iter::once(plan.seqs.start..plan.known_end).collect();
        kept.iter().for_each(|range| gone.remove(range));
        let state = self.state(id);
        // What earlier damage took is no news.
        state.gaps.iter().chain(state.jumps.iter()).for_each(|range| gone.remove(range));
        let lost: Vec<_> = gone.iter().flat_map(|range| state.unsettled(&range)).collect();
        let jump = plan.unknown_from().map(|from| from..plan.seqs.end);
        self.journal(&ops(id, &lost, jump, deleted))?;
        Ok(lost)
    }

    fn journal(&mut self, ops: &[Op]) -> Result<(), LogError> {
        let Self { journal, reserve, .. } = self;
        for some in ops.chunks(OPS_A_BATCH) {
            reserve.lend(|| journal.append(some))?;
        }
        journal.sync()
    }

    /// Gives a segment its name, and takes the old index away.
    fn publish(&self, dir: &Path, path: &Path) -> Result<(), LogError> {
        let temporary = segment::temporary(path);
        self.vfs.rename(&temporary, path).map_err(LogError::io("rename", path))?;
        // Derived, and of no use: it belongs to another salt.
        self.vfs.remove(&path.with_extension("idx")).ok();
        self.vfs.sync_dir(dir).map_err(LogError::sync(dir))
    }

    fn state(&self, id: StreamId) -> StreamState {
        self.journal.state().stream(id).cloned().unwrap_or_default()
    }
}

fn ops(
    log: StreamId,
    lost: &[Range<u64>],
    jump: Option<Range<u64>>,
    deleted: Option<Range<u64>>,
) -> Vec<Op> {
    let gaps = lost.iter().map(|range| Op::Gap { log, range: range.clone() });
    let jump = jump.map(|range| Op::Jump { log, range });
    let deleted = deleted.filter(|numbers| !numbers.is_empty());
    let deleted = deleted.map(|numbers| Op::SegmentsDeleted { log, numbers });
    gaps.chain(jump).chain(deleted).collect()
}
