//! The weak sync modes: what they promise over kills, power cuts and stops in good order, and that
//! they promise no more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::{
    Fate, LogHandle, Read, Refusal, StreamOptions, SyncMode, Urgency, Volume, VolumeOptions,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use volume_support::{Clock, Payload, dir, options, read_all, settle, stream, submit};

const JUMP: u64 = 1 << 32;
const INTERVAL: SyncMode = SyncMode::Interval(Duration::from_millis(200));

/// A volume in a sync mode, and what was seen of it.
struct Rig {
    disk: SimDisk,
    volume: Volume,
    clock: Clock,
    /// Every record that was ever receipted, by seq.
    seen: BTreeMap<u64, Payload>,
    waiting: Vec<(Arc<Fate<u64>>, u64, Payload)>,
    records: u64,
}

fn streams() -> Vec<StreamOptions> {
    vec![stream("weak", 1 << 20, &["one", "two"])]
}

fn open(disk: &SimDisk, sync: SyncMode) -> Volume {
    let vfs: Arc<dyn lifeboat_log::vfs::Vfs> = Arc::new(disk.clone());
    vfs.create_dir(dir()).unwrap();
    let options = VolumeOptions { sync, ..options() };
    Volume::open(vfs, dir(), &options, &streams()).unwrap()
}

impl Rig {
    fn new(seed: u64, sync: SyncMode) -> Self {
        let disk = SimDisk::new(seed);
        let volume = open(&disk, sync);
        Self {
            disk,
            volume,
            clock: Clock::new(),
            seen: BTreeMap::new(),
            waiting: Vec::new(),
            records: 0,
        }
    }

    fn log(&self) -> &Arc<LogHandle> {
        &self.volume.streams[0].log
    }

    fn store(&mut self, len: usize) {
        self.records += 1;
        let stamp = self.records.to_le_bytes();
        let payload: Payload = stamp.into_iter().cycle().take(len.max(8)).collect();
        let submitted = submit(self.log(), &[Payload::clone(&payload)]).unwrap();
        self.waiting.push((submitted.fate, submitted.index, payload));
    }

    /// One commit; notes which records count as stored.
    fn commit(&mut self, millis: u64) {
        self.volume.committer.commit(self.clock.after(millis)).unwrap();
        self.note();
    }

    fn note(&mut self) {
        for (fate, index, payload) in std::mem::take(&mut self.waiting) {
            match fate.outcome() {
                Some(Ok(first)) => {
                    let seq = first + index;
                    let newest = self.seen.last_key_value().map(|(newest, _)| *newest);
                    assert!(newest.is_none_or(|newest| seq > newest), "{seq} again: {newest:?}");
                    self.seen.insert(seq, payload);
                }
                Some(Err(refusal)) => panic!("{refusal:?}"),
                None => self.waiting.push((fate, index, payload)),
            }
        }
    }

    fn finish(&mut self) {
        self.volume.committer.finish(self.clock.after(1)).unwrap();
        self.note();
        self.volume.committer.close(Refusal::Closed);
    }

    fn start(&mut self, disk: SimDisk, sync: SyncMode) {
        self.disk = disk;
        self.waiting.clear();
        self.volume = open(&self.disk, sync);
        assert_eq!(self.log().marks().stopped, None);
        self.check_records();
    }

    /// Whatever is there is what was receipted under its seq, or was not receipted at all.
    fn check_records(&self) {
        let found = read_all(self.log(), 0).unwrap();
        for (seq, payload) in &found {
            if let Some(seen) = self.seen.get(seq) {
                assert_eq!(seen, payload, "record {seq}");
            }
        }
    }

    /// Records of those below `end` that are neither there nor settled by all.
    fn missing_below(&self, end: u64) -> Option<u64> {
        let states = &self.volume.streams[0].deliveries;
        let mut reader = self.log().reader();
        let mut unsettled = self
            .seen
            .range(..end)
            .map(|(seq, _)| *seq)
            .filter(|seq| states.iter().any(|(_, state)| !state.is_settled(*seq)));
        unsettled.find(|&seq| !matches!(reader.read(seq), Ok(Read::Batch(_))))
    }
}

#[test]
fn records_count_as_stored_when_they_are_written_and_are_synced_in_time() {
    let mut rig = Rig::new(1, INTERVAL);
    rig.store(100);
    rig.commit(1);
    let marks = rig.log().marks();
    assert_eq!((marks.published_end, marks.durable_end), (1, 0));
    assert_eq!(rig.seen.len(), 1, "it has its receipt");
    assert_eq!(read_all(rig.log(), 0).unwrap().len(), 1, "and is delivered");
    let due = rig.volume.committer.deadline().unwrap();
    assert_eq!(due - rig.clock.now().instant, Duration::from_millis(200));
    rig.commit(199);
    assert_eq!(rig.log().marks().durable_end, 0);
    rig.commit(1);
    assert_eq!(rig.log().marks().durable_end, 1);
    let mut rig = Rig::new(1, SyncMode::Never);
    rig.store(100);
    rig.commit(1);
    rig.commit(1_000_000);
    assert_eq!(rig.log().marks().durable_end, 0);
    rig.store(9_000);
    rig.commit(1);
    assert_eq!(rig.log().marks().durable_end, 1, "a segment that is closed is synced");
}

