//! Seqs of a log that hold no record, and why. Pure.

use std::ops::Range;

use crate::ranges::RangeSet;
use crate::state::StreamState;

/// The seqs of a log without records. No seq is in two of the sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holes {
    /// Records that were there, not settled by every delivery, and are lost to damage.
    pub gaps: RangeSet,
    /// Seqs that were left out: they never belonged to a record.
    pub jumps: RangeSet,
    /// Those of deleted segments: every delivery had settled them, or a limit took them.
    pub retired: RangeSet,
}

impl Holes {
    /// What the journal knows of a log.
    pub(crate) fn of(state: Option<&StreamState>) -> Self {
        let state = state.cloned().unwrap_or_default();
        Self { gaps: state.gaps, jumps: state.jumps, retired: RangeSet::new() }
    }

    /// The parts of `range` that are lost records.
    pub fn lost_within(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut lost = RangeSet::new();
        for gap in self.gaps.iter() {
            lost.insert(gap.start.max(range.start)..gap.end.min(range.end));
        }
        lost.iter().collect()
    }

    /// All of them.
    pub fn all(&self) -> RangeSet {
        self.gaps.iter().chain(self.jumps.iter()).chain(self.retired.iter()).collect()
    }
}
