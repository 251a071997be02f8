//! A claim is deleted by hand, with what is in it. The replica that comes on a new, empty volume stays
//! closed and says so, until somebody accepts the loss.

use serde_json::Value;

use super::Outcome;
use super::cluster::{Cluster, within};
use super::faults::BETWEEN;
use super::shop::Shop;
use crate::error::{Error, Result};

const CLAIM: &str = "pvc/lifeboat-data-orders-0";
/// Sends without an answer that show a queue to be closed.
const TRIES: u64 = 3;

/// What was in the claim had been delivered, so that nothing is lost for the test.
pub(super) async fn claim_deleted(cluster: &mut Cluster) -> Outcome {
    let mut shop = Shop::open(cluster, "claim-deleted").await?;
    shop.settle().await?;
    lose_volume(&shop).await?;
    let closed = within(180, "a replica that is closed", async || {
        Ok((state(&shop).await? == "closed").then_some(()))
    });
    closed.await?;
    let said = shop.until_says("DataIntact", "False", "ClaimLost", 60).await?;
    shop.until_says("Accepting", "False", "SidecarNotReady", 60).await?;
    let namespace = shop.namespace.clone();
    shop.start_producer("late", &namespace, "orders", 0).await?;
    within(90, "a producer without receipts", async || {
        let report = shop.report_of("late").await?;
        if report.receipted > 0 {
            return Err(Error::Broken(format!("{} receipts", report.receipted)));
        }
        Ok((report.sent >= TRIES).then_some(()))
    })
    .await?;
    if !said.contains("lifeboat.dev/accept-new-log") {
        return Err(Error::Broken(format!("no word of what to do: {said}")));
    }
    accept(&shop).await?;
    shop.until_receipts(BETWEEN).await?;
    within(60, "an annotation that is taken off", async || {
        let queue = shop.get("pq orders").await?;
        let left = queue["metadata"]["annotations"].get("lifeboat.dev/accept-new-log");
        Ok(left.is_none().then_some(()))
    })
    .await?;
    shop.until_ready(60).await?;
    Ok((shop.close().await?, "closed, told, accepted, open".to_owned()))
}

/// Deletes the claim as one who means it: without the annotation it is refused.
pub(super) async fn lose_volume(shop: &Shop<'_>) -> Result<()> {
    let deletion = format!("delete {CLAIM} --wait=false");
    match shop.kubectl(&deletion).await {
        Err(Error::Failed { said, .. }) if said.contains("lifeboat.dev/allow-delete") => {}
        other => return Err(Error::Broken(format!("the claim is not guarded: {other:?}"))),
    }
    shop.kubectl(&format!("annotate {CLAIM} lifeboat.dev/allow-delete=true")).await?;
    shop.kubectl(&deletion).await?;
    shop.kubectl("delete pod orders-0").await.map(|_| ())
}

/// Says that what was in the claim is given up.
pub(super) async fn accept(shop: &Shop<'_>) -> Result<()> {
    shop.kubectl("annotate pq orders lifeboat.dev/accept-new-log=0").await?;
    shop.until_says("DataIntact", "True", "Verified", 60).await.map(|_| ())
}

/// What the sidecar says that it does.
async fn state(shop: &Shop<'_>) -> Result<String> {
    let text = shop.cluster.sidecar_status(&shop.namespace, "orders-0").await?;
    let status: Value = serde_json::from_str(&text)
        .map_err(|error| Error::Broken(format!("the sidecar's status: {error}")))?;
    Ok(status["state"].as_str().unwrap_or_default().to_owned())
}
