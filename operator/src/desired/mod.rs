//! What the objects of a queue are to look like. Pure: from the queue, the plan and what exists, to
//! whole objects. It must not decide when anything happens; the plan has.

mod budget;
mod config;
mod image;
mod json;
mod network;
mod pod;
mod service;
mod sidecar;
mod stateful_set;

use serde_json::{Map, Value, json};

use self::config::Config;
pub use self::sidecar::DATA_DIRECTORY;
use crate::labels;
use crate::observed::Observed;
use crate::plan::Plan;
use crate::queue::Queue;
use crate::release::Release;

/// What is to exist of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The whole objects, in the order in which they are to be applied: the StatefulSet is last.
    /// Whatever else has the queue's label and is its own is left over.
    pub objects: Vec<Value>,
    /// The sidecar's image that the pods get.
    pub sidecar_image: String,
    /// What the spec uses and a running sidecar lacks, by name: then the sidecars keep the
    /// configuration that they have (`SidecarTooOld`).
    pub missing_features: Vec<String>,
}

/// What is to exist of `queue`.
pub fn desired(queue: &Queue, plan: &Plan, observed: &Observed, release: &Release) -> Desired {
    let config = Config::choose(queue, observed);
    let sidecar_image = image::sidecar(queue, observed, release);
    let mut objects = vec![config::config_map(queue, &config, plan, &observed.queue)];
    objects.extend(service::services(queue, &config, plan));
    objects.extend(budget::disruption_budget(queue));
    objects.extend(network::network_policy(queue, &config, release));
    objects.push(stateful_set::stateful_set(queue, &config, plan, observed, &sidecar_image));
    Desired { objects, sidecar_image, missing_features: config.missing_features }
}

impl Desired {
    /// Whether an object of this kind and name is to exist.
    pub fn has(&self, kind: &str, name: &str) -> bool {
        let is = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
        self.objects.iter().any(is)
    }
}

/// An object of the queue, but for its contents: with its labels, and deleted with it.
fn object(queue: &Queue, api_version: &str, kind: &str, name: &str) -> Map<String, Value> {
    let owner = json!({
        "apiVersion": lifeboat_api::API_VERSION,
        "kind": lifeboat_api::KIND,
        "name": queue.name,
        "uid": queue.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    });
    let metadata = json!({
        "name": name,
        "namespace": queue.namespace,
        "labels": labels::of_objects(&queue.name),
        "ownerReferences": [owner],
    });
    [
        ("apiVersion".to_owned(), api_version.into()),
        ("kind".to_owned(), kind.into()),
        ("metadata".to_owned(), metadata),
    ]
    .into_iter()
    .collect()
}
