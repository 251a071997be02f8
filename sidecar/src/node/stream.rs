//! One stream of a running queue: its logs, its sockets, and the deliveries that have none now.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::state::Attempt;
use lifeboat_log::{
    Accepted, DeliveryId, JournalQueue, LogHandle, Marks, Op, Read, StreamId, Urgency,
};

use super::totals::is_drained;
use crate::dead_letter::Shelf;
use crate::dedup::Dedup;
use crate::delivery::cursor::Cursor;
use crate::depth::depth;
use crate::egress::{Outlet, Standing};
use crate::metrics::IngressMetrics;
use crate::rates::Rate;
use crate::status::{
    DedupStatus, DeliveryStatus, IngressStatus, SocketStatus, StreamState, StreamStatus,
};

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
    /// The ids of its messages, if it knows repeats.
    pub dedup: Option<Arc<Dedup>>,
    /// Copies of those ids.
    pub kept_ids: Option<Arc<LogHandle>>,
    /// Bytes that it may take.
    pub max_bytes: AtomicU64,
    /// Whether records stay when they are settled, until a limit takes them.
    pub replays: bool,
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
        /// What damage took before it was settled.
        lost: RangeSet,
    },
    /// Its socket was closed while the sidecar ran.
    Closed(Outlet),
}

impl RemovedDelivery {
    /// What the delivery has settled, of the records of `log`. What damage took counts, and is on
    /// record as its loss only when the file names it again.
    pub fn cursor(&self, log: &LogHandle) -> Cursor {
        match &self.held {
            Held::Journaled { cursor, .. } => cursor.with_settled(log.holes().all().iter()),
            Held::Closed(outlet) => outlet.standing().cursor,
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
    /// Whether it is served.
    pub open: bool,
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
            open: self.open,
            connections: u64::try_from(self.connections.get()).unwrap_or(0),
        }
    }
}

impl IngressNode {
    fn status(&self) -> IngressStatus {
        let (messages, duplicates) = (self.metrics.messages(), self.metrics.duplicates());
        IngressStatus { socket: self.socket.status(), messages, duplicates }
    }
}

impl StreamNode {
    pub(super) fn status(&self) -> StreamStatus {
        let marks = self.log.marks();
        let dead = self.dead_letters.log().marks();
        let ids = self.kept_ids.as_ref().map(|ids| ids.marks());
        let removed = self.removed().clone();
        let kept = marks.log_start..marks.published_end;
        let (ingress, deliveries) = (self.ingress(), self.deliveries());
        let standings: Vec<Standing> =
            deliveries.iter().map(|delivery| delivery.outlet.standing()).collect();
        let named = standings.iter().map(|standing| standing.cursor.clone());
        let others = removed.iter().map(|delivery| delivery.cursor(&self.log));
        let cursors: Vec<Cursor> = named.chain(others).collect();
        let depth = depth(&kept, &cursors);
        let lowest = cursors.iter().map(Cursor::position).min().unwrap_or(kept.start);
        let received = ingress.iter().map(|ingress| ingress.metrics.messages()).sum();
        let delivered = standings.iter().map(|standing| standing.delivered).sum();
        let [ingress_per_second, delivered_per_second] = self.rates_at([received, delivered]);
        let mut status = StreamStatus {
            name: self.name.clone(),
            stream_id: self.id.to_string(),
            state: state(&marks),
            drained: false,
            reason: marks.stopped.as_deref().map(str::to_owned),
            damage: marks
                .damage
                .or(dead.damage)
                .or(ids.and_then(|ids| ids.damage))
                .as_deref()
                .map(str::to_owned),
            lost: self.log.holes().gaps.len() + self.dead_letters.log().holes().gaps.len(),
            log_start: marks.log_start,
            published_end: marks.published_end,
            durable_end: marks.durable_end.min(marks.published_end),
            depth,
            in_flight: standings.iter().map(|standing| standing.in_flight).sum(),
            oldest_time: (depth > 0).then(|| self.time_of(lowest)).flatten(),
            dead_letters: self.dead_letters.count(),
            disk_bytes: marks.disk_bytes + dead.disk_bytes,
            max_bytes: self.max_bytes.load(Ordering::Relaxed),
            ingress_per_second,
            delivered_per_second,
            dedup: self.dedup.as_deref().map(dedup_status),
            ingress: ingress.iter().map(IngressNode::status).collect(),
            deliveries: self.delivery_statuses(&deliveries, standings, &removed),
        };
        status.drained = is_drained(&status) && !self.holds_unstored();
        status
    }

