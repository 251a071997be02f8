//! What is observed, as the flows ask for it: entries of the configuration, labels, facts that are
//! fresh. It must not decide anything.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::{Replica as Entry, resource};
use serde_json::Value;

use super::Plan;
use crate::facts::Facts;
use crate::labels;
use crate::names::CONFIG_KEY;
use crate::observed::{Observed, Replica};
use crate::queue::Queue;

/// Facts that are older say nothing about now.
pub(crate) const FRESH: Duration = Duration::from_secs(30);

/// One queue as it is.
pub(super) struct View<'a> {
    pub(super) queue: &'a Queue,
    pub(super) observed: &'a Observed,
    pub(super) now: Timestamp,
    /// The replicas that the StatefulSet has; `None`: there is none.
    pub(super) current: Option<i32>,
    /// What the sidecars' configuration says of each ordinal.
    pub(super) entries: BTreeMap<u32, Entry>,
}

impl<'a> View<'a> {
    pub(super) fn new(queue: &'a Queue, observed: &'a Observed, now: Timestamp) -> Self {
        let set = observed.stateful_set.as_ref();
        // A StatefulSet without the field has one: the server's default.
        let current = set.map(|set| set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1));
        Self { queue, observed, now, current, entries: entries(observed) }
    }

    /// A plan that changes nothing.
    pub(super) fn unchanged(&self) -> Plan {
        let sidecars = self.entries.iter().map(|(ordinal, it)| (*ordinal, written(it.clone())));
        Plan {
            replicas: self.current.unwrap_or(0),
            sidecars: sidecars.collect(),
            paused: true,
            ..Plan::default()
        }
    }

    /// How many ordinals the StatefulSet has.
    pub(super) fn count(&self) -> u32 {
        number(self.current.unwrap_or(0))
    }

    pub(super) fn entry(&self, ordinal: u32) -> Entry {
        self.entries.get(&ordinal).cloned().unwrap_or_default()
    }

    pub(super) fn replica(&self, ordinal: u32) -> Option<&'a Replica> {
        self.observed.replicas.get(&ordinal)
    }

    pub(super) fn pod(&self, ordinal: u32) -> Option<&'a Pod> {
        self.replica(ordinal)?.pod.as_ref()
    }

    pub(super) fn claim(&self, ordinal: u32) -> Option<&'a PersistentVolumeClaim> {
        self.replica(ordinal)?.claim.as_ref()
    }

    /// What the ordinal's sidecar said last, however long ago.
    pub(super) fn facts(&self, ordinal: u32) -> Option<&'a Facts> {
        self.replica(ordinal)?.facts.as_ref().map(|(facts, _)| facts)
    }

    /// What it said of late, and when.
    pub(super) fn fresh_facts(&self, ordinal: u32) -> Option<(&'a Facts, Timestamp)> {
        let (facts, at) = self.replica(ordinal)?.facts.as_ref()?;
        (elapsed(*at, self.now) <= FRESH).then_some((facts, *at))
    }

    /// The volume id that the ordinal's claim is marked drained with.
    pub(super) fn mark(&self, ordinal: u32) -> Option<&'a str> {
        let labels = self.claim(ordinal)?.metadata.labels.as_ref()?;
        labels.get(labels::DRAINED).map(String::as_str)
    }

    /// Whether the mark is to be believed: it was set on a sealed replica that nobody has opened
    /// since, and names the volume that the ordinal had.
    pub(super) fn is_proven(&self, ordinal: u32) -> bool {
        let Some(mark) = self.mark(ordinal) else { return false };
        self.entries.get(&ordinal).is_none_or(|entry| {
            entry.drain && entry.fenced && entry.log_id.as_deref() == Some(mark)
        })
    }

    /// Whether people fence the ordinal.
    pub(super) fn is_fenced(&self, ordinal: u32) -> bool {
        self.queue.requests.fenced.contains(&ordinal)
    }
}

/// How long from `since` to `now`; zero when that is ahead.
pub(crate) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO)
}

/// A number of replicas as ordinals are counted.
pub(super) fn number(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}

/// Ordinals as replicas are counted.
pub(super) fn count(ordinals: u32) -> i32 {
    i32::try_from(ordinals).unwrap_or(i32::MAX)
}

/// An entry as it is written: what is not said is left out.
pub(super) fn written(entry: Entry) -> resource::Replica {
    resource::Replica {
        log_id: entry.log_id,
        fenced: entry.fenced.then_some(true),
        drain: entry.drain.then_some(true),
    }
}

/// The configuration's `replicas`. Without a configuration the status remembers which volumes the
/// ordinals had.
fn entries(observed: &Observed) -> BTreeMap<u32, Entry> {
    match observed.config_map.as_ref() {
        Some(map) => {
            let text = map.data.as_ref().and_then(|data| data.get(CONFIG_KEY));
            let document = text.and_then(|text| lifeboat_api::parse(text).ok());
            document.as_ref().map(read).unwrap_or_default()
        }
        None => remembered(observed),
    }
}

fn read(document: &Value) -> BTreeMap<u32, Entry> {
    let Some(Value::Object(replicas)) = document.get("replicas") else { return BTreeMap::new() };
    let entry = |(ordinal, value): (&String, &Value)| {
        let ordinal = ordinal.parse().ok()?;
        let given: resource::Replica = serde_json::from_value(value.clone()).ok()?;
        let (fenced, drain) = (given.fenced == Some(true), given.drain == Some(true));
        Some((ordinal, Entry { log_id: given.log_id, fenced, drain }))
    };
    replicas.iter().filter_map(entry).collect()
}

fn remembered(observed: &Observed) -> BTreeMap<u32, Entry> {
    let instances = observed.queue.status.iter().flat_map(|status| &status.instances);
    let entry = |it: &lifeboat_api::queue::InstanceStatus| {
        let log_id = it.log_id.clone()?;
        Some((number(it.ordinal), Entry { log_id: Some(log_id), ..Entry::default() }))
    };
    instances.filter_map(entry).collect()
}
