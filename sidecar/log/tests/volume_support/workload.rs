//! A seeded workload: records of many sizes, dead letters, settlements out of order, quiet times,
//! streams that are full, restarts.

use std::ops::Range;
use std::sync::Arc;

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Fate, LogError, Refusal, Rejection, Urgency, Volume};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::history::{Calls, DeliveryHistory, History, StreamHistory};
use super::{Clock, Payload, log_of, open, settle, streams, submit};

/// Counts the calls that the disk has had.
pub(crate) type Count<'a> = &'a dyn Fn() -> Calls;

/// A workload on its way.
pub(crate) struct Workload<'a> {
    vfs: Arc<dyn Vfs>,
    count: Count<'a>,
    /// When the records whose fate is decided now are said to have been receipted.
    receipted: Count<'a>,
    rng: SmallRng,
    clock: Clock,
    payloads: u64,
    pub(crate) history: History,
    /// What ended it early, so that only a restart can tell what is stored.
    pub(crate) broke: Option<LogError>,
    pub(crate) met: Met,
    records: Vec<Awaited>,
    settlements: Vec<Settlement>,
}

/// What a workload has met, so that a test knows that it is not an idle one.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Met {
    pub(crate) boots: usize,
    /// Steps after which a stream was full.
    pub(crate) full: usize,
    pub(crate) promised_records: u64,
    pub(crate) promised_settlements: u64,
    /// Seqs of which nothing is kept.
    pub(crate) deleted: u64,
}

/// Records whose fate is not known.
struct Awaited {
    stream: usize,
    dead: bool,
    first: u64,
    end: u64,
    submitted: lifeboat_log::Submitted,
}

struct Settlement {
    stream: usize,
    delivery: usize,
    place: usize,
    fate: Arc<Fate<()>>,
}

