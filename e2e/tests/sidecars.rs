//! Real sidecars behind played pods: what they store outlives process and pod, not the claim.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::path::Path;
use std::process::Output;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use lifeboat_e2e::{ControlPlane, FakeDisks, FakeNode, Sidecars, lifeboat, until};
use serde_json::{Value, json};
use tokio::process::Command;

/// What a queue's ConfigMap holds; a second delivery on demand.
fn queue(audit: bool) -> Value {
    let mut deliveries = vec![json!({"name": "workers", "socket": "ROUTER", "protocol": "Credit"})];
    if audit {
        deliveries.push(json!({"name": "audit", "socket": "ROUTER", "protocol": "Credit"}));
    }
    let bind = "tcp://*:5556";
    let document = json!({
        "apiVersion": "lifeboat.dev/v1alpha1",
        "kind": "PersistentQueue",
        "metadata": {"name": "q"},
        "spec": {
            "storage": {"size": "64Mi"},
            "streams": [{
                "name": "work",
                "ingress": [{"name": "in", "socket": "ROUTER", "protocol": "Receipt", "bind": bind}],
                "deliveries": deliveries,
            }],
        },
    });
    json!({"metadata": {"name": "q-config"}, "data": {"queue.yaml": document.to_string()}})
}

/// A replica as the operator would make it, as far as this test needs.
fn set() -> StatefulSet {
    let run = ["lifeboat", "run", "/etc/lifeboat/queue.yaml", "--data", "/var/lib/lifeboat/data"];
    let sockets = ["--sockets", "/run/lifeboat", "--host", "0.0.0.0", "--admin", "0.0.0.0:9464"];
    let sidecar = json!({
        "name": "lifeboat-sidecar",
        "image": "lifeboat:1",
        "restartPolicy": "Always",
        "command": run.iter().chain(&sockets).collect::<Vec<_>>(),
        "startupProbe": {"httpGet": {"path": "/livez", "port": 9464}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9464}},
        "volumeMounts": [
            {"name": "lifeboat-data", "mountPath": "/var/lib/lifeboat"},
            {"name": "lifeboat-run", "mountPath": "/run/lifeboat"},
            {"name": "lifeboat-config", "mountPath": "/etc/lifeboat"},
        ],
    });
    let claim = json!({
        "metadata": {"name": "lifeboat-data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    });
    serde_json::from_value(json!({
        "metadata": {"name": "q"},
        "spec": {
            "replicas": 1,
            "serviceName": "q",
            "selector": {"matchLabels": {"app": "q"}},
            "template": {
                "metadata": {"labels": {"app": "q"}},
                "spec": {
                    "initContainers": [sidecar],
                    "containers": [{"name": "app", "image": "app:1"}],
                    "volumes": [
                        {"name": "lifeboat-run", "emptyDir": {}},
                        {"name": "lifeboat-config", "configMap": {"name": "q-config"}},
                    ],
                },
            },
            "volumeClaimTemplates": [claim],
        },
    }))
    .unwrap()
}

fn api<K>(client: &Client) -> Api<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), "default")
}

/// The pod once all of it is ready, with so many restarts; another one than `not`.
async fn ready(client: &Client, restarts: i32, not: Option<&Pod>) -> Pod {
    let pods = api::<Pod>(client);
    until("a pod that is ready", async || {
        let Some(pod) = pods.get_opt("q-0").await.unwrap() else { return Err("none".to_owned()) };
        let status = pod.status.clone().unwrap_or_default();
        let all = status.init_container_statuses.iter().flatten();
        let up = all.clone().any(|one| one.ready && one.restart_count == restarts);
        let new = not.is_none_or(|not| not.uid() != pod.uid());
        (up && new).then_some(pod).ok_or(format!("{status:?}"))
    })
    .await
    .unwrap()
}

async fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().await.unwrap()
}

async fn send(program: &Path, pod: &Pod, message: &str) {
    let address = pod.status.as_ref().unwrap().pod_ip.as_deref().unwrap();
    let url = format!("tcp://{address}:5556");
    let sent = run(program, &["send", &url, "--receipts", message]).await;
    assert!(sent.status.success(), "{sent:?}");
}

/// What an application in the pod gets, each acknowledged: so many messages.
async fn receive(program: &Path, sidecars: &Sidecars, pod: &Pod, count: &str) -> Vec<String> {
    let url = format!("ipc://{}/work.workers", sidecars.sockets(pod).unwrap().display());
    let until = ["--count", count, "--timeout", "30s"];
    let got = run(program, &[&["receive", &url, "--credit"], &until[..]].concat()).await;
    let text = String::from_utf8(got.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn what_is_stored_outlives_process_and_pod_and_goes_with_the_claim() {
    let program = lifeboat().unwrap();
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let sidecars = Sidecars::new(&plane, &program, "lifeboat-sidecar").unwrap();
    let _node = FakeNode::run(client.clone(), sidecars.clone()).await.unwrap();
    let _disks = FakeDisks::run(client.clone()).await.unwrap();
    let maps = api::<ConfigMap>(&client);
    let map = serde_json::from_value(queue(false)).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    api::<StatefulSet>(&client).create(&PostParams::default(), &set()).await.unwrap();

    let first = ready(&client, 0, None).await;
    send(&program, &first, "one").await;
    sidecars.kill(&first);
    let again = ready(&client, 1, None).await;
    send(&program, &again, "two").await;

    let pods = api::<Pod>(&client);
    pods.delete("q-0", &DeleteParams::default()).await.unwrap();
    let second = ready(&client, 0, Some(&first)).await;
    send(&program, &second, "three").await;
    let got = receive(&program, &sidecars, &second, "3").await;
    assert_eq!(got, ["one", "two", "three"], "{}", sidecars.log(&second));

    // A ConfigMap that changes reaches the process that runs.
    let changed = Patch::Merge(queue(true));
    maps.patch("q-config", &PatchParams::default(), &changed).await.unwrap();
    let socket = sidecars.sockets(&second).unwrap().join("work.audit");
    until("a socket that is new in the file", async || {
        socket.exists().then_some(()).ok_or_else(|| sidecars.log(&second))
    })
    .await
    .unwrap();

    // Another claim by the same name is an empty volume.
    let claims = api::<PersistentVolumeClaim>(&client);
    send(&program, &second, "lost with its volume").await;
    claims.delete("lifeboat-data-q-0", &DeleteParams::default()).await.unwrap();
    pods.delete("q-0", &DeleteParams::default()).await.unwrap();
    let third = ready(&client, 0, Some(&second)).await;
    send(&program, &third, "four").await;
    assert_eq!(receive(&program, &sidecars, &third, "1").await, ["four"]);
}
