//! From the caches to an [`Observed`]: all that exists of one queue, as it was last seen.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use lifeboat_api::queue::PersistentQueue;
use serde_json::Value;

use crate::names;
use crate::observed::{Observed, Replica};
use crate::run::cache::{Cache, owner, set_resource};
use crate::run::cluster::Cluster;
use crate::run::sidecars::Sidecars;

/// Where observations come from.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) cache: Cache,
    pub(crate) cluster: Cluster,
    pub(crate) sidecars: Sidecars,
}

impl Sources {
    /// All that exists of `queue`. `refused` is what the server said to the objects that are
    /// wanted, when they were last tried.
    ///
    /// # Errors
    /// A StatefulSet that is none, which no server sends.
    pub(crate) fn observe(
        &self,
        queue: &PersistentQueue,
        refused: Option<String>,
    ) -> Result<Observed, serde_json::Error> {
        let (namespace, name) = (queue.namespace().unwrap_or_default(), queue.name_any());
        let key = ObjectRef::new_with(&names::stateful_set(&name), set_resource());
        let set = self.cache.sets.get(&key.within(&namespace));
        let raw = set.map(|set| serde_json::to_value(set.as_ref())).transpose()?;
        let claim_templates =
            raw.as_ref().and_then(|set| set.pointer("/spec/volumeClaimTemplates"));
        let key = ObjectRef::new(&names::config_map(&name)).within(&namespace);
        let replicas = self.replicas(&ObjectRef::from_obj(queue));
        Ok(Observed {
            claim_templates: claim_templates.cloned(),
            class_allows_growth: self.class_allows_growth(claim_templates, &replicas),
            stateful_set: raw.map(serde_json::from_value).transpose()?,
            config_map: self.cache.config_maps.get(&key).map(|map| (*map).clone()),
            replicas,
            refused,
            queue: queue.clone(),
        })
    }

    fn replicas(&self, queue: &ObjectRef<PersistentQueue>) -> BTreeMap<u32, Replica> {
        let mut replicas = BTreeMap::<u32, Replica>::new();
        for pod in self.cache.pods.state_filter(|pod| owner(pod).as_ref() == Some(queue)) {
            let Some(ordinal) = names::pod_ordinal(&queue.name, &pod.name_any()) else { continue };
            let replica = replicas.entry(ordinal).or_default();
            replica.facts = pod.metadata.uid.as_deref().and_then(|uid| self.sidecars.facts(uid));
            replica.node_gone = node(&pod).is_some_and(|node| self.cluster.is_gone(node));
            replica.pod = Some((*pod).clone());
        }
        for claim in self.cache.claims.state_filter(|claim| owner(claim).as_ref() == Some(queue)) {
            let Some(ordinal) = names::claim_ordinal(&queue.name, &claim.name_any()) else {
                continue;
            };
            replicas.entry(ordinal).or_default().claim = Some((*claim).clone());
        }
        replicas
    }

    /// Asks the class of the claims, which the server may have chosen; before there are any, that
    /// of the claim template.
    fn class_allows_growth(
        &self,
        templates: Option<&Value>,
        replicas: &BTreeMap<u32, Replica>,
    ) -> Option<bool> {
        let of_claim =
            |claim: &PersistentVolumeClaim| claim.spec.as_ref()?.storage_class_name.clone();
        let mut claims = replicas.values().filter_map(|replica| replica.claim.as_ref());
        let class = claims.find_map(of_claim).or_else(|| {
            let class = templates?.pointer("/0/spec/storageClassName")?;
            class.as_str().map(str::to_owned)
        });
        // A volume that was made by hand has none.
        class
            .filter(|class| !class.is_empty())
            .map_or(Some(false), |it| self.cluster.allows_growth(&it))
    }
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}
