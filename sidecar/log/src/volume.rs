//! One data directory: opens, or makes, everything in it, and hands out what each part of the
//! sidecar needs. A damaged stream is handed out stopped and keeps nothing else from opening.

mod files;
mod kept_ids;
mod others;
mod streams;
mod versions;

use std::any::Any;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::budget::SpaceLimit;
use crate::committer::Committer;
use crate::error::LogError;
use crate::handle::{LogHandle, OnDamage};
use crate::ids::{DeliveryId, StreamId, VolumeId};
use crate::journal::{Journal, JournalOptions};
use crate::journal_queue::JournalQueue;
use crate::mend::Mended;
use crate::reserve::Reserve;
use crate::state::DeliveryState;
use crate::vfs::Vfs;
use crate::waker::Waker;
use crate::writer::Writer;
pub(crate) use files::{
    DEAD_LETTERS, JOURNAL, KEPT_IDS, LOCK, STREAMS, read_stream_meta, read_volume_meta,
};
use files::{make_dir, open_volume_meta};
pub(crate) use kept_ids::copies_of;
pub use kept_ids::{Holder, KeptIds};
pub(crate) use others::clear;
use others::{finish_removals, others};
use streams::Opening;

/// Sizes, in bytes, that hold for the whole volume.
#[derive(Debug, Clone)]
pub struct VolumeOptions {
    /// What may wait for a commit, a stream.
    pub queue_bytes: usize,
    /// What is kept in memory of the newest records, a stream.
    pub tail_bytes: usize,
    /// The journal is folded into a snapshot when it has grown by this.
    pub snapshot_bytes: u64,
    /// Set aside so that a full volume can be drained.
    pub reserve_bytes: u64,
    /// Seeds ids and salts; random but in a simulation.
    pub seed: u64,
}

/// One stream to open or make.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Its name, which is its directory's.
    pub name: String,
    /// Bytes on disk that it may take, its dead letters included.
    pub max_bytes: u64,
    /// Segments are this long, unless one record needs more.
    pub segment_bytes: u64,
    /// What it does about damage.
    pub on_damage: OnDamage,
    /// Names of the deliveries that hold its data. New ones start at the lowest cursor of the
    /// others; those that are not named any more keep holding.
    pub deliveries: Vec<String>,
    /// Whether records may come with ids that outlive them: costs a sixteenth of the space.
    pub keeps_ids: bool,
}

/// A data directory, held exclusively and ready for work once [`Volume::start`]ed.
#[derive(Debug)]
pub struct Volume {
    /// The directory's id, for ever.
    pub id: VolumeId,
    /// Raised by each opening.
    pub epoch: u64,
    /// The streams that were asked for, in that order.
    pub streams: Vec<Stream>,
    /// Streams that are there and were not asked for, where those are opened too.
    pub others: Vec<Stream>,
    /// What else is there beside those that were asked for: it stays as it is.
    pub removed: Vec<String>,
    /// The way into the state journal.
    pub journal: Arc<JournalQueue>,
    /// What recovery found amiss, for the log.
    pub findings: Vec<Finding>,
    /// Everything that writes. Tests step it themselves.
    pub committer: Committer,
    waker: Arc<Waker>,
    lock: Box<dyn Any + Send + Sync>,
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its id, from when its directory was made; zeros if the stream is stopped because it does
    /// not know any more.
    pub id: StreamId,
    /// Its records.
    pub log: Arc<LogHandle>,
    /// Its dead letters.
    pub dead_letters: Arc<LogHandle>,
    /// What the journal says of its deliveries, the removed ones included.
    pub deliveries: Vec<(DeliveryId, DeliveryState)>,
    /// What is kept of its records' ids, if it keeps any.
    pub kept_ids: Option<KeptIds>,
    /// An id that no delivery of this stream had yet, and none below it is free.
    pub next_delivery: DeliveryId,
    /// The space that it may take.
    pub space: SpaceLimit,
    /// What it says of those of the dead letters' log.
    pub dead_letter_deliveries: Vec<(DeliveryId, DeliveryState)>,
}

impl Stream {
    /// All its logs: of records, of dead letters, and of copied ids if it keeps any.
    pub fn logs(&self) -> impl Iterator<Item = &Arc<LogHandle>> {
        let ids = self.kept_ids.as_ref().map(|kept| &kept.log);
        [&self.log, &self.dead_letters].into_iter().chain(ids)
    }
}

/// Something that recovery noticed.
#[derive(Debug)]
pub enum Finding {
    /// A torn tail was cut off: nobody had a receipt for it.
    TornTail {
        /// The directory.
        path: PathBuf,
        /// Bytes cut off.
        bytes: u64,
    },
    /// Damage was mended at a price.
    Mended(Mended),
    /// Damage. A stream that has it is stopped; a journal that has it only redelivers more.
    Damage(LogError),
}

