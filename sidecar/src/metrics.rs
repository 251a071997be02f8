//! Every metric of the sidecar: its name, help and labels stand here and nowhere else.
//!
//! Counters are counted where things happen, through handles resolved once for each socket.
//! Gauges are not kept: [`crate::admin`] sets them from the status when it is scraped.

use std::io;
use std::sync::Arc;

use lifeboat_zmtp::{CloseReason, Observer, Peer};
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::wire::receipt::Receipt;

/// Labels of what belongs to one socket.
const SOCKET: &[&str] = &["stream", "socket"];

/// All metrics and their registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    received_messages: IntCounterVec,
    received_bytes: IntCounterVec,
    receipts: IntCounterVec,
    delivered: IntCounterVec,
    redelivered: IntCounterVec,
    suspected: IntCounterVec,
    settled: IntCounterVec,
    replies: IntCounterVec,
    lost: IntCounterVec,
    ignored_verdicts: IntCounterVec,
    dead_letters: IntCounterVec,
    overtaken: IntCounterVec,
    connections: IntGaugeVec,
    connections_ended: IntCounterVec,
    accept_failures: IntCounterVec,
    gauges: Gauges,
}

/// Set from the status at each scrape.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Records unsettled by at least one delivery.
    pub depth: IntGaugeVec,
    /// Records that an application has and has not settled.
    pub in_flight: IntGaugeVec,
    /// Records parked.
    pub dead_letter_records: IntGaugeVec,
    /// Unix time of the oldest unsettled record.
    pub oldest_seconds: IntGaugeVec,
    /// Bytes of segment files.
    pub disk_bytes: IntGaugeVec,
    /// 1 when the stream is stopped by damage.
    pub stopped: IntGaugeVec,
    /// 1 when damage was found and is not mended.
    pub damaged: IntGaugeVec,
    /// Records lost to damage.
    pub lost: IntGaugeVec,
    /// 1 when records wait for disk space.
    pub full: IntGaugeVec,
    /// Records that count as stored and are not synced.
    pub unsynced: IntGaugeVec,
    /// Bytes read in search of damage.
    pub scrubbed_bytes: IntGauge,
    /// Syncs of the writer thread.
    pub syncs: IntGauge,
    /// Records covered by them.
    pub synced_records: IntGauge,
    /// 1 when the data directory outlives the machine's restart, as far as can be seen.
    pub durable_volume: IntGauge,
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// A name that is not valid or used twice: a mistake in this file, found by its test.
    #[expect(clippy::too_many_lines, reason = "a list, with an entry for each metric")]
    pub fn new() -> prometheus::Result<Self> {
        let build = Build(Registry::new());
        let with = |extra| [SOCKET, &[extra]].concat();
        Ok(Self {
            received_messages: build.counters(
                "lifeboat_ingress_messages_total",
                "Messages read from producers",
                SOCKET,
            )?,
            received_bytes: build.counters(
                "lifeboat_ingress_bytes_total",
                "Bytes of messages read from producers, frame headers included",
                SOCKET,
            )?,
            receipts: build.counters(
                "lifeboat_receipts_total",
                "Answers given to producers, by code",
                &with("code"),
            )?,
            delivered: build.counters(
                "lifeboat_delivered_records_total",
                "Records handed to applications, redeliveries included",
                SOCKET,
            )?,
            redelivered: build.counters(
                "lifeboat_redelivered_records_total",
                "Records handed to applications again",
                SOCKET,
            )?,
            suspected: build.counters(
                "lifeboat_suspect_records_total",
                "Records in flight on a connection that broke, to be delivered alone from then on",
                SOCKET,
            )?,
            settled: build.counters(
                "lifeboat_settled_records_total",
                "Records that a delivery is done with",
                SOCKET,
            )?,
            replies: build.counters(
                "lifeboat_replies_total",
                "Replies of REP applications; what they hold is dropped",
                SOCKET,
            )?,
            lost: build.counters(
                "lifeboat_lost_records_total",
                "Records that damage took before the delivery had settled them, earlier runs included",
                SOCKET,
            )?,
            ignored_verdicts: build.counters(
                "lifeboat_ignored_verdicts_total",
                "Verdicts of applications that had no effect, by kind",
                &with("kind"),
            )?,
            dead_letters: build.counters(
                "lifeboat_dead_letters_total",
                "Records parked as dead letters, by reason",
                &with("reason"),
            )?,
            overtaken: build.counters(
                "lifeboat_overtaken_records_total",
                "Records that retention took before the delivery had settled them, by reason",
                &with("reason"),
            )?,
            connections: build.gauges("lifeboat_connections", "Open connections", SOCKET)?,
            connections_ended: build.counters(
                "lifeboat_connections_ended_total",
                "Connections that ended or were refused, by reason",
                &with("reason"),
            )?,
            accept_failures: build.counters(
                "lifeboat_accept_failures_total",
                "Connections that could not be accepted",
                SOCKET,
            )?,
            gauges: Gauges::new(&build)?,
            registry: build.0,
        })
    }

    /// What a scrape sets.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Everything in Prometheus' text form.
    ///
    /// # Errors
    /// Of the encoder.
    pub fn render(&self) -> prometheus::Result<String> {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Handles for one ingress.
    pub fn ingress(&self, stream: &str, socket: &str) -> IngressMetrics {
        let labels = [stream, socket];
        IngressMetrics {
            messages: self.received_messages.with_label_values(&labels),
            bytes: self.received_bytes.with_label_values(&labels),
            receipts: Receipts::new(&self.receipts, labels),
        }
    }

    /// Handles for one delivery.
    pub fn delivery(&self, stream: &str, socket: &str) -> DeliveryMetrics {
        let labels = [stream, socket];
        let ignored = |kind| self.ignored_verdicts.with_label_values(&[stream, socket, kind]);
        let overtaken = |reason| self.overtaken.with_label_values(&[stream, socket, reason]);
        let parked = |reason| self.dead_letters.with_label_values(&[stream, socket, reason]);
        DeliveryMetrics {
            delivered: self.delivered.with_label_values(&labels),
            redelivered: self.redelivered.with_label_values(&labels),
            suspected: self.suspected.with_label_values(&labels),
            settled: self.settled.with_label_values(&labels),
            replies: self.replies.with_label_values(&labels),
            lost: self.lost.with_label_values(&labels),
            refused_verbs: ignored("malformed"),
            stale_verdicts: ignored("stale"),
            repeated_acks: ignored("repeated_ack"),
            refused_acks: ignored("unknown_record"),
            exhausted: parked("attempts"),
            rejected: parked("rejected"),
            expired: overtaken("expired"),
            dropped: overtaken("dropped"),
        }
    }

    /// Counts a socket's open connections.
    pub fn connections(&self, stream: &str, socket: &str) -> IntGauge {
        self.connections.with_label_values(&[stream, socket])
    }

    /// What a socket's listener reports to.
    pub fn observer(&self, stream: &str, socket: &str) -> Arc<dyn Observer> {
        let labels = [stream, socket];
        Arc::new(SocketObserver {
            labels: labels.map(str::to_owned),
            open: self.connections.with_label_values(&labels),
            ended: self.connections_ended.clone(),
            accept_failures: self.accept_failures.with_label_values(&labels),
        })
    }
}

