//! A set of seqs as disjoint half-open ranges: what is settled, what is deleted, what is due.

use std::collections::BTreeMap;
use std::ops::Range;

/// Disjoint, non-touching half-open ranges of `u64`, in order.
///
/// Inserting next to or over what is there merges, so the set stays as small as the number of
/// holes in it, whatever the number of members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// start -> end, exclusive.
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every member of `range`. An empty range changes nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        if let Some((&before, &before_end)) = self.ranges.range(..=start).next_back()
            && before_end >= start
        {
            if before_end >= end {
                return;
            }
            start = before;
        }
        while let Some((&next, &next_end)) = self.ranges.range(start..=end).next() {
            self.ranges.remove(&next);
            end = end.max(next_end);
        }
        self.ranges.insert(start, end);
    }

    /// Takes every member of `range` out.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if let Some((&before, &before_end)) = self.ranges.range(..range.start).next_back()
            && before_end > range.start
        {
            self.ranges.insert(before, range.start);
            if before_end > range.end {
                self.ranges.insert(range.end, before_end);
                return;
            }
        }
        while let Some((&next, &next_end)) = self.ranges.range(range.clone()).next() {
            self.ranges.remove(&next);
            if next_end > range.end {
                self.ranges.insert(range.end, next_end);
            }
        }
    }

    /// Whether `member` is in the set.
    pub fn contains(&self, member: u64) -> bool {
        self.range_of(member).is_some()
    }

    /// The range that holds `member`.
    pub fn range_of(&self, member: u64) -> Option<Range<u64>> {
        let (&start, &end) = self.ranges.range(..=member).next_back()?;
        (member < end).then_some(start..end)
    }

    /// Whether every member of `range` is in the set; true for an empty range.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.range_of(range.start).is_some_and(|held| held.end >= range.end)
    }

    /// The lowest non-member at or above `from`.
    pub fn next_absent(&self, from: u64) -> u64 {
        self.range_of(from).map_or(from, |held| held.end)
    }

    /// The start of the first range that lies above `from`; `from` itself when it is a member.
    pub fn next_present(&self, from: u64) -> Option<u64> {
        if self.contains(from) {
            return Some(from);
        }
        self.ranges.range(from..).next().map(|(&start, _)| start)
    }

    /// Members of `range` that are in the set.
    pub fn count_within(&self, range: &Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let first = self.range_of(range.start).map_or(range.start, |held| held.start);
        self.ranges
            .range(first..range.end)
            .map(|(&start, &end)| end.min(range.end) - start.max(range.start))
            .sum()
    }

    /// Takes out everything below `from` and returns nothing: what a rising cursor does.
    pub fn remove_below(&mut self, from: u64) {
        self.remove(0..from);
    }

    /// The lowest range, taken out.
    pub fn pop_first(&mut self) -> Option<Range<u64>> {
        self.ranges.pop_first().map(|(start, end)| start..end)
    }

    /// The lowest range.
    pub fn first(&self) -> Option<Range<u64>> {
        self.ranges.first_key_value().map(|(&start, &end)| start..end)
    }

    /// The highest range.
    pub fn last(&self) -> Option<Range<u64>> {
        self.ranges.last_key_value().map(|(&start, &end)| start..end)
    }

    /// All ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }

    /// How many ranges, not members: what the set costs in memory.
    pub fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// Number of members.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

/// `3-5`, or `3`: how people read and write seqs, both ends included.
pub fn in_words(seqs: &Range<u64>) -> String {
    match seqs.end.saturating_sub(1) {
        last if last <= seqs.start => seqs.start.to_string(),
        last => format!("{}-{last}", seqs.start),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_include_both_ends() {
        assert_eq!(in_words(&(3..6)), "3-5");
        assert_eq!(in_words(&(3..4)), "3");
    }

    #[test]
    fn touching_ranges_become_one() {
        let mut set = RangeSet::new();
        set.insert(5..7);
        set.insert(1..3);
        set.insert(3..5);
        assert_eq!(set.iter().collect::<Vec<_>>(), vec![1..7]);
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..12), 0..60)) {
            let (mut set, mut twin) = (RangeSet::new(), BTreeSet::new());
            for (add, start, len) in steps {
                let range = start..start + len;
                if add {
                    set.insert(range.clone());
                    twin.extend(range);
                } else {
                    set.remove(range.clone());
                    twin.retain(|member| !range.contains(member));
                }
                prop_assert_eq!(set.iter().flatten().collect::<BTreeSet<_>>(), twin.clone());
                prop_assert_eq!(set.len(), twin.len() as u64);
                let starts: Vec<_> = set.iter().collect();
                prop_assert!(starts.windows(2).all(|pair| pair[0].end < pair[1].start));
                for probe in 0..55 {
                    prop_assert_eq!(set.contains(probe), twin.contains(&probe));
                    prop_assert_eq!(set.next_absent(probe), (probe..100).find(|n| !twin.contains(n)).unwrap());
                    prop_assert_eq!(set.next_present(probe), twin.range(probe..).next().copied());
                    prop_assert_eq!(set.count_within(&(3..probe)), if probe > 3 { twin.range(3..probe).count() as u64 } else { 0 });
                    prop_assert_eq!(set.covers(&(3..probe)), (3..probe).all(|n| twin.contains(&n)));
                }
            }
        }
    }
}
