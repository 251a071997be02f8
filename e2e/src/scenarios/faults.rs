//! Something dies while messages come in. What has a receipt arrives.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::Outcome;
use super::cluster::{Cluster, within};
use super::shop::{Queue, Shop};
use super::table::Ends;
use crate::error::{Error, Result};

/// How soon a pod that was deleted takes messages in again, once it is scheduled, in seconds.
const ACCEPTS_WITHIN: f64 = 10.0;
/// How many times longer that may take on a machine that has other things to do.
const UNDER_LOAD: f64 = 3.0;
/// Between two of many kills: enough for traffic in between.
pub(super) const BETWEEN: u64 = 50;

/// The pod is deleted, again and again.
pub(super) async fn pod_deleted(cluster: &mut Cluster, times: u32) -> Outcome {
    let shop = Shop::open(cluster, "pod-deleted").await?;
    let mut slowest: f64 = 0.0;
    for _ in 0..times {
        let old = shop.uid("pod orders-0").await?;
        shop.kubectl("delete pod orders-0").await?;
        let scheduled =
            within(60, "a pod in its place", async || scheduled(&shop, &old).await).await?;
        let again = within(60, "a receipt", async || {
            let last = shop.first_report().await?.last;
            Ok((last > scheduled).then_some(last))
        })
        .await?;
        slowest = slowest.max(again - scheduled);
        shop.until_receipts(BETWEEN).await?;
    }
    let counts = shop.close().await?;
    counts.bounded(Ends { applications: times.into(), sidecars: 0 })?;
    if slowest > ACCEPTS_WITHIN * UNDER_LOAD {
        return Err(Error::Broken(format!("{slowest:.1} s from scheduled to a receipt")));
    }
    let note = format!(
        "{times} deletions, at most {slowest:.1} s from scheduled to a receipt ({ACCEPTS_WITHIN:.0} s)"
    );
    Ok((counts, note))
}

/// When the pod after this one was scheduled, in seconds since 1970, by the API server's clock, which
/// knows whole seconds.
async fn scheduled(shop: &Shop<'_>, old: &str) -> Result<Option<f64>> {
    let pod = shop.get("pod orders-0").await?;
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut placed = conditions.filter(|it| it["type"] == "PodScheduled" && it["status"] == "True");
    let at = placed.next().and_then(|it| it["lastTransitionTime"].as_str());
    let at = at.filter(|_| pod["metadata"]["uid"] != old);
    let at = at.and_then(|at| at.parse::<Timestamp>().ok());
    Ok(at.map(|at| Duration::from_secs(at.as_second().unsigned_abs()).as_secs_f64()))
}

/// The application ends as soon as it is started: messages still come in, and wait for the one that
/// works again.
pub(super) async fn crash_loop(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "crash-loop").await?;
    crash(&shop, "orders-0", 1, 2).await?;
    shop.until_receipts(300).await?;
    shop.apply(Queue::default()).await?;
    shop.until_ready(120).await?;
    let counts = shop.close().await?;
    // The one that worked, and the ones that came to nothing.
    counts.bounded(Ends { applications: 1, sidecars: 0 })?;
    Ok((counts, "receipts all the while".to_owned()))
}

/// Has the application crash, and waits until it has done so a few times in this pod.
pub(super) async fn crash(shop: &Shop<'_>, pod: &str, replicas: u32, times: u64) -> Result<()> {
    shop.apply(Queue { replicas, env: &[("CRASH", "1")], ..Queue::default() }).await?;
    within(90, "an application that crashes", async || {
        let pod = shop.get(&format!("pod {pod}")).await?;
        let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
        let is_new = pod["spec"]["containers"][0]["env"].to_string().contains("CRASH");
        Ok((is_new && restarts >= Some(times)).then_some(()))
    })
    .await
}

/// A new template, three times over.
pub(super) async fn rollout(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "rollout").await?;
    for version in ["0", "1", "2"] {
        let old = shop.uid("pod orders-0").await?;
        roll(&shop, version).await?;
        until_replaced(&shop, &old).await?;
        shop.until_receipts(BETWEEN).await?;
    }
    let counts = shop.close().await?;
    counts.bounded(Ends { applications: 3, sidecars: 0 })?;
    Ok((counts, "3 rollouts".to_owned()))
}

/// Has the queue's template be another.
pub(super) async fn roll(shop: &Shop<'_>, version: &str) -> Result<()> {
    shop.apply(Queue { env: &[("V", version)], ..Queue::default() }).await
}

/// Waits until another pod is in the place of this one, and ready.
pub(super) async fn until_replaced(shop: &Shop<'_>, old: &str) -> Result<()> {
    within(120, "the new pod", async || Ok((shop.uid("pod orders-0").await? != old).then_some(())))
        .await?;
    shop.until_ready(120).await
}

/// Both operators are killed all the time, while the queue is rolled out.
pub(super) async fn operator_killed(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "operator-killed").await?;
    let old = shop.uid("pod orders-0").await?;
    roll(&shop, "2").await?;
    for _ in 0..5 {
        shop.cluster
            .kubectl("delete pod -n lifeboat-system -l app.kubernetes.io/component=operator --force --grace-period=0")
            .await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    until_replaced(&shop, &old).await?;
    shop.until_receipts(BETWEEN).await?;
    let counts = shop.close().await?;
    counts.bounded(Ends { applications: 1, sidecars: 0 })?;
    Ok((counts, "5 times, during a rollout".to_owned()))
}
