//! A namespace where messages are counted: producers that want receipts, a queue, its workers, and a
//! collector that notes what each worker got before that acknowledges it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::cluster::{Cluster, within};
use super::table::Counts;
use crate::error::{Error, Result};
use crate::images::APP;

/// Messages a second of each producer.
const RATE: u32 = 100;

/// What a producer says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) sent: u64,
    pub(super) receipted: u64,
    /// When the last receipt came, in seconds since 1970.
    pub(super) last: f64,
    /// The longest time between two receipts, in seconds.
    pub(super) longest_gap: f64,
    pub(super) done: bool,
}

/// What the collector has of a producer.
#[derive(Debug, Default, Deserialize)]
struct Got {
    deliveries: u64,
    ranges: Vec<(u64, u64)>,
}

impl Got {
    fn unique(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Of the messages below `end`, how many are missing.
    fn missing_below(&self, end: u64) -> u64 {
        let below = |(first, last): &(u64, u64)| (last + 1).min(end).saturating_sub(*first);
        end - self.ranges.iter().map(below).sum::<u64>()
    }
}

/// The namespace.
pub(super) struct Shop<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) namespace: String,
    producers: Vec<String>,
}

impl<'a> Shop<'a> {
    /// Opens it, under the strictest Pod Security, with a queue that is ready and one producer.
    pub(super) async fn open(cluster: &'a mut Cluster, namespace: &str) -> Result<Self> {
        cluster.kubectl(&format!("create namespace {namespace}")).await?;
        let level = "pod-security.kubernetes.io/enforce=restricted";
        cluster.kubectl(&format!("label namespace {namespace} {level}")).await?;
        let mut it = Self { cluster, namespace: namespace.to_owned(), producers: Vec::new() };
        it.apply(&counted_pod("collector", namespace, "[python3, -u, /app/collector.py]")).await?;
        it.apply(COLLECTOR_SERVICE).await?;
        it.apply(&queue(1, "")).await?;
        it.until_ready(60).await?;
        it.producer("inside", namespace).await?;
        Ok(it)
    }

