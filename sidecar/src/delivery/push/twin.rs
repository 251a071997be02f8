//! The PUSH cursor against a twin that keeps one state for each record and forgets nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::delivery::JournalOp;
use crate::delivery::trail::DECODER_BUFFER;

/// `time` is so chosen that whole seconds are never marked as one.
const POLICY: TrailPolicy = TrailPolicy { messages: 3, time: Duration::from_secs(64) };

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Fresh,
    Due,
    Assigned(u64),
    Sent(u64),
    Settled,
}

/// A record on a connection's wire; stays for as long as the connection.
#[derive(Debug, Clone, Copy)]
struct OnWire {
    seq: u64,
    end: u64,
    taken: Option<Instant>,
}

#[derive(Debug, Clone)]
enum Step {
    Publish(u64),
    Connect(u64),
    Take(u64, u64),
    /// Sends the lowest records that the connection took, with these sizes.
    Send(u64, Vec<u32>),
    SendOther(u64, u32),
    /// The peer has taken this many bytes more, as far as there are any.
    Progress(u64, u64),
    Pass(u64),
    GiveBack(u64),
    Disconnect(u64),
    Skip(u64, u64),
    /// By an operator's order.
    Seek(u64),
    /// Crash; this many journal entries are lost.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let connection = 1u64..4;
    let sizes = prop::collection::vec(prop_oneof![2u32..20, 500u32..5000], 1..12);
    prop_oneof![
        3 => (1u64..30).prop_map(Step::Publish),
        3 => connection.clone().prop_map(Step::Connect),
        6 => (connection.clone(), 0u64..20).prop_map(|(connection, max)| Step::Take(connection, max)),
        6 => (connection.clone(), sizes).prop_map(|(connection, sizes)| Step::Send(connection, sizes)),
        1 => (connection.clone(), 0u32..100).prop_map(|(connection, bytes)| Step::SendOther(connection, bytes)),
        8 => (connection.clone(), 0u64..12_000).prop_map(|(connection, bytes)| Step::Progress(connection, bytes)),
        4 => (0u64..30).prop_map(Step::Pass),
        1 => connection.clone().prop_map(Step::GiveBack),
        1 => connection.prop_map(Step::Disconnect),
        1 => (0u64..200, 0u64..5).prop_map(|(start, len)| Step::Skip(start, len)),
        1 => (0u64..200).prop_map(Step::Seek),
        1 => (0usize..10).prop_map(Step::Restart),
    ]
}

#[derive(Debug, Default)]
struct Peer {
    wire: Vec<OnWire>,
    sent: u64,
    taken: u64,
}

impl Peer {
    /// Whether the record at `index` is settled by the letter of the rule.
    fn is_settled(&self, index: usize, now: Instant) -> bool {
        let last_taken = self.wire.iter().rfind(|record| record.taken.is_some());
        let aged = self.wire[index].taken.is_some_and(|at| at + POLICY.time <= now);
        let prefetched = usize::try_from(POLICY.messages).unwrap() + 1;
        let overtaken = self.wire.get(index + prefetched).zip(last_taken);
        aged || overtaken.is_some_and(|(further, last)| further.end + DECODER_BUFFER <= last.end)
    }
}

struct World {
    push: PushCursor,
    effects: Effects,
    now: Instant,
    journal: Vec<JournalOp>,
    stages: Vec<Stage>,
    peers: BTreeMap<u64, Peer>,
    settled: BTreeSet<u64>,
    /// Above every record that was given out for the first time.
    first_given: u64,
}

impl World {
    fn new() -> Self {
        Self {
            push: PushCursor::new(POLICY, 0, RangeSet::new()),
            effects: Effects::default(),
            now: Instant::now(),
            journal: Vec::new(),
            stages: Vec::new(),
            peers: BTreeMap::new(),
            settled: BTreeSet::new(),
            first_given: 0,
        }
    }

    fn published(&self) -> u64 {
        self.stages.len() as u64
    }

