//! What the operator remembers of a queue between two plans and may forget: of one that starts it
//! is empty, and then some things only take longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::view::{View, elapsed};
use crate::facts::Facts;

/// What the operator remembers of one queue.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The first of the two reads that prove a replica drained.
    clean: Option<CleanRead>,
    /// Drains that this operator has taken back: what was proven before says nothing now, however
    /// old the objects are that it sees.
    cancelled: BTreeSet<u32>,
    /// When what the going replica holds last became less.
    progress: Option<Progress>,
    /// Since when something has been so.
    since: BTreeMap<Since, Timestamp>,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    /// The drain of an ordinal.
    Drain(u32),
    /// The drain of an ordinal cannot go on.
    Blocked(u32),
    /// An ordinal that drains is not in the state that it is asked to be in.
    Unheard(u32),
    /// The file system of an ordinal's claim waits to be grown.
    PendingResize(u32),
    /// An ordinal's claim has not the volume attributes class that it was asked to have.
    Attributes(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CleanRead {
    ordinal: u32,
    boot_id: String,
    log_id: String,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    ordinal: u32,
    left: u64,
    at: Timestamp,
}

impl Memory {
    /// Notes which drains have been taken back, and forgets what is about other replicas than the
    /// one that is `going`.
    pub(super) fn keep(&mut self, going: Option<u32>, view: &View<'_>) {
        let taken_back = |ordinal: &u32| Some(*ordinal) != going && view.entry(*ordinal).drain;
        self.cancelled.extend((0..view.count()).filter(taken_back));
        self.cancelled.retain(|ordinal| *ordinal < view.count());
        self.since.retain(|since, _| match since {
            Since::Drain(ordinal) | Since::Blocked(ordinal) | Since::Unheard(ordinal) => {
                Some(*ordinal) == going
            }
            Since::PendingResize(ordinal) => *ordinal < view.count(),
            Since::Attributes(ordinal) => view.claim(*ordinal).is_some(),
        });
        if self.clean.as_ref().is_some_and(|clean| Some(clean.ordinal) != going) {
            self.clean = None;
        }
        if self.progress.is_some_and(|progress| Some(progress.ordinal) != going) {
            self.progress = None;
        }
    }

    /// Whether the ordinal's drain was taken back and has not been proven again.
    pub(super) fn is_cancelled(&self, ordinal: u32) -> bool {
        self.cancelled.contains(&ordinal)
    }

    /// An operator that is broken on purpose.
    #[cfg(test)]
    pub(super) fn forget_cancelled(&mut self) {
        self.cancelled.clear();
    }

    /// Since when `what` has been so: `now`, when it was not before.
    pub(super) fn since(&mut self, what: Since, now: Timestamp) -> Timestamp {
        *self.since.entry(what).or_insert(now)
    }

    /// `what` is not so now.
    pub(super) fn over(&mut self, what: Since) {
        self.since.remove(&what);
    }

    /// A read in which so much is left: when it last became less, or was first read.
    pub(super) fn progress(&mut self, ordinal: u32, left: u64, now: Timestamp) -> Timestamp {
        let before = self.progress.filter(|before| left >= before.left);
        let at = before.map_or(now, |before| before.at);
        self.progress = Some(Progress { ordinal, left, at });
        at
    }

    /// Something else holds it up.
    pub(super) fn no_progress(&mut self) {
        self.progress = None;
    }

    /// A read in which nothing is left: how long the first such read of the same start of the
    /// same volume is past.
    pub(super) fn clean_read(&mut self, ordinal: u32, facts: &Facts, at: Timestamp) -> Duration {
        let (boot_id, log_id) = (facts.boot_id.clone(), facts.log_id.clone());
        let read = CleanRead { ordinal, boot_id, log_id, at };
        let first = self.clean.take().filter(|first| first.is_of(&read)).unwrap_or(read);
        let past = elapsed(first.at, at);
        self.clean = Some(first);
        past
    }

    /// A read in which something is left, or none.
    pub(super) fn unclean_read(&mut self) {
        self.clean = None;
    }

    /// The ordinal was proven drained.
    pub(super) fn proven(&mut self, ordinal: u32) {
        self.clean = None;
        self.cancelled.remove(&ordinal);
    }
}

impl CleanRead {
    fn is_of(&self, other: &Self) -> bool {
        self.ordinal == other.ordinal
            && self.boot_id == other.boot_id
            && self.log_id == other.log_id
    }
}
