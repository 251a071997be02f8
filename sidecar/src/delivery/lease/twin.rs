//! The naive machine: one state for each record, and every step walks all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::delivery::backoff::Policy;
use crate::delivery::lease::AckOutcome;
use crate::delivery::{JournalOp, LeaseKey, Tries};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    Fresh,
    Unconfirmed(u64),
    Leased(u64, Instant),
    Delayed(Instant),
    Due,
    Parking(Option<Instant>),
    Settled,
}

pub(super) fn index(seq: u64) -> usize {
    usize::try_from(seq).unwrap()
}

/// As [`Leases`](super::Leases), without a thought of speed.
pub(super) struct Twin {
    policy: Policy,
    pub(super) epoch: u64,
    epoch_start: u64,
    pub(super) records: Vec<(Stage, Tries)>,
    pub(super) credit: BTreeMap<u64, u32>,
    /// Connections on which a lease ran out.
    overdue: BTreeSet<u64>,
    /// The connection that gets nothing until it is empty.
    draining: Option<u64>,
    /// Settled and tried, as the step brought them.
    pub(super) settled: BTreeSet<u64>,
    pub(super) tried: Vec<(u64, Tries)>,
    pub(super) parks: BTreeSet<u64>,
}

impl Twin {
    pub(super) fn restart(
        policy: Policy,
        epoch: u64,
        published: u64,
        journal: &[JournalOp],
    ) -> Self {
        let mut twin = Self {
            policy,
            epoch,
            epoch_start: published,
            records: vec![(Stage::Fresh, Tries::default()); index(published)],
            credit: BTreeMap::new(),
            overdue: BTreeSet::new(),
            draining: None,
            settled: BTreeSet::new(),
            tried: Vec::new(),
            parks: BTreeSet::new(),
        };
        for op in journal {
            match op {
                JournalOp::Settled(seqs) => seqs.clone().for_each(|seq| {
                    twin.at(seq).0 = Stage::Settled;
                }),
                JournalOp::Attempt { seq, tries } => twin.at(*seq).1 = *tries,
                JournalOp::Seeked(to) => panic!("nobody went to {to}"),
            }
        }
        for seq in 0..published {
            let (stage, tries) = *twin.at(seq);
            if stage == Stage::Fresh && tries.failures >= twin.policy.max_attempts {
                twin.park(seq);
            } else if stage == Stage::Fresh && tries.attempt > 0 {
                twin.at(seq).0 = Stage::Due;
            }
        }
        twin
    }

    pub(super) fn at(&mut self, seq: u64) -> &mut (Stage, Tries) {
        &mut self.records[index(seq)]
    }

    pub(super) fn park(&mut self, seq: u64) {
        self.at(seq).0 = Stage::Parking(None);
        self.parks.insert(seq);
    }

    pub(super) fn fail(&mut self, seq: u64, delay: Option<Duration>, now: Instant) {
        let (_, tries) = self.at(seq);
        tries.failures += 1;
        let tries = *tries;
        self.tried.push((seq, tries));
        if tries.failures >= self.policy.max_attempts {
            return self.park(seq);
        }
        let delay = delay.unwrap_or_else(|| self.policy.backoff.after(tries.failures));
        self.at(seq).0 = if delay.is_zero() { Stage::Due } else { Stage::Delayed(now + delay) };
    }

    pub(super) fn expire(&mut self, now: Instant) {
        for seq in 0..self.records.len() as u64 {
            match self.at(seq).0 {
                Stage::Leased(connection, deadline) if deadline <= now => {
                    self.overdue.insert(connection);
                    self.fail(seq, None, now);
                }
                Stage::Delayed(until) if until <= now => self.at(seq).0 = Stage::Due,
                Stage::Parking(Some(retry)) if retry <= now => self.park(seq),
                _ => {}
            }
        }
    }

    pub(super) fn held_by(&self, connection: u64) -> usize {
        let held = |stage| matches!(stage, Stage::Unconfirmed(it) | Stage::Leased(it, _) if it == connection);
        self.records.iter().filter(|(stage, _)| held(*stage)).count()
    }

    pub(super) fn grant(&mut self, connection: u64, now: Instant, max: u32) -> Vec<(u64, u32)> {
        self.expire(now);
        let window =
            self.credit.get(&connection).copied().unwrap_or(0).min(self.policy.max_in_flight);
        let room = index(u64::from(window))
            .saturating_sub(self.held_by(connection))
            .min(index(u64::from(max)));
        let seqs = if room == 0 { Vec::new() } else { self.choose(connection, room) };
        let mut granted = Vec::new();
        for seq in seqs {
            let deadline = now + self.policy.ack_timeout;
            let (stage, tries) = self.at(seq);
            tries.attempt += 1;
            let tries = *tries;
            *stage = if *stage == Stage::Fresh {
                Stage::Leased(connection, deadline)
            } else {
                Stage::Unconfirmed(connection)
            };
            if matches!(stage, Stage::Unconfirmed(_)) {
                self.tried.push((seq, tries));
            }
            granted.push((seq, tries.attempt));
        }
        granted
    }

