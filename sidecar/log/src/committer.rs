//! The group commit: everything that waits is appended, synced once, and published.
//!
//! One step at a time and without a thread or a clock of its own, so that tests can stop it
//! anywhere. [`crate::writer`] runs it.

mod mending;
mod removing;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::commit_stats::CommitStats;
use crate::error::LogError;
use crate::fate::{Fate, Refusal};
use crate::journal::Journal;
use crate::journal_queue::{JournalQueue, Taken, Urgency};
use crate::log::Log;
use crate::reserve::Reserve;
use crate::state::Op;
use crate::vfs::{File, Vfs};

/// Settlements are durable within this time even when nobody waits for them.
const JOURNAL_INTERVAL: Duration = Duration::from_millis(50);
/// ... or after so many operations.
const JOURNAL_OPS: usize = 1_000;
/// So many operations go into one batch of the journal at most: far fewer than its format takes,
/// however many have gathered while a slow sync went on.
const OPS_A_BATCH: usize = 10_000;
/// How often a full log looks whether space was freed by others.
const RETRY_FULL: Duration = Duration::from_millis(100);

/// The time of a step.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For intervals.
    pub instant: Instant,
    /// For records: Unix time in nanoseconds.
    pub unix_nanos: u64,
}

/// Everything that one volume writes to.
#[derive(Debug)]
pub struct Committer {
    vfs: Arc<dyn Vfs>,
    /// The volume's directory, for errors.
    dir: PathBuf,
    logs: Vec<Log>,
    journal: Journal,
    journal_queue: Arc<JournalQueue>,
    reserve: Reserve,
    salts: SmallRng,
    /// Operations that found no space in the journal.
    unjournaled: Option<Taken>,
    /// Operations in the journal that no sync has covered.
    unsynced: Unsynced,
    stats: Arc<CommitStats>,
}

#[derive(Debug, Default)]
struct Unsynced {
    fates: Vec<Arc<Fate<()>>>,
    ops: usize,
    urgent: bool,
    since: Option<Instant>,
}

impl Unsynced {
    fn due(&self, now: Instant) -> bool {
        self.urgent
            || self.ops >= JOURNAL_OPS
            || self.since.is_some_and(|since| now >= since + JOURNAL_INTERVAL)
    }
}

