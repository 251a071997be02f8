//! From nothing to a message, with what a user has.

use std::time::Instant;

use super::Outcome;
use super::cluster::Cluster;
use super::shop::Shop;
use super::table::Counts;
use crate::error::{Error, Result};
use crate::images::checkout;

/// What `helm install` may take until the operator is ready, images being there, in seconds.
const INSTALLED_WITHIN: f64 = 30.0;
/// Examples, and the name of each one's queue.
const EXAMPLES: [(&str, &str); 5] = [
    ("work-queue", "orders"),
    ("push-pull", "events"),
    ("rep-workers", "jobs"),
    ("once", "payments"),
    ("outbox", "sender"),
];

/// Installs the chart where it is not, for the scenarios after it.
pub(super) async fn chart(cluster: &Cluster) -> Result<f64> {
    let begun = Instant::now();
    let chart = checkout().join("charts/lifeboat");
    let chart = chart.display();
    cluster
        .helm(&format!(
            "upgrade --install lifeboat {chart} -n lifeboat-system --create-namespace --wait --timeout 90s"
        ))
        .await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// The chart installs in time, and its own test passes.
pub(super) async fn install(cluster: &mut Cluster) -> Outcome {
    cluster.kubectl("create namespace lifeboat-system").await?;
    let level = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&format!("label namespace lifeboat-system {level}")).await?;
    let took = chart(cluster).await?;
    if took > INSTALLED_WITHIN {
        return Err(Error::Broken(format!("helm install took {took:.0} s")));
    }
    cluster.helm("test lifeboat -n lifeboat-system --timeout 120s").await?;
    Ok((Counts::default(), format!("helm install in {took:.1} s; helm test passed")))
}

/// Each example as it is reaches a pod that runs and takes messages in.
pub(super) async fn examples(cluster: &mut Cluster) -> Outcome {
    let directory = checkout().join("examples");
    for (example, queue) in EXAMPLES {
        let namespace = format!("example-{example}");
        cluster.kubectl(&format!("create namespace {namespace}")).await?;
        let file = directory.join(format!("{example}.yaml"));
        cluster.kubectl(&format!("apply -n {namespace} -f {}", file.display())).await?;
        // Its application does nothing here, so the queue is not Ready, but its pods are.
        let wait =
            format!("wait -n {namespace} pq/{queue} --for=condition=Accepting --timeout=60s");
        cluster.kubectl(&wait).await?;
        cluster.kubectl(&format!("delete namespace {namespace} --wait=false")).await?;
    }
    Ok((Counts::default(), format!("{} examples take messages in", EXAMPLES.len())))
}

/// Producers in the queue's namespace and in another one.
pub(super) async fn producers(cluster: &mut Cluster) -> Outcome {
    cluster.kubectl("create namespace elsewhere").await?;
    let mut shop = Shop::open(cluster, "producers").await?;
    shop.producer("outside", "elsewhere").await?;
    shop.until_receipts(200).await?;
    let counts = shop.close().await?;
    Ok((counts, String::new()))
}