    fn at(&mut self, seq: u64) -> &mut Stage {
        &mut self.stages[usize::try_from(seq).unwrap()]
    }

    fn all_in(&self, stage: Stage) -> Vec<u64> {
        (0..).zip(&self.stages).filter(|(_, it)| **it == stage).map(|(seq, _)| seq).collect()
    }

    fn settle(&mut self, seq: u64) -> bool {
        let new = *self.at(seq) != Stage::Settled;
        if new {
            *self.at(seq) = Stage::Settled;
            self.settled.insert(seq);
        }
        new
    }

    fn expected_take(&self, connection: u64, max: u64) -> Option<Range<u64>> {
        let (due, fresh) = (self.all_in(Stage::Due), self.all_in(Stage::Fresh));
        let share = (due.len() + fresh.len()).div_ceil(self.peers.len().max(1)) as u64;
        let waiting = if due.is_empty() { fresh } else { due };
        let start = *waiting.first().filter(|_| self.peers.contains_key(&connection))?;
        let run = waiting.iter().zip(start..).take_while(|(seq, next)| *seq == next).count() as u64;
        let records = run.min(share).min(max);
        (records > 0).then_some(start..start + records)
    }

    fn take(&mut self, connection: u64, max: u64) {
        let expected = self.expected_take(connection, max);
        let published = self.published();
        assert_eq!(self.push.take(connection, published, max), expected);
        for seq in expected.into_iter().flatten() {
            if *self.at(seq) == Stage::Fresh {
                assert!(seq >= self.first_given, "first deliveries go up");
                self.first_given = seq + 1;
            }
            *self.at(seq) = Stage::Assigned(connection);
        }
    }

    fn send(&mut self, connection: u64, sizes: &[u32]) {
        let assigned = self.all_in(Stage::Assigned(connection));
        let Some(&first) = assigned.first() else { return };
        let run = assigned.iter().zip(first..).take_while(|(seq, next)| *seq == next).count();
        let sizes = &sizes[..sizes.len().min(run)];
        self.push.sent(connection, first, sizes.iter().copied());
        for (seq, size) in (first..).zip(sizes) {
            *self.at(seq) = Stage::Sent(connection);
            let peer = self.peers.get_mut(&connection).unwrap();
            peer.sent += u64::from(*size);
            peer.wire.push(OnWire { seq, end: peer.sent, taken: None });
        }
    }

