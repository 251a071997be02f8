//! Every metric of the sidecar: its name, help and labels stand here and nowhere else.
//!
//! Counters are counted where things happen, through handles resolved once for each socket.
//! Gauges are not kept: [`crate::admin`] sets them from the status when it is scraped.

mod gauges;
mod observer;

use std::sync::Arc;

use lifeboat_zmtp::Observer;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

pub use self::gauges::Gauges;
use self::observer::SocketObserver;
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
    duplicates: IntCounterVec,
    delivered: IntCounterVec,
    redelivered: IntCounterVec,
    suspected: IntCounterVec,
    settled: IntCounterVec,
    replies: IntCounterVec,
    lost: IntCounterVec,
    ignored_verdicts: IntCounterVec,
    dead_letters: IntCounterVec,
    connections: IntGaugeVec,
    connections_ended: IntCounterVec,
    accept_failures: IntCounterVec,
    connect_failures: IntCounterVec,
    gauges: Gauges,
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
            duplicates: build.counters(
                "lifeboat_duplicates_total",
                "Messages not stored again, for one with their id and content was stored before",
                SOCKET,
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
            connections: build.gauges("lifeboat_connections", "Open connections", SOCKET)?,
            connections_ended: build.counters(
                "lifeboat_connections_ended_total",
                "Connections that ended or were refused, by reason",
                &with("reason"),
            )?,
            connect_failures: build.counters(
                "lifeboat_connect_failures_total",
                "Tries to connect that came to no connection, by reason",
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
            duplicates: self.duplicates.with_label_values(&labels),
        }
    }

    /// Handles for one delivery.
    pub fn delivery(&self, stream: &str, socket: &str) -> DeliveryMetrics {
        let labels = [stream, socket];
        let ignored = |kind| self.ignored_verdicts.with_label_values(&[stream, socket, kind]);
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
            connect_failures: self.connect_failures.clone(),
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
    duplicates: IntCounter,
}

impl IngressMetrics {
    /// A message came again and was not stored again.
    pub fn duplicate(&self) {
        self.duplicates.inc();
    }

    /// Messages that came again so far.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.get()
    }

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
