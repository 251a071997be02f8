//! Limits of age, number and space: what they take, what they leave, and what deliveries are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod volume_support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::{LogHandle, Marks, Op, Place, Retention, Run, StreamOptions, Urgency, Volume};
use volume_support::tap::{NeverReaps, Tapped};
use volume_support::{
    Clock, Payload, SEGMENT, dir, open_with, options, read_all, settle, stream, submit,
};

const MINUTE: Duration = Duration::from_secs(60);

fn seqs(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

/// A volume with one stream and a clock.
struct Rig {
    disk: SimDisk,
    volume: Volume,
    clock: Clock,
    options: StreamOptions,
}

impl Rig {
    fn new(max_bytes: u64, retention: Retention) -> Self {
        let options = StreamOptions { retention, ..stream("kept", max_bytes, &["one", "two"]) };
        let disk = SimDisk::new(1);
        let volume = open(&disk, &options);
        Self { disk, volume, clock: Clock::new(), options }
    }

    fn log(&self) -> &Arc<LogHandle> {
        &self.volume.streams[0].log
    }

    fn marks(&self) -> Marks {
        self.log().marks()
    }

    /// Stores records of 100 bytes, in batches of ten, each a time after the one before.
    fn store(&mut self, batches: u64, apart: Duration) {
        for _ in 0..batches {
            let payloads: Vec<Payload> = (0..10u8).map(|byte| Arc::from([byte; 100])).collect();
            submit(self.log(), &payloads).unwrap();
            self.pass(apart);
        }
    }

    fn pass(&mut self, time: Duration) {
        let now = self.clock.after(u64::try_from(time.as_millis()).unwrap());
        self.volume.committer.commit(now).unwrap();
    }

    fn settle(&self, delivery: usize, range: std::ops::Range<u64>) {
        settle(&self.volume, 0, delivery, range, Urgency::Now);
    }

    fn restart(mut self) -> Self {
        self.disk = self.disk.kill();
        drop(self.volume);
        self.volume = open(&self.disk, &self.options);
        assert!(self.volume.findings.is_empty(), "{:?}", self.volume.findings);
        self
    }

    fn cursors(&self) -> Vec<u64> {
        self.volume.streams[0].deliveries.iter().map(|(_, state)| state.cursor).collect()
    }

    fn kept(&self) -> Vec<u64> {
        read_all(self.log(), 0).unwrap().into_iter().map(|(seq, _)| seq).collect()
    }
}

fn open(disk: &SimDisk, stream: &StreamOptions) -> Volume {
    let vfs: Arc<dyn lifeboat_log::vfs::Vfs> = Arc::new(disk.clone());
    vfs.create_dir(dir()).unwrap();
    Volume::open(vfs, dir(), &options(), std::slice::from_ref(stream)).unwrap()
}

fn limits() -> Retention {
    Retention { replay: true, ..Retention::default() }
}

#[test]
fn settled_records_stay_until_the_number_takes_them() {
    let mut rig = Rig::new(1 << 20, Retention { max_messages: Some(200), ..limits() });
    rig.store(20, MINUTE);
    rig.settle(0, 0..200);
    rig.settle(1, 0..50);
    rig.pass(MINUTE);
    assert_eq!(rig.kept(), seqs(0..200), "all are within the limit");
    rig.store(30, MINUTE);
    let marks = rig.marks();
    assert_eq!(marks.published_end, 500);
    assert!((200..=300).contains(&marks.log_start), "{marks:?}");
    assert_eq!(rig.kept(), seqs(marks.log_start..500));
    let rig = rig.restart();
    assert_eq!(rig.marks().log_start, marks.log_start);
    let (first, second) = (rig.cursors()[0], rig.cursors()[1]);
    assert_eq!((first, second), (marks.log_start, marks.log_start), "both were overtaken");
}

#[test]
fn a_quiet_stream_loses_what_is_too_old_and_keeps_its_place() {
    let mut rig = Rig::new(1 << 20, Retention { max_age: Some(8 * MINUTE), ..limits() });
    rig.store(3, Duration::from_millis(10));
    assert_eq!(rig.kept(), seqs(0..30));
    let start = rig.clock.now().instant;
    // Nothing comes in: only what the committer asks for wakes it.
    while rig.marks().log_start < 30 {
        let due = rig.volume.committer.deadline().expect("something is to be done");
        let wait = due.saturating_duration_since(rig.clock.now().instant);
        rig.pass(wait.min(MINUTE).max(Duration::from_millis(1)));
        let passed = rig.clock.now().instant - start;
        assert!(passed < 9 * MINUTE, "it takes too long");
        assert!(!rig.kept().is_empty() || passed >= 8 * MINUTE, "after {passed:?}");
    }
    assert_eq!(rig.marks().expired_end, 30);
    let mut rig = rig.restart();
    assert_eq!(rig.cursors(), [30, 30]);
    rig.store(1, Duration::from_millis(10));
    assert_eq!(rig.kept(), seqs(30..40), "no seq is used twice");
}

/// The segment that keeps its place is made before anybody knows what comes next.
#[test]
fn after_a_long_rest_a_record_of_any_size_is_stored() {
    for replay in [false, true] {
        let retention = Retention { replay, max_age: Some(8 * MINUTE), ..limits() };
        let mut rig = Rig::new(1 << 20, retention);
        rig.store(3, Duration::from_millis(10));
        (0..12).for_each(|_| rig.pass(MINUTE));
        assert_eq!(rig.kept(), seqs(0..0));
        let rest = rig.marks().disk_bytes;
        assert_eq!(rest, SEGMENT);
        // Without space it waits, and that costs nothing.
        rig.disk.set_capacity(rig.disk.used());
        let large = Payload::from(vec![7; 30_000]);
        let fate = submit(rig.log(), &[Payload::clone(&large)]).unwrap().fate;
        (0..3).for_each(|_| rig.pass(Duration::from_millis(100)));
        assert_eq!((fate.outcome(), rig.marks().full), (None, true));
        assert_eq!(rig.marks().disk_bytes, rest);
        rig.disk.set_capacity(1 << 30);
        rig.pass(Duration::from_millis(100));
        assert_eq!(fate.outcome(), Some(Ok(30)));
        let marks = rig.marks();
        assert!(
            (30_000..40_000).contains(&marks.disk_bytes),
            "in the place of the other: {marks:?}"
        );
        let rig = rig.restart();
        assert_eq!(read_all(rig.log(), 0).unwrap(), [(30, large)]);
    }
}

#[test]
fn in_a_work_queue_records_expire_one_by_one_and_segments_follow() {
    let retention = Retention { max_age: Some(10 * MINUTE), ..Retention::default() };
    let mut rig = Rig::new(1 << 20, retention);
    rig.store(20, MINUTE);
    // Committed in the first minute, the last at the 20th: nine of them are not too old.
    let expired = rig.marks().expired_end;
    assert!((80..=110).contains(&expired), "{expired}");
    assert_eq!(expired % 10, 0);
    let (kept, start) = (rig.kept(), rig.marks().log_start);
    assert_eq!(kept, seqs(start..200));
    assert!(start <= expired && expired - start <= 60, "a segment holds 60 at most: {start}");
    rig.pass(MINUTE);
    assert_eq!(rig.marks().expired_end, expired + 10);
}

#[test]
fn the_oldest_make_room_if_the_user_says_so() {
    let retention = Retention { drop_when_full: true, ..Retention::default() };
    let mut rig = Rig::new(64 << 10, retention);
    let mut longest = 0;
    for _ in 0..100 {
        rig.store(1, Duration::from_millis(1));
        let mut waits = 0;
        while rig.marks().full {
            assert!(rig.volume.committer.deadline().unwrap() <= std::time::Instant::now());
            rig.pass(Duration::ZERO);
            waits += 1;
        }
        longest = longest.max(waits);
    }
    assert!(longest <= 2, "{longest} commits until there was room");
    let marks = rig.marks();
    assert_eq!(marks.published_end, 1000);
    assert!(marks.disk_bytes <= 64 << 10);
    assert!(marks.log_start > 400, "{marks:?}");
    assert_eq!(marks.expired_end, 0, "nothing is too old");
    assert_eq!(rig.kept(), seqs(marks.log_start..1000));
    let rig = rig.restart();
    assert_eq!(rig.cursors(), [marks.log_start; 2]);
}

#[test]
fn a_full_disk_costs_one_segment_at_a_time_however_slowly_it_frees_what_was_dropped() {
    let retention = Retention { drop_when_full: true, ..Retention::default() };
    let options = StreamOptions { retention, ..stream("kept", 1 << 20, &["one", "two"]) };
    let disk = SimDisk::new(1);
    let vfs = Arc::new(Tapped::new(disk.clone(), Arc::new(NeverReaps)));
    let mut volume = open_with(vfs, &[options]).unwrap();
    let (log, mut clock) = (volume.streams[0].log.clone(), Clock::new());
    let mut store = |volume: &mut Volume, millis| {
        submit(&log, &[Payload::from([1; 400])]).unwrap();
        volume.committer.commit(clock.after(millis)).unwrap();
        log.marks().log_start
    };
    (0..200).for_each(|_| assert_eq!(store(&mut volume, 1), 0));
    disk.set_capacity(disk.used());
    let dropped = (0..20).map(|_| store(&mut volume, 1)).collect::<BTreeSet<_>>();
    let some = dropped.iter().filter(|log_start| **log_start > 0).count();
    assert_eq!(some, 1, "one segment: {dropped:?}");
    let later = (0..3).map(|_| store(&mut volume, 100)).collect::<BTreeSet<_>>();
    assert_eq!(later.len(), 3, "one each time: {later:?}");
}

#[test]
fn rules_are_changed_while_they_are_in_use() {
    let mut rig = Rig::new(1 << 20, Retention::default());
    rig.store(20, MINUTE);
    assert_eq!((rig.marks().expired_end, rig.marks().log_start), (0, 0));
    let rules = Arc::clone(&rig.volume.streams[0].retention);
    let max_age = |minutes| Retention { max_age: Some(minutes * MINUTE), ..Retention::default() };
    rules.set(max_age(10));
    rig.pass(Duration::from_millis(200));
    let expired = rig.marks().expired_end;
    assert!((90..=110).contains(&expired), "{expired}");
    rules.set(max_age(5));
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.marks().expired_end, expired + 50);
    rules.set(Retention { replay: true, ..Retention::default() });
    rig.settle(0, 0..200);
    rig.settle(1, 0..200);
    rig.pass(MINUTE);
    let start = rig.marks().log_start;
    assert!(start > 100, "settled records go as before, for the policy stays: {start}");
}

