//! One running queue, as status, metrics and the control socket look at it.

mod lifecycle;
mod quiesce;
mod stream;
mod totals;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lifeboat_api::Sync;
use lifeboat_log::vfs::{Space, Vfs};
use lifeboat_log::{CommitStats, JournalQueue, ScrubProgress, VolumeId};

pub use self::lifecycle::{Causes, Lifecycle};
pub use self::quiesce::Quiesce;
pub use self::stream::{DeliveryNode, Held, IngressNode, RemovedDelivery, SocketNode, StreamNode};
use self::totals::{app_connected, totals};
use crate::metrics::Metrics;
use crate::status::{ConfigStatus, State, Status, StreamState, StreamStatus, VolumeStatus};

/// A commit that takes longer than this waits for a disk that hangs: network disks that are moved or
/// throttled are silent for a few seconds.
const HANGS: Duration = Duration::from_secs(10);

/// A running queue.
#[derive(Debug)]
pub struct Node {
    /// The queue's name.
    pub name: String,
    /// Random, new with each start.
    pub boot_id: u128,
    /// The volume's id.
    pub volume: VolumeId,
    /// The data directory.
    pub data: PathBuf,
    /// What it is on.
    pub disk: Arc<dyn Vfs>,
    /// Raised by each start on the volume.
    pub epoch: u64,
    /// Unix time of the start, in seconds.
    pub started: u64,
    /// Whether nothing speaks against the volume's durability.
    pub durable_volume: bool,
    /// When records count as safe.
    pub sync: Sync,
    /// Its streams.
    pub streams: Vec<Arc<StreamNode>>,
    /// Streams that are here and that the file does not name: without sockets, until they are purged.
    pub removed: Mutex<Vec<Arc<StreamNode>>>,
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
    /// What it does at large.
    pub state: Arc<Lifecycle>,
    /// The order to quiesce.
    pub quiesce: Quiesce,
    /// Which replica of the queue it is, if that was said.
    pub ordinal: Option<u32>,
}

impl Node {
    /// Everything. May read from the disk, so it belongs on a thread that may block.
    pub fn status(&self) -> Status {
        let removed = self.removed().clone();
        let all: Vec<StreamStatus> =
            self.streams.iter().chain(&removed).map(|stream| stream.status()).collect();
        let sized = self.streams.iter().chain(&removed).zip(&all);
        let backlogs: Vec<u64> = sized.map(|(node, status)| node.backlog_bytes(status)).collect();
        Status {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            features: lifeboat_api::supported_features().iter().map(|&f| f.to_owned()).collect(),
            boot_id: format!("{:032x}", self.boot_id),
            volume_id: self.volume.to_string(),
            log_id: self.volume.to_string(),
            epoch: self.epoch,
            state: self.state.get(),
            ordinal: self.ordinal,
            started: self.started,
            durable_volume: self.durable_volume,
            sync: sync_text(self.sync),
            disk_hangs: self.disk_hangs(),
            volume: self.volume_status(),
            drained: all.iter().all(|stream| stream.drained),
            retains_history: self.streams.iter().chain(&removed).any(|it| it.retains_history()),
            app_connected: app_connected(&all),
            totals: totals(&all, &backlogs),
            syncs: self.commits.syncs(),
            synced_records: self.commits.records(),
            removed: removed.iter().map(|stream| stream.name.clone()).collect(),
            streams: all.into_iter().take(self.streams.len()).collect(),
            config: self.config().clone(),
        }
    }

    /// Why nothing is taken from outside, or could not be synced, in a few words; `None` when it is
    /// and can.
    pub fn unready(&self) -> Option<String> {
        let hangs = |seconds| format!("the disk hangs: no answer for {seconds} s");
        self.state.unready().or_else(|| self.disk_hangs().map(hangs))
    }

    /// For how many seconds the disk has not answered.
    fn disk_hangs(&self) -> Option<u64> {
        let waited = self.commits.running_for().filter(|waited| *waited >= HANGS);
        waited.map(|waited| waited.as_secs())
    }

    /// The file system that holds the data.
    fn volume_status(&self) -> Option<VolumeStatus> {
        let Space { total, available } = self.disk.space(&self.data).ok()?;
        let used_bytes = total.saturating_sub(available);
        Some(VolumeStatus { total_bytes: total, free_bytes: available, used_bytes })
    }

    /// Streams that are here and that the file does not name.
    pub fn removed(&self) -> MutexGuard<'_, Vec<Arc<StreamNode>>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
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
        gauges.disk_hangs.set(number(status.disk_hangs.unwrap_or(0)));
        gauges.drained.set(i64::from(status.drained));
        for state in State::ALL {
            gauges.state.with_label_values(&[state.name()]).set(i64::from(state == status.state));
        }
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
