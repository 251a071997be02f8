//! A volume under test: a seeded workload, the history that it leaves, and the oracle that judges
//! whatever is recovered from it.
#![allow(dead_code, reason = "each test file takes what it needs")]

pub(crate) mod cases;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod layout;
pub(crate) mod mended;
pub(crate) mod oracle;
pub(crate) mod tap;
pub(crate) mod workload;

use std::cell::Cell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    DedupId, DeliveryOptions, LogError, LogHandle, Now, OnDamage, Op, Place, Read, Rejection,
    Retention, Run, Stream, StreamOptions, Submitted, SyncMode, Urgency, Volume, VolumeOptions,
};

/// A record's payload.
pub(crate) type Payload = Arc<[u8]>;

/// Segments of one block of batches.
pub(crate) const SEGMENT: u64 = 8 << 10;

thread_local! {
    static BOOTS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn dir() -> &'static Path {
    Path::new("/data")
}

/// Everything tiny, so that a short workload rolls segments and takes snapshots.
pub(crate) fn options() -> VolumeOptions {
    VolumeOptions {
        // Ids and salts of their own for each boot, the same ones in each run of a test.
        seed: BOOTS.replace(BOOTS.get() + 1),
        queue_bytes: 16 << 10,
        tail_bytes: 4 << 10,
        snapshot_bytes: 900,
        sync: SyncMode::Always,
        reserve_bytes: 64 << 10,
    }
}

pub(crate) fn stream(name: &str, max_bytes: u64, deliveries: &[&str]) -> StreamOptions {
    let deliveries = deliveries.iter().map(|name| delivery(name, None)).collect();
    StreamOptions {
        name: name.into(),
        max_bytes,
        segment_bytes: SEGMENT,
        on_damage: OnDamage::Stop,
        retention: Retention::default(),
        deliveries,
        keeps_ids: false,
    }
}

pub(crate) fn delivery(name: &str, from: Option<Place>) -> DeliveryOptions {
    DeliveryOptions { name: name.into(), from }
}

/// One stream with room and two deliveries, one that is full now and then.
pub(crate) fn streams() -> Vec<StreamOptions> {
    vec![stream("wide", 1 << 20, &["first", "second"]), stream("tight", 40 << 10, &["only"])]
}

/// Opens the volume as it was left, or makes it.
///
/// # Errors
/// Of [`Volume::open`].
pub(crate) fn open(vfs: Arc<dyn Vfs>) -> Result<Volume, LogError> {
    open_with(vfs, &streams())
}

/// The same, with these streams.
///
/// # Errors
/// Of [`Volume::open`].
pub(crate) fn open_with(vfs: Arc<dyn Vfs>, streams: &[StreamOptions]) -> Result<Volume, LogError> {
    vfs.create_dir(dir()).map_err(LogError::io("create", dir()))?;
    Volume::open(vfs, dir(), &options(), streams)
}

/// The same, of a volume whose streams go on behind damage.
///
/// # Errors
/// Of [`Volume::open`].
pub(crate) fn open_mending(vfs: Arc<dyn Vfs>) -> Result<Volume, LogError> {
    let mut streams = streams();
    for stream in &mut streams {
        stream.on_damage = OnDamage::SkipWithGap;
    }
    Volume::open(vfs, dir(), &options(), &streams)
}

/// The log of a stream's records, or of its dead letters.
pub(crate) fn log_of(stream: &Stream, dead: bool) -> &Arc<LogHandle> {
    if dead { &stream.dead_letters } else { &stream.log }
}

/// Hands records over as one run.
///
/// # Errors
/// Of [`lifeboat_log::CommitQueue::submit`].
pub(crate) fn submit(log: &LogHandle, payloads: &[Payload]) -> Result<Submitted, Rejection> {
    submit_with_ids(log, payloads, &[])
}

/// The same, with the ids of some of them.
///
/// # Errors
/// Of [`lifeboat_log::CommitQueue::submit_with_ids`].
pub(crate) fn submit_with_ids(
    log: &LogHandle,
    payloads: &[Payload],
    ids: &[(u32, DedupId)],
) -> Result<Submitted, Rejection> {
    let bytes = payloads.concat();
    let mut end = 0;
    let records: Vec<Range<u32>> = payloads
        .iter()
        .map(|payload| {
            let start = end;
            end += u32::try_from(payload.len()).unwrap();
            start..end
        })
        .collect();
    let run = Run { bytes: &bytes, records: &records };
    log.queue().submit_with_ids(run, ids, &mut Vec::new())
}

/// Hands over that a delivery, by its place in the stream's list, settled records.
pub(crate) fn settle(
    volume: &Volume,
    stream: usize,
    delivery: usize,
    range: Range<u64>,
    urgency: Urgency,
) -> Arc<lifeboat_log::Fate<()>> {
    let stream = &volume.streams[stream];
    let op = Op::Settled { stream: stream.id, delivery: stream.deliveries[delivery].0, range };
    volume.journal.submit([op], urgency)
}

/// Every record from `from` on, as a reader finds them.
///
/// # Errors
/// Of [`lifeboat_log::Reader::read`].
pub(crate) fn read_all(log: &Arc<LogHandle>, from: u64) -> Result<Vec<(u64, Payload)>, LogError> {
    let (mut reader, mut seq, mut found) = (log.reader(), from, Vec::new());
    loop {
        match reader.read(seq)? {
            Read::Batch(batch) => {
                assert!(batch.payload_bytes(seq).is_some(), "the batch holds what was asked for");
                while let Some(payload) = batch.payload_bytes(seq) {
                    found.push((seq, payload.into()));
                    seq += 1;
                }
            }
            Read::Deleted { next } => {
                assert!(next > seq, "reading goes on");
                seq = next;
            }
            Read::End => return Ok(found),
        }
    }
}

/// Every id from the record `from` on, as a reader finds them.
///
/// # Errors
/// Of [`lifeboat_log::Reader::read`].
pub(crate) fn read_ids(log: &Arc<LogHandle>, from: u64) -> Result<Vec<(u64, DedupId)>, LogError> {
    let (mut reader, mut seq, mut found) = (log.reader(), from, Vec::new());
    loop {
        match reader.read(seq)? {
            Read::Batch(batch) => {
                found.extend(batch.ids().filter(|(of, _)| *of >= from));
                seq = batch.end_seq();
            }
            Read::Deleted { next } => seq = next,
            Read::End => return Ok(found),
        }
    }
}

/// An id of which nothing is like that of another `of`.
pub(crate) fn dedup_id(of: u64) -> DedupId {
    let bytes = |salt: u64| (u128::from(of) << 64 | u128::from(of ^ salt)).to_le_bytes();
    DedupId { key: bytes(1), content: bytes(2) }
}

/// A clock that only its owner moves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    passed: Duration,
    /// How far the wall clock has jumped, in hours.
    jumped: i64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), passed: Duration::ZERO, jumped: 0 }
    }

    pub(crate) fn after(&mut self, millis: u64) -> Now {
        self.passed += Duration::from_millis(millis);
        self.now()
    }

    pub(crate) fn now(&self) -> Now {
        let passed = i64::try_from(self.passed.as_nanos()).unwrap();
        let wall = 1_700_000_000_000_000_000 + passed + self.jumped * 3_600_000_000_000;
        Now { instant: self.start + self.passed, unix_nanos: u64::try_from(wall).unwrap() }
    }

    /// The wall clock alone jumps.
    pub(crate) fn jump(&mut self, hours: i64) {
        self.jumped += hours;
    }
}

/// Waits for something that another thread does, and fails if it takes too long.
pub(crate) fn within(happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}
