//! A volume as the sidecar uses it: what is published comes back after a restart, what is settled
//! is deleted, what is not stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_log::disk::Disk;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    DeliveryId, DeliveryOptions, Fate, LogError, LogHandle, Now, OnDamage, Op, Read, Retention,
    Run, Stream, StreamOptions, SyncMode, Urgency, Volume, VolumeOptions,
};

fn options() -> VolumeOptions {
    VolumeOptions {
        queue_bytes: 64 << 10,
        tail_bytes: 8 << 10,
        snapshot_bytes: 64 << 10,
        sync: SyncMode::Always,
        reserve_bytes: 64 << 10,
        seed: 7,
    }
}

fn named(name: &str) -> DeliveryOptions {
    DeliveryOptions { name: name.into(), from: None }
}

fn work() -> StreamOptions {
    StreamOptions {
        name: "work".into(),
        max_bytes: 1 << 20,
        segment_bytes: 32 << 10,
        on_damage: OnDamage::Stop,
        retention: Retention::default(),
        deliveries: vec![named("out")],
        keeps_ids: false,
    }
}

fn open(vfs: &Arc<dyn Vfs>, dir: &Path) -> Volume {
    Volume::open(Arc::clone(vfs), dir, &options(), &[work()]).unwrap()
}

/// A step after the journal's interval and the quiet time.
fn later(steps: u32) -> Now {
    let instant = Instant::now() + Duration::from_millis(100) * steps;
    Now { instant, unix_nanos: 1_000_000_000 * u64::from(steps) }
}

fn submit(log: &LogHandle, payload: &[u8], count: usize) -> Arc<Fate<u64>> {
    let bytes = payload.repeat(count);
    let len = payload.len() as u32;
    let records: Vec<Range<u32>> = (0..count as u32).map(|at| at * len..(at + 1) * len).collect();
    let run = Run { bytes: &bytes, records: &records };
    log.queue().submit(run, &mut Vec::new()).unwrap().fate
}

/// Every record from `from` on, as the reader finds them.
fn read_all(log: &Arc<LogHandle>, from: u64) -> Vec<(u64, Vec<u8>)> {
    let (mut reader, mut seq, mut found) = (log.reader(), from, Vec::new());
    loop {
        match reader.read(seq).unwrap() {
            Read::Batch(batch) => {
                while let Some(payload) = batch.payload(seq) {
                    found.push((seq, payload.to_vec()));
                    seq += 1;
                }
            }
            Read::Deleted { next } => {
                assert!(next > seq);
                seq = next;
            }
            Read::End => return found,
        }
    }
}

fn settled(stream: &Stream, range: Range<u64>) -> Op {
    let (delivery, _) = stream.deliveries[0].clone();
    Op::Settled { stream: stream.id, delivery, range }
}

#[test]
fn what_is_published_is_read_from_memory_and_from_disk_and_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let simulated: (Arc<dyn Vfs>, _) = (Arc::new(SimDisk::new(1)), Path::new("/data"));
    for (vfs, dir) in [simulated, (Arc::new(Disk::new()), home.path())] {
        vfs.create_dir(dir).unwrap();
        let mut expected = Vec::new();
        for boot in 0..4u64 {
            let mut volume = open(&vfs, dir);
            assert_eq!(volume.epoch, boot + 1);
            assert!(volume.findings.is_empty(), "{:?}", volume.findings);
            let log = Arc::clone(&volume.streams[0].log);
            assert_eq!(read_all(&log, 0), expected);
            for round in 0..20u64 {
                let payload = format!("boot {boot} round {round}: {}", "x".repeat(300));
                let fate = submit(&log, payload.as_bytes(), 10);
                assert_eq!(fate.outcome(), None);
                volume.committer.commit(later(round as u32)).unwrap();
                let first = fate.outcome().unwrap().unwrap();
                expected.extend((first..first + 10).map(|seq| (seq, payload.clone().into_bytes())));
            }
            assert_eq!(read_all(&log, 0), expected);
            assert_eq!(log.published_end(), expected.len() as u64);
        }
    }
}

