//! A queue is deleted: its pods go, and its claims stay unless it said otherwise.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing, until};
use serde_json::json;

use crate::support::{Cluster, Operator, orders, orders_with};

const CLAIMS: [&str; 2] = ["lifeboat-data-orders-0", "lifeboat-data-orders-1"];

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn claims_stay_are_found_again_and_go_when_asked() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    let claims = cluster.api::<PersistentVolumeClaim>();
    let uids = async || {
        let mut uids = Vec::new();
        for name in CLAIMS {
            uids.push(claims.get(name).await.unwrap().uid());
        }
        uids
    };
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    let before = uids().await;

    // Retain, the default.
    delete(&cluster).await;
    assert_eq!(uids().await, before, "the claims stay");
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    assert_eq!(uids().await, before, "the next queue of that name has them");

    // Changed one's mind, twice: what counts is what is said in the end.
    let when = |policy: &str| json!({"spec": {"storage": {"whenDeleted": policy}}});
    let owners = async |wanted: usize| {
        until("owners of the claims", async || {
            for name in CLAIMS {
                let owners = claims.get(name).await.unwrap().owner_references().len();
                if owners != wanted {
                    return Err(format!("{name} has {owners}"));
                }
            }
            Ok(())
        })
        .await
        .unwrap();
    };
    // What would go with the queue is told: the admission policy goes by it.
    let told = async |wanted: i32| {
        let counts = |queue: &PersistentQueue| {
            let storage = queue.status.clone().and_then(|status| status.storage);
            let is_told = storage.as_ref().is_some_and(|it| it.owned_claims == wanted);
            is_told.then_some(()).ok_or(format!("{storage:?}"))
        };
        cluster.until("the claims that go with it", "orders", counts).await;
    };
    cluster.change("orders", when("Delete")).await;
    owners(1).await;
    told(2).await;
    cluster.change("orders", when("Retain")).await;
    owners(0).await;
    told(0).await;
    cluster.change("orders", when("Delete")).await;
    owners(1).await;

    // The operator is not needed for it.
    operator.stop().await;
    delete(&cluster).await;
    for name in CLAIMS {
        cluster.until_gone::<PersistentVolumeClaim>(name).await;
    }
}

async fn delete(cluster: &Cluster) {
    let queues = cluster.api::<PersistentQueue>();
    queues.delete("orders", &DeleteParams::default()).await.unwrap();
    cluster.until_gone::<StatefulSet>("orders").await;
    for pod in ["orders-0", "orders-1"] {
        cluster.until_gone::<Pod>(pod).await;
    }
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_claim_that_the_server_does_not_let_go_holds_up_nothing_else() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Nothing).await.unwrap();
    let operator = Operator::start(&cluster).await;
    let storage = json!({"size": "1Gi", "whenDeleted": "Delete"});
    cluster.create(orders_with("orders", &json!({"storage": storage}))).await;
    cluster.until_available("orders", 2).await;
    for name in CLAIMS {
        until_owners(&cluster, name, 1).await;
    }
    keep_owners(&cluster, CLAIMS[0]).await;

    let retain = json!({"replicas": 1, "storage": {"whenDeleted": "Retain"}});
    cluster.change("orders", json!({"spec": retain})).await;
    until_owners(&cluster, CLAIMS[1], 0).await;
    let is_asked = |pod: &Pod| {
        let asked = pod.annotations().get("lifeboat.dev/asked-state").cloned();
        (asked.as_deref() == Some("draining")).then_some(()).ok_or(format!("{asked:?}"))
    };
    cluster.until("a pod that is asked to drain", "orders-1", is_asked).await;
    let message = cluster.until_condition("orders", "Stalled", "True", "StatefulSetRejected").await;
    assert!(message.contains(CLAIMS[0]), "{message}");
    let queue = cluster.api::<PersistentQueue>().get("orders").await.unwrap();
    let owned = queue.status.unwrap().storage.unwrap().owned_claims;
    assert!(owned > 0, "one still goes with the queue");

    // Now it does.
    forget_policy(&cluster, CLAIMS[0]).await;
    operator.look(&cluster, 1).await;
    until_owners(&cluster, CLAIMS[0], 0).await;
    let is_none = |queue: &PersistentQueue| {
        let owned = queue.status.clone().and_then(|it| it.storage).map(|it| it.owned_claims);
        (owned == Some(0)).then_some(()).ok_or(format!("{owned:?}"))
    };
    cluster.until("no claim that goes with the queue", "orders", is_none).await;
    operator.stop().await;
}

async fn until_owners(cluster: &Cluster, claim: &str, wanted: usize) {
    let is = |claim: &PersistentVolumeClaim| {
        let owners = claim.owner_references().len();
        (owners == wanted).then_some(()).ok_or(format!("{owners}"))
    };
    cluster.until(&format!("{wanted} owners"), claim, is).await;
}

const POLICY: &str = "keep-owners";

/// Has the server refuse whatever would leave the claim without an owner.
async fn keep_owners(cluster: &Cluster, claim: &str) {
    let rule = json!({
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["persistentvolumeclaims"],
        "operations": ["UPDATE"],
    });
    let expression =
        format!("object.metadata.name != '{claim}' || has(object.metadata.ownerReferences)");
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": POLICY},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression}],
        },
    }))
    .unwrap();
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": POLICY},
        "spec": {"policyName": POLICY, "validationActions": ["Deny"]},
    }))
    .unwrap();
    let params = PostParams::default();
    Api::all(cluster.client.clone()).create(&params, &policy).await.unwrap();
    Api::all(cluster.client.clone()).create(&params, &binding).await.unwrap();
    until_kept(cluster, claim, true).await;
}

async fn forget_policy(cluster: &Cluster, claim: &str) {
    let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(cluster.client.clone());
    bindings.delete(POLICY, &DeleteParams::default()).await.unwrap();
    until_kept(cluster, claim, false).await;
}

/// Waits until the server refuses it, or does not.
async fn until_kept(cluster: &Cluster, claim: &str, kept: bool) {
    let claims = cluster.api::<PersistentVolumeClaim>();
    let free = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    until("a policy in force", async || {
        let is_kept = claims.patch(claim, &params, &free).await.is_err();
        (is_kept == kept).then_some(()).ok_or("not yet".to_owned())
    })
    .await
    .unwrap();
}
