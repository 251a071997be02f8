//! The durable consumer mark: a settled prefix, and the records above it that are settled too.
//!
//! It knows nothing of leases, and it does not write: the caller journals what became settled.

use std::ops::Range;

use lifeboat_log::ranges::RangeSet;

/// Everything below [`position`](Self::position) is settled; above it, what was settled out of
/// order.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    position: u64,
    /// Settled seqs above `position`, which is never one of them.
    above: RangeSet,
    /// Nothing is settled from here on.
    settled_end: u64,
}

impl Cursor {
    /// The mark as the journal has it. Members of `settled` below `position` do no harm.
    pub fn new(position: u64, settled: RangeSet) -> Self {
        let settled_end = settled.iter().last().map_or(position, |range| range.end.max(position));
        let mut cursor = Self { position, above: settled, settled_end };
        cursor.raise();
        cursor
    }

    /// The lowest seq that is not settled.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What is settled above the position.
    pub fn settled_above(&self) -> &RangeSet {
        &self.above
    }

    /// Unsettled seqs of `range`.
    pub fn unsettled_within(&self, range: &Range<u64>) -> u64 {
        let range = range.start.max(self.position)..range.end;
        if range.is_empty() {
            return 0;
        }
        range.end - range.start - self.above.count_within(&range)
    }

    /// The lowest run of unsettled seqs within `range`, as long as it goes.
    pub fn next_unsettled(&self, range: Range<u64>) -> Option<Range<u64>> {
        if range.start >= self.settled_end {
            return (!range.is_empty()).then_some(range);
        }
        let start = self.above.next_absent(range.start.max(self.position));
        if start >= range.end {
            return None;
        }
        let end = self.above.next_present(start).map_or(range.end, |end| end.min(range.end));
        Some(start..end)
    }

    /// Every run of unsettled seqs within `range`, lowest first.
    pub fn for_each_unsettled(&self, range: Range<u64>, mut each: impl FnMut(Range<u64>)) {
        let mut rest = range;
        while let Some(run) = self.next_unsettled(rest.clone()) {
            rest.start = run.end;
            each(run);
        }
    }

    /// What it would be with these settled too.
    #[must_use]
    pub fn with_settled(&self, ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut cursor = self.clone();
        for range in ranges {
            cursor.settle(range, |_| ());
        }
        cursor
    }

    /// Settles `range`, names what was not settled before, lowest first, and returns how many.
    pub fn settle(&mut self, range: Range<u64>, mut newly: impl FnMut(Range<u64>)) -> u64 {
        let mut count = 0;
        self.for_each_unsettled(range.clone(), |run| {
            count += run.end - run.start;
            newly(run);
        });
        if count > 0 {
            self.add(range);
        }
        count
    }

    /// Settles `range`, of which nothing is settled yet.
    pub fn settle_all(&mut self, range: Range<u64>) {
        debug_assert_eq!(self.next_unsettled(range.clone()), Some(range.clone()));
        self.add(range);
    }

    fn add(&mut self, range: Range<u64>) {
        self.settled_end = self.settled_end.max(range.end);
        if range.start <= self.position {
            self.position = range.end;
            self.raise();
        } else {
            self.above.insert(range);
        }
    }

    /// Moves the position over what is settled from there on.
    fn raise(&mut self) {
        if !self.above.is_empty() {
            self.position = self.above.next_absent(self.position);
            self.above.remove_below(self.position);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_position_waits_for_the_lowest_and_then_jumps() {
        let mut cursor = Cursor::new(10, RangeSet::new());
        cursor.settle(11..14, drop);
        assert_eq!((cursor.position(), cursor.settled_above().len()), (10, 3));
        cursor.settle(10..11, drop);
        assert_eq!((cursor.position(), cursor.settled_above().len()), (14, 0));
    }

    #[test]
    fn a_recovered_set_that_touches_the_position_raises_it() {
        let cursor = Cursor::new(10, [3..12, 20..21].into_iter().collect());
        assert_eq!(cursor.position(), 12);
        assert_eq!(cursor.settled_above().first(), Some(20..21));
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_with_a_prefix(steps in prop::collection::vec((0u64..60, 0u64..9), 0..50)) {
            let mut cursor = Cursor::new(5, RangeSet::new());
            let mut unsettled: BTreeSet<u64> = (5..80).collect();
            for (start, len) in steps {
                let range = start..start + len;
                let mut newly = Vec::new();
                let count = cursor.settle(range.clone(), |run| newly.extend(run));
                let expected: Vec<_> = unsettled.iter().copied().filter(|seq| range.contains(seq)).collect();
                unsettled.retain(|seq| !range.contains(seq));
                prop_assert_eq!(count, expected.len() as u64);
                prop_assert_eq!(newly, expected);
                prop_assert_eq!(Some(&cursor.position()), unsettled.first());
                prop_assert_eq!(cursor.unsettled_within(&(0..80)), unsettled.len() as u64);
                let mut left = Vec::new();
                cursor.for_each_unsettled(0..80, |run| left.extend(run));
                prop_assert_eq!(left, unsettled.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
