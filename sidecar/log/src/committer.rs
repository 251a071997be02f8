//! The group commit: everything that waits is appended, synced once, and published.
//!
//! One step at a time and without a thread or a clock of its own, so that tests can stop it
//! anywhere. [`crate::writer`] runs it.

mod mending;
mod removing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::age::AgeClock;
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
pub(crate) const RETRY_FULL: Duration = Duration::from_millis(100);

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
    pub(crate) logs: Vec<Log>,
    pub(crate) journal: Journal,
    journal_queue: Arc<JournalQueue>,
    pub(crate) reserve: Reserve,
    salts: SmallRng,
    /// Operations that found no space in the journal.
    unjournaled: Option<Taken>,
    /// Operations in the journal that no sync has covered.
    unsynced: Unsynced,
    pub(crate) clock: AgeClock,
    /// Whether the last commit deleted what others may have waited for.
    pub(crate) made_room: bool,
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
            clock: AgeClock::default(),
            made_room: false,
            stats: Arc::default(),
        }
    }

    /// Appends, syncs and publishes what waits, and deletes what is settled or too old.
    ///
    /// # Errors
    /// Any error is final: a sync or a write failed, so what the disk holds is unknown. The caller
    /// calls [`Self::close`] and ends. A full disk is no error: what found no room waits.
    pub fn commit(&mut self, now: Now) -> Result<(), LogError> {
        self.clock.observe(now);
        self.made_room = false;
        self.append_journal(now.instant)?;
        for log in &mut self.logs {
            log.follow_rules();
            log.append_waiting(now, &mut || self.salts.next_u64())?;
            if log.quiet_at().is_some_and(|quiet| now.instant >= quiet) {
                log.mark(now.instant)?;
            }
            if log.sync.is_weak() {
                log.publish();
            }
        }
        let journal_due = self.unsynced.due(now.instant);
        let due = |log: &Log| log.sync_at().is_some_and(|at| now.instant >= at);
        self.sync(due, journal_due && self.journal.dirty())?;
        self.logs.iter_mut().for_each(Log::publish);
        if journal_due {
            self.journal_synced();
        }
        for log in &mut self.logs {
            log.close_aged(&self.clock, &mut || self.salts.next_u64())?;
            log.expire(&self.clock, now.instant);
        }
        if journal_due || self.logs.iter().any(|log| log.needs_deletions(&self.clock)) {
            self.delete_due()?;
        }
        self.logs.iter_mut().for_each(|log| log.look_for_space(now.instant));
        self.mend_ordered(now.instant)?;
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
        // A marker is a witness of what is synced, and so is the word that nothing is open.
        self.sync(|_| true, false)?;
        for log in &mut self.logs {
            log.mark(now.instant)?;
        }
        self.end_weakness()?;
        self.sync(|_| true, self.journal.dirty())?;
        self.journal_synced();
        Ok(())
    }

    /// Has the next start know that all that was seen is synced. Without space it will not.
    fn end_weakness(&mut self) -> Result<(), LogError> {
        let weak = self.logs.iter().filter(|log| log.sync.is_weak() && !log.jump_due);
        let ops: Vec<Op> =
            weak.map(|log| Op::WeaklySynced { log: log.handle.id(), weak: false }).collect();
        match self.append_ops(&ops) {
            Ok(()) | Err(LogError::Full) => Ok(()),
            Err(error) => Err(error),
        }
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
        let sync = self.logs.iter().filter_map(Log::sync_at).min();
        let stalled =
            self.unjournaled.is_some() || self.logs.iter().any(|log| log.stalled.is_some());
        let retry = stalled.then(|| if self.made_room { now } else { now + RETRY_FULL });
        let look = self.logs.iter().any(|log| log.refused.is_some()).then(|| now + RETRY_FULL);
        let aged = self.logs.iter().filter_map(|log| log.aged_at(&self.clock, now)).min();
        let mend = self.logs.iter().filter_map(|log| log.mend_at).min();
        [journal, quiet, sync, retry, look, aged, mend].into_iter().flatten().min()
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
    pub(crate) fn append_ops(&mut self, ops: &[Op]) -> Result<(), LogError> {
        let Self { journal, reserve, .. } = self;
        ops.chunks(OPS_A_BATCH).try_for_each(|some| reserve.lend(|| journal.append(some)))
    }

    /// One sync for what was written to the logs that are `due`.
    fn sync(&mut self, due: impl Fn(&Log) -> bool, journal: bool) -> Result<(), LogError> {
        let dirty = self.logs.iter().filter(|log| due(log)).filter_map(Log::dirty_file);
        let mut files: Vec<Arc<dyn File>> = dirty.collect();
        if journal {
            files.push(self.journal.file());
        }
        for result in self.vfs.sync_data_all(&files) {
            result.map_err(|source| LogError::sync(&self.dir)(source))?;
        }
        self.logs.iter_mut().filter(|log| due(log)).for_each(Log::synced);
        let records = self.logs.iter_mut().map(|log| std::mem::take(&mut log.newly_durable));
        self.stats.committed(records.sum());
        Ok(())
    }

    pub(crate) fn journal_synced(&mut self) {
        self.journal.mark_synced();
        for fate in std::mem::take(&mut self.unsynced).fates {
            fate.decide(Ok(()));
        }
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
