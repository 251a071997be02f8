//! What is known of ids without a look at the disk. Pure but for the fates that it looks at.
//!
//! An id goes through four stages: *fresh* from when its record is handed to the log until it is
//! copied, *young* until there are enough for a run, *spilling* while that is written, and *older*
//! from then on. Later stages hold what came earlier, so a look-up takes the first that it finds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::{DedupId, Submitted};

use super::copies::Copied;
use super::run::Run;
use super::{Answer, Key, Known, nanos};

#[derive(Debug)]
pub(super) struct Memory {
    phase: Phase,
    fresh: HashMap<Key, Fresh>,
    young: HashMap<Key, Known>,
    spilling: Arc<HashMap<Key, Known>>,
    /// The oldest first.
    older: Vec<Arc<Run>>,
    /// Rises with every change of `older`.
    generation: u64,
    /// Seqs that belong to no record, not any more: what has one is not stored.
    jumps: RangeSet,
    /// Ids of a run.
    capacity: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Ids are gathered from the log: nobody knows what is new.
    Gathering,
    Ready,
    /// A log is stopped: nobody knows until it is mended.
    Failed,
}

/// An id that is not copied yet.
#[derive(Debug)]
enum Fresh {
    /// Its record is on its way to the disk.
    Waiting { content: [u8; 16], submitted: Submitted },
    /// It is there.
    Durable(Known),
}

/// What is known of a message.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It did not come before, or too long ago.
    New,
    /// It came before and may not be durable yet.
    Same(Submitted),
    /// It came before and has this seq.
    Stored(u64),
    /// Its id came before with another content.
    Other,
    /// Perhaps it did, long ago: the disk has to be asked.
    OnDisk,
    /// Nobody knows.
    Unavailable,
}

