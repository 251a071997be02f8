//! Values by seq, stored by run: a thousand consecutive records with one value cost one node.

use std::collections::BTreeMap;
use std::ops::Range;

/// Disjoint half-open runs of seqs with a value each. Runs are cut where a step asks for a part of
/// one, and never joined again.
#[derive(Debug, Clone)]
pub(super) struct RangeMap<V> {
    /// By start of the run.
    runs: BTreeMap<u64, Run<V>>,
}

#[derive(Debug, Clone, Copy)]
struct Run<V> {
    end: u64,
    value: V,
}

impl<V> Default for RangeMap<V> {
    fn default() -> Self {
        Self { runs: BTreeMap::new() }
    }
}

impl<V: Copy> RangeMap<V> {
    /// Gives every seq of `seqs` this value. None of them may have one.
    pub(super) fn insert(&mut self, seqs: Range<u64>, value: V) {
        debug_assert!(self.overlapping(seqs.clone()).next().is_none());
        if !seqs.is_empty() {
            self.runs.insert(seqs.start, Run { end: seqs.end, value });
        }
    }

    /// Gives every seq of `seqs` this value, whatever they had.
    pub(super) fn replace(&mut self, seqs: Range<u64>, value: V) {
        self.take(seqs.clone(), |_, _| ());
        self.insert(seqs, value);
    }

    /// Takes the values of `seqs` out, lowest first.
    pub(super) fn take(&mut self, seqs: Range<u64>, mut each: impl FnMut(Range<u64>, V)) {
        let Some((&start, run)) = self.runs.range_mut(..seqs.end).next_back() else { return };
        if seqs.is_empty() || run.end <= seqs.start {
            return;
        }
        if start <= seqs.start && seqs.end <= run.end {
            // Within one run, the usual case: one or two look-ups.
            let Run { end, value } = *run;
            if start == seqs.start {
                self.runs.remove(&start);
            } else {
                run.end = seqs.start;
            }
            if end > seqs.end {
                self.runs.insert(seqs.end, Run { end, value });
            }
            return each(seqs, value);
        }
        if let Some((_, run)) = self.runs.range_mut(..seqs.start).next_back()
            && run.end > seqs.start
        {
            let Run { end, value } = *run;
            run.end = seqs.start;
            each(seqs.start..end, value);
        }
        while let Some((&start, &Run { end, value })) = self.runs.range(seqs.clone()).next() {
            self.runs.remove(&start);
            if end > seqs.end {
                self.runs.insert(seqs.end, Run { end, value });
            }
            each(start..end.min(seqs.end), value);
        }
    }

    /// The value of one seq.
    pub(super) fn get(&self, seq: u64) -> Option<V> {
        let (_, run) = self.runs.range(..=seq).next_back()?;
        (seq < run.end).then_some(run.value)
    }

    /// The parts of runs that lie within `seqs`, lowest first.
    pub(super) fn overlapping(
        &self,
        seqs: Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, V)> + '_ {
        let end = seqs.end.max(seqs.start);
        let before = self.runs.range(..seqs.start).next_back();
        let first =
            before.filter(|(_, run)| run.end > seqs.start).map_or(seqs.start, |(&start, _)| start);
        self.runs
            .range(first..end)
            .map(move |(&start, run)| (start.max(seqs.start)..run.end.min(end), run.value))
            .filter(|(part, _)| !part.is_empty())
    }

    /// Whether some seq of `seqs` has a value that `is` true for: one look-up, mostly.
    pub(super) fn any_within(&self, seqs: Range<u64>, is: impl Fn(&V) -> bool) -> bool {
        let downwards = self.runs.range(..seqs.end).rev().map(|(_, run)| run);
        !seqs.is_empty()
            && downwards.take_while(|run| run.end > seqs.start).any(|run| is(&run.value))
    }

    /// Above every seq that has a value.
    pub(super) fn end(&self) -> u64 {
        self.runs.last_key_value().map_or(0, |(_, run)| run.end)
    }

    /// All runs, lowest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<u64>, V)> + '_ {
        self.runs.iter().map(|(&start, run)| (start..run.end, run.value))
    }

    /// How many runs: what the map costs in memory.
    pub(super) fn run_count(&self) -> usize {
        self.runs.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(runs: impl IntoIterator<Item = (Range<u64>, u8)>) -> Vec<(u64, u8)> {
        runs.into_iter().flat_map(|(seqs, value)| seqs.map(move |seq| (seq, value))).collect()
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<Option<u8>>(), 0u64..40, 0u64..12), 0..60)) {
            let (mut map, mut twin) = (RangeMap::default(), BTreeMap::new());
            for (value, start, len) in steps {
                let seqs = start..start + len;
                let within: Vec<_> = twin.range(seqs.clone()).map(|(&seq, &value)| (seq, value)).collect();
                prop_assert_eq!(flat(map.overlapping(seqs.clone())), within.clone());
                prop_assert_eq!(
                    map.any_within(seqs.clone(), |value| *value > 99),
                    within.iter().any(|(_, value)| *value > 99)
                );
                if let Some(value) = value {
                    map.replace(seqs.clone(), value);
                    twin.extend(seqs.map(|seq| (seq, value)));
                } else {
                    let mut taken = Vec::new();
                    map.take(seqs.clone(), |seqs, value| taken.push((seqs, value)));
                    prop_assert_eq!(flat(taken), within);
                    twin.retain(|seq, _| !seqs.contains(seq));
                }
                prop_assert_eq!(flat(map.iter()), twin.iter().map(|(&seq, &value)| (seq, value)).collect::<Vec<_>>());
                prop_assert!(map.run_count() <= twin.len());
                prop_assert_eq!(map.end(), twin.last_key_value().map_or(0, |(&seq, _)| seq + 1));
                for seq in 0..55 {
                    prop_assert_eq!(map.get(seq), twin.get(&seq).copied());
                }
            }
        }
    }
}
