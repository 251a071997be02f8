//! Finds records for deliveries: in memory near the end of the log, else on disk, where reading
//! blocks and therefore leaves the async workers alone.

use std::sync::Arc;

use lifeboat_log::{Batch, LogError, LogHandle, Read, Reader};

/// A delivery's place in the log.
#[derive(Debug)]
pub(super) struct Payloads {
    log: Arc<LogHandle>,
    reader: Reader,
    batch: Option<Arc<Batch>>,
}

impl Payloads {
    pub(super) fn new(log: Arc<LogHandle>) -> Self {
        Self { reader: log.reader(), log, batch: None }
    }

    /// The batch that holds `seq`; `None` when the log does not, for it was deleted or is yet to
    /// come.
    ///
    /// # Errors
    /// Damage, or the disk's: the log is stopped then, and says so in status.
    pub(super) fn batch(&mut self, seq: u64) -> Result<Option<Arc<Batch>>, LogError> {
        if let Some(batch) = &self.batch
            && (batch.first_seq..batch.end_seq()).contains(&seq)
        {
            return Ok(Some(Arc::clone(batch)));
        }
        self.batch = match self.log.in_memory(seq) {
            Some(batch) => Some(batch),
            None => match tokio::task::block_in_place(|| self.reader.read(seq)) {
                Ok(Read::Batch(batch)) => Some(batch),
                Ok(Read::Deleted { .. } | Read::End) => None,
                Err(error) => {
                    self.log.stop(&error);
                    return Err(error);
                }
            },
        };
        Ok(self.batch.clone())
    }

    /// Lets the batch go that was found last, so that an idle connection pins no memory.
    pub(super) fn rest(&mut self) {
        self.batch = None;
    }
}
