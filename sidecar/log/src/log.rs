//! One log as the writer thread holds it: appends what its channel has gathered, rolls segments,
//! and closes them. What others see of that is `publish`'s, what leaves it `retire`'s.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::active::{Active, End, Records};
use crate::batch::{Batch, MAX_RECORD_LEN};
use crate::budget::Budget;
use crate::committer::Now;
use crate::error::LogError;
use crate::fate::{Fate, Refusal};
use crate::handle::LogHandle;
use crate::holes::Holes;
use crate::pending::CommitQueue;
use crate::recover::Recovered;
use crate::rest::Rest;
use crate::retention::{Retention, RetentionRules};
use crate::segment;
use crate::sync_mode::SyncMode;
use crate::tail::InMemory;
use crate::vfs::Vfs;
use crate::view::SegmentView;

/// A segment that is closed, or that recovery closed.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) number: u64,
    pub(crate) seqs: Range<u64>,
    pub(crate) disk_len: u64,
    /// Whether it counts towards the stream's space.
    pub(crate) counted: bool,
    /// Unix time of its last commit in nanoseconds.
    pub(crate) last_time: u64,
    /// Whether its space may be given to the next segment while it is the newest.
    pub(crate) replaceable: bool,
    pub(crate) view: Arc<SegmentView>,
}

/// Why the last records were refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    /// Length of the segment that there was no space for.
    pub(crate) needed: u64,
    pub(crate) last: Instant,
}

/// A log, owned by the writer thread.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) handle: Arc<LogHandle>,
    pub(crate) segment_bytes: u64,
    pub(crate) budget: Arc<Budget>,
    /// Epoch of this writer.
    pub(crate) epoch: u64,
    /// Whether its batches may hold ids, which every reader of its segments must then know.
    pub(crate) keeps_ids: bool,
    pub(crate) next_number: u64,
    pub(crate) end: End,
    /// Jumps that the next segment's header tells of.
    pub(crate) jumps: u32,
    /// Whether the jump of this start is yet to come, because damage kept the log from going on.
    pub(crate) jump_due: bool,
    pub(crate) sync: SyncMode,
    /// Everything below is synced.
    pub(crate) durable_end: u64,
    /// Records that were synced and nobody was told of.
    pub(crate) newly_durable: u64,
    /// When the first bytes were written that no sync has covered.
    pub(crate) unsynced_since: Option<Instant>,
    pub(crate) active: Option<Active>,
    /// In order of their numbers.
    pub(crate) sealed: Vec<Sealed>,
    /// Records that found no room, the oldest part of what producers handed over.
    pub(crate) stalled: Option<Rest>,
    /// What records were refused for want of, while there is no space for it.
    pub(crate) refused: Option<Refused>,
    /// Written, not published yet.
    pub(crate) unpublished: Vec<InMemory>,
    /// To be decided when those are published.
    pub(crate) undecided: Vec<(Arc<Fate<u64>>, u64)>,
    /// How records may go without having been settled, as it is wanted now ...
    pub(crate) rules: Arc<RetentionRules>,
    /// ... and as of this step.
    pub(crate) retention: Retention,
    /// Not above the commit time of any record that is neither deleted nor too old.
    pub(crate) oldest_time: u64,
    /// Records are looked through for old ones no earlier than this.
    pub(crate) look_at: Option<Instant>,
    /// When it is to be mended again, where that found no room.
    pub(crate) mend_at: Option<Instant>,
    /// When a segment was last dropped by a limit.
    pub(crate) dropped: Option<Instant>,
    /// Whether it was closed to be mended, and was not: what follows in it is not known until it is.
    pub(crate) at_rest: bool,
    /// When the last records were written, if neither a marker nor a seal is behind them.
    pub(crate) unwitnessed: Option<Instant>,
}

/// What one look for a salt or an id may draw from: random, or seeded in a simulation.
pub(crate) type Entropy<'a> = &'a mut dyn FnMut() -> u64;

impl Log {
    /// Appends what waits. What found no space stays and is tried again at the next call.
    pub(crate) fn append_waiting(&mut self, now: Now, salt: Entropy<'_>) -> Result<(), LogError> {
        if self.at_rest {
            self.refuse(Refusal::Stopped);
            return Ok(());
        }
        self.end.time = self.end.time.max(now.unix_nanos);
        if let Some(rest) = self.stalled.take() {
            self.stalled = self.append(rest, salt)?;
        }
        if self.stalled.is_none()
            && let Some(pending) = self.handle.queue().take()
        {
            self.stalled =
                self.append(Rest::new(pending, self.end.seq, self.handle.queue()), salt)?;
        }
        self.append_refusing(now.instant, salt)?;
        let holds_new = self.active.as_ref().is_some_and(|active| !active.is_empty());
        if holds_new && !self.unpublished.is_empty() {
            self.unwitnessed = Some(now.instant);
        }
        self.note_unsynced(now.instant);
        Ok(())
    }

