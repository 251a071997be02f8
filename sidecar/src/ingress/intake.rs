//! Hands what a connection has read to the log's next commit.

use std::ops::Range;

use event_listener::EventListener;
use lifeboat_log::{CommitQueue, Refusal, Rejection, Run, Submitted};

/// Larger runs than this are rare enough to give their memory back: a connection that rests should
/// cost little.
const USUAL_RUN: usize = 1024;

/// Records found in a connection's read buffer, and memory that is used again for the usual run.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Where each record is in the buffer.
    records: Vec<Range<u32>>,
    /// Whether a stream that damage has stopped is waited for.
    patient: bool,
    sums: Vec<u32>,
}

/// What became of a run.
#[derive(Debug)]
pub(super) enum Handed {
    /// It will be stored, or the fate says why not.
    Over(Submitted),
    /// Not yet: try again when this completes.
    Wait(EventListener),
    /// Never.
    Refused,
}

impl Intake {
    /// Of producers that nobody can answer: while damage stops the stream, they wait.
    pub(super) fn patient() -> Self {
        Self { patient: true, ..Self::default() }
    }

    /// Adds a record.
    pub(super) fn push(&mut self, record: Range<u32>) {
        self.records.push(record);
    }

    /// Adds a record for each message that ends at one of `ends`.
    pub(super) fn push_all(&mut self, ends: &[u32]) {
        let mut start = 0;
        self.records.extend(ends.iter().map(|&end| {
            let record = start..end;
            start = end;
            record
        }));
    }

    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Tries to hand the records over. Once they are, or never will be, none are left here.
    pub(super) fn hand_over(&mut self, bytes: &[u8], queue: &CommitQueue) -> Handed {
        let mut room = None;
        loop {
            let run = Run { bytes, records: &self.records };
            match (queue.submit(run, &mut self.sums), room) {
                (Ok(submitted), _) => {
                    self.forget();
                    return Handed::Over(submitted);
                }
                (Err(Rejection::Closed(_)), _) if !self.patient => {
                    self.forget();
                    return Handed::Refused;
                }
                (Err(Rejection::Closed(refusal)), _) if refusal != Refusal::Stopped => {
                    self.forget();
                    return Handed::Refused;
                }
                (Err(_), Some(room)) => return Handed::Wait(room),
                // Once more with the listener in place, so that no wake-up is missed.
                (Err(_), None) => room = Some(queue.room()),
            }
        }
    }

    fn forget(&mut self) {
        self.records.clear();
        self.records.shrink_to(USUAL_RUN);
        self.sums.clear();
        self.sums.shrink_to(USUAL_RUN);
    }
}
