//! A state machine with its clock and its log, as the tests of its rules drive it.

use std::time::{Duration, Instant};

use super::*;
use crate::delivery::LeaseKey;
use crate::delivery::backoff::Backoff;

pub(super) const EPOCH: u64 = 7;
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn policy() -> Policy {
    Policy {
        ack_timeout: 30 * SECOND,
        max_in_flight: 4,
        max_attempts: 3,
        backoff: Backoff::new(vec![SECOND, 10 * SECOND]),
    }
}

/// A machine, its clock and its log.
pub(super) struct Bench {
    pub(super) leases: Leases,
    pub(super) effects: Effects,
    pub(super) now: Instant,
    pub(super) published_end: u64,
}

impl Bench {
    pub(super) fn new(published_end: u64) -> Self {
        let recovered =
            Recovered { epoch: EPOCH, epoch_start: published_end, ..Recovered::default() };
        Self::recover(published_end, recovered)
    }

    pub(super) fn recover(published_end: u64, recovered: Recovered) -> Self {
        let mut effects = Effects::default();
        let mut leases = Leases::new(policy(), recovered, &mut effects);
        leases.set_credit(1, 100, &mut effects);
        effects.wake = false;
        Self { leases, effects, now: Instant::now(), published_end }
    }

    pub(super) fn credit(&mut self, connection: u64, credit: u32) {
        self.leases.set_credit(connection, credit, &mut self.effects);
    }

    /// The connection breaks.
    pub(super) fn crash(&mut self, connection: u64) {
        self.leases.disconnect(connection, false, self.now, &mut self.effects);
    }

    /// The connection ends in good order.
    pub(super) fn leave(&mut self, connection: u64) {
        self.leases.disconnect(connection, true, self.now, &mut self.effects);
    }

    /// What a connection is granted, as (seq, attempt).
    pub(super) fn grant(&mut self, connection: u64, max: u32) -> Vec<(u64, u32)> {
        let mut grants = Vec::new();
        let Self { leases, effects, now, published_end } = self;
        leases.grant(connection, *now, *published_end, max, &mut grants, effects);
        flat(&grants)
    }

    /// The same, with the journal synced at once.
    pub(super) fn deliver(&mut self, connection: u64, max: u32) -> Vec<(u64, u32)> {
        let granted = self.grant(connection, max);
        for &(seq, attempt) in &granted {
            self.leases.confirm(&Grant { seqs: seq..seq + 1, attempt }, self.now, &mut Vec::new());
        }
        granted
    }

    pub(super) fn ack(&mut self, keys: &[LeaseKey]) -> AckOutcome {
        self.leases.ack(keys, self.published_end, &mut self.effects)
    }

    pub(super) fn nack(&mut self, key: LeaseKey, delay: Option<Duration>) -> bool {
        self.leases.nack(key, delay, self.now, &mut self.effects)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.leases.expire(self.now, &mut self.effects);
    }

    /// What is to become a dead letter, all of it taken up.
    pub(super) fn parks(&mut self) -> Vec<Park> {
        std::iter::from_fn(|| self.leases.next_park()).collect()
    }

    pub(super) fn figures(&self) -> Figures {
        self.leases.figures(self.published_end)
    }
}

pub(super) fn flat(grants: &[Grant]) -> Vec<(u64, u32)> {
    grants.iter().flat_map(|grant| grant.seqs.clone().map(|seq| (seq, grant.attempt))).collect()
}

pub(super) fn key(seq: u64, attempt: u32) -> LeaseKey {
    LeaseKey { epoch: EPOCH, seq, attempt }
}
