//! All that exists of one queue, read at one time. Pure data: `run::observe` fills it, tests make
//! it up. Whatever could not be read is not here, and nothing may be concluded from its absence
//! but what the field says.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::KIND;
use lifeboat_api::queue::PersistentQueue;
use serde_json::Value;

use crate::facts::Facts;

/// All that exists of one queue.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The resource.
    pub queue: PersistentQueue,
    /// Its StatefulSet; `None`: there is none.
    pub stateful_set: Option<StatefulSet>,
    /// The StatefulSet's `spec.volumeClaimTemplates` as the server has them, fields of newer
    /// versions included.
    pub claim_templates: Option<Value>,
    /// Its ConfigMap; `None`: there is none.
    pub config_map: Option<ConfigMap>,
    /// What is known of each ordinal that has a pod or a claim.
    pub replicas: BTreeMap<u32, Replica>,
    /// Whether the claims' storage class lets them grow, which no class at all does not; `None`: it
    /// cannot be read, or has not been yet.
    pub class_allows_growth: Option<bool>,
    /// What the server said to the objects that are wanted and to the steps, when it was asked last,
    /// with the kind and name of the first that it refused; `None`: it took them, or was not asked.
    pub refused: Option<String>,
}

impl Observed {
    /// Whether the queue owns the claim, so that it is deleted with it.
    pub(crate) fn owns(&self, claim: &PersistentVolumeClaim) -> bool {
        let uid = self.queue.metadata.uid.as_ref();
        let owners = claim.metadata.owner_references.iter().flatten();
        owners.into_iter().any(|owner| owner.kind == KIND && Some(&owner.uid) == uid)
    }
}

/// One ordinal.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    /// Its pod.
    pub pod: Option<Pod>,
    /// Its claim.
    pub claim: Option<PersistentVolumeClaim>,
    /// What its sidecar last said, and when it said it. Kept while a pod of the same uid exists.
    pub facts: Option<(Facts, Timestamp)>,
    /// Whether the node of its pod is gone: not ready or deleted.
    pub node_gone: bool,
}
