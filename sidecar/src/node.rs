//! One running queue, as status, metrics and the control socket look at it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use lifeboat_api::Sync;
use lifeboat_log::{
    Accepted, CommitStats, LogHandle, Marks, Read, ScrubProgress, StreamId, VolumeId,
};

use crate::delivery::cursor::Cursor;
use crate::depth::depth;
use crate::egress::{Outlet, Standing};
use crate::metrics::{IngressMetrics, Metrics};
use crate::rates::Rate;
use crate::status::{
    DeliveryStatus, IngressStatus, SocketStatus, State, Status, StreamState, StreamStatus,
};

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

/// One stream of it.
#[derive(Debug)]
pub struct StreamNode {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: StreamId,
    /// Its records.
    pub log: Arc<LogHandle>,
    /// Its dead letters.
    pub dead_letters: Arc<LogHandle>,
    /// Bytes that it may take.
    pub max_bytes: u64,
    /// The sockets towards producers.
    pub ingress: Vec<IngressNode>,
    /// The deliveries that the file names.
    pub deliveries: Vec<DeliveryNode>,
    /// Deliveries that it does not name any more, by name, and what they settled.
    pub removed: Vec<(String, Cursor)>,
    /// Rates of what comes in and goes out.
    pub rates: Mutex<[Rate; 2]>,
}

/// One ingress.
#[derive(Debug)]
pub struct IngressNode {
    /// Its socket.
    pub socket: SocketNode,
    /// What it counts.
    pub metrics: Arc<IngressMetrics>,
}

/// One delivery.
#[derive(Debug)]
pub struct DeliveryNode {
    /// Its socket.
    pub socket: SocketNode,
    /// What stands behind it.
    pub outlet: Outlet,
    /// What "settled" rests on, where the application cannot acknowledge.
    pub promise: Option<&'static str>,
}

/// One bound socket.
#[derive(Debug)]
pub struct SocketNode {
    /// Its name in the stream.
    pub name: String,
    /// What the sidecar opened.
    pub socket: &'static str,
    /// What is spoken on a ROUTER.
    pub protocol: Option<&'static str>,
    /// Where it is bound.
    pub endpoint: String,
    /// Counts its connections.
    pub connections: prometheus::IntGauge,
}

impl SocketNode {
    fn status(&self) -> SocketStatus {
        SocketStatus {
            name: self.name.clone(),
            socket: self.socket.to_owned(),
            protocol: self.protocol.map(str::to_owned),
            endpoint: self.endpoint.clone(),
            connections: u64::try_from(self.connections.get()).unwrap_or(0),
        }
    }
}

impl IngressNode {
    fn status(&self) -> IngressStatus {
        IngressStatus { socket: self.socket.status(), messages: self.metrics.messages() }
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
        }
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

impl Node {
    /// Lets a stream go on behind what is known to be damaged in it and in its dead letters.
    ///
    /// # Errors
    /// In words, when there is no such stream or it stays stopped.
    pub async fn accept_gap(&self, stream: &str) -> Result<Accepted, String> {
        let found = self.streams.iter().find(|it| it.name == stream);
        let Some(found) = found else { return Err(format!("no stream {stream} in this queue")) };
        tracing::warn!(stream, "an operator accepts the gap");
        let mut price = Accepted::default();
        for log in [&found.log, &found.dead_letters] {
            if log.marks().damage.is_some() {
                price += log.accept_gap().wait().await.map_err(|_| {
                    let why = log.marks().stopped;
                    format!("stream {stream} stays stopped: {}", why.as_deref().unwrap_or("closed"))
                })?;
            }
        }
        Ok(price)
    }
}

impl StreamNode {
    fn status(&self) -> StreamStatus {
        let marks = self.log.marks();
        let dead = self.dead_letters.marks();
        let dead_kept = dead.log_start..dead.published_end;
        let dead_holes = self.dead_letters.holes();
        let dead_gaps = dead_holes.gaps.len();
        let dead_empty = dead_holes.all().count_within(&dead_kept);
        let kept = marks.log_start..marks.published_end;
        let standings: Vec<Standing> =
            self.deliveries.iter().map(|delivery| delivery.outlet.standing()).collect();
        let removed = self.removed.iter().map(|(_, cursor)| cursor);
        let cursors: Vec<Cursor> =
            standings.iter().map(|standing| &standing.cursor).chain(removed).cloned().collect();
        let depth = depth(&kept, &cursors);
        let lowest = cursors.iter().map(Cursor::position).min().unwrap_or(kept.start);
        let received = self.ingress.iter().map(|ingress| ingress.metrics.messages()).sum();
        let delivered = standings.iter().map(|standing| standing.delivered).sum();
        let [ingress_per_second, delivered_per_second] = self.rates_at([received, delivered]);
        StreamStatus {
            name: self.name.clone(),
            stream_id: self.id.to_string(),
            state: state(&marks),
            reason: marks.stopped.as_deref().map(str::to_owned),
            damage: marks.damage.or(dead.damage).as_deref().map(str::to_owned),
            lost: self.log.holes().gaps.len() + dead_gaps,
            log_start: marks.log_start,
            published_end: marks.published_end,
            durable_end: marks.durable_end.min(marks.published_end),
            depth,
            in_flight: standings.iter().map(|standing| standing.in_flight).sum(),
            oldest_time: (depth > 0).then(|| self.time_of(lowest)).flatten(),
            dead_letters: (dead.published_end - dead.log_start).saturating_sub(dead_empty),
            disk_bytes: marks.disk_bytes + dead.disk_bytes,
            max_bytes: self.max_bytes,
            ingress_per_second,
            delivered_per_second,
            ingress: self.ingress.iter().map(IngressNode::status).collect(),
            deliveries: self.delivery_statuses(&kept, standings),
        }
    }

    fn delivery_statuses(
        &self,
        kept: &std::ops::Range<u64>,
        standings: Vec<Standing>,
    ) -> Vec<DeliveryStatus> {
        let named =
            self.deliveries.iter().zip(standings).map(|(delivery, standing)| DeliveryStatus {
                delivery: delivery.socket.name.clone(),
                socket: Some(delivery.socket.status()),
                cursor: standing.cursor.position(),
                delivered_end: standing.delivered_end,
                depth: standing.cursor.unsettled_within(kept),
                in_flight: standing.in_flight,
                expired: standing.expired,
                dropped: standing.dropped,
                lost: standing.lost,
                promise: delivery.promise.map(str::to_owned),
            });
        let removed = self.removed.iter().map(|(name, cursor)| DeliveryStatus {
            delivery: name.clone(),
            socket: None,
            cursor: cursor.position(),
            delivered_end: cursor.position(),
            depth: cursor.unsettled_within(kept),
            in_flight: 0,
            expired: 0,
            dropped: 0,
            lost: 0,
            promise: None,
        });
        named.chain(removed).collect()
    }

    fn rates_at(&self, counts: [u64; 2]) -> [f64; 2] {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let [received, delivered] = &mut *rates;
        [received.at(now, counts[0]), delivered.at(now, counts[1])]
    }

    /// Unix time of a record's commit, in seconds.
    fn time_of(&self, seq: u64) -> Option<u64> {
        // Damage shows as a stopped stream; the time is then unknown.
        match self.log.reader().read(seq) {
            Ok(Read::Batch(batch)) => Some(batch.time / 1_000_000_000),
            _ => None,
        }
    }
}

fn state(marks: &Marks) -> StreamState {
    match marks {
        Marks { stopped: Some(_), .. } => StreamState::Stopped,
        Marks { full: true, .. } => StreamState::Full,
        _ => StreamState::Open,
    }
}
