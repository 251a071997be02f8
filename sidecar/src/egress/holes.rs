//! How a delivery gets over seqs that hold no record any more, or whose record is too old. Pure.

use std::ops::Range;

use lifeboat_log::{DeliveryId, Holes, Marks, Op, StreamId};

use crate::delivery::{Effects, JournalOp};
use crate::metrics::DeliveryMetrics;

/// What a delivery settled without its application.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Over {
    /// Records that damage took.
    lost: Vec<Range<u64>>,
    /// Seqs that never belonged to a record.
    unused: Vec<Range<u64>>,
    /// Records that became too old.
    expired: Vec<Range<u64>>,
    /// Records that a limit of number or space took.
    dropped: Vec<Range<u64>>,
    /// Other seqs at which there is nothing to deliver.
    skipped: Vec<Range<u64>>,
}

/// Has `skip` settle `seqs`, of which no record is to be delivered any more, each part for the first
/// reason that there is: `holes`, then the log's `marks`.
pub(super) fn step_over(
    seqs: Range<u64>,
    holes: &Holes,
    marks: &Marks,
    mut skip: impl FnMut(Range<u64>, &mut Effects),
) -> Over {
    let mut settle = |part: Range<u64>| {
        let part = part.start.max(seqs.start)..part.end.min(seqs.end);
        let mut effects = Effects::default();
        if !part.is_empty() {
            skip(part, &mut effects);
        }
        let settled = |op| match op {
            JournalOp::Settled(seqs) => Some(seqs),
            JournalOp::Attempt { .. } | JournalOp::Seeked(_) => None,
        };
        effects.journal.into_iter().filter_map(settled).collect::<Vec<_>>()
    };
    Over {
        lost: holes.gaps.iter().flat_map(&mut settle).collect(),
        unused: holes.jumps.iter().flat_map(&mut settle).collect(),
        expired: settle(0..marks.expired_end),
        dropped: settle(0..marks.log_start),
        skipped: settle(0..u64::MAX),
    }
}

impl Over {
    /// Whether all of it had been settled before.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Tells the metrics what the application will never see.
    pub(super) fn count(&self, metrics: &DeliveryMetrics) {
        metrics.lost.inc_by(records(&self.lost));
        metrics.expired.inc_by(records(&self.expired));
        metrics.dropped.inc_by(records(&self.dropped));
    }

    /// For the journal.
    pub(super) fn ops(self, stream: StreamId, delivery: DeliveryId) -> impl Iterator<Item = Op> {
        let lost = self.lost.into_iter();
        let lost = lost.map(move |range| Op::Lost { stream, delivery, range });
        let settled = [self.unused, self.expired, self.dropped, self.skipped].into_iter().flatten();
        lost.chain(settled.map(move |range| Op::Settled { stream, delivery, range }))
    }
}

fn records(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|seqs| seqs.end - seqs.start).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lifeboat_log::ranges::RangeSet;

    use super::*;
    use crate::delivery::push::PushCursor;
    use crate::delivery::trail::TrailPolicy;

    fn marks(expired_end: u64, log_start: u64) -> Marks {
        Marks {
            log_start,
            published_end: 100,
            durable_end: 100,
            expired_end,
            disk_bytes: 0,
            stopped: None,
            damage: None,
            full: false,
            waiting: false,
        }
    }

    fn over(seqs: Range<u64>, settled: Range<u64>, holes: &Holes, marks: &Marks) -> (Over, u64) {
        let policy = TrailPolicy { messages: 1, time: Duration::from_secs(1) };
        let mut cursor = PushCursor::new(policy, 2, std::iter::once(settled).collect());
        let over = step_over(seqs, holes, marks, |seqs, effects| {
            cursor.skip(seqs, effects);
        });
        (over, cursor.cursor().position())
    }

    #[test]
    fn what_was_settled_before_is_not_lost() {
        let gaps = [0..5, 8..9].into_iter().collect();
        let holes = Holes { gaps, ..Holes::default() };
        let (over, position) = over(0..9, 4..6, &holes, &marks(0, 0));
        assert_eq!((records(&over.lost), position), (3, 9));
        let (lost, skipped) = (vec![2..4, 8..9], std::iter::once(6..8).collect());
        assert_eq!(over, Over { lost, skipped, ..Over::default() });
    }

    #[test]
    fn each_part_goes_for_the_first_reason_there_is() {
        let one = |range| std::iter::once(range).collect::<RangeSet>();
        let holes = Holes { gaps: one(10..20), jumps: one(20..30), retired: one(0..45) };
        let (over, position) = over(0..50, 4..6, &holes, &marks(35, 45));
        let one = |range| std::iter::once(range).collect::<Vec<_>>();
        let expected = Over {
            lost: one(10..20),
            unused: one(20..30),
            expired: vec![2..4, 6..10, 30..35],
            dropped: one(35..45),
            skipped: one(45..50),
        };
        assert_eq!((over, position), (expected, 50));
    }
}
