//! How ids get from a stream's batches to the log of copies, and what is settled on the way: records
//! when their ids are copied, copies when they are too old.

use std::future::pending;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_log::{
    Holder, JournalQueue, KeptIds, LogHandle, Op, Read, Reader, Refusal, Rejection, Run, Submitted,
    Urgency,
};

use super::Trouble;
use crate::dedup::copies::{self, Copied};
use crate::dedup::nanos;

/// Ids that are copied at once ...
const CHUNK: usize = 1_000;
/// ... or as many as came within this time. Until then their batches hold them.
const GATHER: Duration = Duration::from_secs(1);
/// So many ids may wait for being copied; then the stream is not followed any further.
const WAITING: usize = 8 * CHUNK;
/// When to look again whether a full log of copies has room.
const FULL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Copying {
    kept: KeptIds,
    journal: Arc<JournalQueue>,
    pub(super) records: Reader,
    copies: Reader,
    /// The stream was followed to here.
    position: u64,
    /// In order.
    waiting: Vec<Copied>,
    writing: Option<Writing>,
    /// When to copy or settle what there is, however little.
    due: Option<Instant>,
}

/// Ids that are being written.
#[derive(Debug)]
struct Writing {
    submitted: Submitted,
    ids: Vec<Copied>,
    /// Once they are durable, the stream's records below here need not be held.
    releases: u64,
}

impl Copying {
    pub(super) fn new(log: &Arc<LogHandle>, kept: KeptIds, journal: Arc<JournalQueue>) -> Self {
        Self {
            records: log.reader(),
            copies: kept.log.reader(),
            position: kept.source.cursor,
            kept,
            journal,
            waiting: Vec::new(),
            writing: None,
            due: None,
        }
    }

    /// The stream was followed to here.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the stream, which ends at `end`, is to be followed.
    pub(super) fn takes_more(&self, end: u64) -> bool {
        self.position < end && self.waiting.len() < WAITING
    }

    /// Notes the ids of the records up to `end`.
    pub(super) fn note(&mut self, ids: Vec<Copied>, end: u64) {
        self.waiting.extend(ids);
        self.position = end;
        self.due.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// When [`Self::go_on`] is to be called at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.writing.is_some() { None } else { self.due }
    }

    /// Completes when [`Self::copied`] has something; never without anything being written.
    pub(super) async fn decided(&self) {
        match &self.writing {
            Some(writing) => drop(writing.submitted.fate.wait().await),
            None => pending().await,
        }
    }

    /// What was copied, durably, since the last call, and where the copies end.
    pub(super) fn copied(&mut self) -> Result<Option<(Vec<Copied>, u64)>, Trouble> {
        let Some(outcome) = self.writing.as_ref().and_then(|one| one.submitted.fate.outcome())
        else {
            return Ok(None);
        };
        let Some(Writing { submitted, ids, releases }) = self.writing.take() else {
            return Ok(None);
        };
        let first = outcome.map_err(Trouble::Closed)?;
        settle(&self.journal, &mut self.kept.source, releases);
        Ok(Some((ids, first + submitted.index + 1)))
    }

    /// Copies and settles what is due.
    pub(super) fn go_on(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        let due = self.waiting.len() >= CHUNK || self.due.is_some_and(|due| now >= due);
        if self.writing.is_some() || !due {
            return Ok(());
        }
        self.due = None;
        if self.waiting.is_empty() {
            settle(&self.journal, &mut self.kept.source, self.position);
            return Ok(());
        }
        let count = self.waiting.len().min(CHUNK);
        let record = copies::encode(self.waiting.get(..count).unwrap_or_default());
        let end = u32::try_from(record.len()).unwrap_or(u32::MAX);
        let whole = 0..end;
        let run = Run { bytes: &record, records: std::slice::from_ref(&whole) };
        match self.kept.log.queue().submit(run, &mut Vec::new()) {
            Ok(submitted) => {
                let ids: Vec<Copied> = self.waiting.drain(..count).collect();
                let releases = self.waiting.first().map_or(self.position, |(_, next)| next.seq);
                self.writing = Some(Writing { submitted, ids, releases });
                if !self.waiting.is_empty() {
                    self.due = Some(now + GATHER);
                }
                Ok(())
            }
            Err(Rejection::Full) => {
                self.due = Some(now + FULL);
                Ok(())
            }
            Err(Rejection::Closed(refusal)) => Err(Trouble::Closed(refusal)),
        }
    }

    /// Lets copies go that were written longer ago than `window`.
    pub(super) fn expire(&mut self, window: Duration, now: u64) -> Result<(), Trouble> {
        loop {
            let end = match self.read_copies(self.kept.copies.cursor)? {
                // An id is older than its copy.
                Read::Batch(batch) if batch.time.saturating_add(nanos(window)) < now => {
                    batch.end_seq()
                }
                Read::Deleted { next } => next,
                Read::Batch(_) | Read::End => return Ok(()),
            };
            settle(&self.journal, &mut self.kept.copies, end);
        }
    }

    /// The copies that are not too old.
    pub(super) fn kept_copies(&self) -> Range<u64> {
        self.kept.copies.cursor..self.kept.log.published_end()
    }

    /// The copies at `seq`.
    pub(super) fn read_copies(&mut self, seq: u64) -> Result<Read, Trouble> {
        let failed = |error| Trouble::Log(Arc::clone(&self.kept.log), error);
        if self.kept.log.marks().stopped.is_some() {
            return Err(Trouble::Closed(Refusal::Stopped));
        }
        self.copies.read(seq).map_err(failed)
    }

    /// Forgets what was followed and not copied, to follow it again.
    pub(super) fn start_over(&mut self) {
        self.position = self.kept.source.cursor;
        self.waiting.clear();
        self.writing = None;
        self.due = None;
    }
}

/// Moves a holder on.
fn settle(journal: &JournalQueue, holder: &mut Holder, to: u64) {
    if to > holder.cursor {
        let Holder { stream, delivery, cursor } = *holder;
        let range = cursor..to;
        journal.submit([Op::Settled { stream, delivery, range }], Urgency::Lazy);
        holder.cursor = to;
    }
}