impl Gauges {
    fn new(build: &Build) -> prometheus::Result<Self> {
        const STREAM: &[&str] = &["stream"];
        Ok(Self {
            depth: build.gauges(
                "lifeboat_stream_depth_records",
                "Records unsettled by at least one delivery",
                STREAM,
            )?,
            in_flight: build.gauges(
                "lifeboat_in_flight_records",
                "Records that an application has and has not settled",
                SOCKET,
            )?,
            dead_letter_records: build.gauges(
                "lifeboat_dead_letter_records",
                "Records parked",
                STREAM,
            )?,
            oldest_seconds: build.gauges(
                "lifeboat_oldest_record_timestamp_seconds",
                "Unix time of the oldest unsettled record, 0 without one",
                STREAM,
            )?,
            disk_bytes: build.gauges(
                "lifeboat_disk_bytes",
                "Bytes of the stream's segment files, dead letters included",
                STREAM,
            )?,
            stopped: build.gauges(
                "lifeboat_stream_stopped",
                "1 when the stream is stopped by damage",
                STREAM,
            )?,
            damaged: build.gauges(
                "lifeboat_stream_damaged",
                "1 when damage was found and is not mended",
                STREAM,
            )?,
            lost: build.gauges(
                "lifeboat_stream_lost_records",
                "Records and dead letters that damage took before every delivery had settled them",
                STREAM,
            )?,
            full: build.gauges(
                "lifeboat_stream_full",
                "1 when records wait for disk space",
                STREAM,
            )?,
            unsynced: build.gauges(
                "lifeboat_unsynced_records",
                "Records that were receipted or handed on and not synced yet: 0 with sync Always",
                STREAM,
            )?,
            scrubbed_bytes: build.gauge(
                "lifeboat_scrubbed_bytes_total",
                "Bytes of sealed segments read in search of damage",
            )?,
            syncs: build.gauge("lifeboat_syncs_total", "Group commits that synced records")?,
            synced_records: build
                .gauge("lifeboat_synced_records_total", "Records that they synced")?,
            durable_volume: build.gauge(
                "lifeboat_durable_volume",
                "0 when the data directory does not outlive the machine's restart",
            )?,
        })
    }
}

/// Makes metrics and registers them.
struct Build(Registry);

