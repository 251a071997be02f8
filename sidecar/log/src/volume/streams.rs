//! Opens the streams of a volume, one by one. What is wrong with one of them stops that one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::SmallRng;

use super::files::{DEAD_LETTERS, make_dir, open_stream_meta};
use super::kept_ids::{divide, is_holder};
use super::{Finding, Stream, StreamOptions, VolumeOptions};
use crate::budget::Budget;
use crate::error::{Corruption, LogError};
use crate::handle::{LogHandle, Marks, View};
use crate::ids::{DeliveryId, StreamId};
use crate::journal::Journal;
use crate::log::Log;
use crate::pending::CommitQueue;
use crate::recover::{Recovered, recover};
use crate::reserve::Reserve;
use crate::state::{DeliveryState, Op};
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

/// One of a stream's logs.
pub(super) struct LogOptions<'a> {
    pub(super) budget: &'a Arc<Budget>,
    pub(super) segment_bytes: u64,
    pub(super) tail_bytes: usize,
    pub(super) keeps_ids: bool,
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
        let budget = &Arc::new(Budget::new(divide(options).0));
        let (segment_bytes, tail_bytes) = (options.segment_bytes, self.options.tail_bytes);
        let keeps_ids = options.keeps_ids;
        let log_options = LogOptions { budget, segment_bytes, tail_bytes, keeps_ids };
        let log = self.log(dir.clone(), meta.id, &log_options)?;
        let segment_bytes = segment_bytes.min(DEAD_LETTER_SEGMENT);
        let dead_letters = LogOptions { budget, segment_bytes, tail_bytes: 0, keeps_ids: false };
        let dead_letters = self.log(dead_dir, meta.dead_letters, &dead_letters)?;
        self.create_deliveries(meta.id, &log, &options.deliveries)?;
        let kept_ids = self.kept_ids(&dir, meta.id, &log, options)?;
        let state = self.journal.state().stream(meta.id);
        let deliveries = state.into_iter().flat_map(|state| state.deliveries.clone());
        let deliveries = deliveries.filter(|(_, delivery)| !is_holder(&delivery.name)).collect();
        let name = options.name.clone();
        Ok(Stream { name, id: meta.id, log, dead_letters, deliveries, kept_ids })
    }

    /// A stream whose `stream.meta` is damaged: stopped, and nothing of it is touched.
    fn unknown_stream(&mut self, options: &StreamOptions, damage: LogError) -> Stream {
        let stopped = || {
            let log = LogHandle::new(UNKNOWN, self.queue(), view(&Recovered::nothing(), 0));
            log.stop(&damage);
            log
        };
        let (log, dead_letters) = (stopped(), stopped());
        let nothing = |name: &String| DeliveryState { name: name.clone(), ..Default::default() };
        let deliveries = options.deliveries.iter().map(nothing);
        let deliveries = (1..).map(DeliveryId).zip(deliveries).collect();
        self.findings.push(Finding::Damage(damage));
        let name = options.name.clone();
        Stream { name, id: UNKNOWN, log, dead_letters, deliveries, kept_ids: None }
    }

    pub(super) fn log(
        &mut self,
        dir: PathBuf,
        id: StreamId,
        options: &LogOptions<'_>,
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
        let handle = LogHandle::new(id, self.queue(), view(&recovered, options.tail_bytes));
        for segment in &recovered.sealed {
            options.budget.found(segment.disk_len);
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
            segment_bytes: options.segment_bytes,
            budget: Arc::clone(options.budget),
            epoch: self.epoch,
            keeps_ids: options.keeps_ids,
            next_number: recovered.next_number,
            end: recovered.end,
            active: None,
            sealed: recovered.sealed,
            stalled: None,
            unpublished: Vec::new(),
            undecided: Vec::new(),
            unwitnessed: None,
        });
        Ok(handle)
    }

    fn queue(&self) -> CommitQueue {
        CommitQueue::new(self.options.queue_bytes, Arc::clone(self.waker))
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
            let others = state.deliveries.values().filter(|delivery| !is_holder(&delivery.name));
            let cursor = others.map(|delivery| delivery.cursor).min();
            let op = Op::DeliveryCreated {
                stream,
                delivery: state.next_delivery(),
                name: name.clone(),
                cursor: cursor.unwrap_or(log.marks().log_start),
            };
            let Self { journal, reserve, .. } = self;
            reserve.lend(|| journal.append(std::slice::from_ref(&op)))?;
        }
        Ok(())
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
        disk_bytes: recovered.sealed.iter().map(|segment| segment.disk_len).sum(),
        stopped: None,
        full: false,
    };
    View { marks, tail: Tail::new(tail_bytes), segments }
}
