//! Fewer replicas: what they hold is delivered first, whatever comes in between. Sidecars are real,
//! and every message is counted.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::support::{Cluster, Operator, Pods, consumed, kill_later_and_later, orders};

const ACCEPTING: &str = "lifeboat.dev/accepting";
const DRAINED: &str = "lifeboat.dev/drained";
const MESSAGES: usize = 50;

fn replicas(count: i32) -> Value {
    json!({"spec": {"replicas": count}})
}

/// Waits until the pod has, or has not, the label that producers are sent by.
async fn until_accepting(cluster: &Cluster, pod: &str, accepting: bool) {
    cluster
        .until("the pod's label", pod, |pod: &Pod| {
            let labels = pod.labels();
            (labels.contains_key(ACCEPTING) == accepting).then_some(()).ok_or(format!("{labels:?}"))
        })
        .await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_replica_goes_when_it_is_empty_and_not_before() {
    let cluster = Cluster::start().await;
    let pods = Pods::run(&cluster).await;
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    let pod = cluster.until_pod("orders-1", None).await;
    let mut sent = pods.send(&pod, "first", MESSAGES).await;

    // Nobody consumes: it drains for as long as that takes, and says why.
    cluster.change("orders", replicas(1)).await;
    pods.until_state(&pod, "draining").await;
    until_accepting(&cluster, "orders-1", false).await;
    cluster.until_condition("orders", "ScalingDown", "True", "WaitingForConsumer").await;
    assert!(!pods.takes_messages(&pod).await, "producers are sent away");

    // Taken back: it takes messages again, and lost none.
    cluster.change("orders", replicas(2)).await;
    pods.until_state(&pod, "open").await;
    until_accepting(&cluster, "orders-1", true).await;
    cluster.until_condition("orders", "ScalingDown", "False", "NoneGoing").await;
    sent.extend(pods.send(&pod, "second", MESSAGES).await);

    // Its application is back: it is emptied, closed, marked, and goes.
    cluster.change("orders", replicas(1)).await;
    pods.until_state(&pod, "draining").await;
    let application = pods.consume(&pod);
    cluster.until_gone::<Pod>("orders-1").await;
    assert_eq!(consumed(application).await, sent, "each message, and no other");
    cluster.until_available("orders", 1).await;
    let claims = cluster.api::<PersistentVolumeClaim>();
    let claim = claims.get("lifeboat-data-orders-1").await.unwrap();
    assert_eq!(claim.labels()[DRAINED].len(), 32, "the volume's id");
    assert!(claims.get("lifeboat-data-orders-0").await.unwrap().labels().get(DRAINED).is_none());

    // Wanted again: the same claim, without its mark, and it works.
    cluster.change("orders", replicas(2)).await;
    cluster.until_available("orders", 2).await;
    let again = claims.get("lifeboat-data-orders-1").await.unwrap();
    assert_eq!(again.uid(), claim.uid());
    assert!(!again.labels().contains_key(DRAINED));
    let pod = cluster.until_pod("orders-1", Some(&pod)).await;
    pods.until_state(&pod, "open").await;
    let sent = pods.send(&pod, "third", MESSAGES).await;
    assert_eq!(pods.receive(&pod, sent.len()).await, sent);
    operator.stop().await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_drain_goes_on_wherever_the_operator_is_killed() {
    let cluster = Cluster::start().await;
    let pods = Pods::run(&cluster).await;
    let operator = Operator::start(&cluster).await;
    let mut queue = orders();
    queue["spec"]["storage"]["whenScaled"] = "Delete".into();
    cluster.create(queue).await;
    cluster.until_available("orders", 2).await;
    let pod = cluster.until_pod("orders-1", None).await;
    let sent = pods.send(&pod, "message", MESSAGES).await;
    operator.kill().await;

    cluster.change("orders", replicas(1)).await;
    let application = pods.consume(&pod);
    let gone = async {
        cluster.until_gone::<Pod>("orders-1").await;
        cluster.until_gone::<PersistentVolumeClaim>("lifeboat-data-orders-1").await;
    };
    tokio::select! {
        () = gone => {}
        () = kill_later_and_later(&cluster) => {}
    }
    assert_eq!(consumed(application).await, sent, "each message, and no other");
    let claims = cluster.api::<PersistentVolumeClaim>();
    assert!(claims.get_opt("lifeboat-data-orders-0").await.unwrap().is_some());
}
