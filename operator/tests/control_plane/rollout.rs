//! More replicas, and other pods.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing};
use serde_json::json;

use crate::support::{Cluster, Operator, orders};

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn replicas_are_added_and_pods_replaced_when_the_template_changes() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;

    // As `kubectl scale` and autoscalers do it.
    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    let queues = cluster.api::<PersistentQueue>();
    queues.patch_scale("orders", &PatchParams::default(), &scale).await.unwrap();
    let before = cluster.until_available("orders", 3).await;
    cluster
        .until("a scale that says so", "orders", |queue: &PersistentQueue| {
            let status = queue.status.clone().unwrap_or_default();
            (status.replicas == 3).then_some(()).ok_or(format!("{status:?}"))
        })
        .await;
    let scale = queues.get_scale("orders").await.unwrap().status.unwrap();
    let selector = "lifeboat.dev/queue=orders,lifeboat.dev/component=replica";
    assert_eq!((scale.replicas, scale.selector.as_deref()), (3, Some(selector)));

    let uid = cluster.api::<Pod>().get("orders-0").await.unwrap().uid();
    let app = json!({"name": "app", "image": "shop/worker:2.0"});
    let template = json!({"spec": {"template": {"spec": {"containers": [app]}}}});
    cluster.change("orders", template).await;
    cluster
        .until("the new image", "orders", |set: &StatefulSet| {
            let template = set.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
            let image = template.containers[0].image.as_deref();
            (image == Some("shop/worker:2.0")).then_some(()).ok_or(format!("{image:?}"))
        })
        .await;
    let after = cluster.until_available("orders", 3).await;
    assert_eq!(after.uid(), before.uid(), "the same StatefulSet");
    assert_ne!(cluster.api::<Pod>().get("orders-0").await.unwrap().uid(), uid, "another pod");

    // What the sidecar reloads by itself replaces no pod.
    let uid = cluster.api::<Pod>().get("orders-0").await.unwrap().uid();
    let mut streams = orders()["spec"]["streams"].clone();
    streams[0]["deliveries"][0]["ackTimeout"] = "45s".into();
    cluster.change("orders", json!({"spec": {"streams": streams}})).await;
    cluster
        .until("the new configuration", "orders-config", |map: &ConfigMap| {
            let text = &map.data.as_ref().unwrap()["queue.yaml"];
            text.contains("45s").then_some(()).ok_or(text.clone())
        })
        .await;
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;
    let set = cluster.until_available("orders", 3).await;
    assert_eq!(set.metadata.generation, after.metadata.generation, "it was not touched");
    assert_eq!(cluster.api::<Pod>().get("orders-0").await.unwrap().uid(), uid, "the same pod");
    operator.stop().await;
}