    /// What a connection with room for so many gets.
    fn choose(&mut self, connection: u64, room: usize) -> Vec<u64> {
        let in_stage = |stage, suspect| {
            let records = self.records.iter().enumerate();
            let of =
                records.filter(move |(_, (at, tries))| *at == stage && tries.suspect == suspect);
            of.map(|(seq, _)| seq as u64)
        };
        let suspect = in_stage(Stage::Due, true)
            .min_by_key(|seq| (self.records[index(*seq)].1.failures, *seq));
        let probers: BTreeSet<u64> = self
            .records
            .iter()
            .filter(|(_, tries)| tries.suspect)
            .filter_map(|(stage, _)| match stage {
                Stage::Unconfirmed(it) | Stage::Leased(it, _) => Some(*it),
                _ => None,
            })
            .collect();
        assert!(probers.len() <= 1, "one probes");
        if probers.contains(&connection) {
            assert_eq!(self.held_by(connection), 1, "nothing beside a suspect");
            return Vec::new();
        }
        if self.draining.is_some_and(|draining| self.held_by(draining) == 0) {
            self.draining = None;
        }
        if let (Some(suspect), true) = (suspect, probers.is_empty()) {
            if self.held_by(connection) == 0 {
                self.draining = None;
                return vec![suspect];
            }
            if *self.draining.get_or_insert(connection) == connection {
                return Vec::new();
            }
        }
        in_stage(Stage::Due, false).chain(in_stage(Stage::Fresh, false)).take(room).collect()
    }

    pub(super) fn credit(&mut self, connection: u64, credit: u32) {
        self.credit.insert(connection, credit);
        if credit == 0 {
            self.draining.take_if(|draining| *draining == connection);
        }
    }

    pub(super) fn confirm(&mut self, seq: u64, attempt: u32, now: Instant) -> bool {
        let deadline = now + self.policy.ack_timeout;
        let (stage, tries) = self.at(seq);
        if let Stage::Unconfirmed(connection) = *stage
            && tries.attempt == attempt
        {
            *stage = Stage::Leased(connection, deadline);
            return true;
        }
        false
    }

    pub(super) fn is_current(&mut self, key: LeaseKey) -> bool {
        let epoch = self.epoch;
        let (stage, tries) = *self.at(key.seq);
        key.epoch == epoch && matches!(stage, Stage::Leased(..)) && tries.attempt == key.attempt
    }

    pub(super) fn settle(&mut self, seq: u64) -> bool {
        let (stage, _) = self.at(seq);
        if *stage == Stage::Settled {
            return false;
        }
        *stage = Stage::Settled;
        self.parks.remove(&seq);
        self.settled.insert(seq)
    }

    pub(super) fn ack(&mut self, key: LeaseKey, outcome: &mut AckOutcome) {
        let known = key.epoch == self.epoch || key.seq < self.epoch_start;
        if !known || key.seq >= self.records.len() as u64 {
            outcome.refused += 1;
            return;
        }
        let current = self.is_current(key);
        if self.settle(key.seq) {
            outcome.settled += 1;
            outcome.late += u64::from(!current);
        } else {
            outcome.repeated += 1;
        }
    }

    pub(super) fn disconnect(&mut self, connection: u64, orderly: bool, now: Instant) {
        let stopped = self.credit.remove(&connection) == Some(0);
        let orderly = orderly || stopped;
        let alone = self.held_by(connection) == 1;
        let overdue = self.overdue.remove(&connection);
        self.draining.take_if(|draining| *draining == connection);
        for seq in 0..self.records.len() as u64 {
            let (stage, tries) = self.at(seq);
            match *stage {
                Stage::Unconfirmed(it) if it == connection => *stage = Stage::Due,
                Stage::Leased(it, _) if it == connection => {
                    *stage = Stage::Due;
                    if !orderly && tries.suspect && alone && !overdue {
                        self.fail(seq, None, now);
                    } else if !orderly && !tries.suspect {
                        tries.suspect = true;
                        let tries = *tries;
                        self.tried.push((seq, tries));
                    }
                }
                _ => {}
            }
        }
    }
}
