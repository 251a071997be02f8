//! How a delivery gets over seqs that hold no record any more. Pure.

use std::ops::Range;

use lifeboat_log::{DeliveryId, Holes, Op, StreamId};

use crate::delivery::{Effects, JournalOp};

/// What a delivery settled without a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Over {
    /// Records that damage took.
    lost: Vec<Range<u64>>,
    /// Seqs at which there is nothing to deliver.
    skipped: Vec<Range<u64>>,
}

/// Has `skip` settle `seqs`, of which no record is left: those that `holes` calls lost as lost.
pub(super) fn step_over(
    seqs: Range<u64>,
    holes: &Holes,
    mut skip: impl FnMut(Range<u64>, &mut Effects),
) -> Over {
    let mut settle = |seqs: Range<u64>| {
        let mut effects = Effects::default();
        skip(seqs, &mut effects);
        let settled = |op| match op {
            JournalOp::Settled(seqs) => Some(seqs),
            JournalOp::Attempt { .. } => None,
        };
        effects.journal.into_iter().filter_map(settled).collect::<Vec<_>>()
    };
    let lost = holes.lost_within(&seqs).into_iter().flat_map(&mut settle).collect();
    Over { lost, skipped: settle(seqs) }
}

impl Over {
    /// Records that damage took.
    pub(super) fn lost(&self) -> u64 {
        self.lost.iter().map(|seqs| seqs.end - seqs.start).sum()
    }

    /// For the journal.
    pub(super) fn ops(self, stream: StreamId, delivery: DeliveryId) -> impl Iterator<Item = Op> {
        let lost = self.lost.into_iter();
        let lost = lost.map(move |range| Op::Lost { stream, delivery, range });
        let skipped = self.skipped.into_iter();
        lost.chain(skipped.map(move |range| Op::Settled { stream, delivery, range }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lifeboat_log::ranges::RangeSet;

    use super::*;
    use crate::delivery::push::PushCursor;
    use crate::delivery::trail::TrailPolicy;

    #[test]
    fn what_was_settled_before_is_not_lost() {
        let policy = TrailPolicy { messages: 1, time: Duration::from_secs(1) };
        let settled = std::iter::once(4..6).collect();
        let mut cursor = PushCursor::new(policy, 2, settled);
        let gaps = [0..5, 8..9].into_iter().collect();
        let holes = Holes { gaps, jumps: RangeSet::new() };
        let over = step_over(0..9, &holes, |seqs, effects| {
            cursor.skip(seqs, effects);
        });
        assert_eq!(over.lost(), 3);
        assert_eq!(over, Over { lost: vec![2..4, 8..9], skipped: std::iter::once(6..8).collect() });
        assert_eq!(cursor.cursor().position(), 9);
        assert_eq!(holes.all().collect::<Vec<_>>(), [0..5, 8..9]);
    }
}
