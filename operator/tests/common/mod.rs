//! Queues to render, and what is observed of them.
// Not every test uses all of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::PersistentQueue;
use lifeboat_api::resource;
use lifeboat_operator::desired::{Desired, desired};
use lifeboat_operator::facts::Facts;
use lifeboat_operator::observed::{Observed, Replica};
use lifeboat_operator::plan::Plan;
use lifeboat_operator::queue::Queue;
use lifeboat_operator::release::Release;
use serde_json::{Value, json};

pub(crate) fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(crate) fn release() -> Release {
    Release {
        sidecar_image: "ghcr.io/lifeboat-dev/lifeboat:0.1.0".to_owned(),
        version: "0.1.0".to_owned(),
        operator_namespace: "lifeboat-system".to_owned(),
    }
}

/// The resource in a tree, as a server would give it.
pub(crate) fn resource(mut tree: Value) -> Option<PersistentQueue> {
    tree["metadata"]["namespace"] = "shop".into();
    tree["metadata"]["uid"] = "6a7d2f60-0000-4000-8000-000000000001".into();
    tree["metadata"]["generation"] = 3.into();
    serde_json::from_value(tree).ok()
}

pub(crate) fn from_yaml(text: &str) -> PersistentQueue {
    let tree = lifeboat_api::parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    resource(tree).expect("a PersistentQueue")
}

pub(crate) fn from_file(path: &Path) -> PersistentQueue {
    from_yaml(&std::fs::read_to_string(path).unwrap())
}

/// A queue with nothing but what must be there, and what is merged into its spec.
pub(crate) fn with(spec: &Value) -> PersistentQueue {
    let mut tree = json!({
        "apiVersion": "lifeboat.dev/v1alpha1",
        "kind": "PersistentQueue",
        "metadata": {"name": "q"},
        "spec": {
            "storage": {"size": "1Gi"},
            "streams": [{
                "name": "work",
                "ingress": [{"name": "in", "socket": "PULL", "bind": "tcp://*:5555"}],
                "deliveries": [{"name": "out", "socket": "PUSH"}],
            }],
            "template": {"spec": {"containers": [{"name": "app", "image": "app:1"}]}},
        },
    });
    for (field, value) in spec.as_object().unwrap() {
        tree["spec"][field] = value.clone();
    }
    resource(tree).unwrap()
}

pub(crate) fn observed(resource: &PersistentQueue) -> Observed {
    Observed {
        queue: resource.clone(),
        stateful_set: None,
        claim_templates: None,
        config_map: None,
        replicas: BTreeMap::new(),
        class_allows_growth: None,
        refused: None,
    }
}

/// What is observed once `desired` was applied, and each sidecar says that it supports `features`.
pub(crate) fn applied(
    resource: &PersistentQueue,
    desired: &Desired,
    features: &[&str],
) -> Observed {
    let mut observed = observed(resource);
    let set = object(desired, "StatefulSet");
    observed.claim_templates = Some(set["spec"]["volumeClaimTemplates"].clone());
    observed.stateful_set = Some(serde_json::from_value(set.clone()).unwrap());
    let config = object(desired, "ConfigMap");
    observed.config_map = Some(serde_json::from_value(config.clone()).unwrap());
    let features = features.iter().map(|name| (*name).to_owned()).collect();
    let facts = Facts { features, ..Facts::default() };
    let replica = Replica { facts: Some((facts, Timestamp::UNIX_EPOCH)), ..Replica::default() };
    observed.replicas.insert(0, replica);
    observed
}

pub(crate) fn plan(replicas: i32) -> Plan {
    Plan { replicas, ..Plan::default() }
}

pub(crate) fn said(log_id: Option<&str>, fenced: bool, drain: bool) -> resource::Replica {
    let log_id = log_id.map(str::to_owned);
    resource::Replica { log_id, fenced: Some(fenced), drain: Some(drain) }
}

pub(crate) fn read(resource: &PersistentQueue) -> Queue {
    Queue::read(resource).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is wanted of a queue that does not exist yet.
pub(crate) fn fresh(resource: &PersistentQueue) -> Desired {
    let queue = read(resource);
    desired(&queue, &plan(queue.replicas), &observed(resource), &release())
}

/// The first object of a kind.
pub(crate) fn object<'a>(desired: &'a Desired, kind: &str) -> &'a Value {
    let mut objects = desired.objects.iter();
    objects.find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// The StatefulSet's pod template.
pub(crate) fn template(desired: &Desired) -> &Value {
    &object(desired, "StatefulSet")["spec"]["template"]
}
