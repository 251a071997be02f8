//! What leaves a log: segments that are settled, and those that a limit takes. It decides and lets
//! go; that a deletion is journaled before is the committer's part.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::active::Active;
use crate::age::AgeClock;
use crate::committer::RETRY_FULL;
use crate::error::LogError;
use crate::log::{Entropy, Log, Sealed};
use crate::retention::{Held, Overdue};
use crate::segment;

/// How often records are looked through for those that are too old.
const LOOK: Duration = Duration::from_millis(100);

/// Segments to delete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) numbers: Vec<u64>,
    /// Records below are taken by their age.
    pub(crate) expired_end: u64,
    /// Records below are taken by some limit, whether settled or not.
    pub(crate) taken_end: u64,
}

impl Log {
    /// Takes over rules that were changed.
    pub(crate) fn follow_rules(&mut self) {
        let given = self.rules.get();
        if given != self.retention {
            self.retention = given;
            // Nothing is known of what is too old by these.
            (self.oldest_time, self.look_at) = (0, None);
        }
    }

    /// Closes the segment that is written to when its records have been in it for long, so that
    /// they can go in time, and makes way for the last one when that is to go. Without space it
    /// stays as it is. What was written is published.
    pub(crate) fn close_aged(
        &mut self,
        clock: &AgeClock,
        salt: Entropy<'_>,
    ) -> Result<(), LogError> {
        if self.at_rest {
            return Ok(());
        }
        if self.is_to_close(clock) {
            unless_full(self.seal())?;
        }
        let cutoff = self.cutoff(clock);
        let old = |newest: &Sealed| cutoff.is_some_and(|cutoff| newest.last_time < cutoff);
        if self.active.is_none() && self.sealed.last().is_some_and(old) {
            unless_full(self.create_segment(0, salt))?;
        }
        Ok(())
    }

    /// Moves the mark of what is too old to be delivered. Where settled records stay it moves with
    /// the segments.
    pub(crate) fn expire(&mut self, clock: &AgeClock, now: Instant) {
        let Some(cutoff) = self.cutoff(clock).filter(|_| !self.retention.replay) else { return };
        if self.oldest_time >= cutoff || self.look_at.is_some_and(|at| now < at) {
            return;
        }
        self.look_at = Some(now + LOOK);
        match self.handle.first_since(cutoff) {
            Ok(found) => {
                self.oldest_time = found.time.unwrap_or(u64::MAX);
                self.handle.expire(found.seq);
            }
            Err(error) => {
                self.oldest_time = u64::MAX;
                self.handle.damaged(&error);
            }
        }
    }

    /// When [`Self::close_aged`], [`Self::expire`] or a deletion by age has something to do if
    /// nothing else happens before.
    pub(crate) fn aged_at(&self, clock: &AgeClock, now: Instant) -> Option<Instant> {
        let max_age = self.retention.max_age?;
        let first_written = self.active.as_ref().and_then(Active::first_time);
        let closing = first_written.zip(self.retention.closing_age());
        let oldest = self.sealed.first().map(|oldest| (oldest.last_time, max_age));
        let expiring = (!self.retention.replay && self.oldest_time < u64::MAX)
            .then_some((self.oldest_time, max_age));
        let waits = [closing, oldest, expiring].into_iter().flatten();
        let soonest = waits.map(|(time, age)| clock.until_older(time, age)).min()?;
        Some(now + soonest.max(LOOK))
    }

    /// The segments that are to go now. The newest one always stays: it is what tells the next
    /// start which seq comes next.
    pub(crate) fn due(&mut self, settled: impl Fn(&Range<u64>) -> bool, clock: &AgeClock) -> Due {
        let Overdue { expired, dropped } = self.overdue(clock);
        if dropped > 0 {
            self.dropped = clock.now();
        }
        let replay = self.retention.replay;
        let lone = self.sealed.len() == 1;
        let give_way = self.retention.drop_when_full && lone && self.is_short(clock);
        if let Some(newest) = self.sealed.last_mut() {
            newest.replaceable = give_way || (!replay && settled(&newest.seqs));
        }
        let end_of = |count: usize| {
            let last = count.checked_sub(1).and_then(|last| self.sealed.get(last));
            last.map_or(0, |last| last.seqs.end)
        };
        let (expired_end, taken_end) = (end_of(expired), end_of(expired + dropped));
        let going =
            self.can_go().iter().enumerate().filter(|&(at, segment)| {
                at < expired + dropped || (!replay && settled(&segment.seqs))
            });
        let numbers = going.map(|(_, segment)| segment.number).collect();
        Due { numbers, expired_end, taken_end }
    }