impl Memory {
    /// Nothing is known yet. A run holds `capacity` ids.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            phase: Phase::Gathering,
            fresh: HashMap::new(),
            young: HashMap::new(),
            spilling: Arc::default(),
            older: Vec::new(),
            generation: 0,
            jumps: RangeSet::new(),
            capacity,
        }
    }

    /// Whether messages with ids can be decided about, and there is room for more of them.
    pub(super) fn takes_more(&self) -> bool {
        match self.phase {
            Phase::Gathering => false,
            Phase::Ready => self.fresh.len().max(self.young.len()) < 2 * self.capacity,
            Phase::Failed => true,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Ids that are remembered.
    pub(super) fn len(&self) -> u64 {
        let in_memory = self.fresh.len() + self.young.len() + self.spilling.len();
        in_memory as u64 + self.older.iter().map(|run| run.count).sum::<u64>()
    }

    /// What is known of a message with this id at the time `now`, in Unix nanoseconds.
    pub(super) fn verdict(
        &self,
        id: &DedupId,
        window: Duration,
        now: u64,
        answer: Option<&Answer>,
    ) -> Verdict {
        if self.phase == Phase::Failed {
            return Verdict::Unavailable;
        }
        let remembered = |time: u64| now <= time.saturating_add(nanos(window));
        let known = match self.fresh.get(&id.key) {
            Some(Fresh::Waiting { content, submitted }) if !failed(submitted) => {
                let same = *content == id.content;
                return if same { Verdict::Same(submitted.clone()) } else { Verdict::Other };
            }
            Some(Fresh::Durable(known)) => Some(*known),
            _ => self.young.get(&id.key).or_else(|| self.spilling.get(&id.key)).copied(),
        };
        let candidates = || self.older.iter().filter(|run| remembered(run.newest));
        let known = match (known, answer) {
            (Some(known), _) => Some(known),
            (None, _) if !candidates().any(|run| run.filter.may_hold(&id.key)) => None,
            (None, Some(answer)) if answer.generation == self.generation => {
                answer.found.get(&id.key).copied()
            }
            (None, _) => return Verdict::OnDisk,
        };
        let stored = |known: &Known| !self.jumps.contains(known.seq);
        match known.filter(|known| remembered(known.time) && stored(known)) {
            None => Verdict::New,
            Some(known) if known.content == id.content => Verdict::Stored(known.seq),
            Some(_) => Verdict::Other,
        }
    }

    /// A new message was handed to the log.
    pub(super) fn submitted(&mut self, id: &DedupId, submitted: Submitted) {
        self.fresh.insert(id.key, Fresh::Waiting { content: id.content, submitted });
    }

    /// Its record is durable.
    pub(super) fn durable(&mut self, (key, known): Copied) {
        // It may have come once more since, if it was too old to be remembered.
        let newer = matches!(self.fresh.get(&key), Some(Fresh::Waiting { submitted, .. })
            if seq_of(submitted).is_some_and(|seq| seq > known.seq));
        if !newer {
            self.fresh.insert(key, Fresh::Durable(known));
        }
    }

    /// Its id is copied, durably.
    pub(super) fn copied(&mut self, ids: &[Copied]) {
        for (key, known) in ids {
            if matches!(self.fresh.get(key), Some(Fresh::Durable(fresh)) if fresh == known) {
                self.fresh.remove(key);
            }
            self.young.insert(*key, *known);
        }
    }

    /// Everything is known.
    pub(super) fn ready(&mut self) {
        self.phase = Phase::Ready;
    }

    /// Nothing will be known before all is gathered anew.
    pub(super) fn fail(&mut self) {
        self.start_over();
        self.phase = Phase::Failed;
    }

    /// Forgets messages that were handed to the log and not stored.
    pub(super) fn forget_refused(&mut self) {
        let refused =
            |fresh: &Fresh| matches!(fresh, Fresh::Waiting { submitted, .. } if failed(submitted));
        self.fresh.retain(|_, fresh| !refused(fresh));
    }

    /// Forgets what the log holds, to gather it anew; what is on its way there stays.
    pub(super) fn start_over(&mut self) {
        self.phase = Phase::Gathering;
        self.fresh.retain(|_, fresh| matches!(fresh, Fresh::Waiting { .. }));
        self.young = HashMap::new();
        self.spilling = Arc::default();
        self.set_older(Vec::new());
    }

    /// The ids of the next run, if there are enough.
    pub(super) fn start_spill(&mut self) -> Option<Arc<HashMap<Key, Known>>> {
        if self.young.len() < self.capacity {
            return None;
        }
        self.spilling = Arc::new(std::mem::take(&mut self.young));
        Some(Arc::clone(&self.spilling))
    }

    /// They are on disk.
    pub(super) fn spilled(&mut self, run: Run) {
        self.spilling = Arc::default();
        self.older.push(Arc::new(run));
        self.generation += 1;
    }

    /// Forgets what is older than `window`, and returns the runs that are.
    pub(super) fn expire(&mut self, window: Duration, now: u64) -> Vec<Arc<Run>> {
        self.forget_refused();
        let remembered = |time: u64| now <= time.saturating_add(nanos(window));
        self.young.retain(|_, known| remembered(known.time));
        let (kept, gone) = std::mem::take(&mut self.older)
            .into_iter()
            .partition::<Vec<_>, _>(|run| remembered(run.newest));
        self.older = kept;
        if !gone.is_empty() {
            self.generation += 1;
        }
        gone
    }

    /// Ids may outlive their records: a copy is synced as soon as it is written, a record of a weak
    /// sync mode later. What a power cut took in between has a seq of these.
    pub(super) fn set_jumps(&mut self, jumps: RangeSet) {
        self.jumps = jumps;
    }

    pub(super) fn set_older(&mut self, runs: Vec<Arc<Run>>) {
        self.older = runs;
        self.generation += 1;
    }

    /// The runs, the oldest first, and their generation.
    pub(super) fn older(&self) -> (u64, Vec<Arc<Run>>) {
        (self.generation, self.older.clone())
    }
}

fn seq_of(submitted: &Submitted) -> Option<u64> {
    submitted.seqs()?.ok()?.next()
}

/// A record that will not be stored.
fn failed(submitted: &Submitted) -> bool {
    submitted.seqs().is_some_and(|seqs| seqs.unwrap_or_default().is_empty())
}

#[cfg(test)]
mod tests;
