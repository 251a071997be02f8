//! A queue and what exists of it, made up for tests.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::PersistentQueue;
use serde_json::{Value, json};

use crate::facts::{Facts, State, Totals};
use crate::names::{self, CONFIG_KEY};
use crate::observed::{Observed, Replica};
use crate::plan::{Memory, Plan, plan};
use crate::queue::Queue;

/// What exists of the queue `q`, and the time.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) resource: Value,
    pub(crate) observed: Observed,
    pub(crate) memory: Memory,
    pub(crate) now: Timestamp,
}

/// The volume id of an ordinal's first volume.
pub(crate) fn log_id(ordinal: u32) -> String {
    format!("{ordinal:032x}")
}

/// A time, in seconds.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Any object, from JSON.
pub(crate) fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

impl World {
    /// Nothing but the resource, with `replicas`.
    pub(crate) fn new(replicas: i32) -> Self {
        let resource = json!({
            "apiVersion": "lifeboat.dev/v1alpha1",
            "kind": "PersistentQueue",
            "metadata": {
                "name": "q", "namespace": "n", "uid": "queue-uid", "generation": 1,
                "annotations": {},
            },
            "spec": {
                "replicas": replicas,
                "storage": {"size": "1Gi"},
                "streams": [{
                    "name": "work",
                    "ingress": [{"name": "in", "socket": "PULL", "bind": "tcp://*:5555"}],
                    "deliveries": [{"name": "out", "socket": "PUSH"}],
                }],
                "template": {"spec": {"containers": [{"name": "app", "image": "app:1"}]}},
            },
        });
        let observed = Observed {
            queue: object(resource.clone()),
            stateful_set: None,
            claim_templates: None,
            config_map: None,
            replicas: BTreeMap::new(),
            class_allows_growth: Some(true),
            refused: None,
        };
        Self { resource, observed, memory: Memory::default(), now: at(1_000_000) }
    }

    /// `replicas` that run, with a backlog.
    pub(crate) fn running(replicas: u32) -> Self {
        let wanted = i32::try_from(replicas).unwrap();
        let mut world = Self::new(wanted).set(wanted);
        for ordinal in 0..replicas {
            world = world.pod(ordinal).claim(ordinal, "1Gi").says(ordinal, State::Open, false);
        }
        let entries = (0..replicas).map(|n| (n.to_string(), json!({"logId": log_id(n)})));
        world.config(&Value::Object(entries.collect()))
    }

    /// Changes a field of the spec.
    pub(crate) fn spec(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.resource.pointer_mut(&format!("/spec{parent}")).unwrap();
        parent[key] = value;
        self.read()
    }

    /// Annotates the queue.
    pub(crate) fn annotated(mut self, name: &str, value: &str) -> Self {
        self.resource["metadata"]["annotations"][name] = json!(value);
        self.read()
    }

    fn read(mut self) -> Self {
        let status = self.observed.queue.status.take();
        self.observed.queue = object(self.resource.clone());
        self.observed.queue.status = status;
        self
    }

    /// A StatefulSet with these replicas, as large as the spec says.
    pub(crate) fn set(mut self, replicas: i32) -> Self {
        self.observed.stateful_set = Some(object::<StatefulSet>(json!({
            "metadata": {"name": "q", "uid": "set-uid", "resourceVersion": "7", "generation": 1},
            "spec": {
                "replicas": replicas, "serviceName": "q-pods",
                "selector": {}, "template": {"spec": {"containers": []}},
            },
            "status": {
                "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas,
                "observedGeneration": 1, "currentRevision": "q-1", "updateRevision": "q-1",
            },
        })));
        self.template_size("1Gi")
    }

    /// What the StatefulSet's claim template asks for.
    pub(crate) fn template_size(mut self, size: &str) -> Self {
        let spec = json!({"resources": {"requests": {"storage": size}}});
        self.observed.claim_templates = Some(json!([{"spec": spec}]));
        self
    }

    /// The sidecars' configuration with these `replicas`.
    pub(crate) fn config(mut self, replicas: &Value) -> Self {
        let text = json!({"replicas": replicas}).to_string();
        let map = json!({"metadata": {"name": "q-config"}, "data": {CONFIG_KEY: text}});
        self.observed.config_map = Some(object::<ConfigMap>(map));
        self
    }

    pub(crate) fn replica(&mut self, ordinal: u32) -> &mut Replica {
        self.observed.replicas.entry(ordinal).or_default()
    }

