//! What time brings: leases that end, redeliveries that fall due, parking that is tried again.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::{Leases, State, Track};
use crate::delivery::{Effects, JournalOp, ParkReason, Tries};

impl Leases {
    /// Does everything whose time has come.
    pub fn expire(&mut self, now: Instant, effects: &mut Effects) {
        while let Some(timer) = self.timers.pop_due(now) {
            let mut parts = std::mem::take(&mut self.scratch);
            let live = self.tracked.overlapping(timer.seqs());
            parts.extend(live.filter(|(_, track)| track.armed() == Some(timer.at)));
            for (seqs, track) in parts.drain(..) {
                self.fire(seqs, track, now, effects);
            }
            self.scratch = parts;
        }
    }

    /// When [`expire`](Self::expire) has something to do, as things stand.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        let Self { timers, tracked, .. } = self;
        timers.next(|timer| Self::is_live(tracked, timer))
    }

    fn fire(&mut self, seqs: Range<u64>, track: Track, now: Instant, effects: &mut Effects) {
        match track.state {
            State::Leased { connection, deadline, .. } if deadline > now => {
                let state = State::Leased { connection, deadline, armed: deadline };
                self.tracked.replace(seqs.clone(), Track { state, ..track });
                self.timers.arm(deadline, seqs);
            }
            State::Leased { connection, .. } => {
                let records = seqs.end - seqs.start;
                self.tracked.take(seqs.clone(), |_, _| ());
                self.windows.expire(connection, records);
                // At least this connection has room again.
                effects.wake = true;
                self.counters.expired += records;
                self.fail(seqs, track.tries, None, now, effects);
            }
            State::Delayed { .. } => {
                self.tracked.take(seqs.clone(), |_, _| ());
                self.make_due(seqs, track.tries, effects);
            }
            State::Parking { .. } => {
                self.tracked.replace(
                    seqs.clone(),
                    Track { state: State::Parking { retry: None }, ..track },
                );
                self.to_park.extend(seqs);
            }
            State::Unconfirmed { .. } | State::Due => {}
        }
    }

    /// Counts one failure for each of `seqs`, which no longer have a track: parked if that was the
    /// last that the policy allows, else redelivered after `delay` or the backoff.
    pub(super) fn fail(
        &mut self,
        seqs: Range<u64>,
        tries: Tries,
        delay: Option<Duration>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let tries = Tries { failures: tries.failures.saturating_add(1), ..tries };
        effects.journal.extend(seqs.clone().map(|seq| JournalOp::Attempt { seq, tries }));
        if tries.failures >= self.policy.max_attempts {
            for seq in seqs {
                self.park(seq, tries, ParkReason::Attempts);
            }
            return;
        }
        let delay = delay.unwrap_or_else(|| self.policy.backoff.after(tries.failures));
        if delay.is_zero() {
            self.make_due(seqs, tries, effects);
        } else {
            let until = now + delay;
            self.tracked.insert(seqs.clone(), Track { tries, state: State::Delayed { until } });
            self.timers.arm(until, seqs);
        }
    }
}
