//! What became of a stream whose damage was mended, and the judgement on it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::{Finding, Holes, Volume};

use super::image::Image;
use super::layout::{BATCH_HEADER, batches};
use super::{Clock, Payload, open, open_mending, read_all, submit};

/// The batches of a segment that hold records.
pub(crate) fn with_records(segment: &[u8]) -> Vec<Range<usize>> {
    let hold = |batch: &Range<usize>| batch.len() > BATCH_HEADER + 16;
    batches(segment).into_iter().filter(hold).collect()
}

/// Records a commit.
pub(crate) const RECORDS: u8 = 3;

/// What a mended stream holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) records: Vec<(u64, Payload)>,
    pub(crate) holes: Holes,
    pub(crate) end: u64,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seqs: RangeSet = self.records.iter().map(|(seq, _)| *seq..seq + 1).collect();
        write!(f, "records {seqs:?}, {:?}, end {}", self.holes, self.end)
    }
}

impl Found {
    /// Whether it is on record why a seq holds no record.
    fn explains(&self, seq: u64) -> bool {
        self.holes.gaps.contains(seq) || self.holes.jumps.contains(seq)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.holes.gaps.len()
    }
}

/// Reads everything; damage that a reader meets is mended on the way.
pub(crate) fn read_mending(volume: &mut Volume, stream: usize) -> Found {
    let log = volume.streams[stream].log.clone();
    for _ in 0..20 {
        match read_all(&log, 0) {
            Ok(records) => {
                assert_eq!(log.marks().stopped, None);
                return Found { records, holes: log.holes(), end: log.published_end() };
            }
            Err(error) => {
                log.damaged(&error);
                volume.committer.commit(Clock::new().after(0)).unwrap();
            }
        }
    }
    panic!("it is never mended");
}

/// Asserts that every record is there, or on record as lost, or settled by all; nothing else is
/// there; and the stream goes on, now and after another start.
pub(crate) fn judge(image: &Image, disk: &SimDisk, may_lack: usize) -> Found {
    let mut volume = open_mending(Arc::new(disk.clone())).unwrap();
    image.is_served(&mut volume, 1);
    let found = read_mending(&mut volume, 0);
    let stored = &image.stored[0];
    let present: RangeSet = found.records.iter().map(|(seq, _)| *seq..seq + 1).collect();
    for (seq, payload) in &found.records {
        let index = usize::try_from(*seq).unwrap();
        assert!(stored.get(index) == Some(payload), "record {seq} is another");
        assert!(!found.holes.gaps.contains(*seq), "record {seq} is there and lost");
    }
    for seq in 0..(stored.len() - may_lack) as u64 {
        let settled = volume.streams[0].deliveries.iter().all(|(_, state)| state.is_settled(seq));
        assert!(
            present.contains(seq) || found.explains(seq) || settled,
            "record {seq} is gone in silence: {found:?}"
        );
    }
    assert!(found.end >= (stored.len() - may_lack) as u64);

    let log = volume.streams[0].log.clone();
    let fate = submit(&log, &[Payload::from(&b"more"[..])]).unwrap().fate;
    volume.committer.commit(Clock::new().after(0)).unwrap();
    assert_eq!(fate.outcome(), Some(Ok(found.end)), "it goes on");
    drop(volume);
    let volume = open(Arc::new(disk.clone())).unwrap();
    let harmed = &volume.streams[0].log;
    let damage = |finding: &&Finding| !matches!(finding, Finding::TornTail { .. });
    assert_eq!(volume.findings.iter().find(damage).map(|it| format!("{it:?}")), None);
    let records = read_all(harmed, 0).unwrap();
    assert!(records[..found.records.len()] == found.records[..]);
    assert_eq!((harmed.holes(), harmed.published_end()), (found.holes.clone(), found.end + 1));
    found
}
