//! From nothing to a message, with what a user has.

use std::time::Instant;

use super::Outcome;
use super::cluster::Cluster;
use super::shop::{Shop, restricted_namespace};
use super::table::{Counts, Ends};
use crate::error::{Error, Result};
use crate::images::{APP, checkout};

/// What it may take from `helm install` to a queue that is ready, images being there, in seconds.
const READY_WITHIN: f64 = 30.0;
/// How many times longer that may take on a machine that has other things to do.
const UNDER_LOAD: f64 = 3.0;
/// The namespace of the chart.
const OPERATORS: &str = "lifeboat-system";
/// Examples, and the name of each one's queue.
const EXAMPLES: [(&str, &str); 5] = [
    ("work-queue", "orders"),
    ("push-pull", "events"),
    ("rep-workers", "jobs"),
    ("once", "payments"),
    ("outbox", "sender"),
];

/// Installs the chart where it is not, under the strictest Pod Security; answers how long it took, in
/// seconds.
pub(super) async fn chart(cluster: &Cluster) -> Result<f64> {
    cluster.apply(OPERATORS, &restricted_namespace(OPERATORS)).await?;
    let begun = Instant::now();
    let chart = checkout().join("charts/lifeboat");
    let chart = chart.display();
    let install = format!("upgrade --install lifeboat {chart} -n {OPERATORS} --wait --timeout 90s");
    cluster.helm(&install).await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// The chart installs in time, a queue is ready in time, and the chart's own test passes.
pub(super) async fn install(cluster: &mut Cluster) -> Outcome {
    let installed = chart(cluster).await?;
    let shop = Shop::open(cluster, "install").await?;
    let ready = installed + shop.ready_after.as_secs_f64();
    let counts = shop.close().await?;
    if ready > READY_WITHIN * UNDER_LOAD {
        return Err(Error::Broken(format!(
            "{ready:.0} s from helm install to a queue that is ready"
        )));
    }
    cluster.helm(&format!("test lifeboat -n {OPERATORS} --timeout 120s")).await?;
    let note = format!(
        "helm install {installed:.1} s, with a queue Ready {ready:.1} s ({READY_WITHIN:.0} s); helm \
         test passed"
    );
    Ok((counts, note))
}

/// Namespaces that enforce Pod Security `restricted`, the operators' and the queue's: a pod that is
/// not fit for it is refused, a queue's is not, though its sidecar is beside the application.
pub(super) async fn restricted(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "restricted").await?;
    for namespace in [OPERATORS, "restricted"] {
        let object = shop.cluster.get(&format!("namespace {namespace}")).await?;
        let level = &object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
        if level != "restricted" {
            return Err(Error::Broken(format!("{namespace} enforces {level}")));
        }
    }
    match shop.kubectl(&format!("run plain --image={APP}")).await {
        Err(Error::Failed { said, .. }) if said.contains("violates PodSecurity") => {}
        other => return Err(Error::Broken(format!("nothing is enforced: {other:?}"))),
    }
    // A pod of each is admitted now, too.
    shop.cluster.kubectl(&format!("rollout restart -n {OPERATORS} deployment")).await?;
    shop.cluster
        .kubectl(&format!("rollout status -n {OPERATORS} deployment --timeout=90s"))
        .await?;
    shop.kubectl("delete pod orders-0").await?;
    shop.until_receipts(50).await?;
    let counts = shop.close().await?;
    counts.bounded(Ends { applications: 1, sidecars: 0 })?;
    Ok((counts, "operators, queue and producers".to_owned()))
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
    counts.bounded(Ends::default())?;
    Ok((counts, String::new()))
}