    /// A pod that is ready and accepts.
    pub(crate) fn pod(mut self, ordinal: u32) -> Self {
        let pod = json!({
            "metadata": {
                "name": names::pod("q", ordinal), "uid": format!("pod-{ordinal}"),
                "creationTimestamp": "1970-01-01T00:00:00Z",
                "labels": {"lifeboat.dev/accepting": "true"}, "annotations": {},
            },
            "spec": {"nodeName": "node", "containers": []},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "initContainerStatuses": [{
                    "name": names::SIDECAR, "ready": true, "restartCount": 0,
                    "image": "i", "imageID": "i",
                }],
            },
        });
        self.replica(ordinal).pod = Some(object::<Pod>(pod));
        self
    }

    /// Changes a pod.
    pub(crate) fn with_pod(mut self, ordinal: u32, change: impl FnOnce(&mut Value)) -> Self {
        let pod = self.replica(ordinal).pod.take().unwrap();
        let mut value = serde_json::to_value(pod).unwrap();
        change(&mut value);
        self.replica(ordinal).pod = Some(object(value));
        self
    }

    /// The pod's label and annotation are as its configuration says.
    pub(crate) fn told(self, ordinal: u32, accepting: bool, state: &str) -> Self {
        self.with_pod(ordinal, |pod| {
            pod["metadata"]["labels"] =
                if accepting { json!({"lifeboat.dev/accepting": "true"}) } else { json!({}) };
            pod["metadata"]["annotations"] = json!({crate::plan::ASKED_STATE: state});
        })
    }

    /// A claim of this size.
    pub(crate) fn claim(mut self, ordinal: u32, size: &str) -> Self {
        let claim = json!({
            "metadata": {
                "name": names::claim("q", ordinal), "uid": format!("claim-{ordinal}"),
                "resourceVersion": "3", "labels": {},
                "creationTimestamp": "1970-01-01T00:00:00Z",
            },
            "spec": {"resources": {"requests": {"storage": size}}},
            "status": {"phase": "Bound", "capacity": {"storage": size}},
        });
        self.replica(ordinal).claim = Some(object::<PersistentVolumeClaim>(claim));
        self
    }

    /// Changes a claim.
    pub(crate) fn with_claim(mut self, ordinal: u32, change: impl FnOnce(&mut Value)) -> Self {
        let claim = self.replica(ordinal).claim.take().unwrap();
        let mut value = serde_json::to_value(claim).unwrap();
        change(&mut value);
        self.replica(ordinal).claim = Some(object(value));
        self
    }

    /// Marks a claim as drained.
    pub(crate) fn marked(self, ordinal: u32, log_id: &str) -> Self {
        self.with_claim(ordinal, |claim| {
            claim["metadata"]["labels"] = json!({"lifeboat.dev/drained": log_id});
        })
    }

    /// The pod is gone.
    pub(crate) fn without_pod(mut self, ordinal: u32) -> Self {
        let replica = self.replica(ordinal);
        (replica.pod, replica.facts) = (None, None);
        self
    }

    /// What a sidecar says now.
    pub(crate) fn says(self, ordinal: u32, state: State, is_drained: bool) -> Self {
        let depth = if is_drained { 0 } else { 10 };
        let facts = Facts {
            boot_id: format!("boot-{ordinal}"),
            log_id: log_id(ordinal),
            state,
            drained: Some(is_drained),
            retains_history: Some(false),
            app_connected: Some(true),
            durable_volume: Some(true),
            totals: Totals { depth, ..Totals::default() },
            ..Facts::default()
        };
        self.says_all(ordinal, facts)
    }

    pub(crate) fn says_all(mut self, ordinal: u32, facts: Facts) -> Self {
        let now = self.now;
        self.replica(ordinal).facts = Some((facts, now));
        self
    }

    /// Changes what a sidecar says.
    pub(crate) fn with_facts(mut self, ordinal: u32, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.replica(ordinal).facts.as_mut().unwrap().0);
        self
    }

    /// Time goes by, and every sidecar says again what it said.
    pub(crate) fn later(mut self, seconds: i64) -> Self {
        self.now = at(self.now.as_second() + seconds);
        let now = self.now;
        for (_, at) in self.observed.replicas.values_mut().filter_map(|it| it.facts.as_mut()) {
            *at = now;
        }
        self
    }

    pub(crate) fn queue(&self) -> Queue {
        Queue::read(&object::<PersistentQueue>(self.resource.clone())).unwrap()
    }

    pub(crate) fn plan(&mut self) -> Plan {
        plan(&self.queue(), &self.observed, &mut self.memory, self.now)
    }
}