impl Committer {
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        dir: PathBuf,
        logs: Vec<Log>,
        journal: Journal,
        journal_queue: Arc<JournalQueue>,
        reserve: Reserve,
        seed: u64,
    ) -> Self {
        Self {
            vfs,
            dir,
            logs,
            journal,
            journal_queue,
            reserve,
            salts: SmallRng::seed_from_u64(seed),
            unjournaled: None,
            unsynced: Unsynced::default(),
            stats: Arc::default(),
        }
    }

    /// Appends, syncs and publishes what waits, and deletes what is settled.
    ///
    /// # Errors
    /// Any error is final: a sync or a write failed, so what the disk holds is unknown. The caller
    /// calls [`Self::close`] and ends. A full disk is no error: what found no room waits.
    pub fn commit(&mut self, now: Now) -> Result<(), LogError> {
        self.append_journal(now.instant)?;
        for log in &mut self.logs {
            log.append_waiting(now, &mut || self.salts.next_u64())?;
            if log.quiet_at().is_some_and(|quiet| now.instant >= quiet) {
                log.mark()?;
            }
        }
        let journal_due = self.unsynced.due(now.instant);
        self.sync(journal_due && self.journal.dirty())?;
        let records = self.logs.iter_mut().map(Log::publish).sum();
        self.stats.committed(records);
        if journal_due {
            self.journal_synced();
        }
        if journal_due || self.logs.iter().any(Log::needs_deletions) {
            self.delete_settled()?;
        }
        self.mend_ordered()?;
        self.remove_ordered()?;
        if self.journal.snapshot_due() {
            self.snapshot()?;
        }
        Ok(())
    }

    /// Commits what waits and syncs the journal, whatever its interval says: the last step.
    pub fn finish(&mut self, now: Now) -> Result<(), LogError> {
        self.unsynced.urgent = true;
        self.commit(now)?;
        for log in &mut self.logs {
            log.mark()?;
        }
        self.sync(self.journal.dirty())?;
        self.journal_synced();
        Ok(())
    }

    /// How well the group commit groups.
    pub fn stats(&self) -> Arc<CommitStats> {
        Arc::clone(&self.stats)
    }

    /// When [`Self::commit`] has something to do even if nobody hands anything over.
    pub fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let journal = self.unsynced.since.map(|since| since + JOURNAL_INTERVAL);
        let quiet = self.logs.iter().filter_map(Log::quiet_at).min();
        let stalled =
            self.unjournaled.is_some() || self.logs.iter().any(|log| log.stalled.is_some());
        [journal, quiet, stalled.then(|| now + RETRY_FULL)].into_iter().flatten().min()
    }

    /// Refuses everything from now on and tells everybody who waits.
    pub fn close(&mut self, refusal: Refusal) {
        self.journal_queue.close(refusal);
        let unjournaled = self.unjournaled.take().map(|taken| taken.fate);
        let queued = self.journal_queue.take().map(|taken| taken.fate);
        for fate in self.unsynced.fates.drain(..).chain(unjournaled).chain(queued) {
            fate.decide(Err(refusal));
        }
        for log in &mut self.logs {
            log.close(refusal);
        }
    }

    /// Moves what deliveries learned into the journal. Not synced.
    fn append_journal(&mut self, now: Instant) -> Result<(), LogError> {
        loop {
            let next = self.unjournaled.take().or_else(|| self.journal_queue.take());
            let Some(taken) = next else { return Ok(()) };
            match self.append_ops(&taken.ops) {
                Ok(()) => {}
                Err(LogError::Full) => {
                    self.unjournaled = Some(taken);
                    return Ok(());
                }
                Err(error) => {
                    self.unsynced.fates.push(taken.fate);
                    return Err(error);
                }
            }
            self.unsynced.ops += taken.ops.len();
            self.unsynced.urgent |= taken.urgency == Urgency::Now;
            self.unsynced.since.get_or_insert(now);
            self.unsynced.fates.push(taken.fate);
        }
    }

    /// Appends to the journal, on the reserve's space if there is no other.
    ///
    /// # Errors
    /// After `Full` some of the operations may be in the journal. They say nothing new when they
    /// are all appended again.
    fn append_ops(&mut self, ops: &[Op]) -> Result<(), LogError> {
        let Self { journal, reserve, .. } = self;
        ops.chunks(OPS_A_BATCH).try_for_each(|some| reserve.lend(|| journal.append(some)))
    }

    /// One sync for all that was written.
    fn sync(&mut self, journal: bool) -> Result<(), LogError> {
        let mut files: Vec<Arc<dyn File>> = self.logs.iter().filter_map(Log::dirty_file).collect();
        if journal {
            files.push(self.journal.file());
        }
        for result in self.vfs.sync_data_all(&files) {
            result.map_err(|source| LogError::sync(&self.dir)(source))?;
        }
        Ok(())
    }

    fn journal_synced(&mut self) {
        self.journal.mark_synced();
        for fate in std::mem::take(&mut self.unsynced).fates {
            fate.decide(Ok(()));
        }
    }

    /// Deletes the segments whose records every delivery has settled, once that is durable.
    fn delete_settled(&mut self) -> Result<(), LogError> {
        let state = self.journal.state();
        let deletions: Vec<(usize, u64)> = self
            .logs
            .iter_mut()
            .enumerate()
            .flat_map(|(at, log)| {
                let stream = state.stream(log.handle.id());
                let settled =
                    |seqs: &Range<u64>| stream.is_some_and(|stream| stream.all_settled(seqs));
                log.look_at_newest(settled);
                log.settled_segments(settled).into_iter().map(move |number| (at, number))
            })
            .collect();
        if deletions.is_empty() {
            return Ok(());
        }
        let ops: Vec<Op> = deletions
            .iter()
            .filter_map(|&(at, number)| {
                let log = self.logs.get(at)?.handle.id();
                Some(Op::SegmentsDeleted { log, numbers: number..number + 1 })
            })
            .collect();
        match self.append_ops(&ops) {
            Ok(()) => {
                self.journal.sync()?;
                self.journal_synced();
            }
            // Tried again after the next sync of the journal.
            Err(LogError::Full) => return Ok(()),
            Err(error) => return Err(error),
        }
        for (at, number) in deletions {
            if let Some(log) = self.logs.get_mut(at) {
                log.delete(number);
            }
        }
        self.reserve.replenish()
    }

    /// Folds the journal into a snapshot. Without space the journal grows on until there is some.
    fn snapshot(&mut self) -> Result<(), LogError> {
        let Self { journal, reserve, .. } = self;
        match reserve.lend(|| journal.snapshot()) {
            // A snapshot holds, synced, all that was appended.
            Ok(()) => self.journal_synced(),
            Err(LogError::Full) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