impl Build {
    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    fn register<C: Collector + Clone + 'static>(&self, metric: C) -> prometheus::Result<C> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// Counters of one ingress.
#[derive(Debug)]
pub struct IngressMetrics {
    messages: IntCounter,
    bytes: IntCounter,
    receipts: Receipts,
}

impl IngressMetrics {
    /// A run of messages came in.
    pub fn received(&self, messages: usize, bytes: usize) {
        self.messages.inc_by(messages as u64);
        self.bytes.inc_by(bytes as u64);
    }

    /// Messages that came in so far.
    pub fn messages(&self) -> u64 {
        self.messages.get()
    }

    /// A producer was answered.
    pub fn answered(&self, receipt: Receipt) {
        self.receipts.of(receipt).inc();
    }
}

/// Answers by code.
#[derive(Debug)]
struct Receipts {
    stored: IntCounter,
    malformed: IntCounter,
    conflict: IntCounter,
    too_large: IntCounter,
    unavailable: IntCounter,
}

impl Receipts {
    fn new(receipts: &IntCounterVec, [stream, socket]: [&str; 2]) -> Self {
        let code = |code| receipts.with_label_values(&[stream, socket, code]);
        Self {
            stored: code("200"),
            malformed: code("400"),
            conflict: code("409"),
            too_large: code("413"),
            unavailable: code("503"),
        }
    }

    fn of(&self, receipt: Receipt) -> &IntCounter {
        match receipt {
            Receipt::Stored(_) => &self.stored,
            Receipt::Malformed => &self.malformed,
            Receipt::Conflict => &self.conflict,
            Receipt::TooLarge => &self.too_large,
            Receipt::Unavailable => &self.unavailable,
        }
    }
}

/// Counters of one delivery.
#[derive(Debug)]
pub struct DeliveryMetrics {
    /// Records handed to applications.
    pub delivered: IntCounter,
    /// Of those, the ones that were handed out before.
    pub redelivered: IntCounter,
    /// Records that were in flight when a connection broke.
    pub suspected: IntCounter,
    /// Records that the delivery is done with.
    pub settled: IntCounter,
    /// Replies of REP applications.
    pub replies: IntCounter,
    /// Records that damage took before they were settled.
    pub lost: IntCounter,
    /// Verbs that were answered with ERR.
    pub refused_verbs: IntCounter,
    /// Verdicts on leases that had ended.
    pub stale_verdicts: IntCounter,
    /// ACKs of what was settled already.
    pub repeated_acks: IntCounter,
    /// ACKs of what the log does not hold.
    pub refused_acks: IntCounter,
    /// Dead letters after too many failures.
    pub exhausted: IntCounter,
    /// Dead letters by the application's word.
    pub rejected: IntCounter,
    /// Unsettled records that became too old.
    pub expired: IntCounter,
    /// Unsettled records that a limit of number or space took.
    pub dropped: IntCounter,
}

/// Counts a socket's connections.
#[derive(Debug)]
struct SocketObserver {
    labels: [String; 2],
    open: IntGauge,
    ended: IntCounterVec,
    accept_failures: IntCounter,
}

impl SocketObserver {
    fn count(&self, reason: CloseReason) {
        let [stream, socket] = &self.labels;
        self.ended.with_label_values(&[stream, socket, reason.label()]).inc();
    }
}

impl Observer for SocketObserver {
    fn connected(&self, peer: &Peer) {
        self.open.inc();
        tracing::debug!(stream = self.labels[0], socket = self.labels[1], %peer.address, "connected");
    }

    fn closed(&self, _peer: &Peer, reason: CloseReason) {
        self.open.dec();
        self.count(reason);
    }

    fn refused(&self, address: &str, reason: CloseReason) {
        self.count(reason);
        tracing::debug!(stream = self.labels[0], socket = self.labels[1], address, %reason, "refused");
    }

    fn accept_failed(&self, error: &io::Error) {
        self.accept_failures.inc();
        tracing::warn!(stream = self.labels[0], socket = self.labels[1], %error, "cannot accept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_and_shows_under_its_name() {
        let metrics = Metrics::new().unwrap();
        metrics.ingress("work", "in").received(3, 30);
        metrics.ingress("work", "in").answered(Receipt::Stored(1));
        metrics.delivery("work", "out").delivered.inc();
        metrics.gauges().depth.with_label_values(&["work"]).set(5);
        let text = metrics.render().unwrap();
        for line in [
            r#"lifeboat_ingress_messages_total{socket="in",stream="work"} 3"#,
            r#"lifeboat_receipts_total{code="200",socket="in",stream="work"} 1"#,
            r#"lifeboat_delivered_records_total{socket="out",stream="work"} 1"#,
            r#"lifeboat_stream_depth_records{stream="work"} 5"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
