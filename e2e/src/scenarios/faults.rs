//! Something dies while messages come in. What has a receipt arrives.

use std::time::{Duration, SystemTime};

use super::Outcome;
use super::cluster::{Cluster, within};
use super::shop::{Shop, queue};
use crate::error::{Error, Result};
use crate::node::Node;

/// How soon a pod that was deleted takes messages in again, once it is scheduled, in seconds.
const ACCEPTS_WITHIN: f64 = 10.0;
/// Between two of many kills: enough for traffic in between.
const BETWEEN: u64 = 50;

/// The pod is deleted, again and again.
pub(super) async fn pod_deleted(cluster: &mut Cluster, times: u32) -> Outcome {
    let shop = Shop::open(cluster, "pod-deleted").await?;
    let mut slowest: f64 = 0.0;
    for _ in 0..times {
        let old = uid(&shop).await?;
        shop.kubectl("delete pod orders-0").await?;
        let scheduled = within(60, "a pod in its place", async || {
            let pod = shop.get("pod orders-0").await?;
            let other =
                pod["metadata"]["uid"] != old.as_str() && !pod["spec"]["nodeName"].is_null();
            Ok(other.then(now))
        })
        .await?;
        let again = within(60, "a receipt", async || {
            let last = shop.first_report().await?.last;
            Ok((last > scheduled).then_some(last))
        })
        .await?;
        slowest = slowest.max(again - scheduled);
        shop.until_receipts(BETWEEN).await?;
    }
    let counts = shop.close().await?;
    if slowest > ACCEPTS_WITHIN {
        return Err(Error::Broken(format!("{slowest:.1} s from scheduled to the first receipt")));
    }
    Ok((counts, format!("{times} deletions, at most {slowest:.1} s from scheduled to a receipt")))
}

/// SIGKILL of the sidecar.
pub(super) async fn sidecar_killed(cluster: &mut Cluster, times: u32) -> Outcome {
    kills(cluster, "sidecar-killed", "lifeboat", times).await
}

/// SIGKILL of the application.
pub(super) async fn app_killed(cluster: &mut Cluster, times: u32) -> Outcome {
    kills(cluster, "app-killed", "/app/worker.py", times).await
}

async fn kills(cluster: &mut Cluster, namespace: &str, program: &str, times: u32) -> Outcome {
    let shop = Shop::open(cluster, namespace).await?;
    let pod = uid(&shop).await?;
    for _ in 0..times {
        within(120, "a process to kill", async || {
            Ok((own(shop.cluster)?.kill_in_pod(&pod, program)? > 0).then_some(()))
        })
        .await?;
        shop.until_receipts(BETWEEN).await?;
    }
    shop.until_ready(180).await?;
    Ok((shop.close().await?, format!("{times} kills")))
}

/// The application ends as soon as it is started: messages still come in, and wait for the one that
/// works again.
pub(super) async fn crash_loop(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "crash-loop").await?;
    shop.apply(&queue(1, r#", {name: CRASH, value: "1"}"#)).await?;
    within(90, "an application that crashes", async || {
        let pod = shop.get("pod orders-0").await?;
        let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
        Ok((restarts >= Some(2)).then_some(()))
    })
    .await?;
    shop.until_receipts(300).await?;
    shop.apply(&queue(1, "")).await?;
    shop.until_ready(120).await?;
    Ok((shop.close().await?, "receipts all the while".to_owned()))
}

/// A new template, three times over.
pub(super) async fn rollout(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "rollout").await?;
    for version in 0..3 {
        let old = uid(&shop).await?;
        shop.apply(&queue(1, &format!(r#", {{name: V, value: "{version}"}}"#))).await?;
        within(90, "the new pod", async || Ok((uid(&shop).await? != old).then_some(()))).await?;
        shop.until_ready(90).await?;
        shop.until_receipts(BETWEEN).await?;
    }
    Ok((shop.close().await?, "3 rollouts".to_owned()))
}

/// The kubelet is away, then back.
pub(super) async fn kubelet_away(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "kubelet-away").await?;
    let before = shop.first_report().await?.receipted;
    own_mut(shop.cluster)?.stop_kubelet();
    tokio::time::sleep(Duration::from_secs(10)).await;
    own_mut(shop.cluster)?.start_kubelet()?;
    own_mut(shop.cluster)?.until_ready().await?;
    let after = within(60, "the producer", async || Ok(Some(shop.first_report().await?))).await?;
    if after.receipted < before + 500 {
        return Err(Error::Broken(format!("{} receipts in 10 s", after.receipted - before)));
    }
    shop.until_ready(90).await?;
    Ok((shop.close().await?, "traffic went on without it".to_owned()))
}

/// All containers of the node are killed at once.
pub(super) async fn all_killed(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "all-killed").await?;
    let killed = own(shop.cluster)?.kill_all_containers()?;
    shop.until_receipts(BETWEEN).await?;
    shop.until_ready(180).await?;
    Ok((shop.close().await?, format!("{killed} containers")))
}

/// Both operators are killed all the time, while the queue is rolled out.
pub(super) async fn operator_killed(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "operator-killed").await?;
    let old = uid(&shop).await?;
    shop.apply(&queue(1, r#", {name: V, value: "2"}"#)).await?;
    for _ in 0..5 {
        shop.cluster
            .kubectl("delete pod -n lifeboat-system -l app.kubernetes.io/component=operator --force --grace-period=0")
            .await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    within(120, "the new pod", async || Ok((uid(&shop).await? != old).then_some(()))).await?;
    shop.until_ready(120).await?;
    shop.until_receipts(BETWEEN).await?;
    Ok((shop.close().await?, "5 times, during a rollout".to_owned()))
}

/// The API server is away: messages go on, and the operator finds its way back.
pub(super) async fn api_away(cluster: &mut Cluster, seconds: u64) -> Outcome {
    let shop = Shop::open(cluster, "api-away").await?;
    let before = shop.first_report().await?.receipted;
    own_mut(shop.cluster)?.stop_api_server();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    own_mut(shop.cluster)?.start_api_server().await?;
    let after = within(60, "the producer", async || Ok(Some(shop.first_report().await?))).await?;
    if after.receipted < before + seconds * 50 {
        return Err(Error::Broken(format!("{} receipts meanwhile", after.receipted - before)));
    }
    let old = uid(&shop).await?;
    shop.apply(&queue(1, r#", {name: V, value: "2"}"#)).await?;
    within(120, "the new pod", async || Ok((uid(&shop).await? != old).then_some(()))).await?;
    shop.until_ready(120).await?;
    Ok((shop.close().await?, format!("{seconds} s; a rollout afterwards")))
}

/// The pod's identity.
async fn uid(shop: &Shop<'_>) -> Result<String> {
    let pod = shop.get("pod orders-0").await?;
    Ok(pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
}

fn own(cluster: &Cluster) -> Result<&Node> {
    cluster.node.as_ref().ok_or_else(|| Error::Broken("needs a node of its own".to_owned()))
}

fn own_mut(cluster: &mut Cluster) -> Result<&mut Node> {
    cluster.node.as_mut().ok_or_else(|| Error::Broken("needs a node of its own".to_owned()))
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