/// Keeps the volume locked; the writer thread runs.
#[derive(Debug)]
pub struct Running {
    /// The thread.
    pub writer: Writer,
    _lock: Box<dyn Any + Send + Sync>,
}

impl Volume {
    /// Opens the data directory `dir`, which exists, or makes a new volume in it.
    ///
    /// # Errors
    /// `Locked` when another process has it; `Version` and `Corrupt` for the volume's own files;
    /// errors of the disk. Damage to a stream is a [`Finding`] and a stopped stream.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: &VolumeOptions,
        streams: &[StreamOptions],
    ) -> Result<Self, LogError> {
        Self::open_some(vfs, dir, options, streams, false)
    }

    /// The same, and opens the streams too that are there and were not asked for: see
    /// [`Volume::others`].
    ///
    /// # Errors
    /// As those of [`Volume::open`].
    pub fn open_all(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: &VolumeOptions,
        streams: &[StreamOptions],
    ) -> Result<Self, LogError> {
        Self::open_some(vfs, dir, options, streams, true)
    }

    fn open_some(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: &VolumeOptions,
        streams: &[StreamOptions],
        all: bool,
    ) -> Result<Self, LogError> {
        let lock = vfs.lock(&dir.join(LOCK)).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => LogError::Locked { path: dir.join(LOCK) },
            _ => LogError::io("lock", dir)(error),
        })?;
        versions::check(&*vfs, dir)?;
        let mut random = SmallRng::seed_from_u64(options.seed);
        let mut reserve = Reserve::find(Arc::clone(&vfs), dir, options.reserve_bytes)?;
        let meta = reserve.lend(|| open_volume_meta(&*vfs, dir, &mut random))?;
        let mut findings = Vec::new();
        let mut journal =
            reserve.lend(|| open_journal(&vfs, dir, meta.id, options, &mut findings))?;
        let root = make_dir(&*vfs, dir, STREAMS)?;
        finish_removals(&*vfs, &root, journal.state())?;
        let others = if all { others(&*vfs, &root, streams)? } else { Vec::new() };
        let waker = Arc::new(Waker::default());
        let mut opening = Opening {
            vfs: &vfs,
            options,
            epoch: meta.epoch,
            waker: &waker,
            journal: &mut journal,
            reserve: &mut reserve,
            findings: &mut findings,
            logs: Vec::new(),
            random: &mut random,
        };
        let asked = streams.iter().chain(&others);
        let opened: Result<Vec<Stream>, LogError> =
            asked.map(|stream| opening.stream(&root, stream)).collect();
        let (mut opened, logs) = (opened?, opening.logs);
        journal.sync()?;
        reserve.opened()?;
        let names = vfs.list(&root).map_err(LogError::io("list", &root))?;
        let removed =
            names.into_iter().filter(|name| opened.iter().all(|stream| stream.name != *name));
        let removed = removed.collect();
        let others = opened.split_off(streams.len());
        let queue = Arc::new(JournalQueue::new(Arc::clone(&waker)));
        let seed = random.next_u64();
        let committer =
            Committer::new(vfs, dir.to_owned(), logs, journal, Arc::clone(&queue), reserve, seed);
        Ok(Self {
            id: meta.id,
            epoch: meta.epoch,
            streams: opened,
            others,
            removed,
            journal: queue,
            findings,
            committer,
            waker,
            lock,
        })
    }

    /// Starts the writer thread. What is not the thread's business is handed back.
    pub fn start(self) -> std::io::Result<(Running, Vec<Stream>, Arc<JournalQueue>)> {
        let writer = Writer::spawn(self.committer, self.waker)?;
        Ok((Running { writer, _lock: self.lock }, self.streams, self.journal))
    }
}

fn open_journal(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    id: VolumeId,
    options: &VolumeOptions,
    findings: &mut Vec<Finding>,
) -> Result<Journal, LogError> {
    let path = make_dir(&**vfs, dir, JOURNAL)?;
    let JournalOptions { slack_bytes, .. } = JournalOptions::default();
    let snapshot_bytes = options.snapshot_bytes;
    // Less beside a small journal: all of it is read at the next start.
    let slack_bytes = slack_bytes.min(snapshot_bytes);
    let journal_options = JournalOptions { snapshot_bytes, slack_bytes };
    let (journal, recovery) = Journal::open(Arc::clone(vfs), &path, id, journal_options)?;
    if recovery.discarded_tail_bytes > 0 {
        findings.push(Finding::TornTail { path, bytes: recovery.discarded_tail_bytes });
    }
    findings.extend(recovery.damaged.into_iter().map(|damage| Finding::Damage(damage.into())));
    Ok(journal)
}
