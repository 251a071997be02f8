//! Finds records for the connections of one delivery: in memory near the end of the log, else on
//! disk, where reading blocks and therefore leaves the async workers alone.
//!
//! What was read last is shared: connections take neighbouring records, and a batch may be as large
//! as the commit that wrote it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifeboat_log::{Batch, LogHandle, Read, Reader};
use tokio::task::block_in_place;

/// What there is at a seq.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// The batch that holds it.
    Batch(Arc<Batch>),
    /// No record any more: it was deleted, or it is lost. The next one is here or later.
    Gone(u64),
    /// Nothing for now: it is yet to come, or the log is being mended, or stopped.
    Nothing,
}

/// A delivery's way into the log.
#[derive(Debug)]
pub(super) struct Payloads {
    log: Arc<LogHandle>,
    /// The batch that was read from the disk last.
    found: Mutex<Option<Arc<Batch>>>,
    /// Held while the disk is read.
    reader: Mutex<Option<Reader>>,
}

impl Payloads {
    pub(super) fn new(log: Arc<LogHandle>) -> Self {
        Self { log, found: Mutex::new(None), reader: Mutex::new(None) }
    }

    /// What there is at `seq`. Where damage is met, the log is mended or stopped: whoever waits for
    /// its changes learns of it.
    pub(super) fn find(&self, seq: u64) -> Found {
        match self.in_memory(seq) {
            Some(batch) => Found::Batch(batch),
            None if self.log.is_stopped() => Found::Nothing,
            None => block_in_place(|| self.read(seq)),
        }
    }

    /// Lets go what was read last, once no connection has anything left to send.
    pub(super) fn rest(&self) {
        let held = lock(&self.found).take().is_some();
        // Whoever reads just now finds more to send.
        if held && let Ok(mut reader) = self.reader.try_lock() {
            *reader = None;
        }
    }

    fn in_memory(&self, seq: u64) -> Option<Arc<Batch>> {
        let found = lock(&self.found);
        let found =
            found.as_ref().filter(|batch| (batch.first_seq..batch.end_seq()).contains(&seq));
        found.map(Arc::clone).or_else(|| self.log.in_memory(seq))
    }

    fn read(&self, seq: u64) -> Found {
        let mut reader = lock(&self.reader);
        // Another connection may have read it while this one waited.
        if let Some(batch) = self.in_memory(seq) {
            return Found::Batch(batch);
        }
        let batch = match reader.get_or_insert_with(|| self.log.reader()).read(seq) {
            Ok(Read::Batch(batch)) => batch,
            Ok(Read::Deleted { next }) => return Found::Gone(next),
            Ok(Read::End) => return Found::Nothing,
            Err(error) => {
                if self.log.damaged(&error) {
                    tracing::error!(%error, "damage met");
                }
                return Found::Nothing;
            }
        };
        *lock(&self.found) = Some(Arc::clone(&batch));
        Found::Batch(batch)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
