//! The state machine against its twin, over random sequences of steps with restarts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::twin::{Stage, Twin, index};
use super::*;
use crate::delivery::backoff::Backoff;
use crate::delivery::{JournalOp, LeaseKey};

#[derive(Debug, Clone)]
enum Step {
    Publish(u64),
    Credit(u64, u32),
    Grant(u64, u32),
    Confirm,
    Ack(Vec<usize>),
    Nack(usize, Option<u64>),
    Reject(usize),
    Extend(usize, u64),
    Pass(u64),
    Expire,
    /// And whether in good order.
    Disconnect(u64, bool),
    TakeUp,
    Parked(usize),
    ParkFailed(usize, u64),
    Skip(u64, u64),
    /// Crash; this many journal entries of those not synced are lost.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (pick, connection) = (0usize..1000, 1u64..4);
    prop_oneof![
        3 => (1u64..20).prop_map(Step::Publish),
        2 => (connection.clone(), 0u32..12).prop_map(|(connection, credit)| Step::Credit(connection, credit)),
        8 => (connection.clone(), 1u32..12).prop_map(|(connection, max)| Step::Grant(connection, max)),
        5 => Just(Step::Confirm),
        4 => prop::collection::vec(pick.clone(), 1..10).prop_map(Step::Ack),
        4 => (pick.clone(), prop::option::of(0u64..20)).prop_map(|(pick, delay)| Step::Nack(pick, delay)),
        1 => pick.clone().prop_map(Step::Reject),
        2 => (pick.clone(), 0u64..100).prop_map(|(pick, time)| Step::Extend(pick, time)),
        5 => (0u64..40).prop_map(Step::Pass),
        3 => Just(Step::Expire),
        3 => (connection, any::<bool>()).prop_map(|(connection, orderly)| Step::Disconnect(connection, orderly)),
        2 => Just(Step::TakeUp),
        1 => pick.clone().prop_map(Step::Parked),
        1 => (pick, 0u64..20).prop_map(|(pick, wait)| Step::ParkFailed(pick, wait)),
        1 => (0u64..200, 0u64..5).prop_map(|(start, len)| Step::Skip(start, len)),
        1 => (0usize..30).prop_map(Step::Restart),
    ]
}

/// Both machines, the journal, and what applications have seen.
struct World {
    leases: Leases,
    twin: Twin,
    effects: Effects,
    now: Instant,
    journal: Vec<JournalOp>,
    synced: usize,
    pending: Vec<Grant>,
    /// Everything that was sent, in this and earlier boots.
    sent: Vec<LeaseKey>,
    /// Taken up, to become dead letters.
    parking: BTreeSet<u64>,
}

fn policy() -> Policy {
    Policy {
        ack_timeout: Duration::from_secs(30),
        max_in_flight: 8,
        max_attempts: 3,
        backoff: Backoff::new([0, 5, 20].map(Duration::from_secs).to_vec()),
    }
}

impl World {
    fn new() -> Self {
        let recovered = Recovered { epoch: 1, ..Recovered::default() };
        let mut effects = Effects::default();
        Self {
            leases: Leases::new(policy(), recovered, &mut effects),
            twin: Twin::restart(policy(), 1, 0, &[]),
            effects,
            now: Instant::now(),
            journal: Vec::new(),
            synced: 0,
            pending: Vec::new(),
            sent: Vec::new(),
            parking: BTreeSet::new(),
        }
    }

    fn published(&self) -> u64 {
        self.twin.records.len() as u64
    }

    fn picked(&self, pick: usize) -> Option<LeaseKey> {
        (!self.sent.is_empty()).then(|| self.sent[pick % self.sent.len()])
    }

    fn picked_parking(&self, pick: usize) -> Option<u64> {
        self.parking.iter().copied().nth(pick % self.parking.len().max(1))
    }

    /// An attempt is sent: it must be higher than all of this record before, except that a first
    /// one, which nobody journals, may be sent again by another boot.
    fn send(&mut self, seq: u64, attempt: u32) {
        let key = LeaseKey { epoch: self.twin.epoch, seq, attempt };
        for earlier in self.sent.iter().filter(|earlier| earlier.seq == seq) {
            let repeated_first = attempt == 1 && earlier.attempt == 1 && earlier.epoch < key.epoch;
            assert!(attempt > earlier.attempt || repeated_first, "{earlier:?} then {key:?}");
        }
        if attempt == 1 {
            let firsts =
                self.sent.iter().filter(|sent| sent.epoch == key.epoch && sent.attempt == 1);
            assert!(firsts.map(|sent| sent.seq).max() < Some(seq), "first deliveries go up");
        }
        self.sent.push(key);
    }

    fn grant(&mut self, connection: u64, max: u32) {
        let mut grants = Vec::new();
        let published = self.published();
        self.leases.grant(connection, self.now, published, max, &mut grants, &mut self.effects);
        let flat: Vec<_> = grants
            .iter()
            .flat_map(|grant| grant.seqs.clone().map(|seq| (seq, grant.attempt)))
            .collect();
        assert_eq!(flat, self.twin.grant(connection, self.now, max));
        for grant in grants {
            if grant.is_ready() {
                grant.seqs.for_each(|seq| self.send(seq, 1));
            } else {
                self.pending.push(grant);
            }
        }
    }

