//! Seqs of a log that hold no record, and why. Pure.

use std::ops::Range;

use crate::ranges::RangeSet;
use crate::state::StreamState;

/// The seqs that damage left without records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holes {
    /// Records that were there, not settled by every delivery, and are lost.
    pub gaps: RangeSet,
    /// Seqs left out behind damage of which the extent is not known.
    pub jumps: RangeSet,
}

impl Holes {
    /// What the journal knows of a log.
    pub(crate) fn of(state: Option<&StreamState>) -> Self {
        let state = state.cloned().unwrap_or_default();
        Self { gaps: state.gaps, jumps: state.jumps }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.gaps.iter().chain(self.jumps.iter())
    }

    /// The parts of `range` that are lost records.
    pub fn lost_within(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut lost = RangeSet::new();
        for gap in self.gaps.iter() {
            lost.insert(gap.start.max(range.start)..gap.end.min(range.end));
        }
        lost.iter().collect()
    }
}
