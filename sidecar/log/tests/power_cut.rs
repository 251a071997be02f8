//! The volume under power cuts: before every call on the disk, with what POSIX leaves to chance
//! left to chance. The controls at the end are disks and rigs that must be caught.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat_log::Volume;
use lifeboat_log::sim::{Liar, Lie, SimDisk};
use lifeboat_log::vfs::Vfs;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use volume_support::history::History;
use volume_support::layout::batches;
use volume_support::oracle::{Expected, Seen};
use volume_support::tap::{Tap, Tapped};
use volume_support::workload::{Met, Workload};
use volume_support::{Clock, Payload, dir, log_of, open, submit};

const STEPS: usize = 60;
/// Too small for what the streams may take: one workload in four fills it.
const SMALL_DISK: u64 = 200 << 10;
/// One cut in so many is followed by more work and another cut.
const GO_ON_EVERY: usize = 16;

#[derive(Default)]
struct Outcome {
    cuts: usize,
    violations: Vec<String>,
    met: Vec<Met>,
}

fn arc(vfs: impl Vfs) -> Arc<dyn Vfs> {
    Arc::new(vfs)
}

/// Runs one workload over the disk and keeps the disk as it was before each call.
fn record(seed: u64, vfs: impl FnOnce(SimDisk) -> Arc<dyn Vfs>) -> (History, Met, Vec<SimDisk>) {
    let disk = SimDisk::new(seed);
    if seed % 4 == 3 {
        disk.set_capacity(SMALL_DISK);
    }
    disk.record();
    let count = || disk.calls();
    let workload = Workload::new(vfs(disk.clone()), seed, &count);
    let mut workload = if seed % 3 == 2 { workload.aging() } else { workload };
    workload.run(STEPS).unwrap();
    assert!(workload.broke.is_none(), "{:?}", workload.broke);
    (workload.history, workload.met, disk.recorded())
}

/// Cuts the power `cuts` times at each moment, and judges what a restart finds.
fn cut_everywhere(seed: u64, cuts: usize, history: &History, moments: &[SimDisk]) -> Outcome {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut outcome = Outcome::default();
    for (call, moment) in (0..).zip(moments) {
        let expected = Expected::new(history, call);
        for _ in 0..cuts {
            outcome.cuts += 1;
            let after = moment.power_cut(&mut rng);
            let opened = open(arc(after.clone())).map_err(|error| error.to_string());
            let judged = opened.and_then(|volume| {
                expected.check(&volume)?;
                if outcome.cuts.is_multiple_of(GO_ON_EVERY) {
                    go_on(volume, &after)
                } else {
                    Ok(())
                }
            });
            if let Err(violation) = judged {
                outcome.violations.push(format!("seed {seed}, before call {call}: {violation}"));
            }
        }
    }
    outcome
}

/// Stores one more record in each log: under the next seq, and over another power cut.
fn go_on(mut volume: Volume, disk: &SimDisk) -> Result<(), String> {
    let more = Payload::from(&b"one more"[..]);
    let places = || (0..2).flat_map(|stream| [(stream, false), (stream, true)]);
    let asked: Vec<_> = places()
        .map(|(stream, dead)| {
            let log = log_of(&volume.streams[stream], dead);
            (log.published_end(), submit(log, &[Payload::clone(&more)]).unwrap().fate)
        })
        .collect();
    volume.committer.commit(Clock::new().after(0)).map_err(|error| error.to_string())?;
    let cut = disk.power_cut(&mut SmallRng::seed_from_u64(disk.calls()));
    let after = open(arc(cut)).map_err(|error| error.to_string())?;
    for ((stream, dead), (end, fate)) in places().zip(asked) {
        let marks = log_of(&volume.streams[stream], dead).marks();
        match fate.outcome() {
            None if marks.full => continue,
            Some(Ok(seq)) if seq == end => {}
            other => return Err(format!("{other:?} for the record that should be {end}")),
        }
        let read = log_of(&after.streams[stream], dead).reader().read(end);
        if !matches!(&read, Ok(lifeboat_log::Read::Batch(batch)) if batch.payload_bytes(end) == Some(&more))
        {
            return Err(format!("{read:?} for the record {end} that was stored after the cut"));
        }
    }
    Ok(())
}

fn honest(seeds: impl Iterator<Item = u64>) -> Outcome {
    let mut all = Outcome::default();
    for seed in seeds {
        let (history, met, moments) = record(seed, arc);
        let outcome = cut_everywhere(seed, 4, &history, &moments);
        all.cuts += outcome.cuts;
        all.violations.extend(outcome.violations);
        all.met.push(met);
    }
    all
}

#[test]
fn nothing_that_was_promised_is_lost_by_a_power_cut() {
    const SEEDS: u64 = 13;
    let halves = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || honest((half..SEEDS).step_by(2))));
        halves.map(|half| half.join().unwrap())
    });
    let mut cuts = 0;
    for outcome in &halves {
        assert_eq!(outcome.violations, Vec::<String>::new());
        cuts += outcome.cuts;
    }
    assert!(cuts >= 50_000, "{cuts}");
    let met = || halves.iter().flat_map(|outcome| &outcome.met);
    assert!(met().map(|met| met.boots - 1).sum::<usize>() > 20, "restarts");
    assert!(met().filter(|met| met.full > 0).count() > 5, "full streams");
    assert!(met().all(|met| met.promised_records > 60 && met.promised_settlements > 15));
    assert!(met().filter(|met| met.deleted > 20).count() > 5, "deleted segments");
    assert!(met().map(|met| met.outgrown).sum::<usize>() > 10, "segments that are made anew");
}

