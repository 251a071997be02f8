//! What cannot be made is told, with its field, and what runs goes on.

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::PostParams;
use lifeboat_api::queue::PersistentQueue;
use serde_json::json;

use crate::support::{Cluster, Operator, orders, orders_with};

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_wrong_queue_is_refused_by_the_api_server_itself() {
    let cluster = Cluster::start().await;
    let refused = async |change: serde_json::Value| {
        let queue: PersistentQueue =
            serde_json::from_value(orders_with("orders", &change)).unwrap();
        let queues = cluster.api::<PersistentQueue>();
        queues.create(&PostParams::default(), &queue).await.unwrap_err().to_string()
    };
    let error = refused(json!({"storage": {"size": "1Mi"}})).await;
    assert!(error.contains("spec.storage"), "{error}");
    let error = refused(json!({"replicas": -1})).await;
    assert!(error.contains("spec.replicas"), "{error}");
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn what_this_version_does_not_do_is_told_by_name_and_nothing_is_changed() {
    let cluster = Cluster::start().await;
    let operator = Operator::start(&cluster).await;
    let mut streams = orders()["spec"]["streams"].clone();
    let keys = json!({"secretName": "keys"});
    let secret = json!({"name": "secret", "socket": "PULL", "bind": "tcp://*:5557", "curve": keys});
    streams[0]["ingress"].as_array_mut().unwrap().push(secret);
    cluster.create(orders_with("orders", &json!({"streams": streams}))).await;
    let message = cluster.until_condition("orders", "Stalled", "True", "SpecInvalid").await;
    assert!(message.contains("spec.streams[0].ingress[1].curve"), "{message}");
    assert!(cluster.api::<StatefulSet>().get_opt("orders").await.unwrap().is_none());

    // Mended: it is made.
    cluster.change("orders", json!({"spec": {"streams": orders()["spec"]["streams"]}})).await;
    cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    let is_there = |set: &StatefulSet| Ok::<_, String>(set.uid());
    cluster.until("the StatefulSet", "orders", is_there).await;
    operator.stop().await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_template_that_the_server_refuses_leaves_the_pods_as_they_are() {
    let cluster = Cluster::start().await;
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    let version = |set: &StatefulSet| Ok::<_, String>(set.metadata.generation);
    let before = cluster.until("the StatefulSet", "orders", version).await;

    let app = |field: &str, value: serde_json::Value| {
        let mut app = json!({"name": "app", "image": "shop/worker:1.0"});
        app[field] = value;
        json!({"spec": {"template": {"spec": {"containers": [app]}}}})
    };
    // A value that is none, and a field that does not exist.
    for (field, value) in [("imagePullPolicy", json!("Sometimes")), ("imagePolicy", json!("x"))] {
        cluster.change("orders", app(field, value)).await;
        let message = cluster.until_condition("orders", "Stalled", "True", "TemplateInvalid").await;
        assert!(message.contains(field), "{message}");
        cluster.change("orders", app("image", json!("shop/worker:1.0"))).await;
        cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    }
    let after = cluster.until("the StatefulSet", "orders", version).await;
    assert_eq!(after, before, "it was never touched");
    operator.stop().await;
}
