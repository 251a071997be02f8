//! What tests look for in objects.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use lifeboat_api::queue::PersistentQueue;

use super::Cluster;

/// The condition of this type.
pub(crate) fn condition(queue: &PersistentQueue, type_: &str) -> Option<Condition> {
    let conditions = &queue.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.type_ == type_).cloned()
}

/// The StatefulSet, when it has so many replicas, of the newest revision, all available, no others.
pub(crate) fn available(set: &StatefulSet, replicas: i32) -> Result<StatefulSet, String> {
    let spec = set.spec.as_ref().unwrap();
    let status = set.status.clone().unwrap_or_default();
    let is = spec.replicas == Some(replicas)
        && status.observed_generation == set.metadata.generation
        && status.available_replicas.unwrap_or(0) == replicas
        && status.updated_replicas.unwrap_or(0) == replicas
        && status.replicas == replicas;
    if is { Ok(set.clone()) } else { Err(format!("{:?}: {status:?}", spec.replicas)) }
}

/// Every object of every queue, by name and resourceVersion, kind by kind.
pub(crate) async fn everything(cluster: &Cluster) -> Vec<Vec<(String, String)>> {
    vec![
        cluster.versions::<StatefulSet>().await,
        cluster.versions::<ConfigMap>().await,
        cluster.versions::<Service>().await,
        cluster.versions::<PodDisruptionBudget>().await,
        cluster.versions::<NetworkPolicy>().await,
        cluster.versions::<Pod>().await,
        cluster.versions::<PersistentVolumeClaim>().await,
    ]
}
