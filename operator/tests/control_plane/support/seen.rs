//! What tests look for in objects.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::until;

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

/// [`everything`], once it stands still: what other controllers report comes late.
pub(crate) async fn everything_at_rest(cluster: &Cluster) -> Vec<Vec<(String, String)>> {
    let mut last = everything(cluster).await;
    until("objects that stand still", async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = std::mem::replace(&mut last, everything(cluster).await);
        if last == before { Ok(before) } else { Err(format!("{before:?}, then {last:?}")) }
    })
    .await
    .unwrap()
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
