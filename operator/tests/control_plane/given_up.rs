//! Drains that do not end: told, taken back, or given up on purpose, and then nothing is lost either.
//! Sidecars are real, and every message is counted.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use lifeboat_api::queue::PersistentQueue;
use serde_json::{Value, json};

use crate::support::{Cluster, Operator, Pods, orders};

const FORCE: &str = "lifeboat.dev/force-scale-down";
const MESSAGES: usize = 30;

fn replicas(count: i32) -> Value {
    json!({"spec": {"replicas": count}})
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_drain_that_takes_too_long_waits_for_a_word_and_is_let_go_by_one() {
    let cluster = Cluster::start().await;
    let pods = Pods::run(&cluster).await;
    let operator = Operator::start(&cluster).await;
    let mut queue = orders();
    queue["spec"]["scaleDown"] = json!({"timeout": "3s"});
    cluster.create(queue).await;
    cluster.until_available("orders", 2).await;
    let pod = cluster.until_pod("orders-1", None).await;
    let mut sent = pods.send(&pod, "first", MESSAGES).await;

    // Nobody consumes: after the time it is told, with what can be done, and the pod stays.
    cluster.change("orders", replicas(1)).await;
    let message = cluster.until_condition("orders", "Stalled", "True", "DrainTimeout").await;
    assert!(message.contains("Replica 1") && message.contains(FORCE), "{message}");
    cluster.until_condition("orders", "Reconciling", "False", "DrainTimeout").await;
    pods.until_state(&pod, "draining").await;
    let now = cluster.api::<Pod>().get("orders-1").await.unwrap();
    assert_eq!((now.uid(), now.metadata.deletion_timestamp), (pod.uid(), None), "it stays");

    // Taken back.
    cluster.change("orders", replicas(2)).await;
    pods.until_state(&pod, "open").await;
    cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    sent.extend(pods.send(&pod, "second", MESSAGES).await);

    // Let go by a word, which is good for once.
    cluster.change("orders", replicas(1)).await;
    cluster.until_condition("orders", "ScalingDown", "True", "WaitingForConsumer").await;
    cluster.change("orders", json!({"metadata": {"annotations": {FORCE: "1"}}})).await;
    cluster.until_gone::<Pod>("orders-1").await;
    let held = i64::try_from(sent.len()).unwrap();
    cluster
        .until("a stranded claim", "orders", |queue: &PersistentQueue| {
            let stranded = queue.status.iter().flat_map(|status| &status.stranded_claims);
            let stranded: Vec<_> = stranded.map(|it| (it.claim.as_str(), it.messages)).collect();
            let is = stranded == [("lifeboat-data-orders-1", Some(held))];
            let is = is && !queue.annotations().contains_key(FORCE);
            if is { Ok(()) } else { Err(format!("{stranded:?}, {:?}", queue.annotations())) }
        })
        .await;
    let claims = cluster.api::<PersistentVolumeClaim>();
    let claim = claims.get("lifeboat-data-orders-1").await.unwrap();
    assert!(!claim.labels().contains_key("lifeboat.dev/drained"), "it is not");

    // Wanted again: all of it is there.
    cluster.change("orders", replicas(2)).await;
    let pod = cluster.until_pod("orders-1", Some(&pod)).await;
    pods.until_state(&pod, "open").await;
    assert_eq!(pods.receive(&pod, sent.len()).await, sent, "each message, and no other");
    operator.stop().await;
}
