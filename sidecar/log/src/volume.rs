//! One data directory: opens, or makes, everything in it, and hands out what each part of the
//! sidecar needs. A damaged stream is handed out stopped and keeps nothing else from opening.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::budget::Budget;
use crate::committer::Committer;
use crate::error::{Corruption, LogError};
use crate::fate::Refusal;
use crate::handle::{LogHandle, Marks, View};
use crate::ids::{DeliveryId, StreamId, VolumeId};
use crate::journal::{Journal, JournalOptions};
use crate::journal_queue::JournalQueue;
use crate::log::Log;
use crate::meta::{Rejected, StreamMeta, VolumeMeta};
use crate::pending::CommitQueue;
use crate::recover::{Recovered, recover};
use crate::reserve::Reserve;
use crate::state::{DeliveryState, Op};
use crate::tail::Tail;
use crate::vfs::{Vfs, read_all, replace};
use crate::waker::Waker;
use crate::writer::Writer;

const LOCK: &str = "lock";
const VOLUME_META: &str = "volume.meta";
const STREAM_META: &str = "stream.meta";
const STREAMS: &str = "streams";
const DEAD_LETTERS: &str = "dead-letters";
const JOURNAL: &str = "journal";
/// Dead letters are few: their segments need not be large.
const DEAD_LETTER_SEGMENT: u64 = 1 << 20;

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
    /// Names of the deliveries that hold its data. New ones start at the lowest cursor of the
    /// others; those that are not named any more keep holding.
    pub deliveries: Vec<String>,
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
    /// Directories of streams that were not asked for: their data stays.
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
    /// Its id, from when its directory was made.
    pub id: StreamId,
    /// Its records.
    pub log: Arc<LogHandle>,
    /// Its dead letters.
    pub dead_letters: Arc<LogHandle>,
    /// What the journal says of its deliveries, the removed ones included.
    pub deliveries: Vec<(DeliveryId, DeliveryState)>,
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
        let lock = vfs.lock(&dir.join(LOCK)).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => LogError::Locked { path: dir.join(LOCK) },
            _ => LogError::io("lock", dir)(error),
        })?;
        let mut random = SmallRng::seed_from_u64(options.seed);
        let meta = open_meta(&*vfs, dir, &mut random)?;
        let waker = Arc::new(Waker::default());
        let mut findings = Vec::new();
        let mut journal = open_journal(&vfs, dir, meta.id, options, &mut findings)?;
        let reserve = Reserve::open(Arc::clone(&vfs), dir, options.reserve_bytes)?;
        let mut opening = Opening {
            vfs: &vfs,
            options,
            epoch: meta.epoch,
            waker: &waker,
            journal: &mut journal,
            findings: &mut findings,
            logs: Vec::new(),
            random: &mut random,
        };
        let root = make_dir(&*vfs, dir, STREAMS)?;
        let opened: Result<Vec<Stream>, LogError> =
            streams.iter().map(|stream| opening.stream(&root, stream)).collect();
        let (opened, logs) = (opened?, opening.logs);
        journal.sync()?;
        let names = vfs.list(&root).map_err(LogError::io("list", &root))?;
        let removed =
            names.into_iter().filter(|name| streams.iter().all(|stream| stream.name != *name));
        let queue = Arc::new(JournalQueue::new(Arc::clone(&waker)));
        let seed = random.next_u64();
        let committer = Committer::new(
            Arc::clone(&vfs),
            dir.to_owned(),
            logs,
            journal,
            Arc::clone(&queue),
            reserve,
            seed,
        );
        Ok(Self {
            id: meta.id,
            epoch: meta.epoch,
            streams: opened,
            removed: removed.collect(),
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

/// Reads `volume.meta`, or makes it in a directory that holds nothing of ours, and raises the epoch.
fn open_meta(vfs: &dyn Vfs, dir: &Path, random: &mut SmallRng) -> Result<VolumeMeta, LogError> {
    let path = dir.join(VOLUME_META);
    let names = vfs.list(dir).map_err(LogError::io("list", dir))?;
    let old = if names.iter().any(|name| name == VOLUME_META) {
        let bytes =
            read_all(vfs, &path, crate::meta::LEN as u64).map_err(LogError::io("read", &path))?;
        VolumeMeta::decode(&bytes).map_err(|rejected| rejected_meta(&path, rejected))?
    } else if names.iter().any(|name| name == STREAMS || name == JOURNAL) {
        return Err(LogError::Corrupt { path, position: 0, kind: Corruption::Missing });
    } else {
        sync_name(vfs, dir)?;
        let mut id = [0; 16];
        random.fill_bytes(&mut id);
        VolumeMeta { id: VolumeId(id), epoch: 0 }
    };
    let meta = VolumeMeta { epoch: old.epoch + 1, ..old };
    replace(vfs, dir, VOLUME_META, &meta.encode()).map_err(LogError::io("write", &path))?;
    Ok(meta)
}

/// Makes the name of a new data directory durable: whoever made it may have left that to us.
fn sync_name(vfs: &dyn Vfs, dir: &Path) -> Result<(), LogError> {
    let parent = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match vfs.sync_dir(parent) {
        // A mount point below a directory that is not ours, made by those who mounted it.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        result => result.map_err(LogError::sync(parent)),
    }
}

fn rejected_meta(path: &Path, rejected: Rejected) -> LogError {
    match rejected {
        Rejected::Damaged => {
            LogError::Corrupt { path: path.to_owned(), position: 0, kind: Corruption::Checksum }
        }
        Rejected::Version(found) => LogError::Version {
            path: path.to_owned(),
            reason: format!("format {found}; this version reads format 1"),
        },
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

/// Makes `dir/name` durably, if it is not there.
fn make_dir(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<PathBuf, LogError> {
    let path = dir.join(name);
    vfs.create_dir(&path).map_err(LogError::io("create", &path))?;
    vfs.sync_dir(dir).map_err(LogError::sync(dir))?;
    Ok(path)
}

/// What opening a stream needs.
struct Opening<'a> {
    vfs: &'a Arc<dyn Vfs>,
    options: &'a VolumeOptions,
    epoch: u64,
    waker: &'a Arc<Waker>,
    journal: &'a mut Journal,
    findings: &'a mut Vec<Finding>,
    logs: Vec<Log>,
    random: &'a mut SmallRng,
}

impl Opening<'_> {
    fn stream(&mut self, root: &Path, stream: &StreamOptions) -> Result<Stream, LogError> {
        let dir = make_dir(&**self.vfs, root, &stream.name)?;
        let meta = self.stream_meta(&dir)?;
        let dead_dir = make_dir(&**self.vfs, &dir, DEAD_LETTERS)?;
        let budget = Arc::new(Budget::new(stream.max_bytes));
        let segment_bytes = stream.segment_bytes;
        let log = self.log(dir, meta.id, &budget, segment_bytes, self.options.tail_bytes)?;
        let dead_segment = segment_bytes.min(DEAD_LETTER_SEGMENT);
        let dead_letters = self.log(dead_dir, meta.dead_letters, &budget, dead_segment, 0)?;
        self.create_deliveries(meta.id, &log, &stream.deliveries)?;
        let state = self.journal.state().stream(meta.id);
        let deliveries = state.into_iter().flat_map(|state| state.deliveries.clone()).collect();
        Ok(Stream { name: stream.name.clone(), id: meta.id, log, dead_letters, deliveries })
    }

    fn stream_meta(&mut self, dir: &Path) -> Result<StreamMeta, LogError> {
        let path = dir.join(STREAM_META);
        let names = self.vfs.list(dir).map_err(LogError::io("list", dir))?;
        if names.iter().any(|name| name == STREAM_META) {
            let bytes = read_all(&**self.vfs, &path, crate::meta::LEN as u64)
                .map_err(LogError::io("read", &path))?;
            return StreamMeta::decode(&bytes).map_err(|rejected| rejected_meta(&path, rejected));
        }
        if names.iter().any(|name| crate::segment::parse_file_name(name).is_some()) {
            return Err(LogError::Corrupt { path, position: 0, kind: Corruption::Missing });
        }
        let (mut id, mut dead_letters) = ([0; 16], [0; 16]);
        self.random.fill_bytes(&mut id);
        self.random.fill_bytes(&mut dead_letters);
        let meta = StreamMeta { id: StreamId(id), dead_letters: StreamId(dead_letters) };
        replace(&**self.vfs, dir, STREAM_META, &meta.encode())
            .map_err(LogError::io("write", &path))?;
        Ok(meta)
    }

    fn log(
        &mut self,
        dir: PathBuf,
        id: StreamId,
        budget: &Arc<Budget>,
        segment_bytes: u64,
        tail_bytes: usize,
    ) -> Result<Arc<LogHandle>, LogError> {
        let state = self.journal.state().stream(id).cloned().unwrap_or_default();
        let mut recovered = recover(&**self.vfs, &dir, id, &state.deleted_segments)?;
        if recovered.damage.is_none() && state.settled_end() > recovered.end.seq {
            // Settled records were on the disk once, synced: the end of the log is gone.
            let path = dir.join("the newest segment");
            let damage = LogError::Corrupt { path, position: 0, kind: Corruption::Missing };
            recovered.damage = Some(damage);
        }
        if recovered.discarded > 0 {
            let bytes = recovered.discarded;
            self.findings.push(Finding::TornTail { path: dir.clone(), bytes });
        }
        let queue = CommitQueue::new(self.options.queue_bytes, Arc::clone(self.waker));
        let handle = LogHandle::new(id, queue, view(&recovered, tail_bytes));
        for segment in &recovered.sealed {
            budget.found(segment.disk_len);
        }
        if let Some(damage) = recovered.damage {
            handle.stop(&damage);
            self.findings.push(Finding::Damage(damage));
            return Ok(handle);
        }
        self.logs.push(Log {
            vfs: Arc::clone(self.vfs),
            dir,
            handle: Arc::clone(&handle),
            segment_bytes,
            budget: Arc::clone(budget),
            epoch: self.epoch,
            next_number: recovered.next_number,
            end: recovered.end,
            active: None,
            sealed: recovered.sealed,
            stalled: None,
            unpublished: Vec::new(),
            undecided: Vec::new(),
            unwitnessed: false,
        });
        Ok(handle)
    }

    /// Journals the deliveries that the journal does not know. On a stream with deliveries a new
    /// one starts at the lowest cursor of the others, so that it gets what is still held.
    fn create_deliveries(
        &mut self,
        stream: StreamId,
        log: &LogHandle,
        names: &[String],
    ) -> Result<(), LogError> {
        for name in names {
            let state = self.journal.state().stream(stream).cloned().unwrap_or_default();
            if state.deliveries.values().any(|delivery| delivery.name == *name) {
                continue;
            }
            let cursor = state.deliveries.values().map(|delivery| delivery.cursor).min();
            let op = Op::DeliveryCreated {
                stream,
                delivery: state.next_delivery(),
                name: name.clone(),
                cursor: cursor.unwrap_or(log.marks().log_start),
            };
            self.journal.append(&[op])?;
        }
        Ok(())
    }
}

fn view(recovered: &Recovered, tail_bytes: usize) -> View {
    let segments: std::collections::BTreeMap<_, _> = recovered
        .sealed
        .iter()
        .map(|segment| (segment.seqs.start, Arc::clone(&segment.view)))
        .collect();
    let end = recovered.end.seq;
    let marks = Marks {
        log_start: segments.first_key_value().map_or(end, |(&base, _)| base),
        published_end: end,
        disk_bytes: recovered.sealed.iter().map(|segment| segment.disk_len).sum(),
        stopped: None,
        full: false,
    };
    View { marks, tail: Tail::new(tail_bytes), segments }
}

impl LogHandle {
    /// Stops the log: nothing more goes in, and status says why.
    pub fn stop(&self, why: &LogError) {
        self.queue().close(Refusal::Stopped);
        let why: Arc<str> = why.to_string().into();
        self.update(|view| {
            view.marks.stopped.get_or_insert(why);
        });
    }
}
