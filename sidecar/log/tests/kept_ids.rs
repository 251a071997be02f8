//! Ids come back with their records, go with them through every cut, and hold what must stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod volume_support;

use std::ops::Range;
use std::sync::Arc;

use lifeboat_log::inspect::{CheckOptions, check};
use lifeboat_log::sim::{Liar, Lie, SimDisk};
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    Holder, LogHandle, OnDamage, Op, Retention, StreamOptions, Urgency, Volume, offline,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use volume_support::layout::batches;
use volume_support::{
    Clock, Payload, dedup_id, dir, options, read_all, read_ids, settle, stream, submit,
    submit_with_ids,
};

fn work(keeps_ids: bool) -> StreamOptions {
    StreamOptions { keeps_ids, ..stream("work", 4 << 20, &["out"]) }
}

fn open(disk: &SimDisk, keeps_ids: bool) -> Volume {
    open_as(disk, work(keeps_ids))
}

fn open_as(disk: &SimDisk, work: StreamOptions) -> Volume {
    disk.create_dir(dir()).unwrap();
    Volume::open(Arc::new(disk.clone()), dir(), &options(), &[work]).unwrap()
}

/// Settles for a holder and has that synced.
fn release(volume: &mut Volume, clock: &mut Clock, holder: Holder, range: Range<u64>) {
    let Holder { stream, delivery, .. } = holder;
    volume.journal.submit([Op::Settled { stream, delivery, range }], Urgency::Now);
    volume.committer.commit(clock.after(100)).unwrap();
}

/// Writes `count` records of 100 bytes, every other with an id, one commit for each ten.
fn fill(volume: &mut Volume, clock: &mut Clock, count: u64) {
    let log = Arc::clone(&volume.streams[0].log);
    for first in (0..count).step_by(10) {
        let payloads: Vec<Payload> = (0..10).map(|_| vec![7; 100].into()).collect();
        let at = log.published_end();
        let ids = [0, 2, 4, 6, 8].map(|index| (index, dedup_id(at + u64::from(index))));
        submit_with_ids(&log, &payloads, &ids).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
        assert_eq!(log.published_end(), at + 10, "{first}");
    }
}

fn even(seqs: Range<u64>) -> Vec<(u64, lifeboat_log::DedupId)> {
    seqs.step_by(2).map(|seq| (seq, dedup_id(seq))).collect()
}

fn segments(log: &LogHandle) -> u64 {
    log.marks().log_start
}

#[test]
fn ids_come_back_over_segments_and_restarts() {
    let disk = SimDisk::new(1);
    let mut clock = Clock::new();
    for boot in 1..=3 {
        let mut volume = open(&disk, true);
        fill(&mut volume, &mut clock, 300);
        assert_eq!(read_ids(&volume.streams[0].log, 0).unwrap(), even(0..boot * 300));
    }
    let log = &open(&disk, true).streams[0].log;
    assert_eq!(read_ids(log, 450).unwrap(), even(450..900));
    assert_eq!(read_all(log, 0).unwrap().len(), 900);
}

#[test]
fn a_group_that_is_cut_in_two_keeps_each_id_with_its_record() {
    let disk = SimDisk::new(1);
    let mut volume = open(&disk, true);
    let log = Arc::clone(&volume.streams[0].log);
    let payloads: Vec<Payload> = (0..150).map(|_| vec![7; 100].into()).collect();
    let ids: Vec<_> = (0..150).step_by(2).map(|at| (at, dedup_id(u64::from(at)))).collect();
    submit_with_ids(&log, &payloads, &ids).unwrap();
    submit_with_ids(&log, &payloads[..1], &[(0, dedup_id(150))]).unwrap_err();
    volume.committer.commit(Clock::new().after(1)).unwrap();
    assert!(log.marks().disk_bytes > 2 * 4096, "more than one segment");
    assert_eq!(read_ids(&log, 0).unwrap(), even(0..150));
}

