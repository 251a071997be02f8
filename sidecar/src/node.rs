//! One running queue, as status, metrics and the control socket look at it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use lifeboat_log::state::Attempt;
use lifeboat_log::{
    CommitStats, DeliveryId, JournalQueue, LogHandle, Marks, Op, Read, StreamId, Urgency, VolumeId,
};

use crate::dead_letter::Shelf;
use crate::delivery::cursor::Cursor;
use crate::depth::depth;
use crate::egress::{Outlet, Standing};
use crate::metrics::{IngressMetrics, Metrics};
use crate::rates::Rate;
use crate::status::{
    ConfigStatus, DeliveryStatus, IngressStatus, SocketStatus, State, Status, StreamState,
    StreamStatus,
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
    pub dead_letters: Shelf,
    /// Bytes that it may take.
    pub max_bytes: AtomicU64,
    /// The sockets towards producers.
    pub ingress: Mutex<Vec<IngressNode>>,
    /// The deliveries that the file names.
    pub deliveries: Mutex<Vec<DeliveryNode>>,
    /// An id that no delivery had yet.
    pub next_delivery: AtomicU32,
    /// Deliveries that it does not name any more.
    pub removed: Mutex<Vec<RemovedDelivery>>,
    /// Held by whoever changes it by order: one at a time.
    pub change: tokio::sync::Mutex<()>,
    /// Rates of what comes in and goes out.
    pub rates: Mutex<[Rate; 2]>,
}

/// A delivery that the file does not name any more: it holds its data until it is purged.
#[derive(Debug, Clone)]
pub struct RemovedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub held: Held,
}

/// What is known of a delivery without a socket.
#[derive(Debug, Clone)]
pub enum Held {
    /// What the journal said when the sidecar started, and what was settled by order since.
    Journaled {
        /// What it has settled.
        cursor: Cursor,
        /// What it has tried.
        attempts: BTreeMap<u64, Attempt>,
    },
    /// Its socket was closed while the sidecar ran.
    Closed(Outlet),
}

impl Held {
    /// What the delivery has settled.
    pub fn cursor(&self) -> Cursor {
        match self {
            Self::Journaled { cursor, .. } => cursor.clone(),
            Self::Closed(outlet) => outlet.standing().cursor,
        }
    }
}

/// One ingress.
#[derive(Debug, Clone)]
pub struct IngressNode {
    /// Its socket.
    pub socket: SocketNode,
    /// What it counts.
    pub metrics: Arc<IngressMetrics>,
}

/// One delivery.
#[derive(Debug, Clone)]
pub struct DeliveryNode {
    /// Its id.
    pub id: DeliveryId,
    /// Its socket.
    pub socket: SocketNode,
    /// What stands behind it.
    pub outlet: Outlet,
    /// What "settled" rests on, where the application cannot acknowledge.
    pub promise: Option<&'static str>,
}

