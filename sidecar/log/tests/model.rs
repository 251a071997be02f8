//! The volume beside a small twin in memory: the same steps, the same records, the same state.
//! And once as it runs: with its thread, the real disk, and producers that race.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::ops::Range;
use std::sync::Arc;

use lifeboat_log::disk::Disk;
use lifeboat_log::ranges::RangeSet;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::{Fate, LogHandle, Rejection, Urgency, Volume, VolumeOptions};
use proptest::prelude::*;
use volume_support::cases::config;
use volume_support::{
    Clock, Payload, log_of, open, options, read_all, settle, stream, streams, submit, within,
};

#[derive(Debug, Clone)]
enum Step {
    /// Hand records of these lengths over to a log.
    Submit {
        stream: usize,
        dead: bool,
        lens: Vec<usize>,
    },
    /// Settle so many records, from so many after the cursor on.
    Settle {
        stream: usize,
        delivery: usize,
        skip: u64,
        count: u64,
        urgent: bool,
    },
    Commit {
        millis: u64,
    },
    /// Stop in good order, and start again.
    Restart,
    /// Stop with SIGKILL, and start again.
    Kill,
}

fn any_step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![8 => 0usize..300, 2 => 300usize..2000, 1 => 4000usize..10_000];
    let lens = prop::collection::vec(len, 1..5);
    let submit = (0usize..2, prop::bool::weighted(0.2), lens)
        .prop_map(|(stream, dead, lens)| Step::Submit { stream, dead, lens });
    let settle = (0usize..2, 0usize..2, 0u64..4, 1u64..12, any::<bool>()).prop_map(
        |(stream, delivery, skip, count, urgent)| Step::Settle {
            stream,
            delivery,
            skip,
            count,
            urgent,
        },
    );
    prop_oneof![
        6 => submit,
        5 => settle,
        8 => prop::sample::select(vec![0u64, 1, 10, 60]).prop_map(|millis| Step::Commit { millis }),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

/// What should be there.
#[derive(Default)]
struct Twin {
    logs: Vec<TwinLog>,
    deliveries: Vec<Vec<TwinDelivery>>,
}

#[derive(Default)]
struct TwinLog {
    /// By seq; those from `published` on wait.
    records: Vec<Payload>,
    published: usize,
    fates: Vec<(usize, Arc<Fate<u64>>)>,
}

#[derive(Default)]
struct TwinDelivery {
    settled: RangeSet,
    waiting: Vec<Range<u64>>,
}

impl Twin {
    fn new() -> Self {
        let deliveries = streams()
            .into_iter()
            .map(|stream| stream.deliveries.iter().map(|_| TwinDelivery::default()).collect());
        let logs = (0..4).map(|_| TwinLog::default());
        Self { logs: logs.collect(), deliveries: deliveries.collect() }
    }

    fn log_mut(&mut self, stream: usize, dead: bool) -> &mut TwinLog {
        &mut self.logs[2 * stream + usize::from(dead)]
    }

    /// Takes over what a commit must have done.
    fn committed(&mut self, volume: &Volume) {
        for delivery in self.deliveries.iter_mut().flatten() {
            delivery.settled.extend_by(delivery.waiting.drain(..));
        }
        for (at, twin) in self.logs.iter_mut().enumerate() {
            let marks = log_of(&volume.streams[at / 2], at % 2 == 1).marks();
            let end = marks.published_end as usize;
            assert!((twin.published..=twin.records.len()).contains(&end), "it only grows");
            assert!(marks.full || end == twin.records.len(), "all is stored if there is room");
            twin.published = end;
            twin.fates.retain(|(last, fate)| {
                let decided = fate.outcome().is_some();
                assert!(!decided || *last <= end, "no receipt before it is stored");
                assert!(decided || marks.full, "none is left out; a group that is cut waits whole");
                !decided
            });
        }
    }

    /// What no commit has taken is gone with the process.
    fn restarted(&mut self) {
        for twin in &mut self.logs {
            twin.records.truncate(twin.published);
            twin.fates.clear();
        }
        self.deliveries.iter_mut().flatten().for_each(|delivery| delivery.waiting.clear());
    }

    fn check_records(&self, volume: &Volume) {
        for (at, twin) in self.logs.iter().enumerate() {
            let (stream, dead) = (at / 2, at % 2 == 1);
            let log = log_of(&volume.streams[stream], dead);
            let found = read_all(log, 0).unwrap();
            let settled = |seq| {
                !dead && self.deliveries[stream].iter().all(|twin| twin.settled.contains(seq))
            };
            let mut found = found.into_iter().peekable();
            for (seq, payload) in (0..).zip(&twin.records[..twin.published]) {
                match found.next_if(|(there, _)| *there == seq) {
                    Some((_, there)) => assert_eq!(there, *payload, "record {seq}"),
                    None => assert!(settled(seq), "record {seq} is gone and was not settled"),
                }
            }
            assert_eq!(found.next(), None, "nothing else is there");
            let marks = log.marks();
            let cursors = self.deliveries[stream].iter().map(|twin| twin.settled.next_absent(0));
            let lowest = cursors.min().filter(|_| !dead).unwrap_or(0);
            assert!(marks.log_start <= lowest && lowest <= marks.published_end);
        }
        let limits = streams();
        for (stream, limit) in volume.streams.iter().zip(limits) {
            let taken = stream.log.marks().disk_bytes + stream.dead_letters.marks().disk_bytes;
            assert!(taken <= limit.max_bytes, "{taken} bytes in {}", stream.name);
        }
    }

    fn check_state(&self, volume: &Volume) {
        for (stream, twins) in volume.streams.iter().zip(&self.deliveries) {
            for ((_, state), twin) in stream.deliveries.iter().zip(twins) {
                assert_eq!(state.cursor, twin.settled.next_absent(0));
                let mut above = twin.settled.clone();
                above.remove_below(state.cursor);
                assert_eq!(state.settled, above);
            }
        }
    }
}

/// Adds several ranges to a set.
trait ExtendBy {
    fn extend_by(&mut self, ranges: impl Iterator<Item = Range<u64>>);
}

impl ExtendBy for RangeSet {
    fn extend_by(&mut self, ranges: impl Iterator<Item = Range<u64>>) {
        ranges.for_each(|range| self.insert(range));
    }
}

struct Pair {
    disk: SimDisk,
    volume: Volume,
    twin: Twin,
    clock: Clock,
    payloads: u64,
}

impl Pair {
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let volume = open(Arc::new(disk.clone())).unwrap();
        Self { disk, volume, twin: Twin::new(), clock: Clock::new(), payloads: 0 }
    }

    fn take(mut self, step: &Step) -> Self {
        match step {
            Step::Submit { stream, dead, lens } => self.submit(*stream, *dead, lens),
            Step::Settle { stream, delivery, skip, count, urgent } => {
                let urgency = if *urgent { Urgency::Now } else { Urgency::Lazy };
                self.settle(*stream, *delivery, *skip, *count, urgency);
            }
            Step::Commit { millis } => {
                self.volume.committer.commit(self.clock.after(*millis)).unwrap();
                self.twin.committed(&self.volume);
                self.twin.check_records(&self.volume);
            }
            Step::Restart => {
                self.volume.committer.finish(self.clock.after(1)).unwrap();
                self.twin.committed(&self.volume);
                self.volume.committer.close(lifeboat_log::Refusal::Closed);
                return self.boot();
            }
            Step::Kill => {
                self.disk = self.disk.kill();
                return self.boot();
            }
        }
        self
    }

    fn boot(mut self) -> Self {
        drop(self.volume);
        self.twin.restarted();
        self.volume = open(Arc::new(self.disk.clone())).unwrap();
        assert!(self.volume.findings.is_empty(), "{:?}", self.volume.findings);
        self.twin.check_records(&self.volume);
        self.twin.check_state(&self.volume);
        self
    }

    fn submit(&mut self, stream: usize, dead: bool, lens: &[usize]) {
        let payloads: Vec<Payload> = lens
            .iter()
            .map(|&len| {
                self.payloads += 1;
                self.payloads.to_le_bytes().into_iter().cycle().take(len).collect()
            })
            .collect();
        let twin = self.twin.log_mut(stream, dead);
        match submit(log_of(&self.volume.streams[stream], dead), &payloads) {
            Ok(submitted) => {
                twin.records.extend(payloads);
                twin.fates.push((twin.records.len(), submitted.fate));
            }
            Err(refused) => {
                assert_eq!(refused, Rejection::Full);
                assert!(twin.published < twin.records.len(), "only when something waits");
            }
        }
    }

    fn settle(&mut self, stream: usize, delivery: usize, skip: u64, count: u64, urgency: Urgency) {
        let delivery = delivery % self.twin.deliveries[stream].len();
        let end = self.volume.streams[stream].log.published_end();
        let twin = &mut self.twin.deliveries[stream][delivery];
        let start = twin.settled.next_absent(0) + skip;
        let range = start..end.min(start + count);
        if !range.is_empty() {
            settle(&self.volume, stream, delivery, range.clone(), urgency);
            twin.waiting.push(range);
        }
    }

    /// Settles all there is, and sees that all space comes back.
    fn drain(mut self) {
        for round in 0..8 {
            for stream in 0..2 {
                for delivery in 0..self.twin.deliveries[stream].len() {
                    self.settle(stream, delivery, 0, u64::MAX / 2, Urgency::Now);
                }
            }
            self = self.take(&Step::Commit { millis: 100 });
            if round % 2 == 0 {
                self.submit(0, false, &[10]);
                self.submit(1, false, &[10]);
            }
        }
        for stream in &self.volume.streams {
            let Some(log) = Some(&stream.log).filter(|log| !log.marks().full) else { continue };
            assert!(log.marks().disk_bytes <= 2 * volume_support::SEGMENT + 16_384, "{log:?}");
        }
    }
}

