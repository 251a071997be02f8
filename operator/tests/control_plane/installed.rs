//! The operator with the rights that the chart gives it, under the chart's admission policies: they
//! are enough for everything that it does.

use std::path::Path;

use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use lifeboat_e2e::until;
use lifeboat_operator::run::Options;
use serde_json::json;

use crate::growth::until_grown;
use crate::support::{Cluster, Operator, Pods, options, orders, orders_with};

/// Where the chart is installed.
const SYSTEM: &str = "lifeboat-system";

/// Installs the chart, its CRD included. Its Deployment has no node, so the only operator is ours.
fn install(cluster: &Cluster, more: &[&str]) {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/lifeboat");
    let mut helm = cluster.plane.helm().unwrap();
    helm.args(["install", "lifeboat", chart.to_str().unwrap()]);
    helm.args(["--namespace", SYSTEM, "--create-namespace"]).args(more);
    let output = helm.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Starts an operator as the chart's service account.
async fn operate(cluster: &Cluster, namespaces: &[&str]) -> Operator {
    let account = cluster.plane.kubeconfig_as(SYSTEM, "lifeboat").await.unwrap();
    let options = Options {
        pod_namespace: SYSTEM.to_owned(),
        lease_name: "lifeboat".to_owned(),
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        ..options("operator-0")
    };
    Operator::start_with(&account, options).await
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn the_charts_rights_are_enough_for_all_that_it_does() {
    let cluster = Cluster::without_crd().await;
    install(&cluster, &["--set", "replicas=0"]);
    cluster.until_crd().await;
    let pods = Pods::run(&cluster).await;
    let operator = operate(&cluster, &[]).await;
    let storage = json!({"size": "1Gi", "whenScaled": "Delete", "whenDeleted": "Delete"});
    cluster.create(orders_with("orders", &json!({"storage": storage}))).await;
    cluster.until_available("orders", 2).await;
    let pod = cluster.until_pod("orders-1", None).await;

    // Grown: claims patched, StatefulSet deleted and made anew.
    cluster.change("orders", json!({"spec": {"storage": {"size": "2Gi"}}})).await;
    until_grown(&cluster, "2Gi").await;
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;

    // Drained and removed: pod patched, claim patched and deleted.
    let sent = pods.send(&pod, "message", 20).await;
    cluster.change("orders", json!({"spec": {"replicas": 1}})).await;
    pods.until_state(&pod, "draining").await;
    assert_eq!(pods.receive(&pod, sent.len()).await, sent);
    cluster.until_gone::<Pod>("orders-1").await;
    cluster.until_gone::<PersistentVolumeClaim>("lifeboat-data-orders-1").await;

    // No longer wanted: deleted.
    let off = json!({"enabled": false});
    let off = json!({"networkPolicy": off, "podDisruptionBudget": off});
    cluster.change("orders", json!({"spec": off})).await;
    cluster.until_gone::<NetworkPolicy>("orders").await;

    // And told.
    until("events", async || {
        let events = cluster.api::<Event>().list(&ListParams::default()).await.unwrap();
        let ours =
            |event: &&Event| event.involved_object.kind.as_deref() == Some("PersistentQueue");
        let reasons: Vec<_> = events.iter().filter(ours).map(|it| it.reason.clone()).collect();
        if reasons.is_empty() { Err("none".to_owned()) } else { Ok(()) }
    })
    .await
    .unwrap();
    let refused = operator.metric("lifeboat_operator_api_requests_total", "code=\"403\"").await;
    assert!(refused.abs() < f64::EPSILON, "{refused} requests were refused");
    operator.stop().await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn rights_in_one_namespace_are_enough_for_its_queues() {
    let cluster = Cluster::without_crd().await;
    install(&cluster, &["--set", "replicas=0", "--set", "watchNamespaces={default}"]);
    cluster.until_crd().await;
    let operator = operate(&cluster, &["default"]).await;
    cluster.create(orders()).await;
    cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    operator.stop().await;
}
