//! One running queue, as status, metrics and the control socket look at it.

mod stream;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifeboat_api::Sync;
use lifeboat_log::{CommitStats, JournalQueue, ScrubProgress, VolumeId};

pub use self::stream::{DeliveryNode, Held, IngressNode, RemovedDelivery, SocketNode, StreamNode};
use crate::metrics::Metrics;
use crate::status::{ConfigStatus, State, Status, StreamState};

/// A running queue.
#[derive(Debug)]
pub struct Node {
    /// The queue's name.
    pub name: String,
    /// Random, new with each start.
    pub boot_id: u128,
    /// The volume's id.
    pub volume: VolumeId,
    /// Raised by each start on the volume.
    pub epoch: u64,
    /// Unix time of the start, in seconds.
    pub started: u64,
    /// Whether nothing speaks against the volume's durability.
    pub durable_volume: bool,
    /// When records count as safe.
    pub sync: Sync,
    /// Its streams.
    pub streams: Vec<StreamNode>,
    /// Streams that the file does not name.
    pub removed: Vec<String>,
    /// All metrics.
    pub metrics: Metrics,
    /// What the writer has done.
    pub commits: Arc<CommitStats>,
    /// The way into the state journal.
    pub journal: Arc<JournalQueue>,
    /// The file that it runs by.
    pub config: Mutex<ConfigStatus>,
    /// What was read in search of damage.
    pub scrub: Arc<ScrubProgress>,
    /// A [`State`], by its number.
    pub state: Lifecycle,
}

/// The sidecar's state, shared.
#[derive(Debug, Default)]
pub struct Lifecycle(AtomicU8);

impl Lifecycle {
    /// What it is.
    pub fn get(&self) -> State {
        match self.0.load(Ordering::Acquire) {
            0 => State::Open,
            1 => State::Stopping,
            _ => State::Failed,
        }
    }

    /// Moves on; a failure is final.
    pub fn set(&self, state: State) {
        let number = match state {
            State::Open => 0,
            State::Stopping => 1,
            State::Failed => 2,
        };
        self.0.fetch_max(number, Ordering::AcqRel);
    }
}

impl Node {
    /// Everything. May read from the disk, so it belongs on a thread that may block.
    pub fn status(&self) -> Status {
        Status {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            features: lifeboat_api::supported_features().iter().map(|&f| f.to_owned()).collect(),
            boot_id: format!("{:032x}", self.boot_id),
            log_id: self.volume.to_string(),
            epoch: self.epoch,
            state: self.state.get(),
            started: self.started,
            durable_volume: self.durable_volume,
            sync: sync_text(self.sync),
            syncs: self.commits.syncs(),
            synced_records: self.commits.records(),
            streams: self.streams.iter().map(StreamNode::status).collect(),
            removed: self.removed.clone(),
            config: self.config().clone(),
        }
    }

    /// The file that it runs by.
    pub fn config(&self) -> MutexGuard<'_, ConfigStatus> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Metrics in Prometheus' text form, with the gauges as they are now.
    ///
    /// # Errors
    /// Of the encoder.
    pub fn render_metrics(&self) -> prometheus::Result<String> {
        let status = self.status();
        let gauges = self.metrics.gauges();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        gauges.scrubbed_bytes.set(number(self.scrub.bytes()));
        gauges.syncs.set(number(status.syncs));
        gauges.synced_records.set(number(status.synced_records));
        gauges.durable_volume.set(i64::from(status.durable_volume));
        for stream in &status.streams {
            let labels = [stream.name.as_str()];
            gauges.depth.with_label_values(&labels).set(number(stream.depth));
            gauges.dead_letter_records.with_label_values(&labels).set(number(stream.dead_letters));
            gauges.disk_bytes.with_label_values(&labels).set(number(stream.disk_bytes));
            let oldest = stream.oldest_time.unwrap_or(0);
            gauges.oldest_seconds.with_label_values(&labels).set(number(oldest));
            let stopped = stream.state == StreamState::Stopped;
            gauges.stopped.with_label_values(&labels).set(i64::from(stopped));
            let unsynced = number(stream.published_end - stream.durable_end);
            gauges.unsynced.with_label_values(&labels).set(unsynced);
            if let Some(dedup) = &stream.dedup {
                gauges.remembered_ids.with_label_values(&labels).set(number(dedup.ids));
                let set_aside = number(dedup.set_aside);
                gauges.set_aside_indexes.with_label_values(&labels).set(set_aside);
            }
            gauges.damaged.with_label_values(&labels).set(i64::from(stream.damage.is_some()));
            gauges.lost.with_label_values(&labels).set(number(stream.lost));
            let full = stream.state == StreamState::Full;
            gauges.full.with_label_values(&labels).set(i64::from(full));
            for delivery in &stream.deliveries {
                let labels = [stream.name.as_str(), delivery.delivery.as_str()];
                gauges.in_flight.with_label_values(&labels).set(number(delivery.in_flight));
            }
        }
        self.metrics.render()
    }
}

/// The sync mode as the queue's file has it.
pub(crate) fn sync_text(sync: Sync) -> String {
    match sync {
        Sync::Always => "Always".to_owned(),
        Sync::Interval(interval) => format!("Interval {interval:?}"),
        Sync::None => "None".to_owned(),
    }
}
