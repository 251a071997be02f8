//! Files whose checksums are right and whose fields are not: no crash writes them, so they are
//! refused, but never with a panic and never with seqs that go backwards. Each was found by the
//! targets in `fuzz/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod volume_support;

use std::path::PathBuf;
use std::sync::Arc;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Corruption, Finding, LogError};
use volume_support::layout::{BATCH_HEADER, SEGMENT_HEADER};
use volume_support::{Clock, Payload, dir, open, read_all, submit};

/// A volume whose stream "wide" has several segments.
fn volume() -> SimDisk {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let mut clock = Clock::new();
    for _ in 0..16 {
        submit(&volume.streams[0].log, &[Payload::from([7; 900])]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    disk.kill()
}

fn salted(salt: &[u8], bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(salt), bytes).to_le_bytes()
}

/// The newest segment of "wide".
fn newest(disk: &SimDisk) -> PathBuf {
    let dir = dir().join("streams/wide");
    let mut paths = disk.list(&dir).unwrap().into_iter().map(|name| dir.join(name));
    paths.rfind(|path| path.extension().is_some_and(|end| end == "log")).unwrap()
}

/// Lets the first batch of the newest segment have other fields, and the right checksum.
fn forge(disk: &SimDisk, change: impl Fn(&mut [u8; BATCH_HEADER])) -> PathBuf {
    let path = newest(disk);
    let mut bytes = disk.contents(&path).unwrap();
    let mut header = *bytes[SEGMENT_HEADER..].first_chunk().unwrap();
    change(&mut header);
    let sum = salted(&bytes[80..88], &header[8..]);
    header[4..8].copy_from_slice(&sum);
    bytes[SEGMENT_HEADER..SEGMENT_HEADER + BATCH_HEADER].copy_from_slice(&header);
    disk.set_contents(&path, &bytes).unwrap();
    path
}

#[test]
fn seqs_beyond_the_last_number_are_damage() {
    let disk = volume();
    let last = |header: &mut [u8; BATCH_HEADER]| header[16..24].fill(0xff);
    let path = forge(&disk, last);
    let volume = open(Arc::new(disk)).unwrap();
    let [Finding::Damage(LogError::Corrupt { path: damaged, kind, .. })] = &volume.findings[..]
    else {
        panic!("{:?}", volume.findings)
    };
    assert_eq!((damaged, *kind), (&path, Corruption::Content));
}

#[test]
fn a_seal_that_ends_before_its_segment_begins_is_none() {
    let disk = volume();
    let path = newest(&disk);
    let mut bytes = disk.contents(&path).unwrap();
    let payload = [[0; 8], (SEGMENT_HEADER as u64).to_le_bytes()].concat();
    bytes.truncate(SEGMENT_HEADER + BATCH_HEADER);
    bytes.extend_from_slice(&payload);
    disk.set_contents(&path, &bytes).unwrap();
    forge(&disk, |header| {
        header[8..].fill(0);
        header[8] = 2;
        header[10] = 8;
        header[36..40].copy_from_slice(&crc32c::crc32c(&payload).to_le_bytes());
        header[40] = 16;
    });
    let volume = open(Arc::new(disk)).unwrap();
    assert!(volume.streams[0].log.marks().stopped.is_some());
}

#[test]
fn an_index_that_leads_behind_the_last_batch_hides_no_record() {
    let disk = volume();
    let path = dir().join("streams/wide").join("00000000000000000000.idx");
    let segment = disk.contents(&path.with_extension("log")).unwrap();
    let seal = segment.len() - BATCH_HEADER - 16;
    let entry = [[0; 8], (seal as u64).to_le_bytes(), [0; 8]].concat();
    let mut bytes = disk.contents(&path).unwrap();
    bytes.truncate(24);
    bytes[8..16].copy_from_slice(&1_u64.to_le_bytes());
    bytes[16..20].copy_from_slice(&salted(&segment[80..88], &entry));
    bytes.extend_from_slice(&entry);
    disk.set_contents(&path, &bytes).unwrap();
    let volume = open(Arc::new(disk)).unwrap();
    assert_eq!(read_all(&volume.streams[0].log, 0).unwrap().len(), 16);
}

#[test]
fn an_epoch_that_cannot_be_raised_is_damage() {
    let disk = volume();
    let path = dir().join("volume.meta");
    let mut bytes = disk.contents(&path).unwrap();
    bytes[32..40].fill(0xff);
    let sum = salted(&[0; 8], &bytes[..60]);
    bytes[60..].copy_from_slice(&sum);
    disk.set_contents(&path, &bytes).unwrap();
    let refused = open(Arc::new(disk)).unwrap_err();
    assert!(matches!(refused, LogError::Corrupt { position: 32, .. }), "{refused}");
}
