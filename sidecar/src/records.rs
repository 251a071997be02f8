//! Walks the records of one log, for those who look and do not consume. A batch at a time, so that
//! memory stays flat however long the log is.

use std::sync::Arc;

use lifeboat_log::{Batch, LogError, LogHandle, Read, Reader};
use tokio::task::block_in_place;

use crate::delivery::cursor::Cursor;

/// A place in a log.
#[derive(Debug)]
pub struct Records {
    log: Arc<LogHandle>,
    reader: Reader,
    batch: Option<Arc<Batch>>,
    from: u64,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    batch: Arc<Batch>,
    seq: u64,
}

impl Record {
    /// Its seq.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Unix time of its commit, in nanoseconds.
    pub fn time(&self) -> u64 {
        self.batch.time
    }

    /// Its wire bytes.
    pub fn wire(&self) -> &[u8] {
        self.batch.payload_bytes(self.seq).unwrap_or_default()
    }
}

impl Records {
    /// The records of `log` from `from` on.
    pub fn new(log: &Arc<LogHandle>, from: u64) -> Self {
        Self { log: Arc::clone(log), reader: log.reader(), batch: None, from }
    }

    /// The next published record, of those that `cursor` has not settled where one is given; `None`
    /// when there is none yet. May wait for the disk.
    ///
    /// # Errors
    /// Of the disk, or damage. Looking reports that and does not stop the log: its deliveries find
    /// out.
    pub fn next(&mut self, cursor: Option<&Cursor>) -> Result<Option<Record>, LogError> {
        loop {
            let range = self.from..self.log.published_end();
            let next = match cursor {
                Some(cursor) => cursor.next_unsettled(range),
                None => (!range.is_empty()).then_some(range),
            };
            let Some(seq) = next.map(|run| run.start) else { return Ok(None) };
            let held = |batch: &&Arc<Batch>| (batch.first_seq..batch.end_seq()).contains(&seq);
            if let Some(batch) = self.batch.as_ref().filter(held) {
                self.from = seq + 1;
                return Ok(Some(Record { batch: Arc::clone(batch), seq }));
            }
            match self.read(seq)? {
                Read::Batch(batch) => self.batch = Some(batch),
                Read::Deleted { next } => self.from = next.max(seq + 1),
                Read::End => return Ok(None),
            }
        }
    }

    fn read(&mut self, seq: u64) -> Result<Read, LogError> {
        let read = block_in_place(|| self.reader.read(seq));
        read.inspect_err(|error| self.log.found_damage(error))
    }
}