    fn delivery_statuses(
        &self,
        deliveries: &[DeliveryNode],
        standings: Vec<Standing>,
        removed: &[RemovedDelivery],
    ) -> Vec<DeliveryStatus> {
        let kept = &self.kept();
        let named = deliveries.iter().zip(standings).map(|(delivery, standing)| DeliveryStatus {
            delivery: delivery.socket.name.clone(),
            socket: Some(delivery.socket.status()),
            cursor: standing.cursor.position(),
            delivered_end: standing.delivered_end,
            depth: standing.cursor.unsettled_within(kept),
            in_flight: standing.in_flight,
            redelivered: standing.redelivered,
            expired: standing.expired,
            dropped: standing.dropped,
            lost: standing.lost,
            promise: delivery.promise.map(str::to_owned),
        });
        let removed = removed.iter().map(|removed| {
            let cursor = removed.cursor(&self.log);
            DeliveryStatus {
                delivery: removed.name.clone(),
                socket: None,
                cursor: cursor.position(),
                delivered_end: cursor.position(),
                depth: cursor.unsettled_within(kept),
                in_flight: 0,
                redelivered: 0,
                expired: 0,
                dropped: 0,
                lost: 0,
                promise: None,
            }
        });
        named.chain(removed).collect()
    }

    /// Seqs of the records that are kept.
    pub fn kept(&self) -> Range<u64> {
        let marks = self.log.marks();
        marks.log_start..marks.published_end
    }

    /// Whether it keeps anything to be read again.
    pub(super) fn retains_history(&self) -> bool {
        self.replays && !self.kept().is_empty()
    }

    /// What each delivery has settled, those that the file does not name any more included.
    pub fn cursors(&self) -> Vec<Cursor> {
        let deliveries = self.deliveries();
        let named = deliveries.iter().map(|delivery| delivery.outlet.standing().cursor);
        named.chain(self.removed().iter().map(|removed| removed.cursor(&self.log))).collect()
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

    /// Has the deliveries get over what damage took.
    pub fn step_over_holes(&self) {
        for delivery in self.deliveries() {
            delivery.outlet.step_over(&self.log);
        }
        for removed in self.removed().clone() {
            if let Held::Closed(outlet) = removed.held {
                outlet.step_over(&self.log);
            }
        }
    }

    /// Lets it go on behind what is known to be damaged in it, in its dead letters and in the copies
    /// of its ids. Of the latter no message is lost, but some may be stored twice.
    ///
    /// # Errors
    /// Why it stays stopped, in words.
    pub async fn accept_gap(&self) -> Result<Accepted, String> {
        let mut price = Accepted::default();
        for log in [&self.log, self.dead_letters.log()].into_iter().chain(&self.kept_ids) {
            if log.marks().damage.is_some() {
                let one = log.accept_gap().wait().await.map_err(|_| {
                    log.marks().stopped.as_deref().unwrap_or("the sidecar is stopping").to_owned()
                })?;
                let ids = self.kept_ids.as_ref().is_some_and(|ids| Arc::ptr_eq(ids, log));
                price += if ids { one.without_records() } else { one };
            }
        }
        Ok(price)
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

fn dedup_status(dedup: &Dedup) -> DedupStatus {
    DedupStatus { ids: dedup.ids(), ready: dedup.is_ready(), set_aside: dedup.set_aside() }
}

fn state(marks: &Marks) -> StreamState {
    match marks {
        Marks { stopped: Some(_), .. } => StreamState::Stopped,
        Marks { full: true, .. } => StreamState::Full,
        _ => StreamState::Open,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