    fn confirm(&mut self) {
        self.synced = self.journal.len();
        for grant in std::mem::take(&mut self.pending) {
            let mut ready = Vec::new();
            self.leases.confirm(&grant, self.now, &mut ready);
            let ready: Vec<_> = ready.into_iter().flat_map(|grant| grant.seqs).collect();
            let now = self.now;
            let expected =
                grant.seqs.clone().filter(|seq| self.twin.confirm(*seq, grant.attempt, now));
            assert_eq!(ready, expected.collect::<Vec<_>>());
            for seq in ready {
                self.send(seq, grant.attempt);
            }
        }
    }

    fn restart(&mut self, lost: usize) {
        let kept = self.journal.len().saturating_sub(lost).max(self.synced);
        self.journal.truncate(kept);
        let mut recovered = Recovered {
            epoch: self.twin.epoch + 1,
            epoch_start: self.published(),
            ..Recovered::default()
        };
        for op in &self.journal {
            match op {
                JournalOp::Settled(seqs) => recovered.settled.insert(seqs.clone()),
                JournalOp::Attempt { seq, tries } => {
                    recovered.attempts.insert(*seq, *tries);
                }
                JournalOp::Seeked(to) => panic!("nobody went to {to}"),
            }
        }
        self.pending.clear();
        self.parking.clear();
        self.twin = Twin::restart(policy(), recovered.epoch, self.published(), &self.journal);
        self.leases = Leases::new(policy(), recovered, &mut self.effects);
    }

    fn verdict(&mut self, key: LeaseKey, step: &Step) {
        let (now, current) = (self.now, self.twin.is_current(key));
        let seconds = Duration::from_secs;
        let followed = match *step {
            Step::Nack(_, delay) => {
                self.leases.nack(key, delay.map(seconds), now, &mut self.effects)
            }
            Step::Extend(_, time) => self.leases.extend(key, seconds(time), now),
            _ => self.leases.reject(key, b"no", &mut self.effects),
        };
        assert_eq!(followed, current);
        match (step, self.twin.at(key.seq)) {
            _ if !current => {}
            (Step::Nack(_, delay), (_, tries)) => {
                tries.suspect = false;
                self.twin.fail(key.seq, delay.map(seconds), now);
            }
            (Step::Extend(_, time), (Stage::Leased(_, deadline), _)) => {
                *deadline = (*deadline).max(now + seconds(*time));
            }
            _ => self.twin.park(key.seq),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Publish(records) => {
                let published = self.published() + records;
                self.twin.records.resize(index(published), (Stage::Fresh, Tries::default()));
            }
            Step::Credit(connection, credit) => {
                self.leases.set_credit(connection, credit, &mut self.effects);
                self.twin.credit(connection, credit);
            }
            Step::Grant(connection, max) => self.grant(connection, max),
            Step::Confirm => self.confirm(),
            Step::Ack(ref picks) => {
                let mut keys: Vec<_> = picks.iter().filter_map(|pick| self.picked(*pick)).collect();
                keys.sort_by_key(|key| key.seq);
                let mut expected = AckOutcome::default();
                for key in &keys {
                    self.twin.ack(*key, &mut expected);
                }
                let published = self.published();
                assert_eq!(self.leases.ack(&keys, published, &mut self.effects), expected);
            }
            Step::Nack(pick, _) | Step::Reject(pick) | Step::Extend(pick, _) => {
                if let Some(key) = self.picked(pick) {
                    self.verdict(key, step);
                }
            }
            Step::Pass(time) => self.now += Duration::from_secs(time),
            Step::Expire => {
                self.leases.expire(self.now, &mut self.effects);
                self.twin.expire(self.now);
            }
            Step::Disconnect(connection, orderly) => {
                self.leases.disconnect(connection, orderly, self.now, &mut self.effects);
                self.twin.disconnect(connection, orderly, self.now);
            }
            Step::TakeUp => {
                let next = self.leases.next_park().map(|park| park.seq);
                assert_eq!(next, self.twin.parks.pop_first());
                self.parking.extend(next);
            }
            Step::Parked(pick) => {
                if let Some(seq) = self.picked_parking(pick) {
                    let parked = self.twin.at(seq).0 != Stage::Settled && self.twin.settle(seq);
                    assert_eq!(self.leases.parked(seq, &mut self.effects), parked);
                    self.parking.remove(&seq);
                }
            }
            Step::ParkFailed(pick, wait) => {
                if let Some(seq) = self.picked_parking(pick) {
                    let retry = self.now + Duration::from_secs(wait);
                    self.leases.park_failed(seq, retry);
                    if self.twin.at(seq).0 != Stage::Settled {
                        self.twin.at(seq).0 = Stage::Parking(Some(retry));
                    }
                    self.parking.remove(&seq);
                }
            }
            Step::Skip(start, len) => {
                let end = (start + len).min(self.published());
                let start = start.min(end);
                let count = (start..end).filter(|seq| self.twin.settle(*seq)).count();
                assert_eq!(self.leases.skip(start..end, &mut self.effects), count as u64);
            }
            Step::Restart(lost) => self.restart(lost),
        }
        self.compare();
    }

