//! A node that does not answer any more: its pod may still write, so there is no second one until
//! somebody says that the node is off.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use lifeboat_e2e::{FakeDisks, FakeNode};
use serde_json::{Value, json};

use crate::support::{Answering, Cluster, Operator, orders};

const NODE: &str = "node-1";
/// Looks of the operator at a queue whose node is gone.
const LOOKS: u32 = 3;

/// What the node's controller writes when a node's lease runs out.
async fn lose(cluster: &Cluster) {
    let nodes = Api::<Node>::all(cluster.client.clone());
    let unknown = json!({"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"});
    let status = Patch::Strategic(json!({"status": {"conditions": [unknown]}}));
    nodes.patch_status(NODE, &PatchParams::default(), &status).await.unwrap();
    taint(cluster, json!([{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}])).await;
}

async fn taint(cluster: &Cluster, taints: Value) {
    let nodes = Api::<Node>::all(cluster.client.clone());
    let patch = Patch::Merge(json!({"spec": {"taints": taints}}));
    nodes.patch(NODE, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_pod_of_a_lost_node_is_told_about_and_not_replaced() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let node = FakeNode::run(cluster.client.clone(), Answering::default()).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    cluster.until_condition("orders", "Ready", "True", "AllReplicasReady").await;
    let pods = cluster.api::<Pod>();
    let before = cluster.until_pod("orders-1", None).await;

    // The machine is cut off: nobody ends a pod there, as the eviction that follows would have it.
    drop(node);
    lose(&cluster).await;
    pods.delete("orders-1", &DeleteParams::default()).await.unwrap();
    let message = cluster.until_condition("orders", "Stalled", "True", "NodeUnreachable").await;
    assert!(message.contains(NODE) && message.contains("out-of-service"), "{message}");

    // However often it looks: the pod is what it was, and there is no other.
    operator.look(&cluster, LOOKS).await;
    let now = pods.get("orders-1").await.unwrap();
    assert_eq!(now.uid(), before.uid());
    assert!(now.metadata.deletion_timestamp.is_some(), "it ends when its machine says so");
    let ours = ListParams::default().labels("lifeboat.dev/queue=orders");
    assert_eq!(pods.list(&ours).await.unwrap().items.len(), 2);
    let deletes = operator.metric("lifeboat_operator_writes_total", "verb=\"delete\"").await;
    assert!(deletes < 1.0, "{deletes} deletes");

    // What the message says to do: the pod is let go, and its successor runs elsewhere.
    let off = "node.kubernetes.io/out-of-service";
    taint(&cluster, json!([{"key": off, "value": "nodeshutdown", "effect": "NoExecute"}])).await;
    cluster
        .until("another pod", "orders-1", |pod: &Pod| {
            (pod.uid() != before.uid()).then_some(()).ok_or("the old one".to_owned())
        })
        .await;
    taint(&cluster, json!([])).await;
    let _node = FakeNode::run(cluster.client.clone(), Answering::default()).await.unwrap();
    cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    cluster.until_available("orders", 2).await;
    operator.stop().await;
}