    /// A producer in a namespace, which may be another.
    pub(super) async fn producer(&mut self, name: &str, namespace: &str) -> Result<()> {
        let queue = format!("tcp://orders.{}.svc.cluster.local:5556", self.namespace);
        let command = format!(r#"[python3, -u, /app/producer.py, {name}, "{queue}", "{RATE}"]"#);
        self.cluster.apply(namespace, &counted_pod(name, namespace, &command)).await?;
        self.producers.push(format!("-n {namespace} {name}"));
        self.until_receipts(20).await
    }

    pub(super) async fn apply(&self, manifest: &str) -> Result<()> {
        self.cluster.apply(&self.namespace, manifest).await
    }

    pub(super) async fn kubectl(&self, arguments: &str) -> Result<String> {
        self.cluster.kubectl(&format!("-n {} {arguments}", self.namespace)).await
    }

    pub(super) async fn get(&self, arguments: &str) -> Result<Value> {
        self.cluster.get(&format!("-n {} {arguments}", self.namespace)).await
    }

    pub(super) async fn until_ready(&self, seconds: u64) -> Result<()> {
        let wait = format!("wait pq/orders --for=condition=Ready --timeout={seconds}s");
        self.kubectl(&wait).await.map(|_| ())
    }

    /// Waits for so many more receipts of each producer.
    pub(super) async fn until_receipts(&self, more: u64) -> Result<()> {
        let mut ends = Vec::new();
        for producer in &self.producers {
            // It may only be starting.
            let now = self.report(producer).await.unwrap_or_default();
            ends.push(now.receipted + more);
        }
        for (producer, end) in self.producers.iter().zip(ends) {
            within(90, &format!("receipts of {producer}"), async || {
                Ok((self.report(producer).await?.receipted >= end).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// What the first producer says of itself.
    pub(super) async fn first_report(&self) -> Result<Report> {
        self.report(self.producers.first().map_or("", String::as_str)).await
    }

    async fn report(&self, producer: &str) -> Result<Report> {
        let text = self.cluster.kubectl(&format!("exec {producer} -- cat /state/report")).await?;
        serde_json::from_str(&text).map_err(|error| Error::Broken(format!("{producer}: {error}")))
    }

    /// Stops the producers, waits until workers got all that was receipted, and counts.
    ///
    /// # Errors
    /// `Broken`: a message that was receipted did not arrive.
    pub(super) async fn close(self) -> Result<Counts> {
        let mut counts = Counts::default();
        for producer in &self.producers {
            self.cluster.kubectl(&format!("exec {producer} -- touch /state/stop")).await?;
            let report = within(30, &format!("the end of {producer}"), async || {
                Ok(Some(self.report(producer).await?).filter(|report| report.done))
            })
            .await?;
            let name = producer.rsplit(' ').next().unwrap_or_default();
            let all = within(120, &format!("all of {producer}"), async || {
                let got = self.collected().await?.remove(name).unwrap_or_default();
                Ok((got.missing_below(report.receipted) == 0).then_some(()))
            })
            .await;
            let got = self.collected().await?.remove(name).unwrap_or_default();
            counts.sent += report.sent;
            counts.receipted += report.receipted;
            counts.delivered += got.unique();
            counts.duplicates += got.deliveries - got.unique();
            counts.lost += got.missing_below(report.receipted);
            counts.longest_gap = counts.longest_gap.max(report.longest_gap);
            if counts.lost > 0 {
                all?;
            }
        }
        self.kubectl("delete pq/orders --wait=false").await?;
        let namespace = &self.namespace;
        self.cluster.kubectl(&format!("delete namespace {namespace} --wait=false")).await?;
        Ok(counts)
    }

    async fn collected(&self) -> Result<BTreeMap<String, Got>> {
        let text = self.kubectl("exec collector -- python3 /app/ask.py").await?;
        serde_json::from_str(&text).map_err(|error| Error::Broken(format!("collector: {error}")))
    }
}

/// The queue, with so many replicas, and this in its container beside the rest.
pub(super) fn queue(replicas: u32, more_env: &str) -> String {
    format!(
        r#"
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {{name: orders}}
spec:
  replicas: {replicas}
  storage: {{size: 64Mi}}
  streams:
    - name: work
      ingress: [{{name: in, socket: ROUTER, protocol: Receipt, bind: "tcp://*:5556"}}]
      deliveries: [{{name: workers, socket: ROUTER, protocol: Credit, ackTimeout: 10s}}]
  networkPolicy: {{from: [{{namespaceSelector: {{}}}}]}}
  template:
    spec:
      {SECURITY}
      containers:
        - name: app
          image: "{APP}"
          command: [python3, -u, /app/worker.py]
          env: [{{name: COLLECTOR, value: "tcp://collector:7000"}}{more_env}]
          securityContext: {CONTAINER_SECURITY}
"#
    )
}

const SECURITY: &str = "securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}";
const CONTAINER_SECURITY: &str = "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";

/// A pod that keeps its counts in a directory that outlives its container.
fn counted_pod(name: &str, namespace: &str, command: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 1
  {SECURITY}
  containers:
    - name: app
      image: "{APP}"
      command: {command}
      volumeMounts: [{{name: state, mountPath: /state}}]
      securityContext: {CONTAINER_SECURITY}
  volumes: [{{name: state, emptyDir: {{}}}}]
"#
    )
}

const COLLECTOR_SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: collector}
spec: {selector: {app: collector}, ports: [{port: 7000}]}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_counted() {
        let got = Got { deliveries: 9, ranges: vec![(0, 3), (6, 7)] };
        assert_eq!(got.unique(), 6);
        assert_eq!(got.missing_below(4), 0);
        assert_eq!(got.missing_below(6), 2);
        assert_eq!(got.missing_below(7), 2);
        assert_eq!(got.missing_below(10), 4);
    }
}