/// Interrupts recovery three times before it may finish. After a kill only by more kills: what was
/// written and not synced would be lost by a power cut, and rightly so.
#[test]
fn interrupted_recoveries_end_in_the_same_state() {
    for seed in 100..103 {
        let (_, _, moments) = record(seed, arc);
        let mut rng = SmallRng::seed_from_u64(seed);
        for round in 0..300 {
            let kills_only = rng.random_ratio(1, 3);
            let mut interrupted = |moments: &[SimDisk], kill: bool| {
                let moment = &moments[rng.random_range(0..moments.len())];
                if kill { moment.kill() } else { moment.power_cut(&mut rng) }
            };
            let mut disk = interrupted(&moments, kills_only);
            let expected = Seen::of(&open(arc(disk.fork())).unwrap());
            for depth in 0..3 {
                let attempt = disk.fork();
                attempt.record();
                let seen = Seen::of(&open(arc(attempt.clone())).unwrap());
                assert!(seen == expected, "seed {seed}, round {round}, depth {depth}");
                disk = interrupted(&attempt.recorded(), kills_only || depth == 1);
            }
            let seen = Seen::of(&open(arc(disk)).unwrap());
            assert!(seen == expected, "seed {seed}, round {round}, at last");
        }
    }
}

/// How often the rig finds fault with a disk.
fn caught(vfs: impl FnOnce(SimDisk) -> Arc<dyn Vfs>) -> usize {
    let (history, _, moments) = record(1, vfs);
    cut_everywhere(1, 1, &history, &moments).violations.len()
}

#[test]
fn control_an_honest_disk_is_not_found_fault_with() {
    assert_eq!(caught(arc), 0);
}

#[test]
fn control_a_disk_that_does_not_sync_files_is_caught() {
    let violations = caught(|disk| arc(Liar::new(disk, Lie::NoDataSync)));
    assert!(violations > 100, "{violations}");
}

#[test]
fn control_a_disk_that_does_not_sync_directories_is_caught() {
    let violations = caught(|disk| arc(Liar::new(disk, Lie::NoDirSync)));
    assert!(violations > 100, "{violations}");
}

/// Notes when a segment was written last.
#[derive(Debug)]
struct LastWrite {
    disk: SimDisk,
    calls: AtomicU64,
}

impl Tap for LastWrite {
    fn wrote(&self, path: &Path) {
        if path.to_string_lossy().contains(".log") {
            self.calls.store(self.disk.calls(), Ordering::Relaxed);
        }
    }
}

/// Receipts as they would be given between a commit's last write and its sync.
#[test]
fn control_a_receipt_before_the_sync_is_caught() {
    let disk = SimDisk::new(1);
    disk.record();
    let count = || disk.calls();
    let last_write = Arc::new(LastWrite { disk: disk.clone(), calls: AtomicU64::new(0) });
    let receipted = || last_write.calls.load(Ordering::Relaxed);
    let tapped = arc(Tapped::new(disk.clone(), last_write.clone()));
    let mut workload = Workload::new(tapped, 1, &count).receipting(&receipted);
    workload.run(STEPS).unwrap();
    let violations = cut_everywhere(1, 2, &workload.history, &disk.recorded()).violations.len();
    assert!(violations > 20, "{violations}");
}

/// Hides what lies behind a damaged batch from recovery.
#[derive(Debug)]
struct BlindBehind(u64);

impl Tap for BlindBehind {
    fn blind_from(&self, path: &Path) -> u64 {
        if path.ends_with("wide/00000000000000000000.log") { self.0 } else { u64::MAX }
    }
}

/// Records that had their receipt, one batch of them damaged, others behind it.
#[test]
fn control_a_recovery_that_does_not_look_behind_damage_is_caught() {
    let disk = SimDisk::new(1);
    let mut volume = open(arc(disk.clone())).unwrap();
    let mut history = History::default();
    history.streams.resize_with(2, Default::default);
    let (log, mut clock) = (&volume.streams[0].log, Clock::new());
    for number in 0..6u8 {
        let payload = Payload::from(vec![number; 100]);
        let fate = submit(log, &[Payload::clone(&payload)]).unwrap().fate;
        volume.committer.commit(clock.after(0)).unwrap();
        assert_eq!(fate.outcome(), Some(Ok(number.into())));
        history.streams[0].records.submitted(0, &[payload]);
        history.streams[0].records.promised(0, u64::from(number) + 1);
    }
    let image = disk.kill();
    let segment = dir().join("streams/wide/00000000000000000000.log");
    let damaged = batches(&image.contents(&segment).unwrap())[2].clone();
    image.flip_bit(&segment, damaged.start as u64 + 80, 3).unwrap();
    let expected = Expected::new(&history, 0);

    let blind = Arc::new(BlindBehind(damaged.end as u64));
    let volume = open(arc(Tapped::new(image.fork(), blind))).unwrap();
    assert_eq!(volume.streams[0].log.marks().stopped, None, "it saw nothing amiss");
    let verdict = expected.check(&volume).unwrap_err();
    assert!(verdict.contains("ends at 2"), "{verdict}");

    let volume = open(arc(image)).unwrap();
    let stopped = volume.streams[0].log.marks().stopped.unwrap();
    assert!(stopped.contains("damaged"), "{stopped}");
    assert_eq!(volume.streams[1].log.marks().stopped, None, "the other stream is served");
}
