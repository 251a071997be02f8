//! A small volume at rest that tests damage, and the judgement on what became of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Finding, LogError, LogHandle, Urgency, Volume};

use super::{Clock, Payload, dir, open, read_all, settle, submit};

/// A volume at rest: "wide" has three segments, the last one open, and "tight" has one.
pub(crate) struct Image {
    pub(crate) disk: SimDisk,
    pub(crate) stored: [Vec<Payload>; 2],
    /// The segments of "wide".
    pub(crate) segments: Vec<PathBuf>,
}

/// What became of a damaged stream.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// All is there.
    Harmless,
    /// The stream is stopped, or reading it says what is damaged.
    Noticed,
}

impl Image {
    /// One record a commit.
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    /// So many records a commit.
    pub(crate) fn of(records: u8) -> Self {
        let disk = SimDisk::new(1);
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        let (mut clock, mut stored) = (Clock::new(), [Vec::new(), Vec::new()]);
        for step in 0..16u8 {
            for (stream, stored) in stored.iter_mut().enumerate() {
                if stream == 0 || step < 4 {
                    let some: Vec<_> =
                        (0..records).map(|at| payload(stream, step, at, records)).collect();
                    submit(&volume.streams[stream].log, &some).unwrap();
                    stored.extend(some);
                }
            }
            // Quiet now and then, and at the end, so that there are markers.
            volume.committer.commit(clock.after(1)).unwrap();
            if step % 5 == 0 {
                volume.committer.commit(clock.after(10)).unwrap();
            }
        }
        settle(&volume, 0, 0, 3..4, Urgency::Now);
        volume.committer.commit(clock.after(10)).unwrap();
        let streams = dir().join("streams/wide");
        let names = disk.list(&streams).unwrap();
        let segments: Vec<_> = names
            .iter()
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "log"))
            .map(|name| streams.join(name))
            .collect();
        assert_eq!(segments.len(), 3, "{names:?}");
        let image = Self { disk: disk.kill(), stored, segments };
        assert_eq!(image.judge(&image.disk.fork(), 0), Verdict::Harmless);
        image
    }

    pub(crate) fn contents(&self, path: &Path) -> Vec<u8> {
        self.disk.contents(path).unwrap()
    }

    /// A disk with other bytes in one file.
    pub(crate) fn with(&self, path: &Path, bytes: &[u8]) -> SimDisk {
        let disk = self.disk.fork();
        disk.set_contents(path, bytes).unwrap();
        disk
    }

    /// Opens a disk on which the stream was harmed, and sees whether that was noticed; `lost`
    /// records at its end may be gone unnoticed.
    pub(crate) fn judge_but(&self, disk: &SimDisk, harmed: usize, lost: usize) -> Verdict {
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        self.is_served(&mut volume, 1 - harmed);
        let log = &volume.streams[harmed].log;
        let verdict = read(log, &self.stored[harmed]);
        if verdict == Verdict::Harmless {
            let left = self.stored[harmed].len() - lost;
            assert!(log.published_end() >= left as u64, "records are gone in silence");
            let damage = |finding: &Finding| matches!(finding, Finding::Damage(_));
            assert!(!volume.findings.iter().any(damage), "{:?}", volume.findings);
        }
        verdict
    }

    pub(crate) fn judge(&self, disk: &SimDisk, harmed: usize) -> Verdict {
        self.judge_but(disk, harmed, 0)
    }

    /// A stream has all its records and takes another one.
    pub(crate) fn is_served(&self, volume: &mut Volume, stream: usize) {
        let log = volume.streams[stream].log.clone();
        let stored = &self.stored[stream];
        assert_eq!((log.marks().stopped, log.published_end()), (None, stored.len() as u64));
        assert_eq!(read(&log, stored), Verdict::Harmless);
        let fate = submit(&log, &[Payload::from(&b"more"[..])]).unwrap().fate;
        volume.committer.commit(Clock::new().after(0)).unwrap();
        assert_eq!(fate.outcome(), Some(Ok(stored.len() as u64)));
    }
}

/// Reads what a log has to offer: nothing but what was stored.
pub(crate) fn read(log: &Arc<LogHandle>, stored: &[Payload]) -> Verdict {
    let found = match read_all(log, 0) {
        Ok(found) => found,
        Err(LogError::Corrupt { .. }) => return Verdict::Noticed,
        Err(error) => panic!("{error}"),
    };
    for (at, (seq, payload)) in found.iter().enumerate() {
        assert!(*seq == at as u64 && stored.get(at) == Some(payload), "record {seq} is another");
    }
    if log.marks().stopped.is_some() { Verdict::Noticed } else { Verdict::Harmless }
}

/// How many of the cases were noticed, and how many were harmless.
pub(crate) fn tally(verdicts: impl Iterator<Item = Verdict>) -> (usize, usize) {
    verdicts.fold((0, 0), |(noticed, harmless), verdict| match verdict {
        Verdict::Noticed => (noticed + 1, harmless),
        Verdict::Harmless => (noticed, harmless + 1),
    })
}

/// No two records are alike. A commit takes about the same space however many records are in it.
fn payload(stream: usize, step: u8, at: u8, records: u8) -> Payload {
    let len = (200 + 40 * usize::from(step)) / usize::from(records) + usize::from(at);
    Payload::from(vec![step + 100 * u8::try_from(stream).unwrap() + 17 * at; len])
}
