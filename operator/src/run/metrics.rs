//! Every metric of the operator: its name, help and labels stand here and nowhere else.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// Bounds of reconciles' durations, in seconds.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// All metrics and their registry. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    reconcile_seconds: Histogram,
    /// Queues that exist.
    pub(crate) queues: IntGauge,
    /// 1 while this operator is the one that works.
    pub(crate) leader: IntGauge,
    api_requests: IntCounterVec,
    writes: IntCounterVec,
    sidecar_reads: IntCounterVec,
    watch_failures: IntCounterVec,
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// A name that is not valid or used twice: a mistake in this file, found by its test.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let seconds = HistogramOpts::new(
            "lifeboat_operator_reconcile_duration_seconds",
            "How long reconciles took",
        );
        let reconcile_seconds = Histogram::with_opts(seconds.buckets(SECONDS.to_vec()))?;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            register(&registry, counters)
        };
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help)?);
        Ok(Self {
            reconciles: counters(
                "lifeboat_operator_reconciles_total",
                "Reconciles, by how they ended",
                &["result"],
            )?,
            reconcile_seconds: register(&registry, reconcile_seconds)?,
            queues: gauge("lifeboat_operator_queues", "PersistentQueues that are looked after")?,
            leader: gauge("lifeboat_operator_leader", "1 while this operator holds the lease")?,
            api_requests: counters(
                "lifeboat_operator_api_requests_total",
                "Requests to the API server, by method and by the answer's code",
                &["method", "code"],
            )?,
            writes: counters(
                "lifeboat_operator_writes_total",
                "Objects written, by kind and by how",
                &["kind", "verb"],
            )?,
            sidecar_reads: counters(
                "lifeboat_operator_sidecar_reads_total",
                "Status reads of sidecars, by how they ended",
                &["result"],
            )?,
            watch_failures: counters(
                "lifeboat_operator_watch_failures_total",
                "Watches that broke, by kind; each is started again",
                &["kind"],
            )?,
            registry,
        })
    }

    /// A reconcile ended.
    pub(crate) fn reconciled(&self, result: &str, took: Duration) {
        self.reconciles.with_label_values(&[result]).inc();
        self.reconcile_seconds.observe(took.as_secs_f64());
    }

    /// The API server answered, or did not (`code` is then `none`).
    pub(crate) fn requested(&self, method: &str, code: &str) {
        self.api_requests.with_label_values(&[method, code]).inc();
    }

    /// An object was written.
    pub(crate) fn wrote(&self, kind: &str, verb: &str) {
        self.writes.with_label_values(&[kind, verb]).inc();
    }

    /// A sidecar was asked.
    pub(crate) fn sidecar_read(&self, result: &str) {
        self.sidecar_reads.with_label_values(&[result]).inc();
    }

    /// A watch broke.
    pub(crate) fn watch_failed(&self, kind: &str) {
        self.watch_failures.with_label_values(&[kind]).inc();
    }

    /// Prometheus' text exposition format.
    ///
    /// # Errors
    /// Of the encoder.
    pub(crate) fn render(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_valid_and_rendered_with_its_unit() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled("ok", Duration::from_millis(3));
        metrics.requested("GET", "200");
        metrics.wrote("StatefulSet", "apply");
        metrics.sidecar_read("ok");
        metrics.watch_failed("Pod");
        let text = metrics.render().unwrap();
        assert!(text.contains("lifeboat_operator_reconcile_duration_seconds_count 1"), "{text}");
        assert!(text.contains("lifeboat_operator_reconciles_total{result=\"ok\"} 1"), "{text}");
        assert!(text.contains("lifeboat_operator_leader 0"), "{text}");
    }
}
