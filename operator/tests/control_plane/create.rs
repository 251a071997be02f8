//! A queue is declared: everything that it needs is made, and then left alone.

use k8s_openapi::api::apps::v1::StatefulSet;
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing};

use crate::support::{Cluster, Operator, everything, everything_at_rest, orders};

/// Changes that concern nobody, each a reason to look at the queue.
const LOOKS: u32 = 5;

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn all_objects_are_made_and_left_alone_afterwards() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    let set = cluster.until_available("orders", 2).await;
    let owner = &set.metadata.owner_references.unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.controller), ("PersistentQueue", Some(true)));
    until_settled(&cluster).await;

    let made = everything_at_rest(&cluster).await;
    let names: Vec<Vec<_>> =
        made.iter().map(|kind| kind.iter().map(|(name, _)| name.as_str()).collect()).collect();
    let expected = [
        vec!["orders"],
        vec!["orders-config"],
        vec!["orders", "orders-pods"],
        vec!["orders"],
        vec!["orders"],
        vec!["orders-0", "orders-1"],
        vec!["lifeboat-data-orders-0", "lifeboat-data-orders-1"],
    ];
    assert_eq!(names, expected);

    let writes = operator.metric("lifeboat_operator_writes_total", "").await;
    operator.look(&cluster, LOOKS).await;
    assert_eq!(everything(&cluster).await, made, "nobody wrote anything");
    let now = operator.metric("lifeboat_operator_writes_total", "").await;
    assert!((now - writes).abs() < f64::EPSILON, "{writes} writes became {now}");

    // The next operator does not know what was applied, and applies it again: the same.
    operator.stop().await;
    let operator = Operator::start(&cluster).await;
    operator.look(&cluster, LOOKS).await;
    assert_eq!(everything(&cluster).await, made, "after a restart");
    operator.stop().await;
}

/// Waits until the status tells of this generation, and nothing is going on.
async fn until_settled(cluster: &Cluster) {
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;
    let set = cluster.api::<StatefulSet>().get("orders").await.unwrap();
    cluster
        .until("a status that is up to date", "orders", |queue: &PersistentQueue| {
            let status = queue.status.clone().unwrap_or_default();
            let revision = set.status.as_ref().and_then(|it| it.update_revision.clone());
            let is = status.update_revision == revision && status.ready_replicas == 2;
            if is { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
}
