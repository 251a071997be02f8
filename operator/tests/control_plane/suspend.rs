//! A queue is put to rest without draining, and comes back; a paused one is left alone.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing};
use serde_json::{Value, json};

use crate::support::{Cluster, Operator, everything, everything_at_rest, orders};

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_suspended_queue_has_no_pods_and_a_paused_one_is_not_touched() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    let claims = cluster.api::<PersistentVolumeClaim>();
    let claim = claims.get("lifeboat-data-orders-1").await.unwrap();

    cluster.change("orders", json!({"spec": {"suspend": true}})).await;
    cluster.until_condition("orders", "Ready", "False", "Suspended").await;
    for pod in ["orders-0", "orders-1"] {
        cluster.until_gone::<Pod>(pod).await;
    }
    cluster.change("orders", json!({"spec": {"suspend": false}})).await;
    cluster.until_available("orders", 2).await;
    let now = claims.get("lifeboat-data-orders-1").await.unwrap();
    assert_eq!(now.uid(), claim.uid(), "the same claim");

    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;
    let pause = |value: Value| json!({"metadata": {"annotations": {"lifeboat.dev/paused": value}}});
    cluster.change("orders", pause(json!("true"))).await;
    cluster.until_condition("orders", "Reconciling", "False", "Paused").await;
    let before = everything_at_rest(&cluster).await;
    cluster.change("orders", json!({"spec": {"replicas": 3}})).await;
    // A look at the change has been had when the status tells of its generation.
    let generation = cluster.change("orders", json!({})).await.metadata.generation;
    cluster
        .until("a status of this generation", "orders", |queue: &PersistentQueue| {
            let status = queue.status.clone().unwrap_or_default();
            (status.observed_generation == generation).then_some(()).ok_or(format!("{status:?}"))
        })
        .await;
    assert_eq!(everything(&cluster).await, before, "nothing is touched");
    cluster.change("orders", pause(Value::Null)).await;
    cluster.until_available("orders", 3).await;
    operator.stop().await;
}
