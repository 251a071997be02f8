//! An operator that has nothing to do asks for nothing and writes nothing but its lease, as the API
//! server counts it.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use lifeboat_e2e::{FakeDisks, FakeNode, until};

use crate::support::{Answering, Cluster, Operator, orders};

/// For how long it is watched, in seconds; more where this variable says so.
const SPAN: u64 = 15;
const SPAN_VARIABLE: &str = "LIFEBOAT_IDLE_SECONDS";
/// What the API server calls requests that read.
const READS: [&str; 4] = ["GET", "LIST", "WATCH", "CONNECT"];

/// The API server's counts by verb and resource, leases left out: nodes and operators live by them.
async fn requests(client: &Client) -> BTreeMap<String, f64> {
    let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
    let text = client.request_text(request).await.unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
        let label = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        if label("resource") != "leases" {
            let key = format!("{} {}", label("verb"), label("resource"));
            let count = line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
            *counts.entry(key).or_insert(0.0) += count;
        }
    }
    counts
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_idle_operator_writes_nothing() {
    let cluster = Cluster::start().await;
    let _disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
    let _node = FakeNode::run(cluster.client.clone(), Answering::default()).await.unwrap();
    let operator = Operator::start(&cluster).await;
    cluster.create(orders()).await;
    cluster.until_available("orders", 2).await;
    cluster.until_condition("orders", "Ready", "True", "AllReplicasReady").await;
    cluster.until_condition("orders", "Reconciling", "False", "Settled").await;
    // What the controllers still have to write about it: until two looks see the same.
    let mut last = requests(&cluster.client).await;
    until("nothing that is written", async || {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = requests(&cluster.client).await;
        let written = writes(&last, &now);
        last = now;
        if written.is_empty() { Ok(()) } else { Err(format!("{written:?}")) }
    })
    .await
    .unwrap();

    let seconds = std::env::var(SPAN_VARIABLE).map_or(SPAN, |text| text.parse().unwrap());
    let before = requests(&cluster.client).await;
    let asked = operator.metric("lifeboat_operator_api_requests_total", "").await;
    let leases = operator.metric("lifeboat_operator_api_requests_total", "method=\"PUT\"").await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = requests(&cluster.client).await;
    let asked = operator.metric("lifeboat_operator_api_requests_total", "").await - asked;
    let leases =
        operator.metric("lifeboat_operator_api_requests_total", "method=\"PUT\"").await - leases;
    println!("{seconds} s: the operator made {asked} requests, {leases} of them for its lease");
    assert_eq!(writes(&before, &after), BTreeMap::new(), "written in {seconds} s");
    operator.stop().await;
}

/// Requests other than reads, by verb and resource, between two counts.
fn writes(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let more = after
        .iter()
        .map(|(key, count)| (key.clone(), count - before.get(key).copied().unwrap_or_default()));
    let is_write = |key: &str| READS.iter().all(|verb| !key.starts_with(&format!("{verb} ")));
    more.filter(|(key, count)| *count > 0.0 && is_write(key)).collect()
}
