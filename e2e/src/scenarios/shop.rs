//! A namespace where messages are counted: producers that want receipts, a queue, its workers, and a
//! collector that notes what each worker got before that acknowledges it.

mod manifests;
mod tally;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::{Cluster, within};
use super::table::Counts;
use crate::error::{Error, Result};
use manifests::{COLLECTOR_SERVICE, counted_pod};
use tally::{Got, Report};

pub(super) use manifests::{Queue, restricted_namespace};

/// Messages a second of each producer.
const RATE: u32 = 100;
/// How long receipts may stay away, in seconds: a kubelet lets what ends too often wait for over a
/// minute before it starts it again.
const RECEIPTS_WITHIN: u64 = 240;
/// The first producer.
const FIRST: &str = "inside";

/// A pod that sends.
#[derive(Debug)]
struct Producer {
    name: String,
    namespace: String,
}

/// One that has stopped, and its last word.
#[derive(Debug)]
pub(super) struct Stopped {
    name: String,
    report: Report,
}

/// The namespace.
pub(super) struct Shop<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) namespace: String,
    /// From the queue's file to a queue that is ready.
    pub(super) ready_after: Duration,
    producers: Vec<Producer>,
    counts: Counts,
}

impl<'a> Shop<'a> {
    /// Opens it, under the strictest Pod Security, with a queue that is ready and one producer.
    pub(super) async fn open(cluster: &'a mut Cluster, namespace: &str) -> Result<Self> {
        Self::open_with(cluster, namespace, Queue::default(), 0).await
    }

    /// The same with another queue, and messages of at least so many bytes.
    pub(super) async fn open_with(
        cluster: &'a mut Cluster,
        namespace: &str,
        queue: Queue<'_>,
        bytes: u32,
    ) -> Result<Self> {
        cluster.apply(namespace, &restricted_namespace(namespace)).await?;
        let mut it = Self {
            cluster,
            namespace: namespace.to_owned(),
            ready_after: Duration::ZERO,
            producers: Vec::new(),
            counts: Counts::default(),
        };
        let collector = counted_pod("collector", namespace, "[python3, -u, /app/collector.py]");
        it.cluster.apply(namespace, &collector).await?;
        it.cluster.apply(namespace, COLLECTOR_SERVICE).await?;
        let begun = Instant::now();
        it.apply(queue).await?;
        it.until_ready(60).await?;
        it.ready_after = begun.elapsed();
        it.start_producer(FIRST, namespace, "orders", bytes).await?;
        it.until_receipts(20).await?;
        Ok(it)
    }

    /// A producer in a namespace, which may be another, that takes whichever replica it gets.
    pub(super) async fn producer(&mut self, name: &str, namespace: &str) -> Result<()> {
        self.start_producer(name, namespace, "orders", 0).await?;
        self.until_receipts_of(name, 20).await
    }