#[test]
fn a_sync_is_ordered_before_its_time() {
    let mut rig = Rig::new(1, SyncMode::Never);
    rig.store(100);
    rig.commit(1);
    rig.store(100);
    rig.log().order_sync();
    rig.commit(1);
    let ends = |rig: &Rig| (rig.log().marks().published_end, rig.log().marks().durable_end);
    assert_eq!(ends(&rig), (2, 2), "what was handed over before the order, too");
    rig.store(100);
    rig.commit(1);
    assert_eq!(ends(&rig), (3, 2), "one order is one sync");
}

#[test]
fn a_stop_in_good_order_makes_no_jump_and_loses_nothing() {
    for sync in [INTERVAL, SyncMode::Never] {
        let mut rig = Rig::new(2, sync);
        for round in 0..4 {
            for _ in 0..20 {
                rig.store(300);
                rig.commit(1);
            }
            rig.finish();
            let cut = rig.disk.power_cut(&mut SmallRng::seed_from_u64(round));
            rig.start(cut, sync);
            assert_eq!(rig.log().published_end(), 20 * (round + 1));
            assert_eq!(rig.missing_below(u64::MAX), None);
        }
    }
}

#[test]
fn after_any_other_stop_the_seqs_jump_and_no_delivery_waits_for_those_between() {
    let mut rig = Rig::new(3, INTERVAL);
    for _ in 0..10 {
        rig.store(100);
        rig.commit(1);
    }
    settle(&rig.volume, 0, 0, 0..10, Urgency::Now);
    rig.commit(1);
    let killed = rig.disk.kill();
    rig.start(killed, INTERVAL);
    assert_eq!(rig.volume.streams[0].found_end, 10, "a kill loses nothing");
    assert_eq!(rig.log().published_end(), 10 + JUMP);
    let cursors: Vec<u64> =
        rig.volume.streams[0].deliveries.iter().map(|(_, state)| state.cursor).collect();
    assert_eq!(cursors, [10 + JUMP, 0]);
    assert!(rig.volume.streams[0].deliveries[1].1.settled.covers(&(10..10 + JUMP)));
    rig.store(100);
    rig.commit(1);
    assert_eq!(rig.seen.last_key_value().unwrap().0, &(10 + JUMP));
    let between = rig.log().reader().read(12).unwrap();
    assert_eq!(between, Read::Deleted { next: 10 + JUMP });
    // Again, and this time nothing is stored before the next stop.
    let killed = rig.disk.kill();
    rig.start(killed, INTERVAL);
    let killed = rig.disk.kill();
    rig.start(killed, SyncMode::Always);
    assert_eq!(rig.log().published_end(), 11 + 3 * JUMP, "one for each unclean stop");
    rig.store(100);
    rig.commit(1);
    let killed = rig.disk.kill();
    rig.start(killed, SyncMode::Always);
    assert_eq!(rig.log().published_end(), 12 + 3 * JUMP, "none after a start in the strong mode");
    assert_eq!(rig.missing_below(u64::MAX), None);
}

/// Random work with power cuts. Returns how many receipted records they cost.
fn cut_and_go_on(seed: u64, sync: SyncMode, boots: usize) -> usize {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut rig = Rig::new(seed, sync);
    let mut lost = 0;
    for _ in 0..boots {
        for _ in 0..rng.random_range(0..30) {
            for _ in 0..rng.random_range(0..4) {
                rig.store(rng.random_range(8..1_500));
            }
            if rng.random_ratio(1, 3) {
                let end = rig.log().published_end();
                let delivery = rng.random_range(0..2);
                let start = rig.seen.range(..end).nth(rng.random_range(0..40)).map(|(seq, _)| *seq);
                if let Some(start) = start {
                    let range = start..end.min(start + rng.random_range(1..20));
                    settle(&rig.volume, 0, delivery, range, Urgency::Lazy);
                }
            }
            rig.commit([0, 1, 7, 60, 250][rng.random_range(0..5)]);
        }
        let clean = rng.random_ratio(1, 5);
        if clean {
            rig.finish();
        }
        let (durable, published) = (rig.log().marks().durable_end, rig.log().published_end());
        let cut =
            if rng.random_ratio(1, 4) { rig.disk.kill() } else { rig.disk.power_cut(&mut rng) };
        rig.start(cut, sync);
        assert_eq!(rig.missing_below(durable), None, "seed {seed}: what is synced stays");
        assert!(!clean || durable == published);
        let next = rig.log().published_end();
        assert!(next >= published, "seed {seed}: {next} after {published}");
        assert_eq!(next == published, clean, "seed {seed}: a jump after unclean stops alone");
        let found_end = rig.volume.streams[0].found_end;
        lost += rig.seen.range(found_end.min(published)..published).count();
    }
    lost
}

#[test]
fn over_power_cuts_what_was_synced_stays_and_no_seq_comes_back() {
    for sync in [INTERVAL, SyncMode::Never] {
        let lost: usize = (0..60).map(|seed| cut_and_go_on(seed, sync, 8)).sum();
        assert!(lost > 20, "the mode is weak, so power cuts must cost records: {lost}");
    }
}

#[test]
fn the_strong_mode_loses_nothing_in_the_same_rig() {
    let lost: usize = (0..20)
        .map(|seed| {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut rig = Rig::new(seed, SyncMode::Always);
            for _ in 0..40 {
                rig.store(rng.random_range(8..1_500));
                rig.commit(rng.random_range(0..20));
            }
            let cut = rig.disk.power_cut(&mut rng);
            rig.start(cut, SyncMode::Always);
            usize::from(rig.missing_below(u64::MAX).is_some())
        })
        .sum();
    assert_eq!(lost, 0);
}
