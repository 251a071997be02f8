//! The sidecars' configuration: the user's own words, and what the plan says about each replica.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_api::queue::PersistentQueue;
use lifeboat_api::{Dataplane, Replica, features_in_use, resource, validate_dataplane};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::object;
use crate::names::{self, CONFIG_KEY};
use crate::observed::Observed;
use crate::plan::Plan;
use crate::queue::Queue;

/// The configuration that the pods are to have, which is not always that of the spec.
pub(super) struct Config {
    /// The file, but for `replicas`.
    pub(super) document: Value,
    /// What it resolves to.
    pub(super) dataplane: Dataplane,
    /// What the spec uses and a running sidecar lacks.
    pub(super) missing_features: Vec<String>,
}

impl Config {
    /// The spec's, unless a running sidecar would refuse it: then what they have now, for a file that
    /// is refused would also keep them from hearing of a drain, and from starting again.
    pub(super) fn choose(queue: &Queue, observed: &Observed) -> Self {
        let missing_features = missing(queue, observed);
        if !missing_features.is_empty()
            && let Some((document, dataplane)) = current(observed)
        {
            return Self { document, dataplane, missing_features };
        }
        let (document, dataplane) = (queue.document.clone(), queue.dataplane.clone());
        Self { document, dataplane, missing_features }
    }

    /// What only a restart applies, as text: when it changes, the pods are replaced. It goes by what
    /// is written and differs from the default, so that neither a new field nor a default spelt out
    /// changes it. Left out is what the sidecar applies while it runs: limits and rules, and the
    /// volume's size, which grows under running pods. Sockets that come or go, memory and secrets
    /// are in the template itself.
    pub(super) fn hash(&self) -> String {
        let spec = &self.document["spec"];
        let mut streams = Map::new();
        for stream in spec["streams"].as_array().into_iter().flatten() {
            let retention = |field: &str, default: &str| {
                stream["retention"][field].as_str().filter(|value| *value != default)
            };
            let ingress = stream["ingress"].as_array().into_iter().flatten();
            let ids: Vec<_> = ingress
                .filter(|ingress| !ingress["dedup"].is_null())
                .map(|ingress| json!([ingress["name"], ingress["dedup"]]))
                .collect();
            let kept = json!([
                retention("policy", "WorkQueue"),
                retention("onFull", "Block").filter(|value| *value == "Reject"),
                retention("onDamage", "Stop"),
                ids,
            ]);
            streams.insert(stream["name"].as_str().unwrap_or_default().to_owned(), kept);
        }
        let durability = &spec["durability"];
        let sync = durability["sync"].as_str().filter(|sync| *sync != "Always");
        let restart = json!([sync, durability["interval"], streams]).to_string();
        let digest = Sha256::digest(restart.as_bytes());
        let first = digest.iter().take(8).fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        format!("{first:016x}")
    }
}

/// The ConfigMap. It is JSON, which is YAML too: nothing of the user's words is spelt anew.
pub(super) fn config_map(
    queue: &Queue,
    config: &Config,
    plan: &Plan,
    resource: &PersistentQueue,
) -> Value {
    let mut document = config.document.clone();
    let said = plan.sidecars.iter().map(|(ordinal, said)| (*ordinal, replica(said)));
    let said: BTreeMap<_, _> = said.filter(|(_, said)| *said != Replica::default()).collect();
    if !said.is_empty() {
        document["replicas"] = resource.dataplane_document(&said)["replicas"].take();
    }
    let mut object = object(queue, "v1", "ConfigMap", &names::config_map(&queue.name));
    object.insert("data".to_owned(), json!({CONFIG_KEY: format!("{document:#}\n")}));
    Value::Object(object)
}

fn replica(said: &resource::Replica) -> Replica {
    Replica {
        log_id: said.log_id.clone(),
        fenced: said.fenced.unwrap_or(false),
        drain: said.drain.unwrap_or(false),
    }
}

/// What the spec uses and some running sidecar does not list. The validation of this release has
/// passed it already: that answers for an image that was not seen running, and for a sidecar that
/// lists nothing.
fn missing(queue: &Queue, observed: &Observed) -> Vec<String> {
    let used = features_in_use(&queue.document);
    let said = observed.replicas.values().filter_map(|replica| replica.facts.as_ref());
    let lists: Vec<&BTreeSet<String>> =
        said.map(|(facts, _)| &facts.features).filter(|list| !list.is_empty()).collect();
    let lacks = |feature: &&str| lists.iter().any(|list| !list.contains(*feature));
    used.into_iter().filter(lacks).map(str::to_owned).collect()
}

/// What the sidecars have now, but for `replicas`.
fn current(observed: &Observed) -> Option<(Value, Dataplane)> {
    let text = observed.config_map.as_ref()?.data.as_ref()?.get(CONFIG_KEY)?;
    let mut document: Value = serde_json::from_str(text).ok()?;
    document.as_object_mut()?.remove("replicas");
    let dataplane = validate_dataplane(&document).ok()?;
    Some((document, dataplane))
}
