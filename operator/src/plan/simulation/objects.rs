//! The twin's objects as the operator reads them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};
use k8s_openapi::api::core::v1::{
    ConfigMap, ContainerStatus, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus, Pod, PodStatus, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use lifeboat_api::queue::PersistentQueue;
use serde_json::{Map, Value, json};

use super::cluster::{self, Cluster, Spec};
use crate::names::{self, CONFIG_KEY, SIDECAR};
use crate::observed::{Observed, Replica};
use crate::plan::testing::{World, at, object};
use crate::plan::{ASKED_STATE, view};

/// The resource.
pub(super) fn queue(spec: &Spec) -> PersistentQueue {
    let world = World::new(spec.replicas).spec("/suspend", json!(spec.suspend));
    let world = world.spec("/storage/size", json!(gibibytes(spec.size)));
    let mut world = world.spec("/storage/whenScaled", json!("Delete"));
    if !spec.fenced.is_empty() {
        let fenced: Vec<_> = spec.fenced.iter().map(u32::to_string).collect();
        world = world.annotated("lifeboat.dev/fenced-replicas", &fenced.join(","));
    }
    if let Some(force) = spec.force {
        world = world.annotated("lifeboat.dev/force-scale-down", &force.to_string());
    }
    world.observed.queue
}

/// All that exists of the resource `queue`, but for what the sidecars say.
pub(super) fn observed(cluster: &Cluster, queue: PersistentQueue) -> Observed {
    let mut replicas: BTreeMap<u32, Replica> = BTreeMap::new();
    for (ordinal, it) in &cluster.pods {
        replicas.entry(*ordinal).or_default().pod = Some(pod(*ordinal, it));
    }
    for (ordinal, it) in &cluster.claims {
        replicas.entry(*ordinal).or_default().claim = Some(claim(*ordinal, it));
    }
    let template = |set: &cluster::Set| json!([{"spec": {"resources": {"requests": {"storage": gibibytes(set.size)}}}}]);
    Observed {
        queue,
        stateful_set: cluster.set.as_ref().map(set),
        claim_templates: cluster.set.as_ref().map(template),
        config_map: cluster.config.as_ref().map(config),
        replicas,
        class_allows_growth: Some(true),
        refused: None,
    }
}

fn gibibytes(size: u64) -> String {
    format!("{size}Gi")
}

fn metadata(name: String, uid: u64, version: u64) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        uid: Some(uid.to_string()),
        resource_version: Some(version.to_string()),
        generation: Some(1),
        ..ObjectMeta::default()
    }
}

fn set(set: &cluster::Set) -> StatefulSet {
    let spec = StatefulSetSpec { replicas: Some(set.replicas), ..StatefulSetSpec::default() };
    let status = StatefulSetStatus {
        replicas: set.replicas,
        ready_replicas: Some(set.replicas),
        updated_replicas: Some(set.replicas),
        observed_generation: Some(1),
        ..StatefulSetStatus::default()
    };
    StatefulSet {
        metadata: metadata("q".to_owned(), set.uid, set.version),
        spec: Some(spec),
        status: Some(status),
    }
}

fn config(config: &cluster::Config) -> ConfigMap {
    let entries = config.entries.iter().map(|(ordinal, entry)| {
        let mut value = serde_json::to_value(view::written(entry.clone())).unwrap();
        // As it is written: nothing that is not said.
        value.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        (ordinal.to_string(), value)
    });
    let document = json!({"replicas": Value::Object(entries.collect::<Map<_, _>>())});
    ConfigMap {
        metadata: metadata("q-config".to_owned(), 1, config.version),
        data: Some([(CONFIG_KEY.to_owned(), document.to_string())].into()),
        ..ConfigMap::default()
    }
}

fn pod(ordinal: u32, pod: &cluster::Pod) -> Pod {
    let mut metadata = metadata(names::pod("q", ordinal), pod.uid, pod.uid);
    metadata.creation_timestamp = Some(Time(at(pod.created)));
    metadata.deletion_timestamp = pod.is_ending.then(|| Time(at(pod.created)));
    if pod.accepts {
        metadata.labels = Some([("lifeboat.dev/accepting".to_owned(), "true".to_owned())].into());
    }
    metadata.annotations =
        pod.asked.map(|asked| [(ASKED_STATE.to_owned(), asked.to_owned())].into());
    let sidecar = ContainerStatus {
        name: SIDECAR.to_owned(),
        ready: pod.boot.is_some(),
        ..ContainerStatus::default()
    };
    let ready = json!({
        "type": "Ready", "status": if pod.boot.is_some() { "True" } else { "False" },
    });
    let status = PodStatus {
        init_container_statuses: Some(vec![sidecar]),
        conditions: Some(vec![object(ready)]),
        ..PodStatus::default()
    };
    Pod { metadata, status: Some(status), ..Pod::default() }
}

fn claim(ordinal: u32, claim: &cluster::Claim) -> PersistentVolumeClaim {
    let mut metadata = metadata(names::claim("q", ordinal), claim.uid, claim.version);
    metadata.creation_timestamp = Some(Time(at(0)));
    metadata.deletion_timestamp = claim.is_ending.then(|| Time(at(0)));
    metadata.labels =
        claim.mark.clone().map(|mark| [("lifeboat.dev/drained".to_owned(), mark)].into());
    let amount = |size| [("storage".to_owned(), Quantity(gibibytes(size)))].into();
    let resources = VolumeResourceRequirements {
        requests: Some(amount(claim.asked)),
        ..VolumeResourceRequirements::default()
    };
    let spec = PersistentVolumeClaimSpec {
        resources: Some(resources),
        ..PersistentVolumeClaimSpec::default()
    };
    let status = PersistentVolumeClaimStatus {
        phase: Some("Bound".to_owned()),
        capacity: Some(amount(claim.has)),
        ..PersistentVolumeClaimStatus::default()
    };
    PersistentVolumeClaim { metadata, spec: Some(spec), status: Some(status) }
}
