//! The control plane is a real one: its controllers work, RBAC binds, and it survives restarts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Pod, ServiceAccount,
};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, PropagationPolicy};
use kube::{Api, Client, ResourceExt};
use lifeboat_e2e::{ControlPlane, until};
use serde_json::json;

async fn namespace(client: &Client, name: &str) {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
}

/// Two replicas with a claim each.
fn shop() -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 2,
            "serviceName": "shop",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "app", "image": "shop:1"}]},
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }],
        },
    }))
    .unwrap()
}

async fn names<K>(api: &Api<K>) -> Vec<String>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + kube::Resource,
{
    let list = api.list(&ListParams::default()).await.unwrap();
    let mut names: Vec<_> = list.iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn real_controllers_make_pods_and_claims_and_collect_or_orphan_them() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    namespace(&client, "trade").await;
    let sets = Api::<StatefulSet>::namespaced(client.clone(), "trade");
    let pods = Api::<Pod>::namespaced(client.clone(), "trade");
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "trade");

    sets.create(&PostParams::default(), &shop()).await.unwrap();
    until("two pods and their claims", async || {
        let pods = names(&pods).await;
        (pods == ["shop-0", "shop-1"] && names(&claims).await == ["data-shop-0", "data-shop-1"])
            .then_some(())
            .ok_or(format!("{pods:?}"))
    })
    .await
    .unwrap();

    let uids = async || {
        let list = pods.list(&ListParams::default()).await.unwrap();
        list.iter().map(|pod| pod.uid().unwrap()).collect::<Vec<_>>()
    };
    let before = uids().await;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    sets.delete("shop", &orphan).await.unwrap();
    until("a set that is gone", async || {
        sets.get_opt("shop").await.unwrap().map_or(Ok(()), |_| Err("there".to_owned()))
    })
    .await
    .unwrap();
    sets.create(&PostParams::default(), &shop()).await.unwrap();
    until("a set that has adopted its pods", async || {
        let set = sets.get("shop").await.unwrap();
        let status = set.status.unwrap_or_default();
        (status.replicas == 2).then_some(()).ok_or(format!("{status:?}"))
    })
    .await
    .unwrap();
    assert_eq!(uids().await, before, "the same pods");

    sets.delete("shop", &DeleteParams::background()).await.unwrap();
    until("no pods, all claims", async || {
        let left = names(&pods).await;
        left.is_empty().then_some(()).ok_or(format!("{left:?}"))
    })
    .await
    .unwrap();
    assert_eq!(names(&claims).await, ["data-shop-0", "data-shop-1"]);
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_service_account_may_do_only_what_it_was_given() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    namespace(&client, "trade").await;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "trade");
    until("the namespace's account", async || {
        accounts.get_opt("default").await.unwrap().map(|_| ()).ok_or("none".to_owned())
    })
    .await
    .unwrap();
    let theirs = plane.client_as("trade", "default").await.unwrap();
    let pods = Api::<Pod>::namespaced(theirs.clone(), "trade");
    let error = pods.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.is_forbidden()), "{error}");
    assert!(error.to_string().contains("system:serviceaccount:trade:default"), "{error}");

    // A program with its kubeconfig is the same account.
    let kubeconfig = plane.kubeconfig_as("trade", "default").await.unwrap();
    let whoami = plane
        .kubectl()
        .unwrap()
        .args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    assert_eq!(whoami.stdout, b"system:serviceaccount:trade:default", "{whoami:?}");

    let kubectl = plane
        .kubectl()
        .unwrap()
        .args(["create", "rolebinding", "look", "-n", "trade", "--clusterrole=view"])
        .arg("--serviceaccount=trade:default")
        .output()
        .unwrap();
    assert!(kubectl.status.success(), "{kubectl:?}");
    until("RBAC that allows it", async || {
        pods.list(&ListParams::default()).await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_api_server_that_was_away_comes_back_with_everything() {
    let mut plane = ControlPlane::start().await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(plane.client(), "default");
    let metadata = ObjectMeta { name: Some("kept".to_owned()), ..ObjectMeta::default() };
    let map = ConfigMap { metadata, ..ConfigMap::default() };
    let made = maps.create(&PostParams::default(), &map).await.unwrap();

    plane.stop_api_server();
    let gone = tokio::time::timeout(Duration::from_secs(5), maps.get("kept")).await;
    assert!(!matches!(gone, Ok(Ok(_))), "nobody answers");

    plane.start_api_server().await.unwrap();
    assert_eq!(maps.get("kept").await.unwrap().metadata, made.metadata);
    // The controllers find it again by themselves.
    let sets = Api::<StatefulSet>::namespaced(plane.client(), "default");
    let pods = Api::<Pod>::namespaced(plane.client(), "default");
    sets.create(&PostParams::default(), &shop()).await.unwrap();
    until("pods after the restart", async || {
        let pods = names(&pods).await;
        (pods == ["shop-0", "shop-1"]).then_some(()).ok_or(format!("{pods:?}"))
    })
    .await
    .unwrap();
}
