//! Deleting segments: journaled and synced first, so that recovery tells a deleted segment from a
//! lost one, and so that no cursor points below what is kept.

use crate::committer::Committer;
use crate::error::LogError;
use crate::ids::StreamId;
use crate::retire::Due;
use crate::state::{Op, State};

impl Committer {
    /// Deletes the segments whose records every delivery has settled, and those that a limit takes.
    pub(crate) fn delete_due(&mut self) -> Result<(), LogError> {
        let Self { logs, journal, clock, .. } = self;
        let state = journal.state();
        let plans: Vec<(StreamId, Due)> = logs
            .iter_mut()
            .map(|log| {
                let id = log.handle.id();
                let stream = state.stream(id);
                let settled = |seqs: &_| stream.is_some_and(|stream| stream.all_settled(seqs));
                (id, log.due(settled, clock))
            })
            .collect();
        let ops: Vec<Op> = plans.iter().flat_map(|(id, due)| ops(state, *id, due)).collect();
        if ops.is_empty() {
            return Ok(());
        }
        match self.append_ops(&ops) {
            Ok(()) => {
                self.journal.sync()?;
                self.journal_synced();
            }
            // Tried again after the next sync of the journal.
            Err(LogError::Full) => return Ok(()),
            Err(error) => return Err(error),
        }
        for (log, (_, due)) in self.logs.iter_mut().zip(plans) {
            // First, so that deliveries count as too old what went by its age.
            log.handle.expire(due.expired_end);
            due.numbers.into_iter().for_each(|number| log.delete(number));
        }
        self.made_room = true;
        self.reserve.replenish()
    }
}

/// What the journal is told of the deletions in one log: cursors below what is taken move with it.
fn ops(state: &State, log: StreamId, due: &Due) -> Vec<Op> {
    let numbers = due.numbers.iter();
    let deleted = numbers.map(|&number| Op::SegmentsDeleted { log, numbers: number..number + 1 });
    let deliveries = state.stream(log).into_iter().flat_map(|stream| &stream.deliveries);
    let overtaken = deliveries.filter(|(_, known)| known.cursor < due.taken_end);
    let moved = overtaken.map(|(&delivery, known)| Op::Settled {
        stream: log,
        delivery,
        range: known.cursor..due.taken_end,
    });
    deleted.chain(moved).collect()
}