    /// Refuses what would rather be refused than wait.
    fn refuse(&mut self, why: Refusal) {
        if let Some(pending) = self.handle.refusing_queue().take() {
            pending.fate.decide(Err(why));
        }
    }

    /// Appends what would rather be refused than wait, or refuses it.
    fn append_refusing(&mut self, now: Instant, salt: Entropy<'_>) -> Result<(), LogError> {
        let handle = Arc::clone(&self.handle);
        let Some(pending) = handle.refusing_queue().take() else { return Ok(()) };
        let group = Rest::new(pending, self.end.seq, handle.refusing_queue());
        // What is freed belongs to those who wait.
        let left = if self.stalled.is_some() { Some(group) } else { self.append(group, salt)? };
        let needed = left.as_ref().map(|left| self.segment_bytes.max(left.needed()));
        self.refused = needed.map(|needed| Refused { needed, last: now });
        match left {
            Some(Rest { fate, done: 0, .. }) => fate.decide(Err(Refusal::NoSpace)),
            Some(Rest { fate, done, first_seq, .. }) => {
                fate.limit(done as u64);
                self.undecided.push((fate, first_seq));
            }
            None => {}
        }
        Ok(())
    }

    /// Appends a group, cut to what fits each segment. Returns what found no space.
    fn append(&mut self, mut rest: Rest, salt: Entropy<'_>) -> Result<Option<Rest>, LogError> {
        while rest.done < rest.ends.len() {
            match self.append_some(&mut rest, salt) {
                Ok(()) => {}
                Err(LogError::Full) => return Ok(Some(rest)),
                Err(error) => {
                    self.undecided.push((rest.fate, rest.first_seq));
                    return Err(error);
                }
            }
        }
        self.undecided.push((rest.fate, rest.first_seq));
        Ok(None)
    }

    /// Appends as many records as the active segment takes, or makes a new segment.
    fn append_some(&mut self, rest: &mut Rest, salt: Entropy<'_>) -> Result<(), LogError> {
        let start = rest.start();
        let ends = rest.ends.get(rest.done..).unwrap_or_default();
        let needed = rest.needed();
        let Some(active) = &mut self.active else { return self.create_segment(needed, salt) };
        let count = active.fitting(start, ends, |count| rest.ids_in(count));
        let Some(&end) = count.checked_sub(1).and_then(|last| ends.get(last)) else {
            if !active.is_empty() {
                return self.seal();
            }
            if active.allocated() < needed {
                return self.enlarge(needed, salt);
            }
            // It would have been long enough, so the record fits in none.
            let size = ends.first().map_or(0, |end| u64::from(end - start));
            return Err(LogError::TooLarge { size, limit: MAX_RECORD_LEN as u64 });
        };
        let whole = count == rest.ends.len();
        let ends: Vec<u32> = ends.iter().take(count).map(|end| end - start).collect();
        let payloads = rest.payloads.slice(start as usize..end as usize);
        let sums = rest.sums.get(rest.done..rest.done + count).unwrap_or_default();
        let ids = rest.encoded_ids(count);
        let records = Records { payloads: &payloads, ends: &ends, sums, ids: &ids };
        let first_seq = self.end.seq;
        self.oldest_time = self.oldest_time.min(self.end.time);
        self.end = active.append(self.end, self.durable_end, &records)?;
        // A part of a group does not hold on to the memory of all of it.
        let (payloads, memory) = if whole {
            (payloads, rest.capacity)
        } else {
            (Bytes::copy_from_slice(&payloads), payloads.len())
        };
        let batch = Batch { first_seq, time: self.end.time, ends, payloads, ids };
        self.unpublished.push(InMemory::new(batch, memory));
        rest.done += count;
        Ok(())
    }

    /// Makes the next segment, with room for `needed` bytes if that is more than usual.
    pub(crate) fn create_segment(
        &mut self,
        needed: u64,
        salt: Entropy<'_>,
    ) -> Result<(), LogError> {
        let header = segment::Header {
            log: self.handle.id(),
            number: self.next_number,
            base_seq: self.end.seq,
            chain: self.end.chain,
            jumps: self.jumps,
            created: self.end.time,
            epoch: self.epoch,
            keeps_ids: self.keeps_ids,
            salt: salt(),
            len: self.segment_bytes.max(needed),
            mended: false,
        };
        self.make(&header, 0)?;
        self.next_number += 1;
        self.jumps = 0;
        Ok(())
    }

    /// Makes the active segment, which holds no record, anew with room for `needed` bytes. The new
    /// one says the same of its place, so a crash may leave either: both were about to be used.
    ///
    /// # Errors
    /// After `Full` it is as before.
    fn enlarge(&mut self, needed: u64, salt: Entropy<'_>) -> Result<(), LogError> {
        let Some(active) = &self.active else { return Ok(()) };
        let old = active.header;
        let header = segment::Header { created: self.end.time, salt: salt(), len: needed, ..old };
        self.make(&header, old.len)
    }

