//! Finds records for the connections of one delivery: in memory near the end of the log, else on
//! disk, where reading blocks and therefore leaves the async workers alone.
//!
//! What was read last is shared: connections take neighbouring records, and a batch may be as large
//! as the commit that wrote it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifeboat_log::{Batch, LogError, LogHandle, Read, Reader};
use tokio::task::block_in_place;

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

    /// The batch that holds `seq`; `None` when the log does not, for it was deleted or is yet to
    /// come.
    ///
    /// # Errors
    /// Damage, or the disk's: the log is stopped then, and says so in status.
    pub(super) fn batch(&self, seq: u64) -> Result<Option<Arc<Batch>>, LogError> {
        match self.in_memory(seq) {
            Some(batch) => Ok(Some(batch)),
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

    fn read(&self, seq: u64) -> Result<Option<Arc<Batch>>, LogError> {
        let mut reader = lock(&self.reader);
        // Another connection may have read it while this one waited.
        if let Some(batch) = self.in_memory(seq) {
            return Ok(Some(batch));
        }
        let batch = match reader.get_or_insert_with(|| self.log.reader()).read(seq) {
            Ok(Read::Batch(batch)) => batch,
            Ok(Read::Deleted { .. } | Read::End) => return Ok(None),
            Err(error) => {
                self.log.stop(&error);
                return Err(error);
            }
        };
        *lock(&self.found) = Some(Arc::clone(&batch));
        Ok(Some(batch))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
