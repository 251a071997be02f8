//! Handing records out: what is due again first, then fresh ones, within a connection's window; a
//! suspect only by itself.

use std::ops::Range;
use std::time::Instant;

use super::window::Turn;
use super::{Leases, State, Track};
use crate::delivery::{Effects, JournalOp, Tries};

/// Runs of tracked and of out of order settled records beyond which fresh ones wait. Reached only
/// by an application that leaves holes on a grand scale; bounds memory to about 10 MiB.
const MAX_RUNS: usize = 65_536;

/// A run of records that are handed out with one attempt number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The records.
    pub seqs: Range<u64>,
    /// Which hand-out of each of them this is.
    pub attempt: u32,
}

impl Grant {
    /// Whether it may be sent at once. Otherwise the journal must be synced first, and
    /// [`Leases::confirm`] says what of it is still to be sent.
    pub fn is_ready(&self) -> bool {
        self.attempt == 1
    }
}

impl Leases {
    /// Hands records below `published_end` to `connection`: at most `max`, within its window, and
    /// appends them to `grants`. Leases that are ready start now.
    pub fn grant(
        &mut self,
        connection: u64,
        now: Instant,
        published_end: u64,
        max: u32,
        grants: &mut Vec<Grant>,
        effects: &mut Effects,
    ) {
        self.expire(now, effects);
        let room = self.windows.room(connection, self.policy.max_in_flight).min(u64::from(max));
        if room > 0 {
            match self.windows.turn(connection, !self.suspects.is_empty()) {
                Turn::Wait => {}
                Turn::Probe => self.grant_suspect(connection, grants, effects),
                Turn::Ordinary => {
                    let left = self.grant_due(connection, published_end, room, grants, effects);
                    let left = self.grant_fresh(connection, now, published_end, left, grants);
                    self.windows.occupy(connection, room - left);
                }
            }
        }
        let Self { timers, tracked, .. } = self;
        timers.tidy(|timer| Self::is_live(tracked, timer));
        self.check_order(0, published_end);
    }

    /// Hands out the suspect that has failed least, alone.
    fn grant_suspect(&mut self, connection: u64, grants: &mut Vec<Grant>, effects: &mut Effects) {
        let Some((_, seq)) = self.suspects.pop_first() else { return };
        let Some(Track { tries, .. }) = self.tracked.get(seq) else { return };
        effects.wake |= self.windows.probe(connection);
        grants.push(self.hand_out_again(connection, seq..seq + 1, tries, effects));
    }

    /// Hands out what is due again, up to `left` records; returns how many that leaves.
    fn grant_due(
        &mut self,
        connection: u64,
        published_end: u64,
        mut left: u64,
        grants: &mut Vec<Grant>,
        effects: &mut Effects,
    ) -> u64 {
        while left > 0
            && let Some((seqs, tries)) = self.next_due(published_end, left)
        {
            left -= seqs.end - seqs.start;
            self.due.remove(seqs.clone());
            grants.push(self.hand_out_again(connection, seqs, tries, effects));
        }
        left
    }

    /// The same for what is fresh.
    fn grant_fresh(
        &mut self,
        connection: u64,
        now: Instant,
        published_end: u64,
        mut left: u64,
        grants: &mut Vec<Grant>,
    ) -> u64 {
        let deadline = now + self.policy.ack_timeout;
        let first = Tries { attempt: 1, ..Tries::default() };
        while left > 0
            && let Some(seqs) = self.next_fresh(published_end, left)
        {
            left -= seqs.end - seqs.start;
            self.next_fresh = seqs.end;
            self.delivered_end = self.delivered_end.max(seqs.end);
            self.lease(connection, seqs.clone(), first, deadline);
            grants.push(Grant { seqs, attempt: 1 });
        }
        left
    }

    /// The journal has synced what `grant` brought: its leases start now. Appends what is still to
    /// be sent to `ready`: without what was settled, or lost its connection, in the meantime.
    pub fn confirm(&mut self, grant: &Grant, now: Instant, ready: &mut Vec<Grant>) {
        let mut parts = std::mem::take(&mut self.scratch);
        parts.extend(self.tracked.overlapping(grant.seqs.clone()).filter(|(_, track)| {
            track.tries.attempt == grant.attempt && matches!(track.state, State::Unconfirmed { .. })
        }));
        let deadline = now + self.policy.ack_timeout;
        for (seqs, track) in parts.drain(..) {
            if let Some(connection) = track.connection() {
                self.tracked.take(seqs.clone(), |_, _| ());
                self.lease(connection, seqs.clone(), track.tries, deadline);
                self.counters.redelivered += seqs.end - seqs.start;
                ready.push(Grant { seqs, attempt: grant.attempt });
            }
        }
        self.scratch = parts;
    }

    /// The lowest run that is due and shares its numbers, at most `max` long.
    fn next_due(&self, published_end: u64, max: u64) -> Option<(Range<u64>, Tries)> {
        let due = self.due.first()?;
        let end = due.end.min(published_end).min(due.start.saturating_add(max));
        let (seqs, track) = self.tracked.overlapping(due.start..end).next()?;
        Some((seqs, track.tries))
    }

    fn hand_out_again(
        &mut self,
        connection: u64,
        seqs: Range<u64>,
        tries: Tries,
        effects: &mut Effects,
    ) -> Grant {
        let tries = Tries { attempt: tries.attempt.saturating_add(1), ..tries };
        self.tracked
            .replace(seqs.clone(), Track { tries, state: State::Unconfirmed { connection } });
        self.delivered_end = self.delivered_end.max(seqs.end);
        effects.journal.extend(seqs.clone().map(|seq| JournalOp::Attempt { seq, tries }));
        Grant { seqs, attempt: tries.attempt }
    }

    /// The lowest run of fresh records, at most `max` long.
    fn next_fresh(&mut self, published_end: u64, max: u64) -> Option<Range<u64>> {
        if self.tracked.run_count() + self.cursor.settled_above().range_count() >= MAX_RUNS {
            return None;
        }
        loop {
            let run = self.cursor.next_unsettled(self.next_fresh..published_end)?;
            let end = run.end.min(run.start.saturating_add(max));
            if run.start >= self.tracked.end() {
                return Some(run.start..end);
            }
            // Records that the journal knew lie ahead.
            match self.tracked.overlapping(run.start..end).next() {
                None => return Some(run.start..end),
                Some((tracked, _)) if tracked.start > run.start => {
                    return Some(run.start..tracked.start);
                }
                Some((tracked, _)) => self.next_fresh = tracked.end,
            }
        }
    }

    fn lease(&mut self, connection: u64, seqs: Range<u64>, tries: Tries, deadline: Instant) {
        let state = State::Leased { connection, deadline, armed: deadline };
        self.tracked.insert(seqs.clone(), Track { tries, state });
        self.timers.arm(deadline, seqs);
    }
}