/// Whether a disk, seen by the volume `through` another, still has the ids of everything that was synced after a
/// power cut.
fn keeps_ids(seed: u64, through: impl FnOnce(SimDisk) -> Arc<dyn Vfs>) -> bool {
    let disk = SimDisk::new(seed);
    disk.create_dir(dir()).unwrap();
    let mut clock = Clock::new();
    let mut volume = Volume::open(through(disk.clone()), dir(), &options(), &[work(true)]).unwrap();
    fill(&mut volume, &mut clock, 20 + 10 * (seed % 30));
    let synced = volume.streams[0].log.published_end();
    let log = Arc::clone(&volume.streams[0].log);
    submit_with_ids(&log, &[vec![1; 100].into()], &[(0, dedup_id(synced))]).unwrap();
    drop(volume);
    let disk = disk.power_cut(&mut SmallRng::seed_from_u64(seed));
    let volume = Volume::open(Arc::new(disk), dir(), &options(), &[work(true)]);
    volume.is_ok_and(|volume| {
        read_ids(&volume.streams[0].log, 0).is_ok_and(|ids| ids == even(0..synced))
    })
}

#[test]
fn a_power_cut_keeps_the_ids_of_what_it_keeps() {
    for seed in 0..200 {
        assert!(keeps_ids(seed, |disk| Arc::new(disk)), "seed {seed}");
    }
}

#[test]
fn control_disks_that_do_not_sync_lose_ids() {
    for lie in [Lie::NoDataSync, Lie::NoDirSync] {
        let lost = (0..50).filter(|&seed| !keeps_ids(seed, |disk| Arc::new(Liar::new(disk, lie))));
        assert!(lost.count() > 25, "{lie:?}");
    }
}

