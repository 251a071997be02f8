//! The node's object and the lease by which the control plane knows that it lives; without them
//! its pods would be evicted or collected.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::NAME;
use crate::error::{Error, Result};

/// As a kubelet's; the control plane gives a node 50 s.
const EVERY: Duration = Duration::from_secs(10);

/// Makes the node's object, ready, and its first lease.
pub(super) async fn register(client: &Client) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NAME, "labels": {"kubernetes.io/hostname": NAME}},
    });
    let what = "registering a node";
    nodes.patch(NAME, &apply(), &Patch::Apply(object)).await.map_err(Error::api(what))?;
    let now = Time(Timestamp::now());
    let room = json!({"cpu": "64", "memory": "64Gi", "pods": "1000"});
    let status = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "played by a test",
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
            }],
        },
    });
    nodes.patch_status(NAME, &apply(), &Patch::Apply(status)).await.map_err(Error::api(what))?;
    renew(client).await.map_err(Error::api("renewing a node's lease"))
}

/// Renews the lease for ever; a failure is made good by the next time.
pub(super) async fn keep(client: Client) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = renew(&client).await {
            eprintln!("{NAME}: its lease: {error}");
        }
    }
}

async fn renew(client: &Client) -> Result<(), kube::Error> {
    let leases = Api::<Lease>::namespaced(client.clone(), "kube-node-lease");
    let lease: Value = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME},
        "spec": {
            "holderIdentity": NAME,
            "leaseDurationSeconds": 40,
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    leases.patch(NAME, &apply(), &Patch::Apply(lease)).await.map(|_| ())
}

fn apply() -> PatchParams {
    PatchParams::apply("kubelet").force()
}
