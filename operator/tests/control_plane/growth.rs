//! Claims grow while their pods run, wherever the operator is killed.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::DeleteParams;
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing, disks};
use serde_json::{Value, json};

use crate::support::{Cluster, Operator, kill_later_and_later, orders, orders_with};

fn size(size: &str) -> Value {
    json!({"spec": {"storage": {"size": size}}})
}

async fn pods(cluster: &Cluster) -> Vec<Option<String>> {
    let pods = cluster.api::<Pod>();
    let uid = async |name| pods.get(name).await.unwrap().uid();
    vec![uid("orders-0").await, uid("orders-1").await]
}

/// Waits until both claims have this capacity, and the StatefulSet asks for it.
pub(crate) async fn until_grown(cluster: &Cluster, size: &str) {
    for name in ["lifeboat-data-orders-0", "lifeboat-data-orders-1"] {
        cluster
            .until("a larger claim", name, |claim: &PersistentVolumeClaim| {
                let status = claim.status.clone().unwrap_or_default();
                let capacity = status.capacity.as_ref().and_then(|it| it.get("storage"));
                capacity.is_some_and(|it| it.0 == size).then_some(()).ok_or(format!("{status:?}"))
            })
            .await;
    }
    cluster
        .until("a larger claim template", "orders", |set: &StatefulSet| {
            let template = &set.spec.as_ref().unwrap().volume_claim_templates.as_ref().unwrap()[0];
            let spec = template.spec.as_ref().unwrap();
            let asked = spec.resources.as_ref().and_then(|it| it.requests.as_ref());
            let asked = asked.and_then(|it| it.get("storage")).map(|it| it.0.clone());
            (asked.as_deref() == Some(size)).then_some(()).ok_or(format!("{asked:?}"))
        })
        .await;
    cluster.until_available("orders", 2).await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn claims_grow_under_pods_that_stay() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    let first = cluster.until_available("orders", 2).await;
    let before = pods(&cluster).await;

    cluster.change("orders", size("2Gi")).await;
    until_grown(&cluster, "2Gi").await;
    let second = cluster.api::<StatefulSet>().get("orders").await.unwrap();
    assert_ne!(second.uid(), first.uid(), "it was made anew");
    assert_eq!(pods(&cluster).await, before, "under the same pods");
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;

    // Killed between the deletion of the StatefulSet and the next one.
    operator.kill().await;
    cluster.change("orders", size("3Gi")).await;
    let sets = cluster.api::<StatefulSet>();
    sets.delete("orders", &DeleteParams::orphan()).await.unwrap();
    cluster.until_gone::<StatefulSet>("orders").await;
    assert_eq!(pods(&cluster).await, before, "orphans");
    let operator = Operator::start(&cluster).await;
    until_grown(&cluster, "3Gi").await;
    assert_eq!(pods(&cluster).await, before, "the same pods all the time");

    // Killed again and again on the way.
    operator.kill().await;
    cluster.change("orders", size("4Gi")).await;
    tokio::select! {
        () = until_grown(&cluster, "4Gi") => {}
        () = kill_later_and_later(&cluster) => {}
    }
    assert_eq!(pods(&cluster).await, before, "even so");
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_class_that_cannot_grow_is_told_and_everything_else_goes_on() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    let storage = json!({"size": "1Gi", "storageClassName": disks::RIGID_CLASS});
    cluster.create(orders_with("orders", &json!({"storage": storage}))).await;
    cluster.until_available("orders", 2).await;
    cluster.change("orders", size("2Gi")).await;
    let reason = "StorageClassNotExpandable";
    cluster.until_condition("orders", "Stalled", "True", reason).await;
    cluster.change("orders", json!({"spec": {"replicas": 3}})).await;
    cluster.until_available("orders", 3).await;
    operator.stop().await;
}
