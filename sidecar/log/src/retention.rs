//! Which of a log's oldest segments a limit takes, settled or not: pure; and the rules, which others
//! may change.

use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sync::Mutex;
use crate::waker::Waker;

/// Under a limit a segment is closed when it holds an eighth of what the limit lets stay, so that
/// little more than that stays.
const SEGMENTS_A_LIMIT: u32 = 8;
/// ... but not for less than this: closing a segment costs syncs.
const LEAST_RECORDS: u64 = 1_000;
const LEAST_AGE: Duration = Duration::from_secs(1);

/// How records may go without having been settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Records stay when they are settled, too, until a limit takes them: policy Limits.
    pub replay: bool,
    /// Records that are older go. With `replay` by whole segments; else no delivery gets them any
    /// more, and segments follow as usual.
    pub max_age: Option<Duration>,
    /// So many records stay at least; what is older goes, by whole segments.
    pub max_messages: Option<u64>,
    /// The oldest segment goes when a record finds no room.
    pub drop_when_full: bool,
}

/// The retention of one stream's records, to be changed while it is in use.
#[derive(Debug)]
pub struct RetentionRules {
    given: Mutex<Retention>,
    waker: Arc<Waker>,
}

impl RetentionRules {
    pub(crate) fn new(given: Retention, waker: &Arc<Waker>) -> Arc<Self> {
        Arc::new(Self { given: Mutex::new(given), waker: Arc::clone(waker) })
    }

    /// Sets the rules, which the writer follows from its next step on. What they take is taken by
    /// whole segments as those are: their sizes stay what they were. `replay` stays what it was,
    /// for what was deleted by the other policy does not come back.
    pub fn set(&self, given: Retention) {
        let mut rules = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        *rules = Retention { replay: rules.replay, ..given };
        drop(rules);
        self.waker.wake();
    }

    pub(crate) fn get(&self) -> Retention {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A closed segment, as far as its retention is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) seqs: Range<u64>,
    /// Unix time of its last commit in nanoseconds.
    pub(crate) last_time: u64,
    /// Whether its space was given to the next segment already.
    pub(crate) replaced: bool,
}

/// How many of the oldest segments go, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Overdue {
    /// These are too old.
    pub(crate) expired: usize,
    /// These make room for newer ones.
    pub(crate) dropped: usize,
}

impl Overdue {
    pub(crate) fn segments(self) -> usize {
        self.expired + self.dropped
    }
}

impl Retention {
    /// Whether records of the segment that is written to are enough for one of its own.
    pub(crate) fn closes_at(&self, records: u64) -> bool {
        let part = |max: u64| (max / u64::from(SEGMENTS_A_LIMIT)).max(LEAST_RECORDS);
        self.max_messages.is_some_and(|max| records >= part(max))
    }

    /// The age at which the segment that is written to is closed.
    pub(crate) fn closing_age(&self) -> Option<Duration> {
        self.max_age.map(|max| (max / SEGMENTS_A_LIMIT).max(LEAST_AGE))
    }

    /// What of the `held` segments, oldest first, has to go. `newer` records are in the segment
    /// that is written to; those with a time below `cutoff` are too old; `short` says whether
    /// records wait for room.
    pub(crate) fn overdue(
        &self,
        held: &[Held],
        newer: u64,
        cutoff: Option<u64>,
        short: bool,
    ) -> Overdue {
        let old = |one: &&Held| cutoff.is_some_and(|cutoff| one.last_time < cutoff);
        let expired = held.iter().take_while(old).count();
        let rest = held.iter().skip(expired);
        let mut left = newer + rest.clone().map(Held::records).sum::<u64>();
        let mut dropped = 0;
        for oldest in rest {
            left -= oldest.records();
            let enough = self.max_messages.is_some_and(|max| left >= max);
            if !enough && !oldest.replaced {
                break;
            }
            dropped += 1;
        }
        if self.drop_when_full && short && expired + dropped == 0 && !held.is_empty() {
            dropped = 1;
        }
        Overdue { expired, dropped }
    }
}

impl Held {
    fn records(&self) -> u64 {
        self.seqs.end - self.seqs.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of ten records, with these times.
    fn held(times: &[u64]) -> Vec<Held> {
        let segments = (0..).step_by(10).zip(times);
        segments
            .map(|(start, &last_time)| Held { seqs: start..start + 10, last_time, replaced: false })
            .collect()
    }

    #[test]
    fn without_limits_everything_stays() {
        let none = Retention::default();
        assert_eq!(none.overdue(&held(&[1, 2, 3]), 5, None, true), Overdue::default());
    }

    #[test]
    fn a_segment_goes_when_its_last_record_is_too_old() {
        let by_age = Retention { max_age: Some(Duration::from_secs(1)), ..Retention::default() };
        for (cutoff, expired) in [(0, 0), (1, 0), (2, 1), (3, 2), (9, 3)] {
            let overdue = by_age.overdue(&held(&[1, 2, 3]), 0, Some(cutoff), false);
            assert_eq!(overdue, Overdue { expired, dropped: 0 }, "cutoff {cutoff}");
        }
    }

    #[test]
    fn as_many_records_stay_as_the_limit_says() {
        let limit = |max| Retention { max_messages: Some(max), ..Retention::default() };
        for (max, dropped) in [(36, 0), (35, 0), (25, 1), (24, 1), (15, 2), (5, 3), (1, 3)] {
            let overdue = limit(max).overdue(&held(&[1, 2, 3]), 5, None, false);
            assert_eq!(overdue, Overdue { expired: 0, dropped }, "max {max}");
        }
    }

    #[test]
    fn one_segment_a_time_makes_room() {
        let dropping = Retention { drop_when_full: true, ..Retention::default() };
        let dropped = |held: &[Held], short| dropping.overdue(held, 0, None, short).segments();
        assert_eq!(dropped(&held(&[1, 2]), true), 1);
        assert_eq!(dropped(&held(&[1, 2]), false), 0);
        assert_eq!(dropped(&[], true), 0);
        let mut replaced = held(&[1, 2]);
        replaced[0].replaced = true;
        assert_eq!(dropped(&replaced, false), 1);
    }

    #[test]
    fn segments_are_small_beside_the_limit_and_not_tiny() {
        let limits = Retention {
            max_age: Some(Duration::from_secs(80)),
            max_messages: Some(80_000),
            ..Retention::default()
        };
        assert_eq!(limits.closing_age(), Some(Duration::from_secs(10)));
        assert!(limits.closes_at(10_000) && !limits.closes_at(9_999));
        let small = Retention {
            max_age: Some(Duration::from_secs(1)),
            max_messages: Some(1),
            ..Retention::default()
        };
        assert_eq!(small.closing_age(), Some(LEAST_AGE));
        assert!(small.closes_at(1_000) && !small.closes_at(999));
    }
}
