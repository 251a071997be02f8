//! One stream with limits and cursors that are moved, beside a small twin in memory: whatever goes may
//! go, whatever must go does, and what deliveries are told fits what is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::{LogHandle, Op, Place, Rejection, Retention, StreamOptions, Urgency, Volume};
use proptest::prelude::*;
use volume_support::cases::config;
use volume_support::{Clock, Payload, SEGMENT, dir, options, read_all, settle, stream, submit};

const AGE: Duration = Duration::from_secs(8);
/// Segments are closed at this age under [`AGE`].
const CLOSING: Duration = Duration::from_secs(1);
const LONGEST_STEP: u64 = 700;
const NUMBER: u64 = 60;
/// Records of 50 bytes and more in a segment.
const IN_A_SEGMENT: u64 = 70;
const DELIVERIES: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Submit(Vec<usize>),
    /// So many records, from so many after the cursor on.
    Settle(usize, u64, u64),
    Seek(usize, Place),
    Commit(u64),
    /// Nothing comes until all is too old.
    Rest,
    /// Stop in good order, and start again.
    Restart,
    /// Stop with SIGKILL, and start again.
    Kill,
}

fn any_step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![16 => 50usize..300, 4 => 300usize..2000, 1 => 4_000usize..12_000];
    let delivery = 0..DELIVERIES;
    let place = prop_oneof![
        Just(Place::First),
        Just(Place::Last),
        Just(Place::New),
        (0u64..200).prop_map(Place::Seq),
        (0u64..20_000).prop_map(|millis| Place::Time(start_time() + millis * 1_000_000)),
    ];
    prop_oneof![
        6 => prop::collection::vec(len, 1..8).prop_map(Step::Submit),
        4 => (delivery.clone(), 0u64..4, 1u64..60).prop_map(|(at, skip, count)| Step::Settle(at, skip, count)),
        1 => (delivery, place).prop_map(|(at, place)| Step::Seek(at, place)),
        8 => prop::sample::select(vec![0, 1, 10, 60, LONGEST_STEP]).prop_map(Step::Commit),
        1 => Just(Step::Rest),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

fn start_time() -> u64 {
    Clock::new().now().unix_nanos
}

/// Each of them alone, and with others.
fn any_retention() -> impl Strategy<Value = Retention> {
    (any::<[bool; 4]>()).prop_map(|[replay, aged, counted, dropping]| Retention {
        replay,
        max_age: aged.then_some(AGE),
        max_messages: (replay && counted).then_some(NUMBER),
        drop_when_full: dropping,
    })
}

struct Twin {
    /// By seq; those from `published` on wait.
    records: Vec<Payload>,
    /// Commit times of those that are published.
    times: Vec<u64>,
    kept: BTreeSet<u64>,
    deliveries: Vec<RangeSet>,
    /// What deliveries learned and no commit has taken.
    waiting: Vec<(usize, Told)>,
}

#[derive(Clone)]
enum Told {
    Settled(Range<u64>),
    Seeked(u64),
}

struct Pair {
    disk: SimDisk,
    volume: Volume,
    options: StreamOptions,
    clock: Clock,
    twin: Twin,
    payloads: u64,
}

impl Pair {
    fn new(retention: Retention, tight: bool) -> Self {
        let max_bytes = if tight { 6 * SEGMENT } else { 1 << 20 };
        let options = StreamOptions { retention, ..stream("kept", max_bytes, &["one", "two"]) };
        let disk = SimDisk::new(1);
        let volume = open(&disk, &options);
        let twin = Twin {
            records: Vec::new(),
            times: Vec::new(),
            kept: BTreeSet::new(),
            deliveries: vec![RangeSet::new(); DELIVERIES],
            waiting: Vec::new(),
        };
        Self { disk, volume, options, clock: Clock::new(), twin, payloads: 0 }
    }

    fn log(&self) -> &Arc<LogHandle> {
        &self.volume.streams[0].log
    }

    fn take(mut self, step: &Step) -> Self {
        match step {
            Step::Submit(lens) => self.submit(lens),
            Step::Settle(delivery, skip, count) => self.settle(*delivery, *skip, *count),
            Step::Seek(delivery, place) => self.seek(*delivery, *place),
            Step::Commit(millis) => self.commit(*millis),
            Step::Rest => (0..14).for_each(|_| self.commit(LONGEST_STEP)),
            Step::Restart => {
                self.commit(1);
                self.volume.committer.finish(self.clock.now()).unwrap();
                self.committed();
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

    fn submit(&mut self, lens: &[usize]) {
        let payloads: Vec<Payload> = lens
            .iter()
            .map(|&len| {
                self.payloads += 1;
                self.payloads.to_le_bytes().into_iter().cycle().take(len).collect()
            })
            .collect();
        match submit(self.log(), &payloads) {
            Ok(_) => self.twin.records.extend(payloads),
            Err(refused) => assert_eq!(refused, Rejection::Full),
        }
    }

    fn settle(&mut self, delivery: usize, skip: u64, count: u64) {
        let end = self.log().published_end();
        let start = self.twin.deliveries[delivery].next_absent(self.log().marks().log_start) + skip;
        let range = start..end.min(start + count);
        if !range.is_empty() {
            settle(&self.volume, 0, delivery, range.clone(), Urgency::Now);
            self.twin.waiting.push((delivery, Told::Settled(range)));
        }
    }

    /// As a delivery does it.
    fn seek(&mut self, delivery: usize, place: Place) {
        let to = place.seq_in(self.log()).unwrap();
        let (start, published) = (self.log().marks().log_start, self.log().published_end());
        let expected = match place {
            Place::First => start,
            Place::Last => published.saturating_sub(1).max(start),
            Place::New => published,
            Place::Seq(seq) => seq.clamp(start, published),
            Place::Time(time) => self.first_since(time),
        };
        assert_eq!(to, expected, "{place:?}");
        let stream = &self.volume.streams[0];
        let (stream, delivery_id) = (stream.id, stream.deliveries[delivery].0);
        let op = Op::Seeked { stream, delivery: delivery_id, cursor: to };
        self.volume.journal.submit([op], Urgency::Now);
        self.twin.waiting.push((delivery, Told::Seeked(to)));
        for hole in self.log().holes().all().iter() {
            settle(&self.volume, 0, delivery, hole.clone(), Urgency::Now);
            self.twin.waiting.push((delivery, Told::Settled(hole)));
        }
    }

    /// The first record kept that was committed then or later.
    fn first_since(&self, time: u64) -> u64 {
        let kept = self.twin.kept.iter().copied();
        kept.into_iter()
            .find(|seq| self.twin.times[*seq as usize] >= time)
            .unwrap_or(self.log().published_end())
            .max(self.log().marks().log_start)
    }

    fn commit(&mut self, millis: u64) {
        self.volume.committer.commit(self.clock.after(millis)).unwrap();
        self.committed();
    }

    /// Takes over what a commit must have done, and judges what it did.
    fn committed(&mut self) {
        for (delivery, told) in std::mem::take(&mut self.twin.waiting) {
            let settled = &mut self.twin.deliveries[delivery];
            match told {
                Told::Settled(range) => settled.insert(range),
                Told::Seeked(to) => *settled = std::iter::once(0..to).collect(),
            }
        }
        let marks = self.log().marks();
        let now = self.clock.now().unix_nanos;
        let end = marks.published_end;
        self.twin.kept.extend(self.twin.times.len() as u64..end);
        self.twin.times.resize(end as usize, now);
        let found = read_all(self.log(), 0).unwrap();
        let kept: BTreeSet<u64> = found.iter().map(|(seq, _)| *seq).collect();
        assert!(kept.is_subset(&self.twin.kept), "what is gone stays away");
        for (seq, payload) in &found {
            assert_eq!(payload, &self.twin.records[*seq as usize], "record {seq}");
        }
        self.check_gone(&kept, now);
        self.check_left(&kept, now);
        self.twin.kept = kept;
        for settled in &mut self.twin.deliveries {
            settled.insert(0..marks.log_start);
        }
        assert!(marks.disk_bytes <= self.options.max_bytes);
    }

    /// Each record that went was settled by all, or a limit took it.
    fn check_gone(&self, kept: &BTreeSet<u64>, now: u64) {
        let Retention { replay, max_age, max_messages, drop_when_full } = self.options.retention;
        let start = self.log().marks().log_start;
        for seq in self.twin.kept.difference(kept) {
            let settled = self.twin.deliveries.iter().all(|settled| settled.contains(*seq));
            let old = max_age.is_some_and(|age| self.twin.times[*seq as usize] + nanos(age) < now);
            let many = max_messages.is_some_and(|max| kept.len() as u64 >= max);
            let front = *seq < start;
            let why = (!replay && settled) || (front && (old || many || drop_when_full));
            assert!(why, "record {seq} went without a reason");
        }
    }

    /// What must go is gone, and what is too old is known to be.
    fn check_left(&self, kept: &BTreeSet<u64>, now: u64) {
        let Retention { replay, max_age, max_messages, .. } = self.options.retention;
        let marks = self.log().marks();
        if let Some(age) = max_age {
            let step = Duration::from_millis(2 * LONGEST_STEP);
            let slack = if replay { CLOSING + step } else { step };
            let old = |seq: &&u64| self.twin.times[**seq as usize] + nanos(age + slack) < now;
            let left = kept.iter().filter(old).find(|seq| replay || **seq >= marks.expired_end);
            // Without space nothing can take the place of the newest segment.
            assert!(left.is_none() || marks.full || !self.has_room(), "{left:?} is too old");
            let expired = kept.range(..marks.expired_end).next_back();
            let young = expired.filter(|seq| self.twin.times[**seq as usize] + nanos(age) >= now);
            assert_eq!(young, None, "not too old");
        }
        if let Some(max) = max_messages {
            let most = max + 2 * IN_A_SEGMENT;
            assert!(kept.len() as u64 <= most, "{} are kept", kept.len());
        }
    }

    fn has_room(&self) -> bool {
        self.log().marks().disk_bytes + SEGMENT <= self.options.max_bytes
    }

    fn boot(mut self) -> Self {
        drop(self.volume);
        self.twin.waiting.clear();
        self.twin.records.truncate(self.twin.times.len());
        self.volume = open(&self.disk, &self.options);
        assert!(self.volume.findings.is_empty(), "{:?}", self.volume.findings);
        let marks = self.log().marks();
        assert_eq!(marks.published_end, self.twin.times.len() as u64);
        for ((_, state), settled) in
            self.volume.streams[0].deliveries.iter().zip(&self.twin.deliveries)
        {
            for seq in &self.twin.kept {
                assert_eq!(state.is_settled(*seq), settled.contains(*seq), "record {seq}");
            }
            let waits = (0..marks.published_end)
                .find(|seq| !state.is_settled(*seq) && !self.twin.kept.contains(seq));
            assert_eq!(waits, None, "a delivery waits for what is gone");
        }
        self
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

fn open(disk: &SimDisk, stream: &StreamOptions) -> Volume {
    let vfs: Arc<dyn lifeboat_log::vfs::Vfs> = Arc::new(disk.clone());
    vfs.create_dir(dir()).unwrap();
    Volume::open(vfs, dir(), &options(), std::slice::from_ref(stream)).unwrap()
}

proptest! {
    #![proptest_config(config(5_000))]
    #[test]
    fn behaves_as_its_twin(
        retention in any_retention(),
        tight in any::<bool>(),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let mut pair = steps.iter().fold(Pair::new(retention, tight), Pair::take);
        // Nothing comes any more, and time passes.
        for _ in 0..20 {
            pair.commit(LONGEST_STEP);
        }
        pair.boot();
    }
}
