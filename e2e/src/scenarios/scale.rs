//! Replicas come and go, with messages in them.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::shop::Shop;
use crate::error::Result;

/// 1, 3 and 1 again, under load and with a way down in between that is cancelled once it has begun.
pub(super) async fn up_and_down(cluster: &mut Cluster) -> Outcome {
    let mut shop = Shop::open(cluster, "scale").await?;
    scale(&shop, 3).await?;
    until_replicas(&shop, 3).await?;
    for name in ["second", "third", "fourth"] {
        let namespace = shop.namespace.clone();
        shop.producer(name, &namespace).await?;
    }
    scale(&shop, 1).await?;
    until_draining(&shop).await?;
    scale(&shop, 3).await?;
    shop.until_says("ScalingDown", "False", "NoneGoing", 120).await?;
    until_replicas(&shop, 3).await?;
    shop.until_receipts(50).await?;
    scale(&shop, 1).await?;
    until_replicas(&shop, 1).await?;
    shop.until_receipts(50).await?;
    let claims = shop.get("pvc").await?;
    let claims = claims["items"].as_array().map_or(0, Vec::len);
    Ok((shop.close().await?, format!("1, 3, cancelled, 1; {claims} claims are left")))
}

/// As a person does it.
pub(super) async fn scale(shop: &Shop<'_>, replicas: u64) -> Result<()> {
    shop.kubectl(&format!("scale pq/orders --replicas={replicas}")).await.map(|_| ())
}

/// Waits until a replica is on its way out.
pub(super) async fn until_draining(shop: &Shop<'_>) -> Result<()> {
    within(60, "a replica on its way out", async || {
        let queue = shop.get("pq orders").await?;
        Ok((!queue["status"]["scaleDown"].is_null()).then_some(()))
    })
    .await
}

/// Waits until there are so many, all ready.
pub(super) async fn until_replicas(shop: &Shop<'_>, replicas: u64) -> Result<()> {
    within(240, &format!("{replicas} replicas"), async || {
        let set = shop.get("statefulset orders").await?;
        let is = set["spec"]["replicas"].as_u64() == Some(replicas)
            && set["status"]["replicas"].as_u64() == Some(replicas)
            && set["status"]["readyReplicas"].as_u64() == Some(replicas);
        Ok(is.then_some(()))
    })
    .await
}
