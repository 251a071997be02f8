//! What claims cannot have is told, and not asked for again and again; what they can, they get under
//! pods that stay.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing};
use serde_json::{Value, json};

use crate::support::{Cluster, Operator, orders};

const CLAIMS: [&str; 2] = ["lifeboat-data-orders-0", "lifeboat-data-orders-1"];

async fn quota(cluster: &Cluster, storage: &str) {
    let quota = json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"requests.storage": storage}},
    });
    let quotas = cluster.api::<ResourceQuota>();
    let params = PatchParams::apply("test").force();
    quotas.patch("small", &params, &Patch::Apply(quota)).await.unwrap();
    cluster
        .until("a quota in force", "small", |quota: &ResourceQuota| {
            let status = quota.status.clone().unwrap_or_default();
            let hard = status.hard.as_ref().and_then(|it| it.get("requests.storage"));
            let is = hard.is_some_and(|it| it.0 == storage) && status.used.is_some();
            is.then_some(()).ok_or(format!("{status:?}"))
        })
        .await;
}

/// Has the operator look a few times; answers how often it has written meanwhile.
async fn writes_of_looks(cluster: &Cluster, operator: &Operator) -> f64 {
    let before = operator.metric("lifeboat_operator_writes_total", "").await;
    operator.look(cluster, 3).await;
    operator.metric("lifeboat_operator_writes_total", "").await - before
}

async fn until_claims(cluster: &Cluster, what: &str, is: impl Fn(&PersistentVolumeClaim) -> bool) {
    for name in CLAIMS {
        cluster
            .until(what, name, |claim: &PersistentVolumeClaim| {
                is(claim).then_some(()).ok_or(format!("{:?} {:?}", claim.spec, claim.status))
            })
            .await;
    }
}

fn has(claim: &PersistentVolumeClaim, size: &str) -> bool {
    let capacity = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
    capacity.and_then(|it| it.get("storage")).is_some_and(|it| it.0 == size)
}

async fn uids(cluster: &Cluster) -> Vec<Option<String>> {
    let pods = cluster.api::<Pod>();
    let uid = async |name| pods.get(name).await.unwrap().uid();
    vec![uid("orders-0").await, uid("orders-1").await]
}

fn storage(field: &str, value: &str) -> Value {
    json!({"spec": {"storage": {field: value}}})
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn what_claims_cannot_have_is_told_and_what_they_can_they_get() {
    let cluster = Cluster::start().await;
    let disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    let set = cluster.until_available("orders", 2).await;
    let before = uids(&cluster).await;

    // Another volume attributes class: of the claims, not of the StatefulSet.
    cluster.change("orders", storage("volumeAttributesClassName", "gold")).await;
    until_claims(&cluster, "another class", |claim| {
        let spec = claim.spec.as_ref().unwrap();
        spec.volume_attributes_class_name.as_deref() == Some("gold")
    })
    .await;
    let now = cluster.until_available("orders", 2).await;
    assert_eq!((now.uid(), now.metadata.generation), (set.uid(), set.metadata.generation));
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;

    // A quota that lets only one of them grow.
    quota(&cluster, "3Gi").await;
    cluster.change("orders", storage("size", "2Gi")).await;
    let message = cluster.until_condition("orders", "Stalled", "True", "VolumeResizeFailed").await;
    assert!(message.contains(CLAIMS[1]) && message.contains("exceeded quota"), "{message}");
    let writes = writes_of_looks(&cluster, &operator).await;
    assert!(writes < 1.0, "{writes} writes that help nobody");
    quota(&cluster, "100Gi").await;
    // An operator looks again by itself twice a minute.
    operator.look(&cluster, 1).await;
    until_claims(&cluster, "2Gi", |claim| has(claim, "2Gi")).await;
    cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;

    // A driver that cannot.
    drop(disks);
    cluster.change("orders", storage("size", "3Gi")).await;
    cluster.until_condition("orders", "Reconciling", "True", "ResizingStorage").await;
    let error = json!([{
        "type": "ControllerResizeError", "status": "True", "message": "the pool is full",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let claims = cluster.api::<PersistentVolumeClaim>();
    let patch = |conditions: Value| Patch::Merge(json!({"status": {"conditions": conditions}}));
    let params = PatchParams::default();
    claims.patch_status(CLAIMS[1], &params, &patch(error)).await.unwrap();
    let message = cluster.until_condition("orders", "Stalled", "True", "VolumeResizeFailed").await;
    assert!(message.contains(CLAIMS[1]) && message.contains("the pool is full"), "{message}");
    let writes = writes_of_looks(&cluster, &operator).await;
    assert!(writes < 1.0, "{writes} writes that help nobody");

    // It can now.
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    until_claims(&cluster, "3Gi", |claim| has(claim, "3Gi")).await;
    cluster.until_condition("orders", "Stalled", "False", "Progressing").await;
    cluster.until_available("orders", 2).await;
    assert_eq!(uids(&cluster).await, before, "the same pods all the time");
    operator.stop().await;
}
