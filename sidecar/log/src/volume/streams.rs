//! Opens the streams of a volume, one by one. What is wrong with one of them stops that one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngCore;
use rand::rngs::SmallRng;

use super::files::{DEAD_LETTERS, make_dir, open_stream_meta};
use super::{Finding, Stream, StreamOptions, VolumeOptions};
use crate::budget::{Budget, SpaceLimit, divide};
use crate::error::LogError;
use crate::fate::Refusal;
use crate::handle::{LogHandle, OnDamage, View};
use crate::holes::Holes;
use crate::ids::{DeliveryId, StreamId};
use crate::journal::Journal;
use crate::log::Log;
use crate::mend::{Authority, Mender, Patient, examine, quarantine_bytes};
use crate::recover::{Damage, Recovered};
use crate::reserve::Reserve;
use crate::state::{DeliveryState, Op, StreamState};
use crate::vfs::Vfs;
use crate::waker::Waker;

/// Dead letters are few: their segments need not be large.
const DEAD_LETTER_SEGMENT: u64 = 1 << 20;
/// The first id of a delivery.
const FIRST: DeliveryId = DeliveryId(1);
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
#[derive(Clone, Copy)]
pub(super) struct LogOptions<'a> {
    pub(super) budget: &'a Arc<Budget>,
    pub(super) segment_bytes: u64,
    pub(super) tail_bytes: usize,
    pub(super) on_damage: OnDamage,
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
        let StreamOptions { segment_bytes, on_damage, keeps_ids, .. } = *options;
        let budget = &Arc::new(Budget::new(divide(options.max_bytes, keeps_ids).0));
        let tail_bytes = self.options.tail_bytes;
        let records = LogOptions { budget, segment_bytes, tail_bytes, on_damage, keeps_ids };
        let log = self.log(dir.clone(), meta.id, &records)?;
        let segment_bytes = segment_bytes.min(DEAD_LETTER_SEGMENT);
        let dead_letters = LogOptions { segment_bytes, tail_bytes: 0, keeps_ids: false, ..records };
        let dead_letters = self.log(dead_dir, meta.dead_letters, &dead_letters)?;
        self.create_deliveries(meta.id, &log, &options.deliveries)?;
        let kept_ids = self.kept_ids(&dir, meta.id, &log, options)?;
        let state = self.journal.state().stream(meta.id);
        Ok(Stream {
            name: options.name.clone(),
            id: meta.id,
            log,
            dead_letters,
            kept_ids,
            next_delivery: state.map_or(FIRST, StreamState::next_delivery),
            deliveries: self.deliveries(meta.id),
            space: SpaceLimit::new(budget, keeps_ids),
            dead_letter_deliveries: self.deliveries(meta.dead_letters),
        })
    }

    /// A stream whose `stream.meta` is damaged: stopped, and nothing of it is touched.
    fn unknown_stream(&mut self, options: &StreamOptions, damage: LogError) -> Stream {
        let stopped = || {
            let view = View::of(&Recovered::nothing(), 0, Holes::default());
            let log = self.handle(UNKNOWN, OnDamage::Stop, view);
            log.stop(&damage);
            // It would not even know which records are its own.
            log.mending().close(Refusal::Stopped);
            log.removal().close(Refusal::Stopped);
            log
        };
        let (log, dead_letters) = (stopped(), stopped());
        let nothing = |name: &String| DeliveryState { name: name.clone(), ..Default::default() };
        let deliveries = options.deliveries.iter().map(nothing);
        let deliveries = (1..).map(DeliveryId).zip(deliveries).collect();
        self.findings.push(Finding::Damage(damage));
        Stream {
            name: options.name.clone(),
            id: UNKNOWN,
            log,
            dead_letters,
            deliveries,
            kept_ids: None,
            next_delivery: FIRST,
            space: SpaceLimit::new(&Arc::new(Budget::new(options.max_bytes)), options.keeps_ids),
            dead_letter_deliveries: Vec::new(),
        }
    }

    /// What the journal says of the deliveries of a log, but for the holders of ids.
    fn deliveries(&self, log: StreamId) -> Vec<(DeliveryId, DeliveryState)> {
        let state = self.journal.state().stream(log);
        let deliveries = state.into_iter().flat_map(|state| state.deliveries.clone());
        deliveries.filter(|(_, delivery)| !delivery.holds_ids()).collect()
    }

    pub(super) fn log(
        &mut self,
        dir: PathBuf,
        id: StreamId,
        options: &LogOptions<'_>,
    ) -> Result<Arc<LogHandle>, LogError> {
        let recovered = self.recovered(&dir, id, options)?;
        if recovered.discarded > 0 {
            let bytes = recovered.discarded;
            self.findings.push(Finding::TornTail { path: dir.clone(), bytes });
        }
        let holes = Holes::of(self.journal.state().stream(id));
        let view = View::of(&recovered, options.tail_bytes, holes);
        let handle = self.handle(id, options.on_damage, view);
        for segment in &recovered.sealed {
            options.budget.found(segment.disk_len);
        }
        let mut sealed = recovered.sealed;
        if let Some(Damage { error, .. }) = recovered.damage {
            // Nothing of it is touched until somebody orders it.
            options.budget.give_back(sealed.drain(..).map(|segment| segment.disk_len).sum());
            handle.stop(&error);
            self.findings.push(Finding::Damage(error));
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
            sealed,
            stalled: None,
            refused: false,
            unpublished: Vec::new(),
            undecided: Vec::new(),
            unwitnessed: None,
        });
        Ok(handle)
    }

    fn handle(&self, id: StreamId, on_damage: OnDamage, view: View) -> Arc<LogHandle> {
        LogHandle::new(id, self.options.queue_bytes, self.waker, on_damage, view)
    }

    /// What a log's directory holds, once it is mended if the user wants that.
    fn recovered(
        &mut self,
        dir: &Path,
        id: StreamId,
        options: &LogOptions<'_>,
    ) -> Result<Recovered, LogError> {
        if options.on_damage == OnDamage::Stop {
            return examine(&**self.vfs, dir, id, self.journal.state());
        }
        let mut mender = Mender {
            vfs: self.vfs,
            journal: self.journal,
            reserve: self.reserve,
            salt: &mut || self.random.next_u64(),
            epoch: self.epoch,
        };
        let quarantine_bytes = quarantine_bytes(options.segment_bytes);
        let patient = Patient { dir, id, quarantine_bytes, authority: Authority::Policy };
        let mut done = Vec::new();
        let recovered = mender.mend_all(patient, &[], &mut done);
        self.findings.extend(done.into_iter().map(Finding::Mended));
        match recovered {
            // It stays as it is until there is room.
            Err(LogError::Full) => examine(&**self.vfs, dir, id, self.journal.state()),
            recovered => recovered,
        }
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
            let others = state.deliveries.values().filter(|delivery| !delivery.holds_ids());
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
