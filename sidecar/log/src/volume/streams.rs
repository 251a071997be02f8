//! Opens the streams of a volume, one by one. What is wrong with one of them stops that one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::SmallRng;

use super::files::{DEAD_LETTERS, make_dir, open_stream_meta};
use super::{DeliveryOptions, Finding, Stream, StreamOptions, VolumeOptions};
use crate::budget::Budget;
use crate::error::{Corruption, LogError};
use crate::handle::{LogHandle, Marks, View};
use crate::ids::{DeliveryId, StreamId};
use crate::journal::Journal;
use crate::log::Log;
use crate::pending::CommitQueue;
use crate::recover::{Recovered, recover};
use crate::reserve::Reserve;
use crate::retention::Retention;
use crate::state::{DeliveryState, Op};
use crate::sync_mode::{JUMP, SyncMode};
use crate::tail::Tail;
use crate::vfs::Vfs;
use crate::waker::Waker;

/// Dead letters are few: their segments need not be large.
const DEAD_LETTER_SEGMENT: u64 = 1 << 20;
/// Of a stream that cannot say who it is.
const UNKNOWN: StreamId = StreamId([0; 16]);

/// What opening a stream needs.
pub(super) struct Opening<'a> {
    pub(super) vfs: &'a Arc<dyn Vfs>,
    pub(super) options: &'a VolumeOptions,
    pub(super) epoch: u64,
    pub(super) waker: &'a Arc<Waker>,
    pub(super) journal: &'a mut Journal,
    pub(super) reserve: &'a mut Reserve,
    pub(super) findings: &'a mut Vec<Finding>,
    /// Those that can be written to.
    pub(super) logs: Vec<Log>,
    pub(super) random: &'a mut SmallRng,
}

/// One of a stream's two logs.
struct LogOptions<'a> {
    retention: Retention,
    sync: SyncMode,
    budget: &'a Arc<Budget>,
    segment_bytes: u64,
    tail_bytes: usize,
}