    /// Makes the active segment, in the place of one that took `replaced` bytes.
    fn make(&mut self, header: &segment::Header, replaced: u64) -> Result<(), LogError> {
        self.take_space(replaced, header.len)?;
        let made = Active::create(&*self.vfs, &self.dir, header);
        let (active, sum) = made.inspect_err(|_| self.return_space(replaced, header.len))?;
        self.end.chain = sum;
        let view = Arc::clone(&active.view);
        self.handle.update(|shared| {
            shared.segments.insert(header.base_seq, view);
            shared.marks.disk_bytes += header.len;
            shared.marks.disk_bytes -= replaced;
        });
        self.active = Some(active);
        Ok(())
    }

    /// Closes the active segment, which syncs it.
    ///
    /// # Errors
    /// After `Full` the segment is as before, and it can be tried again.
    pub(crate) fn seal(&mut self) -> Result<(), LogError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        let (end, disk_len) = active.seal(&*self.vfs, self.end)?;
        let Some(active) = self.active.take() else { return Ok(()) };
        self.end = end;
        self.unwitnessed = None;
        self.durable();
        let unused = active.allocated() - disk_len;
        self.budget.give_back(unused);
        self.handle.update(|shared| shared.marks.disk_bytes -= unused);
        let seqs = active.view.base_seq..self.end.seq;
        active.view.note_end(seqs.end);
        let last_time = active.last_time();
        let Active { view, header, .. } = active;
        self.sealed.push(Sealed {
            number: header.number,
            seqs,
            disk_len,
            counted: true,
            last_time,
            replaceable: false,
            view,
        });
        Ok(())
    }

    /// Takes space for a segment of `len` bytes, in exchange for one of `replaced`. If the newest
    /// closed one is to go, its space will do: it stays only until the next one is made, and must not
    /// keep that from being made.
    fn take_space(&mut self, replaced: u64, len: u64) -> Result<(), LogError> {
        let taken = self.budget.exchange(replaced, len);
        match self.sealed.last_mut() {
            Some(newest) if taken.is_err() && newest.replaceable && newest.counted => {
                self.budget.exchange(replaced + newest.disk_len, len)?;
                newest.counted = false;
                Ok(())
            }
            _ => taken,
        }
    }

    /// Whether there is space for a segment of `len` bytes.
    pub(crate) fn has_space(&self, len: u64) -> bool {
        let empty = self.active.as_ref().filter(|active| active.is_empty());
        let newest = self.sealed.last().filter(|newest| newest.replaceable && newest.counted);
        let returned = empty.map_or(0, Active::allocated) + newest.map_or(0, |one| one.disk_len);
        let on_disk = || self.vfs.space(&self.dir).is_ok_and(|space| space.available >= len);
        self.budget.has(returned, len) && on_disk()
    }

    /// Undoes [`Self::take_space`].
    fn return_space(&mut self, replaced: u64, len: u64) {
        self.budget.give_back(len);
        self.budget.found(replaced);
        if let Some(newest) = self.sealed.last_mut().filter(|newest| !newest.counted) {
            newest.counted = true;
            self.budget.found(newest.disk_len);
        }
    }

    /// Makes a log that is all sealed ready to be mended: nothing of it is open any more.
    ///
    /// # Errors
    /// After `Full` it is as before.
    pub(crate) fn rest(&mut self) -> Result<(), LogError> {
        self.seal()?;
        self.at_rest = true;
        Ok(())
    }

    /// Goes on from what was found on the disk after it was mended.
    pub(crate) fn reopen(&mut self, recovered: Recovered, holes: Holes) {
        let counted = self.sealed.drain(..).filter(|segment| segment.counted);
        self.budget.give_back(counted.map(|segment| segment.disk_len).sum());
        for segment in &recovered.sealed {
            self.budget.found(segment.disk_len);
        }
        let end = recovered.end.seq;
        let misplaced = |rest: &mut Rest| rest.first_seq + rest.done as u64 != end;
        if let Some(rest) = self.stalled.take_if(misplaced) {
            rest.fate.decide(Err(Refusal::Stopped));
        }
        (self.end, self.next_number) = (recovered.end, recovered.next_number);
        (self.jumps, self.durable_end) = (recovered.jumps, end);
        (self.jump_due, self.at_rest, self.mend_at) = (false, false, None);
        (self.oldest_time, self.look_at) = (0, None);
        self.handle.update(|view| view.show(&recovered, holes));
        self.sealed = recovered.sealed;
        self.handle.reopen();
    }

    /// Takes nothing more, and tells everybody who waits.
    pub(crate) fn close(&mut self, refusal: Refusal) {
        self.handle.close(refusal);
        self.handle.mending().close(refusal);
        self.handle.removal().close(refusal);
        let waiting = self.undecided.drain(..).map(|(fate, _)| fate);
        let stalled = self.stalled.take().map(|rest| rest.fate);
        let ways_in = [self.handle.queue(), self.handle.refusing_queue()];
        let queued = ways_in.into_iter().filter_map(CommitQueue::take).map(|pending| pending.fate);
        for fate in waiting.chain(stalled).chain(queued) {
            fate.decide(Err(refusal));
        }
        self.handle.update(|_| ());
    }
}
