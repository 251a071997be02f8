//! A replica's volume is lost: it starts closed, and opens when somebody says so.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::DeleteParams;
use lifeboat_api::queue::PersistentQueue;
use serde_json::json;

use crate::support::{Cluster, Operator, Pods, orders};

const ACCEPT: &str = "lifeboat.dev/accept-new-log";

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_empty_volume_in_place_of_a_full_one_is_noticed() {
    let cluster = Cluster::start().await;
    let pods = Pods::run(&cluster).await;
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    cluster.until_condition("orders", "DataIntact", "True", "Verified").await;
    let pod = cluster.until_pod("orders-1", None).await;
    pods.send(&pod, "lost", 20).await;
    cluster
        .until("a known log id", "orders", |queue: &PersistentQueue| {
            let status = queue.status.clone().unwrap_or_default();
            let known = status.instances.iter().filter(|it| it.log_id.is_some()).count();
            (known == 2).then_some(()).ok_or(format!("{status:?}"))
        })
        .await;

    // Somebody deletes the claim, and the pod with it.
    let claims = cluster.api::<PersistentVolumeClaim>();
    claims.delete("lifeboat-data-orders-1", &DeleteParams::default()).await.unwrap();
    cluster.api::<Pod>().delete("orders-1", &DeleteParams::default()).await.unwrap();
    let message = cluster.until_condition("orders", "DataIntact", "False", "ClaimLost").await;
    assert!(message.contains("eplica 1"), "{message}");
    let pod = cluster
        .until("the next pod", "orders-1", |next: &Pod| {
            let running = next.status.as_ref().is_some_and(|it| it.pod_ip.is_some());
            let is = next.uid() != pod.uid() && running;
            is.then(|| next.clone()).ok_or(format!("{:?}", next.status))
        })
        .await;
    pods.until_state(&pod, "closed").await;
    assert!(!pods.takes_messages(&pod).await);

    // Accepted: it opens, and the request is forgotten, so that the next loss shows again.
    let accept = json!({"metadata": {"annotations": {ACCEPT: "1"}}});
    cluster.change("orders", accept).await;
    pods.until_state(&pod, "open").await;
    cluster.until_condition("orders", "DataIntact", "True", "Verified").await;
    cluster
        .until("no request", "orders", |queue: &PersistentQueue| {
            let left = queue.annotations();
            (!left.contains_key(ACCEPT)).then_some(()).ok_or(format!("{left:?}"))
        })
        .await;
    let sent = pods.send(&pod, "new", 20).await;
    assert_eq!(pods.receive(&pod, sent.len()).await, sent);
    operator.stop().await;
}
