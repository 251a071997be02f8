//! Opens what a stream keeps of its records' ids: a third log beside its records and its dead
//! letters, so that an id can outlive the segment of its record.
//!
//! Whoever follows the stream copies ids from its batches into that log. Two deliveries that no
//! file names hold what must stay: one the stream's records until their ids are copied, the other
//! the copies until they are too old to matter. So the rules for deleting segments are the usual
//! ones, and nothing here decides when.

use std::path::Path;
use std::sync::Arc;

use super::StreamOptions;
use super::files::{KEPT_IDS, make_dir};
use super::streams::{LogOptions, Opening};
use crate::budget::{Budget, divide};
use crate::error::LogError;
use crate::handle::LogHandle;
use crate::ids::{DeliveryId, StreamId};
use crate::state::{IDS_HOLDER, Op};
use crate::sync_mode::SyncMode;

/// Name of the delivery that holds the copies.
const COPIES_HOLDER: &str = "$copies";
/// Copies are small, and go segment by segment.
const SEGMENT: u64 = 1 << 20;

/// The ids of a stream, as far as its own batches do not hold them any more.
#[derive(Debug, Clone)]
pub struct KeptIds {
    /// Copies of ids, in the order of their records. What a record here means is the copier's.
    pub log: Arc<LogHandle>,
    /// Holds the stream's records until their ids are copied.
    pub source: Holder,
    /// Holds the copies until they are too old.
    pub copies: Holder,
}

/// A delivery that nobody reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The stream id under which it settles.
    pub stream: StreamId,
    /// Its id.
    pub delivery: DeliveryId,
    /// Every record below is settled.
    pub cursor: u64,
}

/// The id of the log of copies of a stream.
pub(crate) fn copies_of(stream: StreamId) -> StreamId {
    StreamId(stream.0.map(|byte| !byte))
}

impl Opening<'_> {
    /// Opens the copies of the ids of `stream`, whose log is `source`; `None` for a stream that
    /// keeps no ids, and then whatever it kept earlier is let go.
    pub(super) fn kept_ids(
        &mut self,
        dir: &Path,
        stream: StreamId,
        source: &LogHandle,
        options: &StreamOptions,
    ) -> Result<Option<KeptIds>, LogError> {
        if !options.keeps_ids {
            self.let_go(stream)?;
        }
        let copies_id = copies_of(stream);
        let known = self.journal.state().stream(copies_id).is_some();
        if !options.keeps_ids && !known {
            return Ok(None);
        }
        let dir = make_dir(&**self.vfs, dir, KEPT_IDS)?;
        let (_, bytes) = divide(options.max_bytes, options.keeps_ids);
        let log_options = LogOptions {
            budget: &Arc::new(Budget::new(bytes)),
            segment_bytes: options.segment_bytes.min(SEGMENT),
            tail_bytes: 0,
            on_damage: options.on_damage,
            keeps_ids: false,
            retention: &self.unlimited(),
            sync: SyncMode::Always,
        };
        let (log, _) = self.log(dir, copies_id, &log_options)?;
        // Nothing before has an id, or none that was to be kept.
        let copies = self.holder(copies_id, COPIES_HOLDER, log.marks().log_start)?;
        if !options.keeps_ids {
            let range = copies.cursor..log.published_end();
            self.append(&Op::Settled { stream: copies_id, delivery: copies.delivery, range })?;
            return Ok(None);
        }
        let source = self.holder(stream, IDS_HOLDER, source.published_end())?;
        Ok(Some(KeptIds { log, source, copies }))
    }

    /// The holder of `stream` with this name; a new one starts at `cursor`.
    fn holder(&mut self, stream: StreamId, name: &str, cursor: u64) -> Result<Holder, LogError> {
        if let Some(found) = self.find_holder(stream, name) {
            return Ok(found);
        }
        let state = self.journal.state().stream(stream).cloned().unwrap_or_default();
        let delivery = state.next_delivery();
        let name = name.to_owned();
        self.append(&Op::DeliveryCreated { stream, delivery, name, cursor })?;
        Ok(Holder { stream, delivery, cursor })
    }

    fn find_holder(&self, stream: StreamId, name: &str) -> Option<Holder> {
        let state = self.journal.state().stream(stream)?;
        let (&delivery, found) =
            state.deliveries.iter().find(|(_, delivery)| delivery.name == name)?;
        Some(Holder { stream, delivery, cursor: found.cursor })
    }

    /// Records are not held for the sake of their ids any more.
    fn let_go(&mut self, stream: StreamId) -> Result<(), LogError> {
        match self.find_holder(stream, IDS_HOLDER) {
            Some(Holder { delivery, .. }) => self.append(&Op::DeliveryRemoved { stream, delivery }),
            None => Ok(()),
        }
    }
}
