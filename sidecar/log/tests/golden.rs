//! Volumes that earlier versions wrote still open, and say the same. Files in `golden/` are never
//! written again; a new version of the format adds a directory: `LIFEBOAT_WRITE_GOLDEN=volume-1.1
//! cargo test -p lifeboat-log --test golden` writes it, if it is not there.
//! `volume-1.0-mended` is what mending made of `volume-1.0`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Finding, LogError, OnDamage, Stream, StreamOptions, Urgency, Volume};
use volume_support::layout::batches;
use volume_support::{
    Clock, Payload, dedup_id, dir, log_of, options, read_all, read_ids, settle, stream, submit,
    submit_with_ids,
};

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version)
}

/// `keeps_ids` is new in 1.1: the first stream then has ids.
fn streams(keeps_ids: bool) -> Vec<StreamOptions> {
    let mut streams = ["clean", "torn", "flipped"].map(|name| stream(name, 1 << 20, &["out"]));
    streams[0].keeps_ids = keeps_ids;
    streams.into()
}

fn open(disk: &SimDisk, keeps_ids: bool) -> Volume {
    Volume::open(Arc::new(disk.clone()), dir(), &options(), &streams(keeps_ids)).unwrap()
}

fn payload(stream: usize, number: u64) -> Payload {
    let len = 100 + 37 * number as usize;
    format!("stream {stream} record {number} ").bytes().cycle().take(len).collect()
}

/// Records in "clean": three sealed segments and an open one.
const CLEAN: u64 = 24;
/// Records in the others: one open segment. Of "torn" the last one is torn, of "flipped" the
/// third one is damaged.
const OTHERS: u64 = 6;

/// Writes what this version makes of the three streams.
fn write(version: &str) {
    let disk = SimDisk::new(1);
    disk.create_dir(dir()).unwrap();
    let mut volume = open(&disk, true);
    let mut clock = Clock::new();
    for number in 0..CLEAN {
        for (at, stream) in volume.streams.iter().enumerate() {
            if at == 0 || number < OTHERS {
                let ids = [(0, dedup_id(number))];
                let ids = if at == 0 { &ids[..] } else { &[] };
                submit_with_ids(&stream.log, &[payload(at, number), Payload::default()], ids)
                    .unwrap();
            }
        }
        volume.committer.commit(clock.after(1)).unwrap();
        if number % 4 == 1 {
            volume.committer.commit(clock.after(10)).unwrap();
        }
    }
    submit(&volume.streams[0].dead_letters, &[payload(9, 0)]).unwrap();
    let copies = &volume.streams[0].kept_ids.as_ref().unwrap().log;
    submit(copies, &[payload(8, 0)]).unwrap();
    settle(&volume, 0, 0, 0..3, Urgency::Now);
    settle(&volume, 0, 0, 5..7, Urgency::Now);
    volume.committer.commit(clock.after(10)).unwrap();
    let segment = |name: &str| dir().join(format!("streams/{name}/00000000000000000000.log"));
    let torn = batches(&disk.contents(&segment("torn")).unwrap());
    let mut bytes = disk.contents(&segment("torn")).unwrap();
    // The last batch, which has no marker behind it, did not reach the disk whole.
    let last = torn.iter().rev().find(|batch| batch.len() > 64).unwrap();
    bytes[last.end - 40..].fill(0);
    disk.set_contents(&segment("torn"), &bytes).unwrap();
    let flipped = batches(&disk.contents(&segment("flipped")).unwrap());
    let third = flipped.iter().filter(|batch| batch.len() > 64).nth(2).unwrap();
    disk.flip_bit(&segment("flipped"), third.start as u64 + 90, 5).unwrap();

    fs::create_dir(golden(version)).expect("released fixtures are never written again");
    copy_out(&disk, dir(), &golden(version));
}

fn copy_out(disk: &SimDisk, from: &Path, to: &Path) {
    for name in disk.list(from).unwrap() {
        let (from, to) = (from.join(&name), to.join(&name));
        if disk.list(&from).is_ok() {
            fs::create_dir(&to).unwrap();
            copy_out(disk, &from, &to);
        } else if !["lock", "reserve"].contains(&name.as_str()) {
            fs::write(&to, disk.contents(&from).unwrap()).unwrap();
        }
    }
}