#[test]
fn records_stay_until_their_ids_are_copied_and_copies_until_they_are_old() {
    let disk = SimDisk::new(1);
    let mut clock = Clock::new();
    let mut volume = open(&disk, true);
    let kept = volume.streams[0].kept_ids.clone().unwrap();
    fill(&mut volume, &mut clock, 600);
    settle(&volume, 0, 0, 0..600, Urgency::Now);
    volume.committer.commit(clock.after(100)).unwrap();
    let log = Arc::clone(&volume.streams[0].log);
    assert_eq!(segments(&log), 0, "the ids are nowhere else");
    for _ in 0..40 {
        submit(&kept.log, &[vec![9; 2_000].into()]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    release(&mut volume, &mut clock, kept.source, 0..600);
    assert!(segments(&log) > 400, "all but the newest");
    assert_eq!(segments(&kept.log), 0);
    release(&mut volume, &mut clock, kept.copies, 0..40);
    assert!(segments(&kept.log) > 20, "all but the newest");
    drop(volume);
    let again = open(&disk, true).streams[0].kept_ids.clone().unwrap();
    assert_eq!((again.source.cursor, again.copies.cursor), (600, 40));
}

#[test]
fn a_limit_takes_records_before_their_ids_are_copied_too() {
    let disk = SimDisk::new(1);
    let mut clock = Clock::new();
    let retention = Retention { replay: true, max_messages: Some(100), ..Retention::default() };
    let work = || StreamOptions { retention, ..work(true) };
    let mut volume = open_as(&disk, work());
    fill(&mut volume, &mut clock, 600);
    let start = volume.streams[0].log.marks().log_start;
    assert!((400..=500).contains(&start), "{start}");
    drop(volume);
    let volume = open_as(&disk, work());
    let kept = volume.streams[0].kept_ids.clone().unwrap();
    assert_eq!(kept.source.cursor, start, "nobody waits for what is gone");
    let first = start.next_multiple_of(2);
    assert_eq!(read_ids(&volume.streams[0].log, start).unwrap(), even(first..600));
}

#[test]
fn a_stream_that_keeps_no_ids_any_more_lets_everything_go() {
    let disk = SimDisk::new(1);
    let mut clock = Clock::new();
    let mut volume = open(&disk, true);
    let kept = volume.streams[0].kept_ids.clone().unwrap();
    fill(&mut volume, &mut clock, 300);
    for _ in 0..40 {
        submit(&kept.log, &[vec![9; 2_000].into()]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    drop((volume, kept));

    let mut volume = open(&disk, false);
    assert!(volume.streams[0].kept_ids.is_none());
    settle(&volume, 0, 0, 0..300, Urgency::Now);
    volume.committer.commit(clock.after(100)).unwrap();
    assert!(segments(&volume.streams[0].log) > 0, "nothing else holds");
    drop(volume);

    let volume = open(&disk, true);
    let kept = volume.streams[0].kept_ids.clone().unwrap();
    assert_eq!(kept.source.cursor, 300, "what came before is forgotten");
    assert_eq!(kept.copies.cursor, 40);
}

/// The path of the first segment of a log in the stream's directory.
fn first_segment(log: &str) -> std::path::PathBuf {
    dir().join(format!("streams/work{log}/00000000000000000000.log"))
}

/// Flips a bit of the first batch with records: `back` bytes before its end, or in its first payload.
fn flip(disk: &SimDisk, log: &str, back: Option<usize>) {
    let path = first_segment(log);
    let batches = batches(&disk.contents(&path).unwrap());
    let batch = batches.iter().find(|batch| batch.len() > 64).unwrap();
    // Behind the header and the table of ten rows.
    let at = back.map_or(batch.start + 64 + 80 + 3, |back| batch.end - back);
    disk.flip_bit(&path, at as u64, 1).unwrap();
}

/// What is left of 300 records and their ids after a bit of the first batch was flipped.
fn mended(back: Option<usize>) -> (usize, Vec<(u64, lifeboat_log::DedupId)>) {
    let disk = SimDisk::new(1);
    let mut volume = open(&disk, true);
    fill(&mut volume, &mut Clock::new(), 300);
    drop(volume);
    flip(&disk, "", back);
    let options_of = StreamOptions { on_damage: OnDamage::SkipWithGap, ..work(true) };
    let mut volume = Volume::open(Arc::new(disk), dir(), &options(), &[options_of]).unwrap();
    // Of a sealed segment a start reads no more than both ends: a reader meets it.
    let log = Arc::clone(&volume.streams[0].log);
    log.damaged(&read_all(&log, 0).unwrap_err());
    volume.committer.commit(Clock::new().after(1_000)).unwrap();
    (read_all(&log, 0).unwrap().len(), read_ids(&log, 0).unwrap())
}

#[test]
fn mending_keeps_the_ids_of_the_records_that_it_keeps() {
    assert_eq!(mended(None), (299, even(2..300)), "one record is lost, with its id");
    let (records, ids) = mended(Some(10));
    assert_eq!(records, 300, "no record is lost where only ids are");
    assert_eq!(ids, even(10..300), "the ids of one batch are lost");
}

#[test]
fn a_check_finds_damaged_copies_and_an_accepted_gap_lets_go_of_nothing_else() {
    let disk = SimDisk::new(1);
    let mut clock = Clock::new();
    let mut volume = open(&disk, true);
    fill(&mut volume, &mut clock, 10);
    let copies = Arc::clone(&volume.streams[0].kept_ids.as_ref().unwrap().log);
    for number in 0..3_u8 {
        submit(&copies, &[vec![number; 100].into()]).unwrap();
        volume.committer.commit(clock.after(100)).unwrap();
    }
    drop(volume);
    let whole = open(&disk, true);
    let source = whole.streams[0].kept_ids.as_ref().unwrap().source;
    drop(whole);
    let path = first_segment("/ids");
    disk.flip_bit(&path, 4096 + 64 + 8 + 20, 1).unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let report = check(&vfs, dir(), &CheckOptions::default(), &mut |_, _| {}).unwrap();
    assert!(report.is_damaged() && report.findings.iter().any(|it| it.path == path), "{report:?}");

    let outcome = offline::accept_gap(vfs, dir(), "work", 1 << 60, 7).unwrap();
    assert_eq!((outcome.accepted.places, outcome.accepted.lost), (1, 0), "no message is lost");
    let volume = open(&disk, true);
    let stream = &volume.streams[0];
    let kept = stream.kept_ids.as_ref().unwrap();
    assert_eq!((kept.source, kept.copies.cursor), (source, 0));
    assert_eq!(read_all(&kept.log, 0).unwrap().len(), 2);
    assert_eq!(read_ids(&stream.log, 0).unwrap(), even(0..10));
}
