//! What others do to a queue's objects is put right, and what is not the queue's is left alone.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::{Cluster, Operator, orders, orders_with};

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn objects_are_kept_as_they_are_wanted() {
    let cluster = Cluster::start().await;
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    let is_there = |service: &Service| Ok::<_, String>(service.uid());
    let first = cluster.until("the Service", "orders", is_there).await;

    // Deleted: made anew.
    let services = cluster.api::<Service>();
    services.delete("orders", &DeleteParams::default()).await.unwrap();
    let second = cluster.until("another Service", "orders", |service: &Service| {
        (service.uid() != first).then(|| service.uid()).ok_or("the old one".to_owned())
    });
    second.await;

    // Changed: changed back. Fields that nobody asked for are left to whoever set them.
    let change = json!({
        "metadata": {"annotations": {"example.com/theirs": "kept"}},
        "spec": {"selector": {"app": "stolen"}, "publishNotReadyAddresses": false},
    });
    services.patch("orders", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    let mended = cluster.until("a mended Service", "orders", |service: &Service| {
        let spec = service.spec.as_ref().unwrap();
        let selector = spec.selector.as_ref().unwrap();
        let is = spec.publish_not_ready_addresses == Some(true)
            && selector.get("lifeboat.dev/queue").map(String::as_str) == Some("orders");
        if is { Ok(service.clone()) } else { Err(format!("{spec:?}")) }
    });
    assert_eq!(mended.await.annotations()["example.com/theirs"], "kept");

    // No longer wanted: gone. Wanted again: there.
    let is_there = |policy: &NetworkPolicy| Ok::<_, String>(policy.uid());
    cluster.until("the NetworkPolicy", "orders", is_there).await;
    let switch = |enabled: bool| json!({"spec": {"networkPolicy": {"enabled": enabled}}});
    cluster.change("orders", switch(false)).await;
    cluster.until_gone::<NetworkPolicy>("orders").await;
    cluster.change("orders", switch(true)).await;
    cluster.until("the NetworkPolicy again", "orders", is_there).await;
    operator.stop().await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_object_of_somebody_else_is_not_taken_over() {
    let cluster = Cluster::start().await;
    let services = cluster.api::<Service>();
    let theirs: Service = serde_json::from_value(json!({
        "metadata": {"name": "legacy"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "legacy"}},
    }))
    .unwrap();
    let made = services.create(&PostParams::default(), &theirs).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders_with("legacy", &json!({}))).await;
    let message = cluster.until_condition("legacy", "Stalled", "True", "StatefulSetRejected").await;
    assert!(message.contains("Service legacy exists and does not belong"), "{message}");
    let now = services.get("legacy").await.unwrap();
    assert_eq!(now.resource_version(), made.resource_version());

    // Out of the way: the queue goes on.
    services.delete("legacy", &DeleteParams::default()).await.unwrap();
    cluster.until_condition("legacy", "Stalled", "False", "Progressing").await;
    operator.stop().await;
}