    fn progress(&mut self, connection: u64, bytes: u64) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.taken = peer.sent.min(peer.taken + bytes);
        for record in &mut peer.wire {
            if record.end <= peer.taken && record.taken.is_none() {
                record.taken = Some(now);
            }
        }
        let position = peer.taken;
        let settled: Vec<_> =
            (0..peer.wire.len()).filter(|index| peer.is_settled(*index, now)).collect();
        let settled: Vec<_> = settled.into_iter().map(|index| peer.wire[index].seq).collect();
        for seq in settled {
            self.settle(seq);
        }
        self.push.progress(connection, position, now, &mut self.effects);
    }

    fn restart(&mut self, lost: usize) {
        self.journal.truncate(self.journal.len().saturating_sub(lost));
        let mut settled = RangeSet::new();
        for op in &self.journal {
            if let JournalOp::Seeked(to) = op {
                settled = RangeSet::new();
                settled.insert(0..*to);
            }
            settled.insert(settled_range(op));
        }
        for (seq, stage) in (0..).zip(&mut self.stages) {
            *stage = if settled.contains(seq) { Stage::Settled } else { Stage::Fresh };
        }
        self.peers.clear();
        self.first_given = 0;
        self.push = PushCursor::new(POLICY, 0, settled);
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Publish(records) => self.stages.extend((0..records).map(|_| Stage::Fresh)),
            Step::Connect(connection) => {
                self.push.connect(connection);
                self.peers.entry(connection).or_default();
            }
            Step::Take(connection, max) => self.take(connection, max),
            Step::Send(connection, ref sizes) => self.send(connection, sizes),
            Step::SendOther(connection, bytes) => {
                self.push.sent_other(connection, bytes);
                if let Some(peer) = self.peers.get_mut(&connection) {
                    peer.sent += u64::from(bytes);
                }
            }
            Step::Progress(connection, bytes) => self.progress(connection, bytes),
            Step::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Step::GiveBack(connection) => {
                self.push.give_back(connection);
                self.all_in(Stage::Assigned(connection))
                    .into_iter()
                    .for_each(|seq| *self.at(seq) = Stage::Due);
            }
            Step::Disconnect(connection) => {
                self.push.disconnect(connection);
                self.peers.remove(&connection);
                for stage in [Stage::Assigned(connection), Stage::Sent(connection)] {
                    self.all_in(stage).into_iter().for_each(|seq| *self.at(seq) = Stage::Due);
                }
            }
            Step::Skip(start, len) => {
                let end = (start + len).min(self.published());
                let start = start.min(end);
                let count = (start..end).filter(|seq| self.settle(*seq)).count();
                assert_eq!(self.push.skip(start..end, &mut self.effects), count as u64);
            }
            Step::Seek(to) => self.seek(to),
            Step::Restart(lost) => self.restart(lost),
        }
        self.compare();
    }

    fn seek(&mut self, to: u64) {
        let to = to.min(self.published());
        for (seq, stage) in (0..).zip(&mut self.stages) {
            *stage = if seq < to { Stage::Settled } else { Stage::Fresh };
        }
        self.peers.values_mut().for_each(|peer| peer.wire.clear());
        self.first_given = 0;
        self.push.seek(to, &RangeSet::new(), &mut self.effects);
    }

    /// Same effects, same states; every record in exactly one state.
    fn compare(&mut self) {
        let mut settled = BTreeSet::new();
        for op in &self.effects.journal {
            settled_range(op).for_each(|seq| assert!(settled.insert(seq), "{seq} settled twice"));
        }
        assert_eq!(settled, std::mem::take(&mut self.settled));
        self.journal.append(&mut self.effects.journal);

        for (seq, stage) in (0..).zip(&self.stages) {
            let is_settled = self.push.cursor.next_unsettled(seq..seq + 1).is_none();
            assert_eq!(is_settled, *stage == Stage::Settled, "record {seq}");
            assert_eq!(self.push.due.contains(seq), *stage == Stage::Due, "record {seq}");
            let fresh = !is_settled && seq >= self.push.next_fresh;
            assert_eq!(fresh, *stage == Stage::Fresh, "record {seq}");
            for (connection, held) in &self.push.connections {
                let assigned = *stage == Stage::Assigned(*connection);
                assert_eq!(held.assigned.contains(seq), assigned, "record {seq}");
            }
        }
        let published = self.published();
        let figures = self.push.figures(published);
        let unsettled = self.stages.iter().filter(|stage| **stage != Stage::Settled).count();
        assert_eq!(figures.unsettled, unsettled as u64);
        assert!(figures.cursor <= figures.delivered_end && figures.delivered_end <= published);
    }

    /// A live application: in the end everything is settled.
    fn drain(&mut self) {
        for connection in 1..4 {
            self.run(&Step::Disconnect(connection));
        }
        self.run(&Step::Connect(9));
        for round in 0.. {
            assert!(round < 3000, "not drained: {:?}", self.push.figures(self.published()));
            if self.push.figures(self.published()).unsettled == 0 {
                return;
            }
            for step in [
                Step::Take(9, 20),
                Step::Send(9, vec![9; 20]),
                Step::Progress(9, 200),
                Step::Pass(10),
            ] {
                self.run(&step);
            }
        }
    }
}

fn settled_range(op: &JournalOp) -> Range<u64> {
    match op {
        JournalOp::Settled(seqs) => seqs.clone(),
        JournalOp::Seeked(_) => 0..0,
        JournalOp::Attempt { seq, .. } => panic!("a PUSH delivery has no attempts: {seq}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_its_twin_and_loses_nothing(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.drain();
    }
}
