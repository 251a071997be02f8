//! The records in flight of one Credit delivery: a pure state machine.
//!
//! Every record below `published_end` is in exactly one state: settled (below or in the
//! [`Cursor`]), fresh (never handed out in this boot), or tracked: handed out and waiting for its
//! sync, leased, waiting for its redelivery, due, or parking. Nothing else exists, so nothing can
//! be lost between states.
//!
//! A step is a method here or in one of the files beside: `grant` (handing out), `verdict` (what
//! the application says), `expiry` (what time brings), `departure` (what a connection leaves
//! behind). None of them writes, sends or reads a clock.
//! How attempts, failures and suspects are counted is in ARCHITECTURE.md, "A broken connection".
//!
//! ```
//! use std::time::{Duration, Instant};
//! use lifeboat_sidecar::delivery::backoff::{Backoff, Policy};
//! use lifeboat_sidecar::delivery::lease::{Leases, Recovered};
//! use lifeboat_sidecar::delivery::{Effects, JournalOp, LeaseKey};
//!
//! let policy = Policy {
//!     ack_timeout: Duration::from_secs(30),
//!     max_in_flight: 64,
//!     max_attempts: 20,
//!     backoff: Backoff::new(vec![Duration::ZERO]),
//! };
//! let (mut effects, mut grants, mut ready) = (Effects::default(), Vec::new(), Vec::new());
//! let recovered = Recovered { epoch: 3, epoch_start: 10, ..Recovered::default() };
//! let mut leases = Leases::new(policy, recovered, &mut effects);
//! let (connection, published_end, now) = (1, 10, Instant::now());
//!
//! // The application said CREDIT 2: it gets two records at once.
//! leases.set_credit(connection, 2, &mut effects);
//! leases.grant(connection, now, published_end, 1024, &mut grants, &mut effects);
//! assert!(grants[0].is_ready() && grants[0].seqs == (0..2));
//!
//! // It acknowledges one and refuses the other, which is due again.
//! let key = |seq, attempt| LeaseKey { epoch: leases.epoch(), seq, attempt };
//! let (first, second) = (key(0, 1), key(1, 1));
//! leases.ack(&[first], published_end, &mut effects);
//! assert_eq!(effects.journal, [JournalOp::Settled(0..1)]);
//! leases.nack(second, None, now, &mut effects);
//!
//! // Its second attempt goes out when the journal has been synced.
//! grants.clear();
//! leases.grant(connection, now, published_end, 1, &mut grants, &mut effects);
//! assert!(!grants[0].is_ready());
//! // .. write `effects.journal`, sync, `effects.clear()` ..
//! leases.confirm(&grants[0], Instant::now(), &mut ready);
//! assert_eq!(ready, grants);
//! ```

#[cfg(test)]
mod bench;
mod departure;
mod expiry;
mod figures;
mod grant;
#[cfg(test)]
mod poison;
mod seek;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod suspect_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
mod verdict;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Instant;

use lifeboat_log::ranges::RangeSet;

use self::window::Windows;
use super::backoff::Policy;
use super::cursor::Cursor;
use super::range_map::RangeMap;
use super::timers::{Timer, Timers};
use super::{Effects, Park, ParkReason, Tries};

pub use self::figures::{Counters, Figures};
pub use self::grant::Grant;
pub use self::verdict::AckOutcome;

/// Bytes of words that rejected records may keep in memory until they are dead letters. Beyond it a
/// record is parked without its words: to hand out nothing more until there is room would be for
/// ever when the dead letters wait for space that only other records can free.
const MAX_WORDS: usize = 4 << 20;

/// Epochs set aside for a boot: the first one and one for each seek.
pub const EPOCHS_A_BOOT: u64 = 1 << 20;

/// What the state journal knows of a delivery when the sidecar starts.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// This boot's first epoch, higher than every one of earlier boots: each seek takes one, see
    /// [`EPOCHS_A_BOOT`].
    pub epoch: u64,
    /// The log's end when this boot found it, before any jump: no earlier epoch has handed out a
    /// record from here on, so an acknowledgement that says so is of a record that was lost.
    pub epoch_start: u64,
    /// Everything below is settled.
    pub cursor: u64,
    /// What is settled above.
    pub settled: RangeSet,
    /// Records that were handed out more than once, or failed.
    pub attempts: BTreeMap<u64, Tries>,
}

