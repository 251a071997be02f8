//! The chart goes, and queues go on without an operator: their pods, claims and messages stay, and the
//! next installation takes them over as they are.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::faults::{BETWEEN, crash};
use super::install::chart;
use super::shop::{Queue, Shop};
use crate::error::{Error, Result};

/// With a backlog that nobody has consumed.
pub(super) async fn uninstall(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open(cluster, "uninstall").await?;
    crash(&shop, "orders-0", 1, 1).await?;
    shop.until_receipts(200).await?;
    let pod = shop.uid("pod orders-0").await?;
    let claim = shop.uid("pvc lifeboat-data-orders-0").await?;
    let queue = shop.uid("pq orders").await?;

    shop.cluster.helm("uninstall lifeboat -n lifeboat-system --wait --timeout 90s").await?;
    let operators = shop.cluster.get("deployments -n lifeboat-system").await?;
    if operators["items"].as_array().is_none_or(|items| !items.is_empty()) {
        return Err(Error::Broken("operators are left".to_owned()));
    }
    same(&shop, &[("pod orders-0", &pod)]).await?;
    shop.until_receipts(BETWEEN).await?;
    // Nobody needs an operator for a pod to come back.
    shop.kubectl("delete pod orders-0").await?;
    shop.until_receipts(BETWEEN).await?;
    let pod = shop.uid("pod orders-0").await?;

    let seen = seen(&shop).await?;
    chart(shop.cluster).await?;
    within(90, "an operator that looks at the queue", async || {
        Ok((self::seen(&shop).await? != seen).then_some(()))
    })
    .await?;
    same(
        &shop,
        &[("pod orders-0", &pod), ("pvc lifeboat-data-orders-0", &claim), ("pq orders", &queue)],
    )
    .await?;
    let waiting = shop.get("pq orders").await?["status"]["backlog"]["messages"].as_u64();
    shop.apply(Queue::default()).await?;
    shop.until_ready(120).await?;
    let note =
        format!("{} messages waited; pod, claim and queue are the same", waiting.unwrap_or(0));
    Ok((shop.close().await?, note))
}

/// When an operator last had something to write about the replica.
async fn seen(shop: &Shop<'_>) -> Result<String> {
    Ok(shop.get("pq orders").await?["status"]["instances"][0]["lastSeen"].to_string())
}

/// Checks that these objects are those that they were.
async fn same(shop: &Shop<'_>, objects: &[(&str, &str)]) -> Result<()> {
    for (object, uid) in objects {
        if shop.uid(object).await? != *uid {
            return Err(Error::Broken(format!("{object} is another")));
        }
    }
    Ok(())
}