impl Opening<'_> {
    pub(super) fn stream(
        &mut self,
        root: &Path,
        options: &StreamOptions,
    ) -> Result<Stream, LogError> {
        let dir = make_dir(&**self.vfs, root, &options.name)?;
        let Self { vfs, reserve, random, .. } = self;
        let meta = match reserve.lend(|| open_stream_meta(&***vfs, &dir, random)) {
            Ok(meta) => meta,
            Err(damage @ (LogError::Corrupt { .. } | LogError::Version { .. })) => {
                return Ok(self.unknown_stream(options, damage));
            }
            Err(error) => return Err(error),
        };
        let dead_dir = make_dir(&**self.vfs, &dir, DEAD_LETTERS)?;
        let budget = &Arc::new(Budget::new(options.max_bytes));
        let (segment_bytes, tail_bytes) = (options.segment_bytes, self.options.tail_bytes);
        let retention = options.retention;
        let sync = self.options.sync;
        let log_options = LogOptions { retention, sync, budget, segment_bytes, tail_bytes };
        let (log, found_end) = self.log(dir, meta.id, &log_options)?;
        let segment_bytes = segment_bytes.min(DEAD_LETTER_SEGMENT);
        let retention = Retention::default();
        let sync = SyncMode::Always;
        let dead_letters = LogOptions { retention, sync, budget, segment_bytes, tail_bytes: 0 };
        let (dead_letters, _) = self.log(dead_dir, meta.dead_letters, &dead_letters)?;
        self.create_deliveries(meta.id, &log, &options.deliveries)?;
        self.settle_holes(meta.id, &log)?;
        let state = self.journal.state().stream(meta.id);
        let deliveries = state.into_iter().flat_map(|state| state.deliveries.clone()).collect();
        Ok(Stream {
            name: options.name.clone(),
            id: meta.id,
            log,
            found_end,
            dead_letters,
            deliveries,
        })
    }

    /// A stream whose `stream.meta` is damaged: stopped, and nothing of it is touched.
    fn unknown_stream(&mut self, options: &StreamOptions, damage: LogError) -> Stream {
        let stopped = || {
            let log = LogHandle::new(UNKNOWN, self.queue(), view(&Recovered::nothing(), 0));
            log.stop(&damage);
            log
        };
        let (log, dead_letters) = (stopped(), stopped());
        let nothing = |named: &DeliveryOptions| DeliveryState {
            name: named.name.clone(),
            ..Default::default()
        };
        let deliveries = options.deliveries.iter().map(nothing);
        let deliveries = (1..).map(DeliveryId).zip(deliveries).collect();
        self.findings.push(Finding::Damage(damage));
        Stream {
            name: options.name.clone(),
            id: UNKNOWN,
            log,
            found_end: 0,
            dead_letters,
            deliveries,
        }
    }

    /// Opens a log; also says where its records ended.
    fn log(
        &mut self,
        dir: PathBuf,
        id: StreamId,
        options: &LogOptions<'_>,
    ) -> Result<(Arc<LogHandle>, u64), LogError> {
        let state = self.journal.state().stream(id).cloned().unwrap_or_default();
        let weak = state.weakly_synced;
        let passed = |seq| weak || state.jumped.contains(seq);
        let mut recovered = recover(&**self.vfs, &dir, id, &state.deleted_segments, passed)?;
        let stored_end = recovered.end.seq;
        recovered.end.seq = state.jumped.next_absent(stored_end);
        let found_end = recovered.end.seq;
        if recovered.damage.is_none() && !weak && state.settled_end() > found_end {
            // Settled records were on the disk once, synced: the end of the log is gone.
            let path = dir.join("the newest segment");
            let damage = LogError::Corrupt { path, position: 0, kind: Corruption::Missing };
            recovered.damage = Some(damage);
        }
        if recovered.discarded > 0 {
            let bytes = recovered.discarded;
            self.findings.push(Finding::TornTail { path: dir.clone(), bytes });
        }
        if weak && recovered.damage.is_none() {
            recovered.end.seq = self.jump(id, found_end)?;
        }
        let jumps = (recovered.end.seq - stored_end) / JUMP;
        let jumps = u32::try_from(jumps).ok().and_then(|more| recovered.jumps.checked_add(more));
        let jumps = jumps.ok_or(LogError::TooLarge { size: found_end, limit: u64::MAX })?;
        let handle = LogHandle::new(id, self.queue(), view(&recovered, options.tail_bytes));
        for segment in &recovered.sealed {
            options.budget.found(segment.disk_len);
        }
        if let Some(damage) = recovered.damage {
            handle.stop(&damage);
            self.findings.push(Finding::Damage(damage));
            return Ok((handle, found_end));
        }
        self.declare(id, weak, options.sync)?;
        self.logs.push(Log {
            vfs: Arc::clone(self.vfs),
            dir,
            handle: Arc::clone(&handle),
            segment_bytes: options.segment_bytes,
            budget: Arc::clone(options.budget),
            epoch: self.epoch,
            next_number: recovered.next_number,
            end: recovered.end,
            jumps,
            sync: options.sync,
            durable_end: recovered.end.seq,
            newly_durable: 0,
            unsynced_since: None,
            active: None,
            sealed: recovered.sealed,
            stalled: None,
            unpublished: Vec::new(),
            undecided: Vec::new(),
            retention: options.retention,
            oldest_time: 0,
            look_at: None,
            unwitnessed: None,
        });
        Ok((handle, found_end))
    }

    /// Leaves out the seqs that the last run may have given out and not synced. Returns where the
    /// log goes on.
    fn jump(&mut self, log: StreamId, found_end: u64) -> Result<u64, LogError> {
        let limit = LogError::TooLarge { size: found_end, limit: u64::MAX - JUMP };
        let next = found_end.checked_add(JUMP).ok_or(limit)?;
        self.append(&Op::SeqsJumped { log, seqs: found_end..next })?;
        Ok(next)
    }

    /// Has the next start know in which mode this one runs.
    fn declare(&mut self, log: StreamId, was_weak: bool, sync: SyncMode) -> Result<(), LogError> {
        let weak = sync.is_weak();
        if weak == was_weak { Ok(()) } else { self.append(&Op::WeaklySynced { log, weak }) }
    }

    fn append(&mut self, op: &Op) -> Result<(), LogError> {
        let Self { journal, reserve, .. } = self;
        reserve.lend(|| journal.append(std::slice::from_ref(op)))
    }

    fn queue(&self) -> CommitQueue {
        CommitQueue::new(self.options.queue_bytes, Arc::clone(self.waker))
    }

    /// Journals the deliveries that the journal does not know.
    fn create_deliveries(
        &mut self,
        stream: StreamId,
        log: &Arc<LogHandle>,
        deliveries: &[DeliveryOptions],
    ) -> Result<(), LogError> {
        for DeliveryOptions { name, from } in deliveries {
            let state = self.journal.state().stream(stream).cloned().unwrap_or_default();
            if state.deliveries.values().any(|delivery| delivery.name == *name) {
                continue;
            }
            let lowest = || state.deliveries.values().map(|delivery| delivery.cursor).min();
            let cursor = match from {
                Some(place) => self.found(log, place.seq_in(log))?,
                None => lowest().unwrap_or(log.marks().log_start),
            };
            let delivery = state.next_delivery();
            let op = Op::DeliveryCreated { stream, delivery, name: name.clone(), cursor };
            self.append(&op)?;
        }
        Ok(())
    }

    /// Has every delivery step over what the log does not hold: a segment may have gone before a new
    /// delivery came, or a settlement of it may be lost. A stopped log may hold more than it shows.
    fn settle_holes(&mut self, stream: StreamId, log: &LogHandle) -> Result<(), LogError> {
        if log.marks().stopped.is_some() {
            return Ok(());
        }
        let holes = log.holes();
        let deliveries = self.journal.state().stream(stream).map(|known| known.deliveries.clone());
        for (delivery, known) in deliveries.unwrap_or_default() {
            let open = |seqs: &Range<u64>| seqs.end > known.cursor && !known.settled.covers(seqs);
            for range in holes.iter().filter(open) {
                self.append(&Op::Settled { stream, delivery, range })?;
            }
        }
        Ok(())
    }

    /// A place that was looked for. Where damage hides it the log is stopped, and all that is kept
    /// is held.
    fn found(&mut self, log: &LogHandle, place: Result<u64, LogError>) -> Result<u64, LogError> {
        match place {
            Err(damage @ LogError::Corrupt { .. }) => {
                log.stop(&damage);
                self.findings.push(Finding::Damage(damage));
                Ok(log.marks().log_start)
            }
            place => place,
        }
    }
}

fn view(recovered: &Recovered, tail_bytes: usize) -> View {
    let segments: BTreeMap<_, _> = recovered
        .sealed
        .iter()
        .map(|segment| (segment.seqs.start, Arc::clone(&segment.view)))
        .collect();
    let end = recovered.end.seq;
    let marks = Marks {
        log_start: segments.first_key_value().map_or(end, |(&base, _)| base),
        published_end: end,
        durable_end: end,
        expired_end: 0,
        disk_bytes: recovered.sealed.iter().map(|segment| segment.disk_len).sum(),
        stopped: None,
        full: false,
    };
    View { marks, tail: Tail::new(tail_bytes), segments }
}