#[test]
fn sealed_segments_go_once_their_records_are_settled_and_one_stuck_record_pins_one_segment() {
    let vfs: Arc<dyn Vfs> = Arc::new(SimDisk::new(2));
    let dir = Path::new("/data");
    vfs.create_dir(dir).unwrap();
    let mut volume = open(&vfs, dir);
    let log = Arc::clone(&volume.streams[0].log);
    for step in 0..100 {
        submit(&log, &[b'x'; 1000], 5);
        volume.committer.commit(later(step)).unwrap();
    }
    let before = log.marks().disk_bytes;
    let stuck = 250;
    let ops = [settled(&volume.streams[0], 0..stuck), settled(&volume.streams[0], stuck + 1..500)];
    volume.journal.submit(ops, Urgency::Lazy);
    volume.committer.commit(later(101)).unwrap();
    volume.committer.commit(later(102)).unwrap();
    let after = log.marks().disk_bytes;
    assert!(after <= 3 * (32 << 10) && after < before / 4, "{before} -> {after}");
    let left: Vec<u64> = read_all(&log, 0).into_iter().map(|(seq, _)| seq).collect();
    assert!(left.contains(&stuck) && left.len() < 100, "{left:?}");

    drop(volume);
    let mut volume = open(&vfs, dir);
    let log = Arc::clone(&volume.streams[0].log);
    assert_eq!(log.published_end(), 500, "the next seq survives the deletion of what came before");
    assert!(read_all(&log, 0).iter().any(|(seq, _)| *seq == stuck));
    let delivery = &volume.streams[0].deliveries[0].1;
    assert_eq!((delivery.cursor, delivery.settled.len()), (stuck, 249));
    volume.journal.submit([settled(&volume.streams[0], stuck..stuck + 1)], Urgency::Now);
    let fate = submit(&log, b"next", 1);
    volume.committer.commit(later(1)).unwrap();
    assert_eq!(fate.outcome(), Some(Ok(500)));
}

#[test]
fn a_full_stream_holds_records_back_until_space_is_freed() {
    let vfs: Arc<dyn Vfs> = Arc::new(SimDisk::new(3));
    let dir = Path::new("/data");
    vfs.create_dir(dir).unwrap();
    let mut volume = open(&vfs, dir);
    let log = Arc::clone(&volume.streams[0].log);
    let mut fates = Vec::new();
    for step in 0..60 {
        fates.extend((fates.len() < 60).then(|| submit(&log, &[b'x'; 10_000], 3)));
        volume.committer.commit(later(step)).unwrap();
        if log.marks().full {
            break;
        }
    }
    assert!(log.marks().full);
    assert!(log.marks().disk_bytes <= 1 << 20);
    assert_eq!(fates.last().unwrap().outcome(), None, "no receipt for what has no room");
    let end = log.published_end();
    volume.journal.submit([settled(&volume.streams[0], 0..end)], Urgency::Now);
    volume.committer.commit(later(61)).unwrap();
    volume.committer.commit(later(62)).unwrap();
    assert!(!log.marks().full);
    let last = fates.last().unwrap().outcome().unwrap().unwrap();
    assert_eq!(log.published_end(), last + 3);
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let vfs: Arc<dyn Vfs> = Arc::new(SimDisk::new(4));
    let dir = Path::new("/data");
    vfs.create_dir(dir).unwrap();
    let mut volume = open(&vfs, dir);
    let log = Arc::clone(&volume.streams[0].log);
    submit(&log, b"small", 1);
    volume.committer.commit(later(1)).unwrap();
    submit(&log, &vec![b'y'; 200_000], 1);
    volume.committer.commit(later(2)).unwrap();
    submit(&log, b"", 3);
    volume.committer.commit(later(3)).unwrap();
    let lens: Vec<usize> = read_all(&log, 0).iter().map(|(_, payload)| payload.len()).collect();
    assert_eq!(lens, [5, 200_000, 0, 0, 0]);
}

#[test]
fn a_second_opening_is_refused_while_the_first_one_lives() {
    let home = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(Disk::new());
    let volume = open(&vfs, home.path());
    let second = Volume::open(Arc::clone(&vfs), home.path(), &options(), &[work()]);
    assert!(matches!(second, Err(LogError::Locked { .. })));
    drop(volume);
    open(&vfs, home.path());
}

#[test]
fn a_new_delivery_starts_at_the_lowest_cursor_and_a_removed_one_still_holds() {
    let vfs: Arc<dyn Vfs> = Arc::new(SimDisk::new(5));
    let dir = Path::new("/data");
    vfs.create_dir(dir).unwrap();
    let mut volume = open(&vfs, dir);
    submit(&volume.streams[0].log, b"x", 10);
    volume.committer.commit(later(1)).unwrap();
    volume.journal.submit([settled(&volume.streams[0], 0..4)], Urgency::Now);
    volume.committer.commit(later(2)).unwrap();
    drop(volume);
    let renamed = StreamOptions { deliveries: vec![named("other")], ..work() };
    let volume = Volume::open(vfs, dir, &options(), &[renamed]).unwrap();
    let known: Vec<_> = volume.streams[0]
        .deliveries
        .iter()
        .map(|(id, delivery)| (*id, delivery.name.as_str(), delivery.cursor))
        .collect();
    assert_eq!(known, [(DeliveryId(1), "out", 4), (DeliveryId(2), "other", 4)]);
}
