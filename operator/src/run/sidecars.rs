//! What the sidecars say of themselves: every pod is asked again and again, and a queue is
//! reconciled when an answer changes what it may be decided by.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use rand::Rng;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::facts::{Facts, Totals};
use crate::names;
use crate::run::cache::{Cache, Concerned, owner};
use crate::run::fetch;
use crate::run::lock::Locked;
use crate::run::metrics::Metrics;

/// Between two reads of a pod.
const USUAL: Duration = Duration::from_secs(5);
/// Between two reads of a pod that has not answered yet, or on whose answer a drain waits.
const HURRY: Duration = Duration::from_secs(1);
/// Between two looks for pods that are due.
const TICK: Duration = Duration::from_millis(200);
/// Reads at one time.
const READS: usize = 32;

/// The answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sidecars {
    pods: Arc<Locked<HashMap<String, Entry>>>,
    reads: Arc<Semaphore>,
    changed: UnboundedSender<Concerned>,
    metrics: Metrics,
}

/// One pod, by its uid.
struct Entry {
    facts: Option<(Facts, Timestamp)>,
    due: Instant,
    reading: bool,
    hurry: bool,
}

impl Sidecars {
    /// Nothing is known yet. Queues whose facts change are sent to `changed`.
    pub(crate) fn new(changed: UnboundedSender<Concerned>, metrics: Metrics) -> Self {
        let reads = Arc::new(Semaphore::new(READS));
        Self { pods: Arc::default(), reads, changed, metrics }
    }

    /// What the sidecar of the pod with this uid last said, and when.
    pub(crate) fn facts(&self, uid: &str) -> Option<(Facts, Timestamp)> {
        self.pods.lock().get(uid)?.facts.clone()
    }

    /// Whether the pod with this uid is to be asked more often: something waits for its answer.
    pub(crate) fn hurry(&self, uid: &str, hurry: bool) {
        let mut pods = self.pods.lock();
        let Some(entry) = pods.get_mut(uid) else { return };
        if hurry && !entry.hurry {
            entry.due = Instant::now();
        }
        entry.hurry = hurry;
    }

    /// Asks the pods of `cache`, for ever.
    pub(crate) async fn follow(&self, cache: Cache) {
        loop {
            sleep(TICK).await;
            if cache.is_filled() {
                for target in self.due(&cache) {
                    let sidecars = self.clone();
                    tokio::spawn(async move { sidecars.read(target).await });
                }
            }
        }
    }

    /// The pods that are due, marked as being read. Forgets those that are gone.
    fn due(&self, cache: &Cache) -> Vec<Target> {
        let now = Instant::now();
        let there = cache.pods.state();
        let uids: HashSet<_> = there.iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
        let targets: Vec<_> = there.iter().filter_map(|pod| Target::of(pod)).collect();
        let mut pods = self.pods.lock();
        pods.retain(|uid, _| uids.contains(uid.as_str()));
        let due = |target: &Target| {
            let entry = pods.entry(target.uid.clone()).or_insert_with(|| Entry::new(now));
            let due = entry.due <= now && !entry.reading;
            entry.reading |= due;
            due
        };
        targets.into_iter().filter(due).collect()
    }

    async fn read(&self, target: Target) {
        // Never closed.
        let _permit = self.reads.acquire().await;
        let result = fetch::facts(target.address, names::ADMIN_PORT).await;
        let mut pods = self.pods.lock();
        let Some(entry) = pods.get_mut(&target.uid) else { return };
        entry.reading = false;
        let urgent = entry.hurry || (entry.facts.is_none() && result.is_err());
        entry.due = Instant::now() + if urgent { HURRY } else { jittered(USUAL) };
        match result {
            Ok(facts) => {
                self.metrics.sidecar_read("ok");
                let changed = entry.facts.as_ref().is_none_or(|(before, _)| matter(before, &facts));
                // A verdict that needs two reads needs a reconcile after each.
                let changed = changed || entry.hurry;
                entry.facts = Some((facts, Timestamp::now()));
                if changed {
                    // Nobody listens any more when the operator ends.
                    let _ = self.changed.unbounded_send(target.queue);
                }
            }
            Err(error) => {
                self.metrics.sidecar_read("failed");
                tracing::debug!(%error, pod = target.name, "cannot read the sidecar's status");
            }
        }
    }
}

impl Entry {
    /// A pod that was not seen before: read soon, but not all of a restarted operator at once.
    fn new(now: Instant) -> Self {
        let due = now + jittered(HURRY) - HURRY / 2;
        Self { facts: None, due, reading: false, hurry: false }
    }
}

/// A pod that can be asked.
struct Target {
    uid: String,
    name: String,
    address: IpAddr,
    queue: Concerned,
}

impl Target {
    fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        Some(Self {
            uid: pod.uid()?,
            name: pod.name_any(),
            address: status.pod_ip.as_ref()?.parse().ok()?,
            queue: owner(pod)?,
        })
    }
}

/// Between half and the whole of it.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// Whether the difference may change a decision. Figures alone do not: whoever shows them looks
/// again by himself; but whether there is anything at all does.
fn matter(before: &Facts, after: &Facts) -> bool {
    essence(before) != essence(after)
}

/// The facts without their figures.
fn essence(facts: &Facts) -> Facts {
    let some = |count: u64| count.min(1);
    let mut essence = facts.clone();
    essence.totals = Totals {
        depth: some(facts.totals.depth),
        in_flight: some(facts.totals.in_flight),
        dead_letters: some(facts.totals.dead_letters),
        ..Totals::default()
    };
    for delivery in essence.streams.iter_mut().flat_map(|stream| &mut stream.deliveries) {
        delivery.depth = some(delivery.depth);
    }
    if let Some(volume) = &mut essence.volume {
        // In steps that are finer than any threshold of a condition.
        volume.used_bytes = volume.used_bytes.saturating_mul(50) / volume.total_bytes.max(1);
    }
    essence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Delivery, State, Stream, Volume};

    #[test]
    fn figures_alone_do_not_matter_but_whether_there_is_anything_does() {
        let mut before = Facts { boot_id: "b".to_owned(), ..Facts::default() };
        before.totals.depth = 5;
        let delivery = Delivery { delivery: "out".to_owned(), depth: 5, ..Delivery::default() };
        before.streams = vec![Stream { deliveries: vec![delivery], ..Stream::default() }];
        before.volume = Some(Volume { total_bytes: 1_000_000, used_bytes: 500_000 });
        let mut after = before.clone();
        after.totals.depth = 7;
        after.streams[0].deliveries[0].depth = 7;
        after.totals.ingress_per_second = 3.0;
        after.volume = Some(Volume { total_bytes: 1_000_000, used_bytes: 500_100 });
        assert!(!matter(&before, &after));
        let mut served = after.clone();
        served.streams[0].deliveries[0].depth = 0;
        assert!(matter(&before, &served), "nothing is left in one delivery");
        after.totals.depth = 0;
        assert!(matter(&before, &after), "empty now");
        let full = Some(Volume { total_bytes: 1_000_000, used_bytes: 900_000 });
        assert!(matter(&before, &Facts { volume: full, ..before.clone() }), "fuller");
        assert!(matter(&before, &Facts { state: State::Draining, ..before.clone() }));
        assert!(matter(&before, &Facts { drained: Some(true), ..before.clone() }));
    }
}