    fn compare(&mut self) {
        self.compare_effects();
        self.compare_states();
    }

    /// Same effects; they go to the journal.
    fn compare_effects(&mut self) {
        let (mut settled, mut tried) = (BTreeSet::new(), Vec::new());
        for op in &self.effects.journal {
            match op {
                JournalOp::Settled(seqs) => seqs.clone().for_each(|seq| {
                    assert!(settled.insert(seq));
                }),
                JournalOp::Attempt { seq, tries } => tried.push((*seq, *tries)),
                JournalOp::Seeked(to) => panic!("nobody went to {to}"),
            }
        }
        tried.sort_by_key(|(seq, tries)| (*seq, tries.attempt, tries.failures));
        let twin = &mut self.twin;
        twin.tried.sort_by_key(|(seq, tries)| (*seq, tries.attempt, tries.failures));
        assert_eq!(settled, std::mem::take(&mut twin.settled));
        assert_eq!(tried, std::mem::take(&mut twin.tried));
        assert_eq!(self.leases.to_park, twin.parks);
        self.journal.append(&mut self.effects.journal);
        self.effects.clear();
    }

    /// Same states, and every record in exactly one.
    fn compare_states(&mut self) {
        let published = self.published();
        let (mut unsettled, mut in_flight, mut next) = (0, 0, None::<Instant>);
        for seq in 0..published {
            let (stage, tries) = *self.twin.at(seq);
            let (real, real_tries) = self.stage(seq);
            assert_eq!(real, stage, "record {seq}");
            if !matches!(stage, Stage::Fresh | Stage::Settled) {
                assert_eq!(real_tries, tries, "record {seq}");
            }
            unsettled += u64::from(stage != Stage::Settled);
            in_flight += u64::from(matches!(stage, Stage::Unconfirmed(_) | Stage::Leased(..)));
            if let Stage::Leased(_, at) | Stage::Delayed(at) | Stage::Parking(Some(at)) = stage {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        let figures = self.leases.figures(published);
        assert_eq!((figures.unsettled, figures.in_flight), (unsettled, in_flight));
        let seen = self.sent.iter().filter(|sent| sent.epoch == self.twin.epoch);
        assert!(figures.delivered_end >= seen.map(|sent| sent.seq + 1).max().unwrap_or(0));
        self.leases.check_order(0, published);
        // A lease that was extended is looked at when it would have ended, hence "at or before".
        match (self.leases.next_deadline(), next) {
            (Some(real), Some(next)) => assert!(real <= next),
            (real, next) => assert_eq!(real, next),
        }
    }

    /// The machine's state of one record; settled and tracked exclude each other.
    fn stage(&self, seq: u64) -> (Stage, Tries) {
        let leases = &self.leases;
        let settled = leases.cursor.next_unsettled(seq..seq + 1).is_none();
        let Some(track) = leases.tracked.get(seq) else {
            assert!(settled || seq >= leases.next_fresh, "record {seq} is lost");
            assert!(!leases.due.contains(seq) && !leases.parking.contains_key(&seq));
            return (if settled { Stage::Settled } else { Stage::Fresh }, Tries::default());
        };
        assert!(!settled);
        let due = matches!(track.state, State::Due);
        let Tries { failures, suspect, .. } = track.tries;
        assert_eq!(leases.due.contains(seq), due && !suspect);
        assert_eq!(leases.suspects.contains(&(failures, seq)), due && suspect);
        let stage = match track.state {
            State::Unconfirmed { connection } => Stage::Unconfirmed(connection),
            State::Leased { connection, deadline, .. } => Stage::Leased(connection, deadline),
            State::Delayed { until } => Stage::Delayed(until),
            State::Due => Stage::Due,
            State::Parking { retry } => Stage::Parking(retry),
        };
        (stage, track.tries)
    }

    /// A patient application: in the end everything is settled.
    fn drain(&mut self) {
        for round in 0.. {
            assert!(round < 400, "not drained: {:?}", self.leases.figures(self.published()));
            if self.leases.figures(self.published()).unsettled == 0 {
                return;
            }
            for step in [Step::Credit(9, 8), Step::Pass(30), Step::Grant(9, 8), Step::Confirm] {
                self.run(&step);
            }
            let last = self.sent.len();
            self.run(&Step::Ack((last.saturating_sub(8)..last).collect()));
            while self.leases.has_parks() || !self.parking.is_empty() {
                self.run(&Step::TakeUp);
                self.run(&Step::Parked(0));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_its_twin_and_loses_nothing(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.drain();
    }
}
