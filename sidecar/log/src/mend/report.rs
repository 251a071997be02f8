//! What was done about damage, and on whose word.

use std::ops::{AddAssign, Range};
use std::path::PathBuf;

use crate::ranges::in_words;

/// Who wants it mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// The stream's `onDamage: SkipWithGap`.
    Policy,
    /// An operator's `accept-gap`.
    Operator,
}

impl Authority {
    /// Bytes of a segment that may be unreadable, as opposed to wrong, and are taken for lost. A disk
    /// that reads nothing at all for a while must not cost records by a policy alone.
    pub(super) fn may_give_up(self) -> u64 {
        match self {
            Self::Policy => 1 << 20,
            Self::Operator => u64::MAX,
        }
    }
}

/// What it cost that a log goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Damaged places that were mended.
    pub places: u64,
    /// Records that are lost and that not every delivery had settled.
    pub lost: u64,
    /// Records of damaged segments that were kept.
    pub kept: u64,
}

impl Accepted {
    /// The same of a log whose records are copies of ids: losing one loses no message.
    #[must_use]
    pub fn without_records(self) -> Self {
        Self { lost: 0, kept: 0, ..self }
    }
}

impl AddAssign for Accepted {
    fn add_assign(&mut self, other: Self) {
        self.places += other.places;
        self.lost += other.lost;
        self.kept += other.kept;
    }
}

/// What was done about one damaged place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// What was damaged or missing.
    pub path: PathBuf,
    /// What was wrong with it.
    pub damage: String,
    /// On whose word.
    pub authority: Authority,
    /// Records that are lost and that not every delivery had settled.
    pub lost: Vec<Range<u64>>,
    /// From here on records may be lost, and nothing tells how many; the log goes on far above.
    pub unknown_from: Option<u64>,
    /// Records kept.
    pub kept: u64,
    /// Whether the damaged bytes were copied to `quarantine/`; there may have been no room.
    pub quarantined: bool,
}

impl Mended {
    pub(super) fn nothing(authority: Authority) -> Self {
        let (path, damage) = (PathBuf::new(), String::new());
        let (lost, unknown_from) = (Vec::new(), None);
        Self { path, damage, authority, lost, unknown_from, kept: 0, quarantined: true }
    }

    /// Records that are lost and that not every delivery had settled.
    pub fn lost_records(&self) -> u64 {
        self.lost.iter().map(|range| range.end - range.start).sum()
    }

    /// One line on it.
    pub fn line(&self) -> String {
        let authority = match self.authority {
            Authority::Policy => "onDamage: SkipWithGap",
            Authority::Operator => "accept-gap",
        };
        let lost: Vec<_> = self.lost.iter().map(in_words).collect();
        let lost = if lost.is_empty() { "nothing".to_owned() } else { lost.join(", ") };
        let unknown = self.unknown_from.map(|seq| format!(", and all from {seq} on, however many"));
        let unknown = unknown.unwrap_or_default();
        let copy = if self.quarantined { "" } else { ", no room for a copy of the damage" };
        format!(
            "{authority}: {}; lost: {lost}{unknown}; kept: {} records{copy}",
            self.damage, self.kept
        )
    }
}
