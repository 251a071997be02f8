//! What a keeper does first: learns from disk and from the log what ids there are. Until that is
//! done, no message with an id is decided about.

use std::sync::Arc;

use lifeboat_log::{LogHandle, Read};

use super::{Keeper, Trouble};
use crate::dedup::copies::{self, Copied};
use crate::dedup::{Question, nanos, unix_nanos};
use crate::index::Doubt;

/// How far that is.
#[derive(Debug)]
pub(super) struct Gather {
    /// Whether runs and copies are known.
    copies_known: bool,
    /// All is known once the stream was followed to here.
    goal: u64,
    /// Copies from here to `copies_end` are in memory, not in a run.
    pub(super) young_from: u64,
    pub(super) copies_end: u64,
    /// To be answered when they can be.
    pub(super) questions: Vec<Arc<Question>>,
}

impl Gather {
    pub(super) fn new(log: &LogHandle) -> Self {
        let (goal, questions) = (log.published_end(), Vec::new());
        Self { copies_known: false, goal, young_from: 0, copies_end: 0, questions }
    }

    /// Nothing is known any more.
    pub(super) fn start_over(&mut self, log: &LogHandle) {
        let questions = std::mem::take(&mut self.questions);
        *self = Self { questions, ..Self::new(log) };
    }
}

impl Keeper {
    /// Learns what is in runs and in copies.
    pub(super) fn gather(&mut self) -> Result<(), Trouble> {
        if self.gather.copies_known {
            return Ok(());
        }
        let kept = self.copying.kept_copies();
        let runs = self.older.load(kept.clone())?;
        let known_to = runs.last().map_or(kept.start, |run| run.copies.end);
        if let Some(newest) = runs.last()
            && self.witness(known_to - 1)? != Some(newest.witness)
        {
            return Err(Doubt::Wrong("the runs on disk are of other copies").into());
        }
        self.dedup.memory().set_older(runs.into_iter().map(Arc::new).collect());
        self.dedup.memory().set_jumps(self.log.holes().jumps);
        self.gather.young_from = known_to;
        self.gather.copies_end = known_to;
        while self.gather.copies_end < kept.end {
            let at = self.gather.copies_end;
            let Some((ids, end)) = self.read_copies(at)? else { break };
            self.dedup.memory().copied(&ids);
            self.gather.copies_end = end;
            self.spill()?;
        }
        self.gather.copies_known = true;
        Ok(())
    }

    pub(super) fn look_whether_ready(&mut self) {
        let followed = self.copying.position() >= self.gather.goal;
        if self.gather.copies_known && followed && !self.dedup.is_ready() {
            self.dedup.memory().ready();
            self.dedup.changed.notify(usize::MAX);
        }
    }

    /// The time of the commit of the copies with this seq.
    pub(super) fn witness(&mut self, seq: u64) -> Result<Option<u64>, Trouble> {
        match self.copying.read_copies(seq)? {
            Read::Batch(batch) => Ok(Some(batch.time)),
            Read::Deleted { .. } | Read::End => Ok(None),
        }
    }

    /// The ids, not too old, in the batch of copies that holds `from`, and where it ends.
    fn read_copies(&mut self, from: u64) -> Result<Option<(Vec<Copied>, u64)>, Trouble> {
        let oldest = unix_nanos().saturating_sub(nanos(self.window));
        match self.copying.read_copies(from)? {
            Read::Batch(batch) => {
                let records = (from..batch.end_seq()).filter_map(|seq| batch.payload_bytes(seq));
                let ids = records.flat_map(copies::decode);
                let ids = ids.filter(|(_, known)| known.time >= oldest).collect();
                Ok(Some((ids, batch.end_seq())))
            }
            Read::Deleted { next } => Ok(Some((Vec::new(), next))),
            Read::End => Ok(None),
        }
    }
}
