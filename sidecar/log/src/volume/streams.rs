//! Opens the streams of a volume, one by one. What is wrong with one of them stops that one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngCore;
use rand::rngs::SmallRng;

use super::files::{DEAD_LETTERS, make_dir, open_stream_meta};
use super::{DeliveryOptions, Finding, Stream, StreamOptions, VolumeOptions};
use crate::budget::{Budget, SpaceLimit, divide};
use crate::error::LogError;
use crate::fate::Refusal;
use crate::handle::{LogHandle, OnDamage};
use crate::holes::Holes;
use crate::ids::{DeliveryId, StreamId};
use crate::journal::Journal;
use crate::log::Log;
use crate::mend::{Authority, Mender, Patient, examine, quarantine_bytes};
use crate::recover::{Damage, Recovered};
use crate::reserve::Reserve;
use crate::retention::{Retention, RetentionRules};
use crate::state::{DeliveryState, Op, StreamState};
use crate::sync_mode::SyncMode;
use crate::vfs::Vfs;
use crate::view::View;
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
    pub(super) retention: &'a Arc<RetentionRules>,
    pub(super) sync: SyncMode,
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
        let VolumeOptions { tail_bytes, sync, .. } = *self.options;
        let budget = &Arc::new(Budget::new(divide(options.max_bytes, keeps_ids).0));
        let retention = &RetentionRules::new(options.retention, self.waker);
        let records =
            LogOptions { budget, segment_bytes, tail_bytes, on_damage, keeps_ids, retention, sync };
        let (log, found_end) = self.log(dir.clone(), meta.id, &records)?;
        let segment_bytes = segment_bytes.min(DEAD_LETTER_SEGMENT);
        let dead_letters = LogOptions {
            segment_bytes,
            tail_bytes: 0,
            keeps_ids: false,
            retention: &self.unlimited(),
            sync: SyncMode::Always,
            ..records
        };
        let (dead_letters, _) = self.log(dead_dir, meta.dead_letters, &dead_letters)?;
        self.create_deliveries(meta.id, &log, &options.deliveries)?;
        self.settle_holes(meta.id, &log)?;
        let kept_ids = self.kept_ids(&dir, meta.id, &log, options)?;
        let state = self.journal.state().stream(meta.id);
        Ok(Stream {
            name: options.name.clone(),
            id: meta.id,
            log,
            found_end,
            dead_letters,
            kept_ids,
            next_delivery: state.map_or(FIRST, StreamState::next_delivery),
            deliveries: self.deliveries(meta.id),
            space: SpaceLimit::new(budget, keeps_ids),
            retention: Arc::clone(retention),
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
            kept_ids: None,
            next_delivery: FIRST,
            space: SpaceLimit::new(&Arc::new(Budget::new(options.max_bytes)), options.keeps_ids),
            retention: self.unlimited(),
            dead_letter_deliveries: Vec::new(),
        }
    }

    /// What the journal says of the deliveries of a log, but for the holders of ids.
    fn deliveries(&self, log: StreamId) -> Vec<(DeliveryId, DeliveryState)> {
        let state = self.journal.state().stream(log);
        let deliveries = state.into_iter().flat_map(|state| state.deliveries.clone());
        deliveries.filter(|(_, delivery)| !delivery.holds_ids()).collect()
    }

    /// Opens a log; also says where its records ended.
    pub(super) fn log(
        &mut self,
        dir: PathBuf,
        id: StreamId,
        options: &LogOptions<'_>,
    ) -> Result<(Arc<LogHandle>, u64), LogError> {
        let weak = self.journal.state().stream(id).is_some_and(|state| state.weakly_synced);
        let mut recovered = self.recovered(&dir, id, options, weak)?;
        let found_end = recovered.end.seq;
        let jump_due = weak && recovered.damage.is_some();
        if weak && !jump_due {
            let range = recovered.jump()?;
            self.append(&Op::Jump { log: id, range })?;
        }
        // Where a jump is due the next start must know of it, too.
        if !jump_due && weak != options.sync.is_weak() {
            self.append(&Op::WeaklySynced { log: id, weak: !weak })?;
        }
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
            if options.on_damage == OnDamage::SkipWithGap {
                // It may have found no room: the writer tries again.
                handle.order_mending(Authority::Policy);
            }
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
            jumps: recovered.jumps,
            jump_due,
            sync: options.sync,
            durable_end: recovered.end.seq,
            newly_durable: 0,
            unsynced_since: None,
            active: None,
            sealed,
            stalled: None,
            refused: None,
            mend_at: None,
            dropped: None,
            at_rest: false,
            unpublished: Vec::new(),
            undecided: Vec::new(),
            rules: Arc::clone(options.retention),
            retention: options.retention.get(),
            oldest_time: 0,
            look_at: None,
            unwitnessed: None,
        });
        Ok((handle, found_end))
    }

    /// The rules of a log from which nothing goes unsettled.
    pub(super) fn unlimited(&self) -> Arc<RetentionRules> {
        RetentionRules::new(Retention::default(), self.waker)
    }

    pub(super) fn append(&mut self, op: &Op) -> Result<(), LogError> {
        let Self { journal, reserve, .. } = self;
        reserve.lend(|| journal.append(std::slice::from_ref(op)))
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
        jumping: bool,
    ) -> Result<Recovered, LogError> {
        if options.on_damage == OnDamage::Stop {
            return examine(&**self.vfs, dir, id, self.journal.state(), jumping);
        }
        let mut mender = Mender {
            vfs: self.vfs,
            journal: self.journal,
            reserve: self.reserve,
            salt: &mut || self.random.next_u64(),
            epoch: self.epoch,
        };
        let quarantine_bytes = quarantine_bytes(options.segment_bytes);
        let authority = Authority::Policy;
        let patient = Patient { dir, id, quarantine_bytes, authority, jumping };
        let mut done = Vec::new();
        let recovered = mender.mend_all(patient, &[], &mut done);
        self.findings.extend(done.into_iter().map(Finding::Mended));
        match recovered {
            // It stays as it is until there is room, or somebody says that what cannot be read is lost.
            Err(LogError::Full | LogError::Io { operation: "read", .. }) => {
                examine(&**self.vfs, dir, id, self.journal.state(), jumping)
            }
            recovered => recovered,
        }
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
            let others = || state.deliveries.values().filter(|delivery| !delivery.holds_ids());
            let lowest = || others().map(|delivery| delivery.cursor).min();
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

    /// Has every delivery step over what the log does not hold: it may have gone before a new delivery
    /// came, or a settlement of it may be lost. What damage took counts as lost. A stopped log may
    /// hold more than it shows.
    fn settle_holes(&mut self, stream: StreamId, log: &LogHandle) -> Result<(), LogError> {
        if log.marks().stopped.is_some() {
            return Ok(());
        }
        let holes = log.holes();
        let deliveries = self.journal.state().stream(stream).map(|known| known.deliveries.clone());
        for (delivery, known) in deliveries.unwrap_or_default() {
            let open = |range| known.unsettled(range);
            for range in holes.gaps.iter().flat_map(open) {
                self.append(&Op::Lost { stream, delivery, range })?;
            }
            for range in holes.retired.iter().flat_map(open) {
                self.append(&Op::Settled { stream, delivery, range })?;
            }
        }
        Ok(())
    }

    /// A place that was looked for. Where damage hides it the log stops or is mended, as the user
    /// wants it, and all that is kept is held.
    fn found(&mut self, log: &LogHandle, place: Result<u64, LogError>) -> Result<u64, LogError> {
        match place {
            Err(damage) if damage.damaged_file().is_some() => {
                log.damaged(&damage);
                self.findings.push(Finding::Damage(damage));
                Ok(log.marks().log_start)
            }
            place => place,
        }
    }
}
