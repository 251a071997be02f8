//! Two hundred queues: how fast, how large, how many requests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::ListParams;
use lifeboat_e2e::until;
use serde_json::json;

use crate::support::{Cluster, Process, orders_with};

const QUEUES: usize = 200;
/// Changes that are timed.
const CHANGES: usize = 100;
/// The operator's memory, in bytes.
const MEMORY: u64 = 64 << 20;
/// From a change of a queue to that of its StatefulSet.
const LATENCY: Duration = Duration::from_secs(1);

fn name(number: usize) -> String {
    format!("queue-{number:03}")
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn two_hundred_queues_are_looked_after_within_limits() {
    let cluster = Cluster::start().await;
    let operator = Process::start(&cluster).await;
    let start = Instant::now();
    // Without pods: those are the StatefulSet controller's work.
    let create = |number| {
        let (name, cluster) = (name(number), &cluster);
        async move { cluster.create(orders_with(&name, &json!({"replicas": 0}))).await }
    };
    let made: Vec<_> = stream::iter(0..QUEUES).map(create).buffer_unordered(16).collect().await;
    assert_eq!(made.len(), QUEUES);
    until("a StatefulSet for each", async || {
        let sets = cluster.api::<StatefulSet>().list(&ListParams::default()).await.unwrap();
        let names: BTreeSet<_> = sets.iter().map(ResourceExt::name_any).collect();
        if names.len() == QUEUES { Ok(()) } else { Err(format!("{}", names.len())) }
    })
    .await
    .unwrap();
    println!("{QUEUES} queues made in {:?}", start.elapsed());

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
    let (median, p99) = (took[CHANGES / 2], took[CHANGES * 99 / 100]);
    println!("from a change to the StatefulSet's: median {median:?}, p99 {p99:?}");
    assert!(p99 < LATENCY, "{p99:?}");
    let memory = operator.memory();
    println!("{} MiB resident", memory >> 20);
    assert!(memory < MEMORY, "{memory} bytes");
    operator.stop().await;
}
