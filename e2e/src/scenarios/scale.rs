//! Replicas come and go, with messages in them.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::shop::Shop;

/// 1, 3 and 1 again, under load and with a cancelled way down in between.
pub(super) async fn up_and_down(cluster: &mut Cluster) -> Outcome {
    let mut shop = Shop::open(cluster, "scale").await?;
    scale(&shop, 3).await?;
    for name in ["second", "third", "fourth"] {
        let namespace = shop.namespace.clone();
        shop.producer(name, &namespace).await?;
    }
    shop.kubectl("scale pq/orders --replicas=1").await?;
    shop.kubectl("scale pq/orders --replicas=3").await?;
    until_replicas(&shop, 3).await?;
    shop.until_receipts(50).await?;
    scale(&shop, 1).await?;
    shop.until_receipts(50).await?;
    let claims = shop.get("pvc").await?;
    let claims = claims["items"].as_array().map_or(0, Vec::len);
    Ok((shop.close().await?, format!("1, 3, cancelled, 1; {claims} claims are left")))
}

async fn scale(shop: &Shop<'_>, replicas: u64) -> crate::error::Result<()> {
    shop.kubectl(&format!("scale pq/orders --replicas={replicas}")).await?;
    until_replicas(shop, replicas).await
}

async fn until_replicas(shop: &Shop<'_>, replicas: u64) -> crate::error::Result<()> {
    within(150, &format!("{replicas} replicas"), async || {
        let set = shop.get("statefulset orders").await?;
        let is = set["spec"]["replicas"].as_u64() == Some(replicas)
            && set["status"]["replicas"].as_u64() == Some(replicas)
            && set["status"]["readyReplicas"].as_u64() == Some(replicas);
        Ok(is.then_some(()))
    })
    .await
}
