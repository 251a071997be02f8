//! Volumes on the simulated disk: made by the real code, opened, read, and harmed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arbitrary::Arbitrary;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    DeliveryOptions, LogError, LogHandle, Now, OnDamage, Op, Read, Retention, Run, StreamOptions,
    SyncMode, Urgency, Volume, VolumeOptions,
};

use crate::naive::Record;

/// The stream's directory.
pub const STREAM: &str = "/data/streams/s";
const DIR: &str = "/data";

/// Opens the volume, whose one stream has one delivery, as it is or new.
///
/// # Errors
/// Of [`Volume::open`].
pub fn open(disk: &SimDisk, seed: u64) -> Result<Volume, LogError> {
    let options = VolumeOptions {
        seed,
        queue_bytes: 64 << 10,
        // Everything is read from the disk.
        tail_bytes: 0,
        snapshot_bytes: 4 << 10,
        sync: SyncMode::Always,
        reserve_bytes: 0,
    };
    let stream = StreamOptions {
        name: "s".into(),
        max_bytes: 1 << 30,
        segment_bytes: 8 << 10,
        deliveries: vec![DeliveryOptions { name: "d".into(), from: None }],
        retention: Retention::default(),
        on_damage: OnDamage::Stop,
        keeps_ids: true,
    };
    disk.create_dir(Path::new(DIR)).map_err(LogError::io("create", Path::new(DIR)))?;
    Volume::open(Arc::new(disk.clone()), Path::new(DIR), &options, &[stream])
}

/// One commit, at a time of no meaning.
///
/// # Errors
/// Of [`lifeboat_log::Committer::commit`].
pub fn commit(volume: &mut Volume) -> Result<(), LogError> {
    volume.committer.commit(Now { instant: Instant::now(), unix_nanos: 1 })
}

/// Hands one record over and commits it.
///
/// # Errors
/// Of the commit.
pub fn append(volume: &mut Volume, payload: &[u8]) -> Result<(), LogError> {
    let end = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let record = std::slice::from_ref(&(0..end)).to_vec();
    let run = Run { bytes: payload, records: &record };
    let taken = volume.streams[0].log.queue().submit(run, &mut Vec::new());
    assert!(taken.is_ok(), "{taken:?}");
    commit(volume)
}

/// What a volume remembers: a stream without segments whose first `deleted` ones are gone.
pub fn without_segments(deleted: u64) -> (SimDisk, [u8; 16]) {
    let disk = SimDisk::new(1);
    let mut volume = open(&disk, 1).expect("a new volume");
    let log = volume.streams[0].id;
    if deleted > 0 {
        let op = Op::SegmentsDeleted { log, numbers: 0..deleted };
        volume.journal.submit([op], Urgency::Now);
        commit(&mut volume).expect("a disk without faults");
    }
    (disk.kill(), log.0)
}

/// A volume that was killed in the middle of its work, and the records in it: several sealed
/// segments, an open one, settlements, deletions.
pub fn with_history() -> (SimDisk, Vec<Record>) {
    let disk = SimDisk::new(2);
    let mut volume = open(&disk, 2).expect("a new volume");
    let stream = (volume.streams[0].id, volume.streams[0].deliveries[0].0);
    let mut records = Vec::new();
    for seq in 0..40_u64 {
        let len = usize::try_from(seq * 37 % 900).unwrap_or_default();
        let payload: Vec<u8> = format!("record {seq} ").bytes().cycle().take(len).collect();
        append(&mut volume, &payload).expect("a disk without faults");
        records.push((seq, payload));
        let settled = Op::Settled { stream: stream.0, delivery: stream.1, range: 0..seq / 2 };
        volume.journal.submit([settled], Urgency::Now);
    }
    (disk.kill(), records)
}

/// All records from the log's start on, and how reading ended.
pub fn read_all(log: &Arc<LogHandle>) -> (Vec<Record>, Result<(), LogError>) {
    let (mut reader, mut seq, mut found) = (log.reader(), log.marks().log_start, Vec::new());
    loop {
        match reader.read(seq) {
            Ok(Read::Batch(batch)) => {
                assert!(batch.payload_bytes(seq).is_some(), "the batch holds what was asked for");
                while let Some(payload) = batch.payload_bytes(seq) {
                    found.push((seq, payload.to_vec()));
                    seq += 1;
                }
            }
            Ok(Read::Deleted { next }) => {
                assert!(next > seq, "reading goes on");
                seq = next;
            }
            Ok(Read::End) => return (found, Ok(())),
            Err(error) => return (found, Err(error)),
        }
    }
}

/// Every file below the data directory, in order.
#[must_use]
pub fn files(disk: &SimDisk) -> Vec<PathBuf> {
    let (mut files, mut dirs) = (Vec::new(), vec![PathBuf::from(DIR)]);
    while let Some(dir) = dirs.pop() {
        for name in disk.list(&dir).unwrap_or_default() {
            let path = dir.join(name);
            if disk.list(&path).is_ok() { dirs.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Harm to bytes. Places count modulo the length.
#[derive(Debug, Arbitrary)]
pub enum Damage {
    Flip { at: u32, bit: u8 },
    Zero { at: u32, len: u16 },
    Copy { from: u32, to: u32, len: u16 },
    Cut { len: u32 },
    Grow { by: u16 },
}

impl Damage {
    /// Does it.
    pub fn strike(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        let place = |at: u32| at as usize % len;
        match *self {
            Self::Flip { at, bit } => bytes[place(at)] ^= 1 << (bit % 8),
            Self::Zero { at, len: zeros } => {
                let end = (place(at) + usize::from(zeros)).min(len);
                bytes[place(at)..end].fill(0);
            }
            Self::Copy { from, to, len: copied } => {
                let (from, to) = (place(from) / 8 * 8, place(to) / 8 * 8);
                let copied = usize::from(copied).min(len - from).min(len - to);
                bytes.copy_within(from..from + copied, to);
            }
            Self::Cut { len } => bytes.truncate(place(len)),
            Self::Grow { by } => bytes.resize(len + usize::from(by), 0),
        }
    }
}