/// One socket.
#[derive(Debug, Clone)]
pub struct SocketNode {
    /// Its name in the stream.
    pub name: String,
    /// What the sidecar opened.
    pub socket: &'static str,
    /// What is spoken on a ROUTER.
    pub protocol: Option<&'static str>,
    /// Where it is bound, or what it connects to, separated by commas.
    pub endpoint: String,
    /// Whether it connects.
    pub connects: bool,
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
            connects: self.connects,
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
            syncs: self.commits.syncs(),
            synced_records: self.commits.records(),
            streams: self.streams.iter().map(StreamNode::status).collect(),
            removed: self.removed.clone(),
            config: self.config().clone(),
        }
    }

    /// The file that it runs by.
    pub fn config(&self) -> MutexGuard<'_, ConfigStatus> {
        lock(&self.config)
    }

    /// Metrics in Prometheus' text form, with the gauges as they are now.
    ///
    /// # Errors
    /// Of the encoder.
    pub fn render_metrics(&self) -> prometheus::Result<String> {
        let status = self.status();
        let gauges = self.metrics.gauges();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
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

impl StreamNode {
    fn status(&self) -> StreamStatus {
        let marks = self.log.marks();
        let dead = self.dead_letters.log().marks();
        let removed = self.removed().clone();
        let kept = marks.log_start..marks.published_end;
        let (ingress, deliveries) = (self.ingress(), self.deliveries());
        let standings: Vec<Standing> =
            deliveries.iter().map(|delivery| delivery.outlet.standing()).collect();
        let named = standings.iter().map(|standing| standing.cursor.clone());
        let others = removed.iter().map(|delivery| delivery.held.cursor());
        let cursors: Vec<Cursor> = named.chain(others).collect();
        let depth = depth(&kept, &cursors);
        let lowest = cursors.iter().map(Cursor::position).min().unwrap_or(kept.start);
        let received = ingress.iter().map(|ingress| ingress.metrics.messages()).sum();
        let delivered = standings.iter().map(|standing| standing.delivered).sum();
        let [ingress_per_second, delivered_per_second] = self.rates_at([received, delivered]);
        StreamStatus {
            name: self.name.clone(),
            stream_id: self.id.to_string(),
            state: state(&marks),
            reason: marks.stopped.as_deref().map(str::to_owned),
            log_start: marks.log_start,
            durable_end: marks.published_end,
            depth,
            in_flight: standings.iter().map(|standing| standing.in_flight).sum(),
            oldest_time: (depth > 0).then(|| self.time_of(lowest)).flatten(),
            dead_letters: self.dead_letters.count(),
            disk_bytes: marks.disk_bytes + dead.disk_bytes,
            max_bytes: self.max_bytes.load(Ordering::Relaxed),
            ingress_per_second,
            delivered_per_second,
            ingress: ingress.iter().map(IngressNode::status).collect(),
            deliveries: delivery_statuses(&kept, &deliveries, standings, &removed),
        }
    }

    /// Seqs of the records that are kept.
    pub fn kept(&self) -> Range<u64> {
        let marks = self.log.marks();
        marks.log_start..marks.published_end
    }

    /// What each delivery has settled, those that the file does not name any more included.
    pub fn cursors(&self) -> Vec<Cursor> {
        let deliveries = self.deliveries();
        let named = deliveries.iter().map(|delivery| delivery.outlet.standing().cursor);
        named.chain(self.removed().iter().map(|removed| removed.held.cursor())).collect()
    }

    /// Everything below is settled by every delivery.
    pub fn lowest_cursor(&self) -> u64 {
        let lowest = self.cursors().iter().map(Cursor::position).min();
        lowest.unwrap_or_else(|| self.kept().start)
    }

    /// Settles records for the deliveries that the file does not name any more.
    pub fn settle_removed(&self, journal: &JournalQueue, seqs: &[Range<u64>]) {
        for RemovedDelivery { id, held, .. } in self.removed().iter_mut() {
            let (stream, delivery) = (self.id, *id);
            let mut ops = Vec::new();
            for range in seqs {
                match held {
                    Held::Closed(outlet) => {
                        outlet.skip(range.clone());
                    }
                    Held::Journaled { cursor, .. } => {
                        cursor.settle(range.clone(), |range| {
                            ops.push(Op::Settled { stream, delivery, range });
                        });
                    }
                }
            }
            journal.submit(ops, Urgency::Lazy);
        }
    }

    /// The deliveries that the file does not name any more.
    pub fn removed(&self) -> MutexGuard<'_, Vec<RemovedDelivery>> {
        lock(&self.removed)
    }

    /// The sockets towards producers.
    pub fn ingress(&self) -> Vec<IngressNode> {
        lock(&self.ingress).clone()
    }

    /// The deliveries that the file names.
    pub fn deliveries(&self) -> Vec<DeliveryNode> {
        lock(&self.deliveries).clone()
    }

    fn rates_at(&self, counts: [u64; 2]) -> [f64; 2] {
        let mut rates = lock(&self.rates);
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

fn delivery_statuses(
    kept: &Range<u64>,
    deliveries: &[DeliveryNode],
    standings: Vec<Standing>,
    removed: &[RemovedDelivery],
) -> Vec<DeliveryStatus> {
    let named = deliveries.iter().zip(standings).map(|(delivery, standing)| DeliveryStatus {
        delivery: delivery.socket.name.clone(),
        socket: Some(delivery.socket.status()),
        cursor: standing.cursor.position(),
        delivered_end: standing.delivered_end,
        depth: standing.cursor.unsettled_within(kept),
        in_flight: standing.in_flight,
        promise: delivery.promise.map(str::to_owned),
    });
    let removed = removed.iter().map(|RemovedDelivery { name, held, .. }| {
        let cursor = held.cursor();
        DeliveryStatus {
            delivery: name.clone(),
            socket: None,
            cursor: cursor.position(),
            delivered_end: cursor.position(),
            depth: cursor.unsettled_within(kept),
            in_flight: 0,
            promise: None,
        }
    });
    named.chain(removed).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
