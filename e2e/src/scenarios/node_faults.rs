//! Things that are done to the node itself, or to processes on it. It must be ours.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::Outcome;
use super::cluster::{Cluster, within};
use super::faults::{BETWEEN, roll, until_replaced};
use super::shop::Shop;
use super::table::Ends;
use crate::error::{Error, Result};

/// The application's program.
pub(super) const APPLICATION: &str = "/app/worker.py";
/// Processes of a pod: the application, the sidecar, and the one that holds the namespaces.
const OF_A_POD: usize = 3;

/// SIGKILL of the sidecar.
pub(super) async fn sidecar_killed(cluster: &mut Cluster, times: u32) -> Outcome {
    kills(cluster, "sidecar-killed", "lifeboat", times).await
}

/// SIGKILL of the application.
pub(super) async fn app_killed(cluster: &mut Cluster, times: u32) -> Outcome {
    kills(cluster, "app-killed", APPLICATION, times).await
}

async fn kills(cluster: &mut Cluster, namespace: &str, program: &str, times: u32) -> Outcome {
    let shop = Shop::open(cluster, namespace).await?;
    let pod = shop.uid("pod orders-0").await?;
    for _ in 0..times {
        within(120, "a process to kill", async || {
            Ok((shop.cluster.node()?.kill_in_pod(&pod, program) > 0).then_some(()))
        })
        .await?;
        shop.until_receipts(BETWEEN).await?;
    }
    shop.until_ready(180).await?;
    let counts = shop.close().await?;
    let (applications, sidecars) =
        if program == APPLICATION { (times.into(), 0) } else { (0, times.into()) };
    let allowed = counts.bounded(Ends { applications, sidecars })?;
    Ok((counts, format!("{times} kills; at most {allowed} duplicates")))
}

/// SIGKILL of all that a pod is, at once: its kubelet makes it anew on the same node.
pub(super) async fn pod_killed(cluster: &mut Cluster, times: u32) -> Outcome {
    let shop = Shop::open(cluster, "pod-killed").await?;
    let pod = shop.uid("pod orders-0").await?;
    for _ in 0..times {
        let before = containers(&shop).await?;
        let killed = shop.cluster.node()?.kill_pod(&pod);
        if killed < OF_A_POD {
            return Err(Error::Broken(format!("only {killed} processes to kill")));
        }
        shop.until_receipts(BETWEEN).await?;
        within(180, "other containers, all ready", async || {
            let now = containers(&shop).await?;
            let is = now.iter().all(|it| it.is_some() && !before.contains(it));
            Ok(is.then_some(()))
        })
        .await?;
        shop.until_ready(60).await?;
    }
    if shop.uid("pod orders-0").await? != pod {
        return Err(Error::Broken("it is another pod".to_owned()));
    }
    let counts = shop.close().await?;
    let times = u64::from(times);
    let allowed = counts.bounded(Ends { applications: 0, sidecars: times })?;
    Ok((counts, format!("{times} times; at most {allowed} duplicates")))
}

/// Which containers the pod has; `None` for one that is not ready.
async fn containers(shop: &Shop<'_>) -> Result<Vec<Option<String>>> {
    let pod = shop.get("pod orders-0").await?;
    let lists = ["initContainerStatuses", "containerStatuses"];
    let all = lists.iter().filter_map(|list| pod["status"][list].as_array()).flatten();
    let id = |it: &Value| it["containerID"].as_str().map(str::to_owned);
    Ok(all.map(|it| id(it).filter(|_| it["ready"] == true)).collect())
}

/// The kubelet is away, then back.
pub(super) async fn kubelet_away(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "kubelet-away").await?;
    let expected = expected_in(&shop, 10).await?;
    shop.cluster.node_mut()?.stop_kubelet();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let back = Timestamp::now();
    shop.cluster.node_mut()?.start_kubelet()?;
    until_renewed(&shop, back).await?;
    shop.cluster.node_mut()?.until_ready().await?;
    went_on(&shop, expected).await?;
    shop.until_ready(90).await?;
    let counts = shop.close().await?;
    counts.bounded(Ends::default())?;
    Ok((counts, "traffic went on without it".to_owned()))
}

/// Waits until the kubelet says that it lives. The API server calls its node ready for much longer
/// than it is away here.
async fn until_renewed(shop: &Shop<'_>, since: Timestamp) -> Result<()> {
    within(120, "the node's lease to be renewed", async || {
        let leases = shop.cluster.get("-n kube-node-lease leases").await?;
        let renewed = leases["items"][0]["spec"]["renewTime"].as_str();
        let renewed = renewed.and_then(|at| at.parse::<Timestamp>().ok());
        Ok(renewed.filter(|at| *at > since).map(|_| ()))
    })
    .await
}

/// All containers of the node are killed at once.
pub(super) async fn all_killed(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "all-killed").await?;
    let killed = shop.cluster.node()?.kill_all_containers()?;
    shop.until_receipts(BETWEEN).await?;
    shop.until_ready(180).await?;
    let counts = shop.close().await?;
    let allowed = counts.bounded(Ends { applications: 0, sidecars: 1 })?;
    Ok((counts, format!("{killed} containers; at most {allowed} duplicates")))
}

/// The API server is away: messages go on, and the operator finds its way back.
pub(super) async fn api_away(cluster: &mut Cluster, seconds: u64) -> Outcome {
    let shop = Shop::open(cluster, "api-away").await?;
    let expected = expected_in(&shop, seconds).await?;
    shop.cluster.node_mut()?.stop_api_server();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    shop.cluster.node_mut()?.start_api_server().await?;
    went_on(&shop, expected).await?;
    let old = shop.uid("pod orders-0").await?;
    roll(&shop, "2").await?;
    until_replaced(&shop, &old).await?;
    let counts = shop.close().await?;
    counts.bounded(Ends { applications: 1, sidecars: 0 })?;
    Ok((counts, format!("{seconds} s; a rollout afterwards")))
}

/// How many receipts there are at least after so many seconds: a fifth of as many as come now.
async fn expected_in(shop: &Shop<'_>, seconds: u64) -> Result<u64> {
    const WATCHED: u64 = 5;
    let first = shop.first_report().await?.receipted;
    tokio::time::sleep(Duration::from_secs(WATCHED)).await;
    let now = shop.first_report().await?.receipted;
    let more = (now - first) * seconds / WATCHED / 5;
    if more == 0 {
        return Err(Error::Broken(format!("only {} receipts in {WATCHED} s", now - first)));
    }
    Ok(now + more)
}

/// Checks that there were so many receipts while something was away. Asked once: what comes later
/// shows nothing.
async fn went_on(shop: &Shop<'_>, receipts: u64) -> Result<()> {
    let after = within(60, "the producer", async || Ok(Some(shop.first_report().await?))).await?;
    if after.receipted < receipts {
        return Err(Error::Broken(format!("{} receipts, of {receipts}", after.receipted)));
    }
    Ok(())
}