#[test]
fn after_a_restart_the_only_segment_makes_room_too() {
    let retention = Retention { drop_when_full: true, ..Retention::default() };
    let mut rig = Rig::new(10 << 10, retention);
    rig.store(5, Duration::from_millis(1));
    let mut rig = rig.restart();
    rig.store(1, Duration::from_millis(1));
    for _ in 0..3 {
        rig.pass(Duration::ZERO);
    }
    assert_eq!(rig.kept(), seqs(50..60));
    assert!(!rig.marks().full);
}

#[test]
fn without_that_order_records_wait() {
    let mut rig = Rig::new(20 << 10, Retention::default());
    let payloads: Vec<Payload> = (0..200u8).map(|byte| Arc::from([byte; 100])).collect();
    submit(rig.log(), &payloads).unwrap();
    rig.pass(MINUTE);
    assert!(rig.marks().full && rig.marks().log_start == 0);
}

#[test]
fn a_clock_that_jumps_takes_nothing_early() {
    for hours in [24, -24] {
        for replay in [false, true] {
            let retention = Retention { replay, max_age: Some(60 * MINUTE), ..limits() };
            let mut rig = Rig::new(1 << 20, retention);
            rig.store(20, MINUTE);
            rig.clock.jump(hours);
            rig.store(20, MINUTE);
            assert_eq!(rig.kept(), seqs(0..400), "jump by {hours}");
            assert_eq!(rig.marks().expired_end, 0);
            rig.clock.jump(-hours);
            rig.store(15, MINUTE);
            assert_eq!(rig.marks().expired_end, 0, "55 minutes at most have passed");
            for _ in 0..90 {
                rig.pass(MINUTE);
            }
            // Whatever was written before the first jump is too old by any clock; the segment that
            // was written to when it came may hold later records.
            assert!(rig.marks().expired_end >= 140, "{hours}: {:?}", rig.marks());
        }
    }
}

