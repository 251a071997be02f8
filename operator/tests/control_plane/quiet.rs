//! An operator that has nothing to do asks for nothing and writes nothing but its lease, as the API
//! server counts it.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::PostParams;
use lifeboat_e2e::{FakeDisks, FakeNode, until};
use serde_json::{Value, json};

use crate::support::{Answering, Cluster, Operator, options, orders};

/// For how long it is watched, in seconds; more where this variable says so.
const SPAN: u64 = 15;
const SPAN_VARIABLE: &str = "LIFEBOAT_IDLE_SECONDS";
/// Who the operator is.
const ACCOUNT: &str = "operator";

/// The requests of the operator that were to change something: verb and resource, in order.
fn writes(cluster: &Cluster) -> Vec<String> {
    let log = std::fs::read_to_string(cluster.plane.audit_log()).unwrap();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let user = format!("system:serviceaccount:default:{ACCOUNT}");
    let own = events.filter(|event| event["user"]["username"] == user.as_str());
    let told = |event: Value| {
        format!("{} {}", event["verb"], event["objectRef"]["resource"]).replace('"', "")
    };
    own.map(told).collect()
}

/// The same, leases left out: it lives by its own.
fn changes(cluster: &Cluster) -> Vec<String> {
    writes(cluster).into_iter().filter(|write| !write.ends_with(" leases")).collect()
}

/// The kubeconfig of an account that may do everything, so that nobody else is taken for it.
async fn account(cluster: &Cluster) -> PathBuf {
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": ACCOUNT}})).unwrap();
    cluster.api().create(&PostParams::default(), &account).await.unwrap();
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": ACCOUNT},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "default"}],
    }))
    .unwrap();
    let bindings = Api::<ClusterRoleBinding>::all(cluster.client.clone());
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    cluster.plane.kubeconfig_as("default", ACCOUNT).await.unwrap()
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_idle_operator_writes_nothing() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Answering::default()).await.unwrap();
    let kubeconfig = account(&cluster).await;
    let operator = Operator::start_with(&kubeconfig, options("operator-0")).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    cluster.until_condition("orders", "Ready", "True", "AllReplicasReady").await;
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;
    // What comes late: the last pod's readiness, and the events of all that.
    let mut last = changes(&cluster);
    assert!(!last.is_empty(), "it is seen");
    until("nothing that is written", async || {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = changes(&cluster);
        let written = now.len() - last.len();
        last = now;
        if written == 0 { Ok(()) } else { Err(format!("{written} writes")) }
    })
    .await
    .unwrap();

    let seconds = std::env::var(SPAN_VARIABLE).map_or(SPAN, |text| text.parse().unwrap());
    let asked = operator.metric("lifeboat_operator_api_requests_total", "").await;
    let before = writes(&cluster).len();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let asked = operator.metric("lifeboat_operator_api_requests_total", "").await - asked;
    let leases = writes(&cluster).split_off(before);
    println!("{seconds} s: {asked} requests, of them {} writes: {leases:?}", leases.len());
    assert_eq!(changes(&cluster), last, "written in {seconds} s");
    assert!(!leases.is_empty(), "its lease");
    operator.stop().await;
}
