//! A replica is fenced: it neither takes nor delivers, until that is taken back.

use serde_json::{Value, json};

use crate::support::{Cluster, Operator, Pods, orders};

fn fenced(value: &Value) -> Value {
    json!({"metadata": {"annotations": {"lifeboat.dev/fenced-replicas": value}}})
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_fenced_replica_is_left_alone_and_comes_back() {
    let cluster = Cluster::start().await;
    let pods = Pods::run(&cluster).await;
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    let (zero, one) =
        (cluster.until_pod("orders-0", None).await, cluster.until_pod("orders-1", None).await);
    let sent = pods.send(&zero, "message", 20).await;

    cluster.change("orders", fenced(&json!("0"))).await;
    pods.until_state(&zero, "fenced").await;
    cluster.until_condition("orders", "Accepting", "False", "Fenced").await;
    assert!(!pods.takes_messages(&zero).await);
    assert!(pods.rest(&zero).await.is_empty(), "nothing is delivered");
    pods.send(&one, "other", 5).await;

    cluster.change("orders", fenced(&Value::Null)).await;
    pods.until_state(&zero, "open").await;
    cluster.until_condition("orders", "Accepting", "True", "SidecarsReady").await;
    assert_eq!(pods.receive(&zero, sent.len()).await, sent, "each message, and no other");
    let now = cluster.until_pod("orders-0", None).await;
    assert_eq!(now.metadata.uid, zero.metadata.uid, "without a restart");
    operator.stop().await;
}
