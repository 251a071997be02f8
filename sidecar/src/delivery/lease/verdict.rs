//! What the application says about the records it was handed.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::{Leases, MAX_WORDS, State, Track};
use crate::delivery::{Effects, LeaseKey, Park, ParkReason, Tries};

/// What became of the tokens of one ACK.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AckOutcome {
    /// Records that are settled by it.
    pub settled: u64,
    /// Of those, the ones whose lease had ended, or was of an earlier boot.
    pub late: u64,
    /// Tokens of records that were settled already.
    pub repeated: u64,
    /// Tokens of records that are not in the log, or were lost from it.
    pub refused: u64,
}

/// Consecutive records that were acknowledged with one epoch and attempt.
struct Run {
    first: LeaseKey,
    end: u64,
}

impl Leases {
    /// Settles every record named that is, or ever was, handed out. Consecutive ones cost little.
    pub fn ack(
        &mut self,
        acked: &[LeaseKey],
        published_end: u64,
        effects: &mut Effects,
    ) -> AckOutcome {
        let mut outcome = AckOutcome::default();
        let mut run: Option<Run> = None;
        for key in acked {
            if !self.is_known(key, published_end) {
                outcome.refused += 1;
                continue;
            }
            match &mut run {
                Some(run) if run.end == key.seq && run.continues_with(key) => run.end += 1,
                _ => {
                    let next = Run { first: *key, end: key.seq + 1 };
                    if let Some(run) = run.replace(next) {
                        self.ack_run(&run, &mut outcome, effects);
                    }
                }
            }
        }
        if let Some(run) = run {
            self.ack_run(&run, &mut outcome, effects);
        }
        self.counters.late_acks += outcome.late;
        self.counters.repeated_acks += outcome.repeated;
        self.counters.refused_acks += outcome.refused;
        outcome
    }

    /// One failure: delivered again after `delay`, or after the backoff. Without effect, and false,
    /// unless this is the record's current lease; so for the next two.
    pub fn nack(
        &mut self,
        key: LeaseKey,
        delay: Option<Duration>,
        now: Instant,
        effects: &mut Effects,
    ) -> bool {
        let Some(track) = self.end_lease(key, effects) else { return false };
        // Whoever can say no has not crashed on it.
        let tries = Tries { suspect: false, ..track.tries };
        self.fail(key.seq..key.seq + 1, tries, delay, now, effects);
        true
    }

    /// The record becomes a dead letter.
    pub fn reject(&mut self, key: LeaseKey, reason: &[u8], effects: &mut Effects) -> bool {
        let Some(track) = self.end_lease(key, effects) else { return false };
        let words = if self.words + reason.len() <= MAX_WORDS { reason } else { b"" };
        self.park(key.seq, track.tries, ParkReason::Rejected(words.into()));
        true
    }

    /// The lease ends no earlier than `time` from now. Never shortens one.
    pub fn extend(&mut self, key: LeaseKey, time: Duration, now: Instant) -> bool {
        let Some((track, connection, deadline, armed)) = self.current(key) else { return false };
        let deadline = deadline.max(now + time);
        let state = State::Leased { connection, deadline, armed };
        self.tracked.replace(key.seq..key.seq + 1, Track { state, ..track });
        true
    }

    /// Takes up the lowest record that is to become a dead letter: [`Self::parked`] or
    /// [`Self::park_failed`] must follow. They are asked for one by one, so that an application that
    /// settles what it has rejected leaves nothing behind.
    pub fn next_park(&mut self) -> Option<Park> {
        let seq = self.to_park.pop_first()?;
        self.parking.get(&seq).cloned()
    }

    /// Whether [`Self::next_park`] has one.
    pub fn has_parks(&self) -> bool {
        !self.to_park.is_empty()
    }

    /// The dead letter is written and synced: its source is settled. False when an ACK was faster.
    pub fn parked(&mut self, seq: u64, effects: &mut Effects) -> bool {
        self.parking.contains_key(&seq) && self.settle(seq..seq + 1, effects, |_, _| ()) == 1
    }

    /// The dead letters have no room: the record stays unsettled, and is to be parked again then.
    pub fn park_failed(&mut self, seq: u64, retry_at: Instant) {
        if let Some(park) = self.parking.get(&seq) {
            let state = State::Parking { retry: Some(retry_at) };
            self.tracked.replace(seq..seq + 1, Track { tries: park.tries, state });
            self.timers.arm(retry_at, seq..seq + 1);
        }
    }

    /// Whether the log has, or had, the record that was handed out under this key. An earlier epoch
    /// cannot have handed out what was written after it.
    fn is_known(&self, key: &LeaseKey, published_end: u64) -> bool {
        let written = (self.first_epoch..=self.epoch).contains(&key.epoch)
            || (key.epoch < self.first_epoch && key.seq < self.epoch_start);
        written && key.seq < published_end
    }

    fn ack_run(&mut self, run: &Run, outcome: &mut AckOutcome, effects: &mut Effects) {
        let seqs: Range<u64> = run.first.seq..run.end;
        let records = seqs.end - seqs.start;
        let current_epoch = run.first.epoch == self.epoch;
        let mut in_time = 0;
        let settled = self.settle(seqs, effects, |records, track| {
            let leased = matches!(track.state, State::Leased { .. });
            if current_epoch && leased && track.tries.attempt == run.first.attempt {
                in_time += records;
            }
        });
        outcome.settled += settled;
        outcome.late += settled - in_time;
        outcome.repeated += records - settled;
    }

    /// The lease that `key` names, if it is the current one: its track, connection, deadline, and
    /// what its timer is set for.
    fn current(&mut self, key: LeaseKey) -> Option<(Track, u64, Instant, Instant)> {
        if key.epoch == self.epoch
            && let Some(track) = self.tracked.get(key.seq)
            && track.tries.attempt == key.attempt
            && let State::Leased { connection, deadline, armed } = track.state
        {
            return Some((track, connection, deadline, armed));
        }
        self.counters.stale_verdicts += 1;
        None
    }

    /// Takes the lease that `key` names from its connection, if it is the current one.
    fn end_lease(&mut self, key: LeaseKey, effects: &mut Effects) -> Option<Track> {
        let (track, connection, ..) = self.current(key)?;
        self.tracked.take(key.seq..key.seq + 1, |_, _| ());
        effects.wake |= self.windows.release(connection, 1);
        Some(track)
    }
}

impl Run {
    fn continues_with(&self, key: &LeaseKey) -> bool {
        self.first.epoch == key.epoch && self.first.attempt == key.attempt
    }
}
