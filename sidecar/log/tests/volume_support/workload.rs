//! A seeded workload: records of many sizes, dead letters, settlements out of order, quiet times,
//! streams that are full, restarts; and, if wanted, records that go by their age in long rests.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    Fate, Finding, LogError, LogHandle, Refusal, Rejection, StreamOptions, Urgency, Volume,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::history::{Calls, DeliveryHistory, History, StreamHistory};
use super::{Clock, Payload, SEGMENT, log_of, open_with, settle, streams, submit};

/// Records that go by their age are older.
const AGE_MILLIS: u64 = 10_000;

/// Counts the calls that the disk has had.
pub(crate) type Count<'a> = &'a dyn Fn() -> Calls;

/// A workload on its way.
pub(crate) struct Workload<'a> {
    vfs: Arc<dyn Vfs>,
    streams: Vec<StreamOptions>,
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
    /// By stream: when its records were handed over, and where those of that time end.
    ages: Vec<Vec<(u64, u64)>>,
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
    /// Records that were too large for the segment that a rest had left empty.
    pub(crate) outgrown: usize,
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
        let streams = streams();
        let history = streams.iter().map(|options| StreamHistory {
            deliveries: options.deliveries.iter().map(|_| DeliveryHistory::default()).collect(),
            ..StreamHistory::default()
        });
        Self {
            vfs,
            ages: vec![Vec::new(); streams.len()],
            history: History { streams: history.collect() },
            streams,
            count,
            receipted: count,
            rng: SmallRng::seed_from_u64(seed),
            clock: Clock::new(),
            payloads: 0,
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

    /// The same, with records that go by their age, and rests in which all of them do.
    pub(crate) fn aging(mut self) -> Self {
        for stream in &mut self.streams {
            stream.retention.max_age = Some(Duration::from_millis(AGE_MILLIS));
        }
        self
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
        let open = || open_with(Arc::clone(&self.vfs), &self.streams).and_then(whole);
        let opened = match open() {
            Err(LogError::Full) => open(),
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
        for (ages, stream) in self.ages.iter_mut().zip(&volume.streams) {
            let found = stream.log.published_end();
            for (_, end) in ages {
                *end = found.min(*end);
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
        self.commit(volume, millis);
        if self.broke.is_none() && self.ages_records() && self.rng.random_ratio(1, 8) {
            self.rest(volume);
        }
    }

    /// Nothing comes for so long that no record is left; then one for which a usual segment is too
    /// small.
    fn rest(&mut self, volume: &mut Volume) {
        for _ in 0..5 {
            self.commit(volume, AGE_MILLIS / 3);
            if self.broke.is_some() {
                return;
            }
        }
        let emptied = |log: &LogHandle| {
            let marks = log.marks();
            marks.log_start > 0
                && marks.log_start == marks.published_end
                && marks.disk_bytes == SEGMENT
        };
        for at in 0..volume.streams.len() {
            let large = self.payload_of(usize::try_from(SEGMENT).unwrap());
            let emptied = emptied(&volume.streams[at].log);
            if self.submit(volume, at, false, &[large]) {
                self.met.outgrown += usize::from(emptied);
            }
        }
        self.commit(volume, 1);
    }

    fn ages_records(&self) -> bool {
        self.streams.iter().any(|stream| stream.retention.max_age.is_some())
    }

    fn commit(&mut self, volume: &mut Volume, millis: u64) {
        let now = self.clock.after(millis);
        self.expect_expiry();
        let done = volume.committer.commit(now);
        self.decided();
        let marks = || volume.streams.iter().map(|stream| stream.log.marks());
        self.met.full += usize::from(marks().any(|marks| marks.full));
        self.met.deleted = marks().map(|marks| marks.log_start).sum();
        if let Err(error) = done {
            self.broke = Some(error);
            self.end(volume, Refusal::Poisoned);
        }
    }

    /// From now on what is too old may count as settled, though nobody asked for it.
    fn expect_expiry(&mut self) {
        let (now, at) = (u128::from(self.clock.now().unix_nanos), (self.count)());
        for (stream, options) in self.streams.iter().enumerate() {
            let Some(age) = options.retention.max_age else { continue };
            let old = |(time, _): &&(u64, u64)| u128::from(*time) + age.as_nanos() < now;
            let end = self.ages[stream].iter().filter(old).map(|(_, end)| *end).max();
            for delivery in &mut self.history.streams[stream].deliveries {
                delivery.submitted(at, 0..end.unwrap_or(0));
            }
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
        self.submit(volume, stream, dead, &payloads);
    }

    /// `false` when they are not taken.
    fn submit(&mut self, volume: &Volume, stream: usize, dead: bool, payloads: &[Payload]) -> bool {
        let at = (self.count)();
        let Ok(submitted) = submit(log_of(&volume.streams[stream], dead), payloads) else {
            return false;
        };
        let log = self.history.streams[stream].log_mut(dead);
        let first = log.len();
        log.submitted(at, payloads);
        let end = log.len();
        if !dead {
            self.ages[stream].push((self.clock.now().unix_nanos, end));
        }
        self.records.push(Awaited { stream, dead, first, end, submitted });
        true
    }

    /// A payload that no other record has, mostly small.
    fn payload(&mut self) -> Payload {
        let len = match self.rng.random_range(0..30) {
            0 => 0,
            1 => self.rng.random_range(4_000..9_000),
            2..5 => self.rng.random_range(600..2_000),
            _ => self.rng.random_range(8..200),
        };
        self.payload_of(len)
    }

    fn payload_of(&mut self, len: usize) -> Payload {
        self.payloads += 1;
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

/// A volume without damage. What could not be read is damage of one stream, which is closed then: the
/// next start looks again.
fn whole(mut volume: Volume) -> Result<Volume, LogError> {
    let damage = volume.findings.extract_if(.., |finding| matches!(finding, Finding::Damage(_)));
    match damage.collect::<Vec<_>>().pop() {
        Some(Finding::Damage(error)) => Err(error),
        _ => Ok(volume),
    }
}
