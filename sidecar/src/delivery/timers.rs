//! When something about a run of records falls due.
//!
//! Nothing is taken out of here when a record is settled: that would cost more than the settling.
//! A timer that has lost its meaning is recognised by the caller and dropped when it is met, and
//! [`Timers::tidy`] keeps their number within twice the live ones.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::time::Instant;

/// Below this number tidying is not worth it.
const FEW: usize = 64;

/// One point in time for a run of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    /// When.
    pub(super) at: Instant,
    start: u64,
    end: u64,
}

impl Timer {
    /// For which records.
    pub(super) fn seqs(&self) -> Range<u64> {
        self.start..self.end
    }
}

/// Timers, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Nearly all: one wait is the same for all leases, so their ends come in order.
    in_order: VecDeque<Timer>,
    /// Those that are earlier than the newest of the others.
    out_of_order: BinaryHeap<Reverse<Timer>>,
    /// Live ones after the last tidying.
    lived: usize,
}

impl Timers {
    /// Sets one.
    pub(super) fn arm(&mut self, at: Instant, seqs: Range<u64>) {
        let timer = Timer { at, start: seqs.start, end: seqs.end };
        if self.in_order.back().is_none_or(|newest| newest.at <= at) {
            self.in_order.push_back(timer);
        } else {
            self.out_of_order.push(Reverse(timer));
        }
    }

    /// Takes the earliest out if its time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let earliest = self.earliest()?;
        if earliest.at > now {
            return None;
        }
        self.pop();
        Some(earliest)
    }

    /// When the earliest live one is due. Those before it are dropped.
    pub(super) fn next(&mut self, live: impl Fn(&Timer) -> bool) -> Option<Instant> {
        loop {
            let earliest = self.earliest()?;
            if live(&earliest) {
                return Some(earliest.at);
            }
            self.pop();
        }
    }

    /// Drops those that are not live, once they could be half of all.
    pub(super) fn tidy(&mut self, live: impl Fn(&Timer) -> bool) {
        if self.len() > 2 * self.lived + FEW {
            self.in_order.retain(&live);
            self.out_of_order.retain(|timer| live(&timer.0));
            self.lived = self.len();
        }
    }

    /// How many, the dead included.
    pub(super) fn len(&self) -> usize {
        self.in_order.len() + self.out_of_order.len()
    }

    fn earliest(&self) -> Option<Timer> {
        let in_order = self.in_order.front().copied();
        let out_of_order = self.out_of_order.peek().map(|timer| timer.0);
        match (in_order, out_of_order) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn pop(&mut self) {
        if self.in_order.front().copied() == self.earliest() {
            self.in_order.pop_front();
        } else {
            self.out_of_order.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dead_timers_never_outnumber_the_live_by_much() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        for seq in 0..100_000 {
            timers.arm(start, seq..seq + 1);
            timers.tidy(|timer| timer.start + 10 > seq);
            assert!(timers.len() <= 2 * 10 + FEW);
        }
    }

    #[test]
    fn the_next_time_is_that_of_a_live_timer() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        for seq in 0..4 {
            timers.arm(start + Duration::from_secs(seq), seq..seq + 1);
        }
        assert_eq!(timers.next(|timer| timer.start == 2), Some(start + Duration::from_secs(2)));
        assert_eq!(timers.len(), 2);
        assert_eq!(timers.next(|_| false), None);
    }

    proptest! {
        #[test]
        fn the_earliest_comes_first(steps in prop::collection::vec((0u64..50, any::<bool>()), 0..80)) {
            let (mut timers, start) = (Timers::default(), Instant::now());
            let mut twin = Vec::new();
            for (seconds, pop) in steps {
                let at = start + Duration::from_secs(seconds);
                if pop {
                    let due = twin.iter().copied().filter(|it| *it <= at).min();
                    prop_assert_eq!(timers.pop_due(at).map(|timer| timer.at), due);
                    if let Some(index) = twin.iter().position(|it| Some(*it) == due) {
                        twin.swap_remove(index);
                    }
                } else {
                    timers.arm(at, seconds..seconds + 1);
                    twin.push(at);
                }
                prop_assert_eq!(timers.len(), twin.len());
            }
        }
    }
}
