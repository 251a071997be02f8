//! When records count as stored, and what the weak modes cost.
//!
//! In a weak mode records are receipted and delivered once they are written, not synced. A power cut
//! may then take records that an application has seen, and the seqs of those must not come back for
//! others. So a start after an unclean stop jumps: the next record gets a seq far above all that the
//! last run can have given out. The seqs between are journaled and belong to no record.

use std::time::Duration;

/// How far the seqs jump: no run gives out as many between two syncs of its segments.
pub(crate) const JUMP: u64 = 1 << 32;

/// When records count as stored: are receipted, and delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// When they are synced.
    #[default]
    Always,
    /// When they are written; synced this much later at most. A power cut takes what was not.
    Interval(Duration),
    /// When they are written; synced when their segment is closed, and at a stop in good order.
    Never,
}

impl SyncMode {
    /// Whether records count as stored before they are synced.
    pub(crate) fn is_weak(self) -> bool {
        self != Self::Always
    }

    /// How long what was written may wait for its sync; `None` is for ever.
    pub(crate) fn patience(self) -> Option<Duration> {
        match self {
            Self::Always => Some(Duration::ZERO),
            Self::Interval(interval) => Some(interval),
            Self::Never => None,
        }
    }
}