proptest! {
    #![proptest_config(config(1_200))]
    #[test]
    fn behaves_as_its_twin(steps in prop::collection::vec(any_step(), 1..80)) {
        let pair = steps.iter().fold(Pair::new(), Pair::take);
        pair.boot().drain();
    }
}

const PRODUCERS: u64 = 4;
const RUNS: u64 = 300;

/// Hands over numbered runs of records, waits for room where there is none, and for each fate.
/// Returns the seq of each record.
fn produce(log: &LogHandle, producer: u64) -> Vec<u64> {
    let mut submitted = Vec::new();
    for run in 0..RUNS {
        let payloads: Vec<Payload> = (0..=run % 5)
            .map(|record| {
                Payload::from(format!("{producer} {run} {record} ").repeat(20).as_bytes())
            })
            .collect();
        let taken = loop {
            let room = log.queue().room();
            match submit(log, &payloads) {
                Ok(taken) => break taken,
                Err(Rejection::Full) => event_listener::Listener::wait(room),
                Err(refused) => panic!("{refused:?}"),
            }
        };
        submitted.push((taken, payloads.len() as u64));
    }
    let seqs = submitted.into_iter().flat_map(|(taken, count)| {
        let first = taken.fate.wait_blocking().unwrap() + taken.index;
        first..first + count
    });
    seqs.collect()
}