#[test]
fn the_first_record_since_a_time_is_found_in_memory_and_on_the_disk() {
    let mut rig = Rig::new(1 << 20, limits());
    let mut batches = Vec::new();
    for batch in 0..120u64 {
        let apart = Duration::from_millis(batch % 7);
        rig.store(1, apart);
        batches.push((batch * 10, rig.clock.now().unix_nanos));
    }
    check_lookups(&rig, &batches);
    check_lookups(&rig.restart(), &batches);
}

fn check_lookups(rig: &Rig, batches: &[(u64, u64)]) {
    let last = batches.last().unwrap().1;
    let first = batches.first().unwrap().1;
    for time in (first - 2_000_000..last + 2_000_000).step_by(500_000) {
        let expected = batches.iter().find(|(_, committed)| *committed >= time);
        let found = rig.log().first_since(time).unwrap();
        assert_eq!(found.seq, expected.map_or(1200, |(seq, _)| *seq), "{time}");
        assert_eq!(found.time, expected.map(|(_, time)| *time));
    }
}

#[test]
fn a_new_delivery_starts_where_it_is_told_to() {
    let mut rig = Rig::new(1 << 20, Retention { max_messages: Some(200), ..limits() });
    rig.store(50, MINUTE);
    let marks = rig.marks();
    let start = rig.clock.now().unix_nanos - 5 * 60 * 1_000_000_000;
    let places = [
        (Place::First, marks.log_start),
        (Place::Last, 499),
        (Place::New, 500),
        (Place::Seq(400), 400),
        (Place::Seq(3), marks.log_start),
        (Place::Seq(9_000), 500),
        (Place::Time(start), 440),
        (Place::Time(0), marks.log_start),
        (Place::Time(u64::MAX), 500),
    ];
    for (at, (place, _)) in places.iter().enumerate() {
        let name = format!("new{at}");
        rig.options.deliveries.push(volume_support::delivery(&name, Some(*place)));
    }
    let rig = rig.restart();
    let expected: Vec<u64> = places.iter().map(|(_, seq)| *seq).collect();
    assert_eq!(rig.cursors()[2..], expected);
    let again = rig.restart();
    assert_eq!(again.cursors()[2..], expected, "only what is new");
}

