//! A played node and played disks are enough for the real StatefulSet controller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use lifeboat_e2e::{
    ControlPlane, FakeDisks, FakeNode, Nothing, PodReport, Reporter, Result, Workload, disks,
    loopback, until,
};
use serde_json::json;

/// One replica, a sidecar and a claim of this class.
fn set(name: &str, class: Option<&str>) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "serviceName": name,
            // A pod that is not ready does not hold up a rollout that mends it.
            "podManagementPolicy": "Parallel",
            "minReadySeconds": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "initContainers": [
                        {"name": "sidecar", "image": "sidecar:1", "restartPolicy": "Always"},
                    ],
                    "containers": [{"name": "app", "image": "app:1"}],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": class,
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }],
        },
    }))
    .unwrap()
}

fn api<K>(client: &Client) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), "default")
}

async fn until_replicas(client: &Client, name: &str, ready: i32) {
    let sets = api::<StatefulSet>(client);
    until("replicas that are ready", async || {
        let status = sets.get(name).await.unwrap().status.unwrap_or_default();
        let is = status.ready_replicas.unwrap_or_default();
        let available = status.available_replicas.unwrap_or_default();
        (is == ready && available == ready).then_some(()).ok_or(format!("{status:?}"))
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn pods_run_are_reported_and_end() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let node = FakeNode::run(client.clone(), Nothing).await.unwrap();
    let sets = api::<StatefulSet>(&client);
    sets.create(&PostParams::default(), &set("shop", None)).await.unwrap();
    until_replicas(&client, "shop", 1).await;

    let pods = api::<Pod>(&client);
    let pod = pods.get("shop-0").await.unwrap();
    let status = pod.status.clone().unwrap();
    assert!(status.pod_ip.unwrap().starts_with("127."));
    assert_eq!(status.init_container_statuses.unwrap()[0].started, Some(true));

    let report = PodReport::ready(loopback::address()).unready("app");
    node.report(&pod, &report).await.unwrap();
    until_replicas(&client, "shop", 0).await;

    // A rollout ends this pod and starts another one.
    let image = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "app", "image": "app:2"}],
    }}}});
    sets.patch("shop", &PatchParams::default(), &Patch::Strategic(image)).await.unwrap();
    until_replicas(&client, "shop", 1).await;
    assert_ne!(pods.get("shop-0").await.unwrap().uid(), pod.uid());
    assert!(node.report(&pod, &report).await.is_err(), "that pod is gone");
}

/// Holds its pod back until it is told to let go.
#[derive(Clone, Default)]
struct Slow(Arc<AtomicBool>);

impl Workload for Slow {
    async fn start(&self, pod: &Pod, reporter: &Reporter) -> Result<()> {
        Nothing.start(pod, reporter).await
    }

    async fn stop(&self, _pod: &Pod) {
        while !self.0.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_pod_is_terminating_until_its_workload_has_stopped() {
    let mut plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Slow::default();
    let _node = FakeNode::run(client.clone(), workload.clone()).await.unwrap();
    api::<StatefulSet>(&client).create(&PostParams::default(), &set("shop", None)).await.unwrap();
    until_replicas(&client, "shop", 1).await;

    let pods = api::<Pod>(&client);
    let first = pods.get("shop-0").await.unwrap();
    pods.delete("shop-0", &DeleteParams::default()).await.unwrap();
    // The node outlives an API server that is away.
    plane.stop_api_server();
    plane.start_api_server().await.unwrap();
    let pod = pods.get("shop-0").await.unwrap();
    assert_eq!(pod.uid(), first.uid());
    assert!(pod.metadata.deletion_timestamp.is_some());

    workload.0.store(true, Ordering::Relaxed);
    until("the next pod", async || {
        let pod = pods.get_opt("shop-0").await.unwrap();
        let next = pod.filter(|pod| pod.uid() != first.uid());
        next.map(|_| ()).ok_or("the old one, or none".to_owned())
    })
    .await
    .unwrap();
    until_replicas(&client, "shop", 1).await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn claims_are_bound_and_grow_where_their_class_allows_it() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let _disks = FakeDisks::run(client.clone()).await.unwrap();
    let sets = api::<StatefulSet>(&client);
    sets.create(&PostParams::default(), &set("soft", None)).await.unwrap();
    sets.create(&PostParams::default(), &set("hard", Some(disks::RIGID_CLASS))).await.unwrap();

    let claims = api::<PersistentVolumeClaim>(&client);
    let until_capacity = async |claim: &str, size: &str| {
        until("a claim of that size", async || {
            let Some(claim) = claims.get_opt(claim).await.unwrap() else {
                return Err("no claim".to_owned());
            };
            let status = claim.status.unwrap_or_default();
            let is = status.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
            let bound = status.phase.as_deref() == Some("Bound");
            (bound && is.is_some_and(|is| is.0 == size)).then_some(()).ok_or(format!("{status:?}"))
        })
        .await
        .unwrap();
    };
    until_capacity("data-soft-0", "1Gi").await;
    until_capacity("data-hard-0", "1Gi").await;

    let larger = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}));
    claims.patch("data-soft-0", &PatchParams::default(), &larger).await.unwrap();
    until_capacity("data-soft-0", "2Gi").await;
    let refused = claims.patch("data-hard-0", &PatchParams::default(), &larger).await.unwrap_err();
    assert!(refused.to_string().contains("must support resize"), "{refused}");
}
