//! Several operators: one works, and when it ends or is cut off another goes on.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use lifeboat_e2e::until;
use lifeboat_operator::run::Error;
use serde_json::json;

use crate::support::{Cluster, Operator, options, orders, orders_with};

/// How long a lease holds, as `run::leader` has it, less what a clock may be off.
const LEASE: Duration = Duration::from_secs(14);

async fn holder(cluster: &Cluster) -> Option<String> {
    let lease = cluster.api::<Lease>().get_opt("lifeboat-operator").await.unwrap();
    lease?.spec?.holder_identity
}

async fn until_held_by(cluster: &Cluster, pod: &str) {
    until(&format!("a lease held by {pod}"), async || match holder(cluster).await {
        Some(holder) if holder == pod => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
}

async fn until_made(cluster: &Cluster, queue: &str) {
    let is_there = |set: &StatefulSet| Ok::<_, String>(set.uid());
    cluster.until("the StatefulSet", queue, is_there).await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn one_works_and_the_next_takes_over() {
    let cluster = Cluster::start().await;
    let first = Operator::start_as(&cluster, options("operator-a")).await;
    until_held_by(&cluster, "operator-a").await;
    let second = Operator::start_as(&cluster, options("operator-b")).await;
    second.until_ready().await;
    cluster.create(orders()).await;
    until_made(&cluster, "orders").await;
    let looked = second.metric("lifeboat_operator_reconciles_total", "").await;
    assert!(looked.abs() < f64::EPSILON, "the second waits");

    // Told to stop, the first gives the lease back.
    let start = Instant::now();
    first.stop().await;
    until_held_by(&cluster, "operator-b").await;
    assert!(start.elapsed() < LEASE, "it did not run out: {:?}", start.elapsed());
    cluster.create(orders_with("next", &json!({}))).await;
    until_made(&cluster, "next").await;

    // Killed, it does not.
    let third = Operator::start_as(&cluster, options("operator-c")).await;
    third.until_ready().await;
    let start = Instant::now();
    second.kill().await;
    until_held_by(&cluster, "operator-c").await;
    assert!(start.elapsed() > LEASE / 2, "it ran out: {:?}", start.elapsed());
    cluster.create(orders_with("last", &json!({}))).await;
    until_made(&cluster, "last").await;
    third.stop().await;
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_operator_that_cannot_renew_its_lease_ends_and_the_next_start_goes_on() {
    let mut cluster = Cluster::start().await;
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    until_made(&cluster, "orders").await;

    cluster.plane.stop_api_server();
    let error = operator.ended().await;
    assert!(matches!(error, Error::LeaseLost(_)), "{error}");
    // As a kubelet does, while the API server is still away.
    let operator = Operator::start(&cluster).await;
    operator.until_ready().await;
    cluster.plane.start_api_server().await.unwrap();
    cluster.create(orders_with("next", &json!({}))).await;
    until_made(&cluster, "next").await;
    cluster.change("orders", json!({"spec": {"replicas": 3}})).await;
    cluster
        .until("three replicas", "orders", |set: &StatefulSet| {
            let replicas = set.spec.as_ref().unwrap().replicas;
            (replicas == Some(3)).then_some(()).ok_or(format!("{replicas:?}"))
        })
        .await;
    operator.stop().await;
}
