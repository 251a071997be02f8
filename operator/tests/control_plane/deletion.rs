//! A queue is deleted: its pods go, and its claims stay unless it said otherwise.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::DeleteParams;
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{FakeDisks, FakeNode, Nothing, until};
use serde_json::json;

use crate::support::{Cluster, Operator, orders};

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