fn copy_in(disk: &SimDisk, from: &Path, to: &Path) {
    disk.create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_in(disk, &entry.path(), &to);
        } else {
            disk.create(&to).unwrap();
            disk.set_contents(&to, &fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// Asserts the records of a log: each payload and an empty one after it.
fn holds(stream: &Stream, at: usize, count: u64) {
    let found = read_all(&stream.log, 0).unwrap();
    assert_eq!(found.len() as u64, 2 * count, "{}", stream.name);
    for number in 0..count {
        let [full, empty] = [2 * number, 2 * number + 1].map(|seq| &found[seq as usize]);
        assert!(*full == (2 * number, payload(at, number)), "{full:?}");
        assert!(*empty == (2 * number + 1, Payload::default()), "{empty:?}");
    }
}

#[test]
fn version_1_0_says_what_it_said_when_it_was_written() {
    let disk = SimDisk::new(1);
    copy_in(&disk, &golden("volume-1.0"), dir());
    let mut volume = open(&disk, false);
    assert_eq!(volume.epoch, 2);
    assert_eq!(volume.id.to_string(), "df230b49615d175307d580c33d6fda61");
    let ids = volume.streams.iter().map(|stream| stream.id.to_string());
    assert_eq!(
        ids.collect::<Vec<_>>(),
        [
            "fc7b9aec91df0f5c1a5ebe3b8cbfee02",
            "6e02b55ac79074db59c94b46e64373d8",
            "6899c10632848450fc4daae93d07ea10"
        ]
    );

    let [clean, torn, flipped] = &volume.streams[..] else { panic!("three streams") };
    holds(clean, 0, CLEAN);
    let dead = read_all(log_of(clean, true), 0).unwrap();
    assert!(dead == [(0, payload(9, 0))]);
    let delivery = &clean.deliveries[0].1;
    assert_eq!((delivery.name.as_str(), delivery.cursor), ("out", 3));
    assert_eq!((delivery.settled.first(), delivery.settled.len()), (Some(5..7), 2));
    holds(torn, 1, OTHERS - 1);
    assert!(flipped.log.marks().stopped.is_some());

    assert!(
        matches!(
            &volume.findings[..],
            [
                Finding::TornTail { path, bytes: 328 },
                Finding::Damage(LogError::Corrupt { path: damaged, position: 4568, .. }),
            ] if path.ends_with("torn") && damaged.ends_with("flipped/00000000000000000000.log")
        ),
        "{:?}",
        volume.findings
    );

    let fate = submit(&clean.log, &[payload(0, 0)]).unwrap().fate;
    volume.committer.commit(Clock::new().after(0)).unwrap();
    assert_eq!(fate.outcome(), Some(Ok(2 * CLEAN)), "and it goes on");
}

#[test]
fn version_1_1_says_it_too_and_the_ids() {
    let version = std::env::var("LIFEBOAT_WRITE_GOLDEN").unwrap_or_default();
    if !version.is_empty() && !version.ends_with("mended") {
        write(&version);
    }
    let disk = SimDisk::new(1);
    copy_in(&disk, &golden("volume-1.1"), dir());
    let volume = open(&disk, true);
    let [clean, torn, flipped] = &volume.streams[..] else { panic!("three streams") };
    holds(clean, 0, CLEAN);
    let ids: Vec<_> = (0..CLEAN).map(|number| (2 * number, dedup_id(number))).collect();
    assert_eq!(read_ids(&clean.log, 0).unwrap(), ids);
    let kept = clean.kept_ids.as_ref().unwrap();
    assert!(read_all(&kept.log, 0).unwrap() == [(0, payload(8, 0))]);
    assert_eq!((kept.source.cursor, kept.copies.cursor), (0, 0));
    assert_eq!(clean.deliveries.len(), 1, "what holds is no delivery of the file's");
    holds(torn, 1, OTHERS - 1);
    assert!(flipped.log.marks().stopped.is_some());
}

#[test]
fn a_volume_of_1_0_goes_on_with_ids() {
    let disk = SimDisk::new(1);
    copy_in(&disk, &golden("volume-1.0"), dir());
    let mut volume = open(&disk, true);
    let clean = &volume.streams[0];
    let end = 2 * CLEAN;
    assert_eq!(clean.kept_ids.as_ref().unwrap().source.cursor, end, "no older one has an id");
    submit_with_ids(&clean.log, &[payload(0, 0)], &[(0, dedup_id(7))]).unwrap();
    volume.committer.commit(Clock::new().after(0)).unwrap();
    assert_eq!(read_ids(&volume.streams[0].log, 0).unwrap(), [(end, dedup_id(7))]);
}

/// Writes what this version makes of the damaged stream of 1.0.
fn write_mended(version: &str) {
    let disk = SimDisk::new(1);
    copy_in(&disk, &golden("volume-1.0"), dir());
    let streams = streams(false).into_iter();
    let streams: Vec<_> = streams
        .map(|stream| StreamOptions { on_damage: OnDamage::SkipWithGap, ..stream })
        .collect();
    Volume::open(Arc::new(disk.clone()), dir(), &options(), &streams).unwrap();
    fs::create_dir(golden(version)).expect("released fixtures are never written again");
    copy_out(&disk, dir(), &golden(version));
}

#[test]
fn a_mended_segment_of_version_1_0_says_what_it_said_when_it_was_written() {
    const MENDED: &str = "volume-1.0-mended";
    if std::env::var("LIFEBOAT_WRITE_GOLDEN").is_ok_and(|version| version == MENDED) {
        write_mended(MENDED);
    }
    let disk = SimDisk::new(1);
    copy_in(&disk, &golden(MENDED), dir());
    let volume = open(&disk, false);
    let damage = |finding: &Finding| matches!(finding, Finding::Damage(_));
    assert!(!volume.findings.iter().any(damage), "{:?}", volume.findings);
    let [clean, _, flipped] = &volume.streams[..] else { panic!("three streams") };
    holds(clean, 0, CLEAN);
    let found = read_all(&flipped.log, 0).unwrap();
    let seqs: Vec<u64> = found.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(
        seqs,
        [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11],
        "the record with the flipped bit is lost"
    );
    assert!(found[5] == (6, payload(2, 3)));
    assert_eq!(flipped.log.holes().gaps.first(), Some(4..5));
}
