//! Damage to logs whose seqs jump: no seq comes back, and nothing is lost that can be read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod volume_support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    Finding, LogHandle, OnDamage, Refusal, StreamOptions, SyncMode, Volume, VolumeOptions,
};
use volume_support::{Clock, Payload, dir, options, read_all, stream, submit};

const JUMP: u64 = 1 << 32;
const INTERVAL: SyncMode = SyncMode::Interval(Duration::from_millis(200));
/// Where a segment's header has its number of jumps.
const JUMPS: std::ops::Range<usize> = 60..64;

fn open(disk: &SimDisk, sync: SyncMode, on_damage: OnDamage) -> Volume {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    vfs.create_dir(dir()).unwrap();
    let streams = [StreamOptions { on_damage, ..stream("weak", 1 << 20, &["one"]) }];
    Volume::open(vfs, dir(), &VolumeOptions { sync, ..options() }, &streams).unwrap()
}

fn log(volume: &Volume) -> Arc<LogHandle> {
    Arc::clone(&volume.streams[0].log)
}

/// Stores so many records and returns them by seq.
fn store(volume: &mut Volume, records: u8) -> BTreeMap<u64, Payload> {
    let payloads: Vec<Payload> = (0..records).map(|number| Arc::from([number; 1_000])).collect();
    let mut stored = BTreeMap::new();
    let mut clock = Clock::new();
    for payload in payloads {
        let submitted = submit(&log(volume), &[Payload::clone(&payload)]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
        let seq = submitted.fate.outcome().unwrap().unwrap();
        assert!(stored.insert(seq, payload).is_none());
    }
    stored
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let streams = dir().join("streams/weak");
    let mut names = disk.list(&streams).unwrap();
    names.retain(|name| PathBuf::from(name).extension().is_some_and(|end| end == "log"));
    names.sort();
    names.iter().map(|name| streams.join(name)).collect()
}

/// Makes these bytes of a file others.
fn spoil(disk: &SimDisk, path: &std::path::Path, at: std::ops::Range<usize>) {
    let mut bytes = disk.contents(path).unwrap();
    bytes[at].iter_mut().for_each(|byte| *byte = !*byte);
    disk.set_contents(path, &bytes).unwrap();
}

fn assert_holds(volume: &Volume, stored: &BTreeMap<u64, Payload>) {
    assert_eq!(log(volume).marks().stopped, None);
    let found: BTreeMap<u64, Payload> = read_all(&log(volume), 0).unwrap().into_iter().collect();
    assert!(found == *stored, "{:?} of {:?}", found.keys(), stored.keys());
}

#[test]
fn damage_puts_the_jump_off_until_it_is_mended() {
    let disk = SimDisk::new(1);
    let mut stored = store(&mut open(&disk, INTERVAL, OnDamage::Stop), 20);
    let disk = disk.kill();
    spoil(&disk, &segments(&disk)[0], 0..8);
    // A stop in good order, during which nothing could go on, does not change what is due.
    let mut volume = open(&disk, INTERVAL, OnDamage::Stop);
    assert!(log(&volume).is_stopped());
    volume.committer.finish(Clock::new().after(1)).unwrap();
    volume.committer.close(Refusal::Closed);
    drop(volume);

    let disk = disk.kill();
    let mut volume = open(&disk, INTERVAL, OnDamage::Stop);
    let fate = log(&volume).accept_gap();
    volume.committer.commit(Clock::new().after(1)).unwrap();
    assert_eq!(fate.outcome().unwrap().unwrap().lost, 0);
    assert_eq!(log(&volume).published_end(), 20 + JUMP);
    assert!(log(&volume).holes().jumps.covers(&(20..20 + JUMP)));
    stored.append(&mut store(&mut volume, 3));
    assert_eq!(stored.last_key_value().unwrap().0, &(22 + JUMP));
    assert_holds(&volume, &stored);
    drop(volume);
    let disk = disk.kill();
    let volume = open(&disk, SyncMode::Always, OnDamage::Stop);
    assert_eq!(log(&volume).published_end(), 23 + 2 * JUMP, "it ran in a weak mode again");
    assert_holds(&volume, &stored);
}

#[test]
fn a_header_that_told_of_a_jump_is_not_missed() {
    let disk = SimDisk::new(2);
    let mut stored = store(&mut open(&disk, INTERVAL, OnDamage::Stop), 3);
    let disk = disk.kill();
    stored.append(&mut store(&mut open(&disk, INTERVAL, OnDamage::Stop), 20));
    let disk = disk.kill();
    spoil(&disk, &segments(&disk)[1], JUMPS);
    let volume = open(&disk, SyncMode::Always, OnDamage::SkipWithGap);
    let mended = |finding: &Finding| matches!(finding, Finding::Mended(_));
    assert!(volume.findings.iter().any(mended), "{:?}", volume.findings);
    assert_holds(&volume, &stored);
    assert_eq!(log(&volume).holes().gaps.len(), 0);
    drop(volume);
    let volume = open(&disk.kill(), SyncMode::Always, OnDamage::Stop);
    assert!(volume.findings.is_empty(), "{:?}", volume.findings);
    assert_holds(&volume, &stored);
}

#[test]
fn a_segment_before_a_jump_is_mended_up_to_it() {
    let disk = SimDisk::new(3);
    let mut stored = store(&mut open(&disk, INTERVAL, OnDamage::Stop), 3);
    let disk = disk.kill();
    stored.append(&mut store(&mut open(&disk, INTERVAL, OnDamage::Stop), 20));
    let disk = disk.kill();
    let first = &segments(&disk)[0];
    let len = disk.contents(first).unwrap().len();
    spoil(&disk, first, len - 8..len);
    let volume = open(&disk, SyncMode::Always, OnDamage::SkipWithGap);
    assert_holds(&volume, &stored);
    assert_eq!(log(&volume).holes().gaps.len(), 0, "what was jumped over is not lost");
    drop(volume);
    let volume = open(&disk.kill(), SyncMode::Always, OnDamage::Stop);
    assert!(volume.findings.is_empty(), "{:?}", volume.findings);
    assert_holds(&volume, &stored);
}
