//! Two hundred queues, each with a pod: how fast, how large, how many requests.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::ListParams;
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{FakeDisks, FakeNode, until};
use serde_json::json;

use crate::support::{Answering, Cluster, Process, condition, orders_with};

const QUEUES: usize = 200;
/// Changes that are timed.
const CHANGES: usize = 100;
/// The operator's memory, in bytes.
const MEMORY: u64 = 64 << 20;
/// From a change of a queue to that of its StatefulSet: for half of them, and for nine of ten.
const MEDIAN: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(5);

/// How long it is watched at rest.
const REST: Duration = Duration::from_secs(20);
/// Requests a minute at rest: for the lease, and for watches that end.
const REQUESTS: f64 = 90.0;

fn name(number: usize) -> String {
    format!("queue-{number:03}")
}

/// Waits until so many queues say that they are ready.
async fn until_ready(cluster: &Cluster, count: usize) {
    until(&format!("{count} queues that are ready"), async || {
        let queues = cluster.api::<PersistentQueue>().list(&ListParams::default()).await.unwrap();
        let is_ready = |queue: &&PersistentQueue| {
            condition(queue, "Ready").is_some_and(|it| it.status == "True")
        };
        let ready = queues.iter().filter(is_ready).count();
        if ready >= count { Ok(()) } else { Err(format!("{ready} are")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn two_hundred_queues_are_looked_after_within_limits() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Answering::default()).await.unwrap();
    let operator = Process::start(&cluster).await;
    let start = Instant::now();
    let create = |number| {
        let (name, cluster) = (name(number), &cluster);
        async move { cluster.create(orders_with(&name, &json!({"replicas": 1}))).await }
    };
    let made: Vec<_> = stream::iter(0..QUEUES).map(create).buffer_unordered(16).collect().await;
    assert_eq!(made.len(), QUEUES);
    for ready in [QUEUES / 4, QUEUES / 2, QUEUES] {
        until_ready(&cluster, ready).await;
    }
    println!("{QUEUES} queues ready in {:?}", start.elapsed());

    let mut took = Vec::new();
    for change in 0..CHANGES {
        let name = name(change * QUEUES / CHANGES);
        let start = Instant::now();
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 7}});
        cluster.change(&name, json!({"spec": {"updateStrategy": strategy}})).await;
        cluster
            .until("the change", &name, |set: &StatefulSet| {
                let strategy = set.spec.as_ref().unwrap().update_strategy.as_ref().unwrap();
                let rolling = strategy.rolling_update.as_ref();
                let partition = rolling.and_then(|it| it.partition);
                (partition == Some(7)).then_some(()).ok_or(format!("{partition:?}"))
            })
            .await;
        took.push(start.elapsed());
    }
    took.sort();
    let (median, most, slowest) = (took[CHANGES / 2], took[CHANGES * 9 / 10], took[CHANGES - 1]);
    println!("from a change to the StatefulSet's: {median:?}, {most:?}, at most {slowest:?}");
    assert!(median < MEDIAN && most < MOST, "{median:?} {most:?}");
    let memory = operator.memory();
    println!("{} MiB resident", memory >> 20);
    assert!(memory < MEMORY, "{memory} bytes");
    until_rest(&operator).await;
    rest(&operator).await;
    operator.stop().await;
}

/// Waits until it writes nothing more: what comes late are the last changes' statuses and events.
async fn until_rest(operator: &Process) {
    let count = async || operator.metric("lifeboat_operator_writes_total", "").await;
    until("nothing that is written", async || {
        let before = count().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let written = count().await - before;
        if written == 0.0 { Ok(()) } else { Err(format!("{written} writes")) }
    })
    .await
    .unwrap();
}

/// What so many queues cost while nothing happens.
async fn rest(operator: &Process) {
    let count = async || operator.metric("lifeboat_operator_api_requests_total", "").await;
    let before = count().await;
    tokio::time::sleep(REST).await;
    let requests = (count().await - before) * 60.0 / REST.as_secs_f64();
    println!("{requests:.0} requests a minute at rest");
    assert!(requests < REQUESTS, "{requests} a minute");
}