/// A record that is neither settled nor fresh.
#[derive(Debug, Clone, Copy)]
struct Track {
    tries: Tries,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Granted; its attempt is not synced yet, so it has not been sent.
    Unconfirmed { connection: u64 },
    /// Sent. The timer is set for `armed`; `deadline` is later when the lease was extended since.
    Leased { connection: u64, deadline: Instant, armed: Instant },
    /// To be delivered again, not before this.
    Delayed { until: Instant },
    /// To be delivered again, now.
    Due,
    /// Withheld until it is a dead letter; to be asked for again at `retry`.
    Parking { retry: Option<Instant> },
}

impl Track {
    /// What its timer is set for, if it has one.
    fn armed(&self) -> Option<Instant> {
        match self.state {
            State::Leased { armed, .. } => Some(armed),
            State::Delayed { until } => Some(until),
            State::Parking { retry } => retry,
            State::Unconfirmed { .. } | State::Due => None,
        }
    }

    /// The connection that holds it, if one does.
    fn connection(&self) -> Option<u64> {
        match self.state {
            State::Unconfirmed { connection } | State::Leased { connection, .. } => {
                Some(connection)
            }
            State::Delayed { .. } | State::Due | State::Parking { .. } => None,
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Leases {
    policy: Policy,
    /// Of the tokens that are handed out: raised by each seek.
    epoch: u64,
    /// The first one of this boot.
    first_epoch: u64,
    epoch_start: u64,
    cursor: Cursor,
    delivered_end: u64,
    /// Fresh records are from here on: those that are neither settled nor tracked.
    next_fresh: u64,
    tracked: RangeMap<Track>,
    /// Index of `tracked`: those that are [`State::Due`] and no suspects.
    due: RangeSet,
    /// Index of `tracked`: suspects that are [`State::Due`], by failures and seq. Those that have
    /// failed least go first, for they are the likeliest to be innocent.
    suspects: BTreeSet<(u32, u64)>,
    /// Side table of `tracked`: those that are [`State::Parking`].
    parking: BTreeMap<u64, Park>,
    /// Of those, the ones that nobody has taken up.
    to_park: BTreeSet<u64>,
    /// Bytes of the words in `parking`.
    words: usize,
    timers: Timers,
    windows: Windows,
    counters: Counters,
    /// Scratch space of a step, empty between steps.
    scratch: Vec<(Range<u64>, Track)>,
}

impl Leases {
    /// Starts from the journal. Every unsettled record is due or fresh, none has failed by the
    /// restart; those that had failed too often before it are parked at once.
    pub fn new(policy: Policy, recovered: Recovered, effects: &mut Effects) -> Self {
        let cursor = Cursor::new(recovered.cursor, recovered.settled);
        let mut leases = Self {
            policy,
            epoch: recovered.epoch,
            first_epoch: recovered.epoch,
            epoch_start: recovered.epoch_start,
            delivered_end: cursor.position(),
            next_fresh: cursor.position(),
            cursor,
            tracked: RangeMap::default(),
            due: RangeSet::new(),
            suspects: BTreeSet::new(),
            parking: BTreeMap::new(),
            to_park: BTreeSet::new(),
            words: 0,
            timers: Timers::default(),
            windows: Windows::default(),
            counters: Counters::default(),
            scratch: Vec::new(),
        };
        for (seq, tries) in recovered.attempts.range(..recovered.epoch_start) {
            let (seq, tries) = (*seq, *tries);
            let seqs = seq..seq + 1;
            if leases.cursor.next_unsettled(seqs.clone()).is_none() {
                continue;
            }
            if tries.failures >= leases.policy.max_attempts {
                leases.park(seq, tries, ParkReason::Attempts);
            } else {
                leases.make_due(seqs, tries, effects);
            }
        }
        leases
    }

    /// Sets a connection's credit (absolute); the first one makes the connection known.
    pub fn set_credit(&mut self, connection: u64, credit: u32, effects: &mut Effects) {
        effects.wake |= self.windows.resize(connection, credit);
    }

    /// Other rules from now on. Leases that run keep their time, records that wait keep their wait,
    /// and a record that has failed more often than it may now is parked at its next failure.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Settles what no application needs to settle: a recorded gap, records that retention took or
    /// an operator discarded. Leases on them are revoked. Returns how many were not settled before.
    pub fn skip(&mut self, seqs: Range<u64>, effects: &mut Effects) -> u64 {
        self.settle(seqs, effects, |_, _| ())
    }

    /// Where the delivery stands.
    pub fn figures(&self, published_end: u64) -> Figures {
        let unsettled = self.cursor.unsettled_within(&(0..published_end));
        Figures {
            cursor: self.cursor.position(),
            delivered_end: self.delivered_end,
            in_flight: self.windows.in_flight(),
            unsettled,
            oldest_unsettled: (unsettled > 0).then_some(self.cursor.position()),
            parking: self.parking.len() as u64,
        }
    }

    /// What is settled.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// What happened since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The epoch of the tokens that are handed out now.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Asserts `log_start <= cursor <= delivered_end <= published_end` in debug builds.
    pub fn check_order(&self, log_start: u64, published_end: u64) {
        let (cursor, delivered_end) = (self.cursor.position(), self.delivered_end);
        debug_assert!(
            log_start <= cursor && cursor <= delivered_end && delivered_end <= published_end,
            "log_start {log_start}, cursor {cursor}, delivered_end {delivered_end}, published_end {published_end}"
        );
    }

    /// Settles `seqs`, whatever state they are in, and shows each tracked part to `seen`.
    fn settle(
        &mut self,
        seqs: Range<u64>,
        effects: &mut Effects,
        mut seen: impl FnMut(u64, Track),
    ) -> u64 {
        let wanted = seqs.end.saturating_sub(seqs.start);
        let mut found = 0;
        let Self { tracked, due, suspects, parking, to_park, words, windows, .. } = self;
        tracked.take(seqs.clone(), |part, track| {
            let records = part.end - part.start;
            found += records;
            if let Some(connection) = track.connection() {
                effects.wake |= windows.release(connection, records);
            }
            match track.state {
                State::Due if track.tries.suspect => {
                    part.for_each(|seq| {
                        suspects.remove(&(track.tries.failures, seq));
                    });
                    // Nobody need drain for them any more.
                    effects.wake |= suspects.is_empty();
                }
                State::Due => due.remove(part),
                State::Parking { .. } => part.for_each(|seq| {
                    *words -= parking.remove(&seq).map_or(0, |park| park.words());
                    to_park.remove(&seq);
                }),
                State::Unconfirmed { .. } | State::Leased { .. } | State::Delayed { .. } => {}
            }
            seen(records, track);
        });
        // What is tracked is not settled, so there is nothing to look up: the usual case.
        let settled = if found == wanted && found > 0 {
            self.cursor.settle_all(seqs.clone());
            effects.settled(seqs);
            found
        } else {
            self.cursor.settle(seqs, |run| effects.settled(run))
        };
        // Acknowledgements from an earlier boot overtake what this one has handed out.
        self.delivered_end = self.delivered_end.max(self.cursor.position());
        self.next_fresh = self.next_fresh.max(self.cursor.position());
        settled
    }

    fn make_due(&mut self, seqs: Range<u64>, tries: Tries, effects: &mut Effects) {
        self.tracked.insert(seqs.clone(), Track { tries, state: State::Due });
        if tries.suspect {
            self.suspects.extend(seqs.map(|seq| (tries.failures, seq)));
        } else {
            self.due.insert(seqs);
        }
        effects.wake = true;
    }

    fn park(&mut self, seq: u64, tries: Tries, reason: ParkReason) {
        let park = Park { seq, tries, reason };
        self.tracked.insert(seq..seq + 1, Track { tries, state: State::Parking { retry: None } });
        self.words += park.words();
        self.parking.insert(seq, park);
        self.to_park.insert(seq);
    }

    /// Whether a timer still says something: some record of its run is set for this very time.
    fn is_live(tracked: &RangeMap<Track>, timer: &Timer) -> bool {
        tracked.any_within(timer.seqs(), |track| track.armed() == Some(timer.at))
    }
}
