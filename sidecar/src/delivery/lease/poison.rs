//! The promise that suspects are for, simulated: however many connections there are, and however
//! often the sidecar restarts, records that crash their application end as dead letters, and no
//! other record does or ever fails.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::delivery::backoff::Backoff;
use crate::delivery::{JournalOp, LeaseKey};

/// More steps than any case takes that ends.
const PATIENCE: usize = 20_000;

fn policy(max_attempts: u32) -> Policy {
    Policy {
        // This is about crashes alone: nothing expires.
        ack_timeout: Duration::from_secs(86_400),
        max_in_flight: 64,
        max_attempts,
        backoff: Backoff::new([0, 1, 10].map(Duration::from_secs).to_vec()),
    }
}

/// Processes with a connection each, and what they have in hand.
struct Run {
    policy: Policy,
    records: u64,
    poison: BTreeSet<u64>,
    leases: Leases,
    effects: Effects,
    now: Instant,
    epoch: u64,
    journal: Vec<JournalOp>,
    synced: usize,
    in_hand: BTreeMap<u64, VecDeque<LeaseKey>>,
    next_connection: u64,
    dead: Vec<u64>,
    done: BTreeSet<u64>,
}

impl Run {
    fn new(records: u64, poison: BTreeSet<u64>, connections: u64, max_attempts: u32) -> Self {
        let recovered = Recovered { epoch: 1, ..Recovered::default() };
        let mut effects = Effects::default();
        let policy = policy(max_attempts);
        let mut run = Self {
            leases: Leases::new(policy.clone(), recovered, &mut effects),
            policy,
            records,
            poison,
            effects,
            now: Instant::now(),
            epoch: 1,
            journal: Vec::new(),
            synced: 0,
            in_hand: BTreeMap::new(),
            next_connection: 1,
            dead: Vec::new(),
            done: BTreeSet::new(),
        };
        (0..connections).for_each(|_| run.connect());
        run
    }

    fn connect(&mut self) {
        let connection = self.next_connection;
        self.next_connection += 1;
        self.leases.set_credit(connection, 64, &mut self.effects);
        self.in_hand.insert(connection, VecDeque::new());
    }

    fn break_connection(&mut self, connection: u64) {
        self.in_hand.remove(&connection);
        self.leases.disconnect(connection, false, self.now, &mut self.effects);
        self.follow();
        self.connect();
    }

    /// Journals, and turns what is parked into dead letters.
    fn follow(&mut self) {
        loop {
            self.journal.append(&mut self.effects.journal);
            let Some(park) = self.leases.next_park() else { break };
            assert!(park.tries.suspect && park.tries.failures == self.policy.max_attempts);
            self.dead.push(park.seq);
            self.leases.parked(park.seq, &mut self.effects);
        }
        self.effects.clear();
    }

    /// One connection gets what it may, and its application works on `count` of what it has.
    fn work(&mut self, pick: usize, count: usize) {
        let connection = *self.in_hand.keys().nth(pick % self.in_hand.len()).unwrap();
        let mut grants = Vec::new();
        self.leases.grant(connection, self.now, self.records, 64, &mut grants, &mut self.effects);
        self.follow();
        let mut ready = Vec::new();
        for grant in grants {
            if grant.is_ready() {
                ready.push(grant);
            } else {
                self.synced = self.journal.len();
                self.leases.confirm(&grant, self.now, &mut ready);
            }
        }
        let hand = self.in_hand.get_mut(&connection).unwrap();
        for Grant { seqs, attempt } in ready {
            hand.extend(seqs.map(|seq| LeaseKey { epoch: self.epoch, seq, attempt }));
        }
        for _ in 0..count {
            let Some(key) = self.in_hand.get_mut(&connection).and_then(VecDeque::pop_front) else {
                return;
            };
            if self.poison.contains(&key.seq) {
                return self.break_connection(connection);
            }
            self.leases.ack(&[key], self.records, &mut self.effects);
            self.done.insert(key.seq);
            self.follow();
        }
    }

    /// The sidecar is killed: what was not synced of its journal may be lost, and every connection
    /// is new.
    fn restart(&mut self, lost: usize) {
        let kept = self.journal.len().saturating_sub(lost).max(self.synced);
        self.journal.truncate(kept);
        self.synced = kept;
        self.epoch += 1;
        let mut recovered =
            Recovered { epoch: self.epoch, epoch_start: self.records, ..Recovered::default() };
        for op in &self.journal {
            match op {
                JournalOp::Seeked(to) => panic!("nobody went to {to}"),
                JournalOp::Settled(seqs) => recovered.settled.insert(seqs.clone()),
                JournalOp::Attempt { seq, tries } => {
                    recovered.attempts.insert(*seq, *tries);
                }
            }
        }
        self.leases = Leases::new(self.policy.clone(), recovered, &mut self.effects);
        self.follow();
        let connections = self.in_hand.len();
        self.in_hand.clear();
        (0..connections).for_each(|_| self.connect());
    }

    fn is_done(&self) -> bool {
        self.leases.figures(self.records).unsettled == 0
    }

    /// What must hold in the end.
    fn check(&self) {
        let dead: BTreeSet<u64> = self.dead.iter().copied().collect();
        assert_eq!(dead, self.poison, "the poison, and no innocent");
        let innocent = (0..self.records).filter(|seq| !self.poison.contains(seq));
        assert_eq!(self.done, innocent.collect::<BTreeSet<_>>());
        for op in &self.journal {
            if let JournalOp::Attempt { seq, tries } = op {
                let failed = tries.failures > 0;
                assert!(!failed || self.poison.contains(seq), "{seq} failed: {tries:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn poison_ends_as_dead_letters_and_nothing_else_does(
        connections in prop::sample::select(vec![1u64, 2, 8]),
        poison in prop::collection::btree_set(0u64..64, 1..4),
        max_attempts in 1u32..5,
        steps in prop::collection::vec((any::<usize>(), 0usize..70, 0u64..3), 1..200),
        restarts in prop::collection::btree_map(0usize..200, 0usize..20, 0..3),
    ) {
        let mut run = Run::new(64, poison, connections, max_attempts);
        let mut at = 0;
        while !run.is_done() {
            let (pick, count, seconds) = steps[at % steps.len()];
            if let Some(lost) = restarts.get(&at) {
                run.restart(*lost);
            }
            // In the end everybody works.
            let count = if at < steps.len() { count } else { count.max(1) };
            run.work(if at < steps.len() { pick } else { at }, count);
            run.now += Duration::from_secs(seconds.max(u64::from(at >= steps.len())) % 5);
            at += 1;
            prop_assert!(at < PATIENCE, "does not end");
        }
        run.check();
    }
}

#[test]
fn one_poison_record_of_64_is_exactly_one_dead_letter() {
    for connections in [1, 2, 8] {
        let mut run = Run::new(64, BTreeSet::from([40]), connections, 20);
        let mut at = 0;
        while !run.is_done() {
            run.work(at, 64);
            run.now += Duration::from_millis(500);
            if at == 30 {
                run.restart(5);
            }
            at += 1;
            assert!(at < PATIENCE, "does not end");
        }
        run.check();
        assert_eq!(run.dead, [40], "once");
    }
}
