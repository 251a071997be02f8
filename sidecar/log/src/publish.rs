//! What others see of a log, and when: what counts as stored, what is synced, and the marker that is a
//! witness of that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::committer::RETRY_FULL;
use crate::error::LogError;
use crate::log::Log;
use crate::vfs::File;

/// A log is quiet, and gets its marker, after this time without a record.
const QUIET: Duration = Duration::from_millis(5);

impl Log {
    /// The file that a sync must cover, if bytes were written.
    pub(crate) fn dirty_file(&self) -> Option<Arc<dyn File>> {
        let active = self.active.as_ref().filter(|active| active.dirty)?;
        Some(Arc::clone(&active.view.file))
    }

    /// When what was written is to be synced.
    pub(crate) fn sync_at(&self) -> Option<Instant> {
        let since = self.unsynced_since?;
        if self.handle.sync_is_ordered() {
            Some(since)
        } else {
            Some(since + self.sync.patience()?)
        }
    }

    /// Everything written is synced.
    pub(crate) fn synced(&mut self) {
        self.handle.sync_done();
        if let Some(active) = &mut self.active {
            active.synced();
        }
        self.durable();
    }

    pub(crate) fn durable(&mut self) {
        self.unsynced_since = None;
        self.newly_durable += self.end.seq - self.durable_end;
        self.durable_end = self.end.seq;
        self.handle.view().marks.durable_end = self.end.seq;
    }

    pub(crate) fn note_unsynced(&mut self, now: Instant) {
        if self.active.as_ref().is_some_and(|active| active.dirty) {
            self.unsynced_since.get_or_insert(now);
        }
    }

    /// What was written counts as stored: readers see it, producers learn of it.
    pub(crate) fn publish(&mut self) {
        if let Some(active) = &self.active {
            active.publish();
        }
        if !self.unpublished.is_empty() {
            self.handle.publish(std::mem::take(&mut self.unpublished));
        }
        for (fate, first_seq) in self.undecided.drain(..) {
            fate.decide(Ok(first_seq));
        }
        self.show_fullness();
    }

    /// Looks whether what records were refused for is there now, whoever freed it. Not right after a
    /// refusal: a quota may forbid what the file system still has.
    pub(crate) fn look_for_space(&mut self, now: Instant) {
        let due = self.refused.filter(|refused| now - refused.last >= RETRY_FULL);
        if due.is_some_and(|refused| self.has_space(refused.needed)) {
            self.refused = None;
            self.show_fullness();
        }
    }

    fn show_fullness(&self) {
        let waiting = self.stalled.is_some();
        let now = (waiting || self.refused.is_some(), waiting);
        let shown = {
            let marks = &self.handle.view().marks;
            (marks.full, marks.waiting)
        };
        if shown != now {
            self.handle.update(|shared| (shared.marks.full, shared.marks.waiting) = now);
        }
    }

    /// When the log counts as quiet if no more records come, and is to be marked: what a marker is
    /// a witness of must be synced.
    pub(crate) fn quiet_at(&self) -> Option<Instant> {
        let synced = self.durable_end == self.end.seq;
        self.unwitnessed.filter(|_| synced).map(|last| last + QUIET)
    }

    /// Puts a marker behind the last records, once, now that the log is quiet and they are synced.
    /// Not synced itself. Without space there is none.
    pub(crate) fn mark(&mut self, now: Instant) -> Result<(), LogError> {
        if let Some(active) = &mut self.active
            && self.unwitnessed.take().is_some()
        {
            match active.mark(self.end) {
                Ok(end) => self.end = end,
                Err(LogError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        self.note_unsynced(now);
        Ok(())
    }
}