impl<'a> Workload<'a> {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, seed: u64, count: Count<'a>) -> Self {
        let streams = streams().into_iter().map(|options| StreamHistory {
            deliveries: options.deliveries.iter().map(|_| DeliveryHistory::default()).collect(),
            ..StreamHistory::default()
        });
        Self {
            vfs,
            count,
            receipted: count,
            rng: SmallRng::seed_from_u64(seed),
            clock: Clock::new(),
            payloads: 0,
            history: History { streams: streams.collect() },
            broke: None,
            met: Met::default(),
            records: Vec::new(),
            settlements: Vec::new(),
        }
    }

    /// The same, with receipts given at other moments than when fates are decided.
    pub(crate) fn receipting(self, receipted: Count<'a>) -> Self {
        Self { receipted, ..self }
    }

    /// Runs so many steps, with restarts between some of them, until a call fails.
    /// Returns the volume of the last boot, if it could be opened.
    pub(crate) fn run(&mut self, steps: usize) -> Option<Volume> {
        let mut volume = self.boot()?;
        for _ in 0..steps {
            if self.rng.random_ratio(1, 20) {
                if self.rng.random() {
                    self.finish(&mut volume);
                    if self.broke.is_some() {
                        break;
                    }
                }
                drop(volume);
                volume = self.boot()?;
            }
            self.step(&mut volume);
            if self.broke.is_some() {
                break;
            }
        }
        Some(volume)
    }

    /// Opens the volume, at the second attempt if need be, and notes what an interrupted boot had written and this one did not find.
    fn boot(&mut self) -> Option<Volume> {
        self.records.clear();
        self.settlements.clear();
        let opened = match open(Arc::clone(&self.vfs)) {
            Err(LogError::Full) => open(Arc::clone(&self.vfs)),
            opened => opened,
        };
        let volume = opened.map_err(|error| self.broke = Some(error)).ok()?;
        let now = (self.count)();
        self.met.boots += 1;
        for (history, stream) in self.history.streams.iter_mut().zip(&volume.streams) {
            for dead in [false, true] {
                history.log_mut(dead).restarted(now, log_of(stream, dead).published_end());
            }
        }
        Some(volume)
    }

    fn step(&mut self, volume: &mut Volume) {
        for _ in 0..self.rng.random_range(0..3) {
            self.submit_some(volume);
        }
        for _ in 0..self.rng.random_range(0..4) {
            self.settle_some(volume);
        }
        let millis = [0, 1, 7, 60][self.rng.random_range(0..4)];
        let done = volume.committer.commit(self.clock.after(millis));
        self.decided();
        let marks = || volume.streams.iter().map(|stream| stream.log.marks());
        self.met.full += usize::from(marks().any(|marks| marks.full));
        self.met.deleted = marks().map(|marks| marks.log_start).sum();
        if let Err(error) = done {
            self.broke = Some(error);
            self.end(volume, Refusal::Poisoned);
        }
    }

    fn finish(&mut self, volume: &mut Volume) {
        let done = volume.committer.finish(self.clock.after(1));
        self.decided();
        let refusal = if done.is_ok() { Refusal::Closed } else { Refusal::Poisoned };
        self.broke = done.err();
        self.end(volume, refusal);
    }

    /// After the end every fate is decided, and nothing is taken.
    fn end(&mut self, volume: &mut Volume, refusal: Refusal) {
        volume.committer.close(refusal);
        for awaited in self.records.drain(..) {
            assert_eq!(awaited.submitted.fate.outcome(), Some(Err(refusal)));
        }
        for settlement in self.settlements.drain(..) {
            assert_eq!(settlement.fate.outcome(), Some(Err(refusal)));
        }
        let refused = submit(&volume.streams[0].log, &[Payload::from(&b"late"[..])]).unwrap_err();
        assert_eq!(refused, Rejection::Closed(refusal));
    }

    fn submit_some(&mut self, volume: &Volume) {
        let (stream, dead) = (self.rng.random_range(0..2), self.rng.random_ratio(1, 5));
        let count = self.rng.random_range(1..5);
        let payloads: Vec<Payload> = (0..count).map(|_| self.payload()).collect();
        let at = (self.count)();
        let Ok(submitted) = submit(log_of(&volume.streams[stream], dead), &payloads) else {
            return;
        };
        let log = self.history.streams[stream].log_mut(dead);
        let first = log.len();
        log.submitted(at, &payloads);
        self.records.push(Awaited { stream, dead, first, end: log.len(), submitted });
    }

    /// A payload that no other record has, mostly small.
    fn payload(&mut self) -> Payload {
        self.payloads += 1;
        let len = match self.rng.random_range(0..30) {
            0 => 0,
            1 => self.rng.random_range(4_000..9_000),
            2..5 => self.rng.random_range(600..2_000),
            _ => self.rng.random_range(8..200),
        };
        let stamp = self.payloads.to_le_bytes();
        stamp.into_iter().cycle().take(len).collect()
    }

    /// A range of published records, mostly at the cursor.
    fn settle_some(&mut self, volume: &Volume) {
        let stream = self.rng.random_range(0..2);
        let delivery = self.rng.random_range(0..self.history.streams[stream].deliveries.len());
        let end = volume.streams[stream].log.published_end();
        let history = &mut self.history.streams[stream].deliveries[delivery];
        let range = some_range(&mut self.rng, &history.possible(Calls::MAX), end);
        if range.is_empty() {
            return;
        }
        let urgency = if self.rng.random_ratio(1, 3) { Urgency::Now } else { Urgency::Lazy };
        let place = history.submitted((self.count)(), range.clone());
        let fate = settle(volume, stream, delivery, range, urgency);
        self.settlements.push(Settlement { stream, delivery, place, fate });
    }

    /// Notes which fates are decided now.
    fn decided(&mut self) {
        let (now, receipted) = ((self.count)(), (self.receipted)());
        let (streams, met) = (&mut self.history.streams, &mut self.met);
        self.records.retain(|awaited| match awaited.submitted.fate.outcome() {
            Some(Ok(first)) => {
                let first = first + awaited.submitted.index;
                assert_eq!(first, awaited.first, "seqs follow the order of submission");
                streams[awaited.stream].log_mut(awaited.dead).promised(receipted, awaited.end);
                met.promised_records += awaited.end - awaited.first;
                false
            }
            Some(Err(refusal)) => panic!("refused: {refusal:?}"),
            None => true,
        });
        self.settlements.retain(|settlement| match settlement.fate.outcome() {
            Some(Ok(())) => {
                let delivery = &mut streams[settlement.stream].deliveries[settlement.delivery];
                delivery.promised(now, settlement.place);
                met.promised_settlements += 1;
                false
            }
            Some(Err(refusal)) => panic!("refused: {refusal:?}"),
            None => true,
        });
    }
}

fn some_range(rng: &mut SmallRng, settled: &RangeSet, end: u64) -> Range<u64> {
    let start = match rng.random_range(0..4) {
        0 if end > 0 => rng.random_range(0..end),
        _ => settled.next_absent(0),
    };
    start..end.min(start + rng.random_range(1..12))
}