#[test]
fn no_delivery_waits_for_what_the_log_does_not_hold() {
    let mut rig = Rig::new(1 << 20, Retention::default());
    rig.store(30, MINUTE);
    // One record of the first segment stays unsettled; the segments after it go.
    rig.settle(0, 1..300);
    rig.settle(1, 1..300);
    rig.pass(MINUTE);
    let kept = rig.kept();
    assert!(kept.contains(&0) && !kept.contains(&100), "{kept:?}");
    rig.options.deliveries.push(volume_support::delivery("late", None));
    let mut rig = rig.restart();
    let (id, late) = rig.volume.streams[0].deliveries[2].clone();
    assert_eq!(late.cursor, 0, "it gets what is still held");
    let waits = |state: &lifeboat_log::state::DeliveryState| -> Vec<u64> {
        (0..300).filter(|seq| !state.is_settled(*seq)).collect()
    };
    assert_eq!(waits(&late), rig.kept());
    // So does one that goes back, if its holes are lost.
    let op = Op::Seeked { stream: rig.volume.streams[0].id, delivery: id, cursor: 0 };
    rig.volume.journal.submit([op], Urgency::Now);
    rig.pass(MINUTE);
    let rig = rig.restart();
    assert_eq!(waits(&rig.volume.streams[0].deliveries[2].1), rig.kept());
}

#[test]
fn records_that_were_refused_cost_no_more_than_one_segment() {
    let retention = Retention { drop_when_full: true, ..limits() };
    let mut rig = Rig::new(32 << 10, retention);
    let refused = loop {
        let run = Run { bytes: &[1; 100], records: std::slice::from_ref(&(0..100)) };
        let submitted = rig.log().refusing_queue().submit(run, &mut Vec::new()).unwrap();
        rig.pass(Duration::from_millis(1));
        if submitted.fate.outcome().unwrap().is_err() {
            break rig.marks().log_start;
        }
    };
    for _ in 0..10 {
        rig.pass(Duration::from_millis(20));
    }
    let marks = rig.marks();
    assert_eq!(rig.kept(), seqs(marks.log_start..marks.published_end));
    assert!(refused > 0 && marks.log_start == refused, "{refused}, then {marks:?}");
    assert!(!marks.full, "there is room again");
    rig.store(1, Duration::from_millis(1));
}