#[test]
fn producers_that_race_get_a_seq_for_each_record_and_each_is_read_back() {
    let home = tempfile::tempdir().unwrap();
    let options = VolumeOptions { queue_bytes: 8 << 10, ..options() };
    let streams = [stream("raced", 64 << 20, &["only"])];
    let open = || {
        let disk = Arc::new(Disk::new());
        Volume::open(disk, home.path(), &options, &streams).unwrap()
    };
    let volume = open();
    let log = volume.streams[0].log.clone();
    let (running, ..) = volume.start().unwrap();
    let seqs: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                scope.spawn({
                    let log = &log;
                    move || produce(log, producer)
                })
            })
            .collect();
        producers.into_iter().map(|producer| producer.join().unwrap()).collect()
    });
    let total = seqs.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(total, PRODUCERS * RUNS * 3);
    within(|| log.published_end() == total);
    let live = read_all(&log, 0).unwrap();
    running.writer.stop().unwrap();
    drop(running);

    let volume = open();
    assert!(volume.findings.is_empty(), "{:?}", volume.findings);
    let kept = read_all(&volume.streams[0].log, 0).unwrap();
    assert!(kept == live && kept.len() as u64 == total);
    for (producer, seqs) in seqs.iter().enumerate() {
        assert!(seqs.is_sorted(), "a producer's records keep their order");
        let runs = (0..RUNS).flat_map(|run| (0..=run % 5).map(move |record| (run, record)));
        for ((run, record), seq) in runs.zip(seqs) {
            let payload = format!("{producer} {run} {record} ").repeat(20);
            assert_eq!(&kept[*seq as usize].1[..], payload.as_bytes());
        }
    }
}