    /// A producer that sends to this host of the shop's; nobody waits for it.
    pub(super) async fn start_producer(
        &mut self,
        name: &str,
        namespace: &str,
        host: &str,
        bytes: u32,
    ) -> Result<()> {
        let queue = format!("tcp://{host}.{}.svc.cluster.local:5556", self.namespace);
        let command =
            format!(r#"[python3, -u, /app/producer.py, {name}, "{queue}", "{RATE}", "{bytes}"]"#);
        self.cluster.apply(namespace, &counted_pod(name, namespace, &command)).await?;
        let producer = Producer { name: name.to_owned(), namespace: namespace.to_owned() };
        self.producers.push(producer);
        Ok(())
    }

    /// Has the queue be another.
    pub(super) async fn apply(&self, queue: Queue<'_>) -> Result<()> {
        self.cluster.apply(&self.namespace, &queue.manifest()).await
    }

    pub(super) async fn kubectl(&self, arguments: &str) -> Result<String> {
        self.cluster.kubectl(&format!("-n {} {arguments}", self.namespace)).await
    }

    pub(super) async fn get(&self, arguments: &str) -> Result<Value> {
        self.cluster.get(&format!("-n {} {arguments}", self.namespace)).await
    }

    /// The identity of an object.
    pub(super) async fn uid(&self, object: &str) -> Result<String> {
        let object = self.get(object).await?;
        Ok(object["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) async fn until_ready(&self, seconds: u64) -> Result<()> {
        let wait = format!("wait pq/orders --for=condition=Ready --timeout={seconds}s");
        self.kubectl(&wait).await.map(|_| ())
    }

    /// Waits until a condition of the queue is so, for this reason; answers its message.
    pub(super) async fn until_says(
        &self,
        condition: &str,
        status: &str,
        reason: &str,
        seconds: u64,
    ) -> Result<String> {
        let what = format!("{condition}={status}, {reason}");
        within(seconds, &what, async || {
            let queue = self.get("pq orders").await?;
            let conditions = queue["status"]["conditions"].as_array();
            let said = conditions.into_iter().flatten().find(|it| it["type"] == condition);
            let said = said.unwrap_or(&Value::Null);
            let is = said["status"] == status && said["reason"] == reason;
            // What is told meanwhile says more than that the deadline has passed.
            let message = said["message"].as_str().unwrap_or_default();
            if is { Ok(Some(message.to_owned())) } else { Err(Error::Broken(said.to_string())) }
        })
        .await
    }

    /// Waits for so many more receipts of each producer.
    pub(super) async fn until_receipts(&self, more: u64) -> Result<()> {
        let mut ends = Vec::new();
        for producer in &self.producers {
            ends.push(self.receipts(producer).await + more);
        }
        for (producer, end) in self.producers.iter().zip(ends) {
            self.until_receipted(producer, end).await?;
        }
        Ok(())
    }

    /// The same of one.
    pub(super) async fn until_receipts_of(&self, name: &str, more: u64) -> Result<()> {
        let producer = self.named(name)?;
        let end = self.receipts(producer).await + more;
        self.until_receipted(producer, end).await
    }

    /// What the first producer says of itself.
    pub(super) async fn first_report(&self) -> Result<Report> {
        self.report_of(FIRST).await
    }

    /// What a producer says of itself.
    pub(super) async fn report_of(&self, name: &str) -> Result<Report> {
        self.report(self.named(name)?).await
    }

    fn named(&self, name: &str) -> Result<&Producer> {
        let found = self.producers.iter().find(|producer| producer.name == name);
        found.ok_or_else(|| Error::Broken(format!("there is no producer {name}")))
    }

    /// How many it has; none while it is only starting.
    async fn receipts(&self, producer: &Producer) -> u64 {
        self.report(producer).await.unwrap_or_default().receipted
    }

    async fn until_receipted(&self, producer: &Producer, end: u64) -> Result<()> {
        within(RECEIPTS_WITHIN, &format!("receipts of {}", producer.name), async || {
            Ok((self.report(producer).await?.receipted >= end).then_some(()))
        })
        .await
    }

    async fn report(&self, producer: &Producer) -> Result<Report> {
        let text = self.in_producer(producer, "cat /state/report").await?;
        let what = |error| Error::Broken(format!("{}: {error}", producer.name));
        serde_json::from_str(&text).map_err(what)
    }

    async fn in_producer(&self, producer: &Producer, command: &str) -> Result<String> {
        let Producer { name, namespace } = producer;
        self.cluster.kubectl(&format!("exec -n {namespace} {name} -- {command}")).await
    }

    /// Stops the producers, waits until workers got all that was receipted, and counts.
    ///
    /// # Errors
    /// `Deadline`: a message that was receipted did not arrive.
    pub(super) async fn settle(&mut self) -> Result<()> {
        while !self.producers.is_empty() {
            let stopped = self.stop_first().await?;
            self.until_arrived(&stopped, 180).await?;
            self.counts = self.counts + self.tally(&stopped).await?;
        }
        Ok(())
    }

    /// Stops the first producer. What it has sent is not counted with the rest.
    pub(super) async fn stop_first(&mut self) -> Result<Stopped> {
        let producer = self.producers.remove(0);
        self.in_producer(&producer, "touch /state/stop").await?;
        let report = within(30, &format!("the end of {}", producer.name), async || {
            Ok(Some(self.report(&producer).await?).filter(|report| report.done))
        })
        .await?;
        Ok(Stopped { name: producer.name, report })
    }

    /// Waits until workers got all that this one has receipts for.
    ///
    /// # Errors
    /// `Deadline`: a message did not arrive.
    pub(super) async fn until_arrived(&self, stopped: &Stopped, seconds: u64) -> Result<()> {
        within(seconds, &format!("all of {}", stopped.name), async || {
            let Counts { lost, receipted, .. } = self.tally(stopped).await?;
            let missing = || Error::Broken(format!("{lost} of {receipted} are missing"));
            if lost == 0 { Ok(Some(())) } else { Err(missing()) }
        })
        .await
    }

    /// What is so of its messages by now.
    pub(super) async fn tally(&self, stopped: &Stopped) -> Result<Counts> {
        let got = self.collected().await?.remove(&stopped.name).unwrap_or_default();
        Ok(got.compared(&stopped.report))
    }

    /// [`Self::settle`], and all of it goes.
    ///
    /// # Errors
    /// The same.
    pub(super) async fn close(mut self) -> Result<Counts> {
        self.settle().await?;
        self.kubectl("delete pq/orders --wait=false").await?;
        let namespace = &self.namespace;
        self.cluster.kubectl(&format!("delete namespace {namespace} --wait=false")).await?;
        Ok(self.counts)
    }

    async fn collected(&self) -> Result<BTreeMap<String, Got>> {
        let text = self.kubectl("exec collector -- python3 /app/ask.py").await?;
        serde_json::from_str(&text).map_err(|error| Error::Broken(format!("collector: {error}")))
    }
}