    /// Whether deletions are due even if nothing new was settled: records wait or were refused,
    /// perhaps for one that an earlier process did not get to; a segment is there whose space was
    /// given away; a limit takes one.
    pub(crate) fn needs_deletions(&self, clock: &AgeClock) -> bool {
        self.stalled.is_some()
            || self.refused.is_some()
            || self.sealed.iter().any(|segment| !segment.counted)
            || self.overdue(clock).segments() > 0
    }

    /// Lets a segment go whose deletion is journaled and synced. A crash before the file is gone
    /// leaves it to the next start.
    pub(crate) fn delete(&mut self, number: u64) {
        let Some(at) = self.sealed.iter().position(|segment| segment.number == number) else {
            return;
        };
        let segment = self.sealed.remove(at);
        if segment.counted {
            self.budget.give_back(segment.disk_len);
        }
        self.handle.deleted(segment.seqs.start, segment.disk_len);
        let index = self.dir.join(segment::index_name(segment.seqs.start));
        self.vfs.discard(&index, None);
        self.vfs.discard(&segment.view.path, Some(Arc::clone(&segment.view.file)));
    }

    fn overdue(&self, clock: &AgeClock) -> Overdue {
        if self.retention == crate::retention::Retention::default() {
            return Overdue::default();
        }
        let held: Vec<Held> = self.can_go().iter().map(Sealed::held).collect();
        let kept = self.sealed.get(held.len()..).unwrap_or_default();
        let active = self.active.as_ref().map_or(0, |active| self.end.seq - active.view.base_seq);
        let newer = active + kept.iter().map(|one| one.seqs.end - one.seqs.start).sum::<u64>();
        self.retention.overdue(&held, newer, self.cutoff(clock), self.is_short(clock))
    }

    /// Whether records of the stream wait for space: dead letters take it from the same share. Where it
    /// is the disk that lacks it, what was dropped for them just now may do: it leaves the disk later.
    fn is_short(&self, clock: &AgeClock) -> bool {
        let waits = self.stalled.as_ref().is_some_and(|rest| {
            let needed = self.segment_bytes.max(rest.needed());
            let on_its_way = |(at, now)| now - at < RETRY_FULL;
            let is_coming = self.dropped.zip(clock.now()).is_some_and(on_its_way);
            !is_coming || !self.budget.has(0, needed)
        });
        waits || self.budget.is_short()
    }

    fn is_to_close(&self, clock: &AgeClock) -> bool {
        let Some(active) = &self.active else { return false };
        let Some(first_time) = active.first_time() else { return false };
        let age = self.retention.closing_age();
        age.is_some_and(|age| first_time < clock.cutoff(age))
            || self.retention.closes_at(self.end.seq - active.view.base_seq)
    }

    fn cutoff(&self, clock: &AgeClock) -> Option<u64> {
        self.retention.max_age.map(|age| clock.cutoff(age))
    }

    /// The closed segments but for the newest of all.
    fn can_go(&self) -> &[Sealed] {
        let newest = usize::from(self.active.is_none());
        self.sealed.get(..self.sealed.len().saturating_sub(newest)).unwrap_or_default()
    }
}

impl Sealed {
    fn held(&self) -> Held {
        let Self { seqs, last_time, counted, .. } = self;
        Held { seqs: seqs.clone(), last_time: *last_time, replaced: !counted }
    }
}

fn unless_full(done: Result<(), LogError>) -> Result<(), LogError> {
    match done {
        Err(LogError::Full) => Ok(()),
        done => done,
    }
}
