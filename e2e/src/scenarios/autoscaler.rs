//! Somebody writes the scale subresource over and over, as a HorizontalPodAutoscaler does: reads it,
//! changes the number, puts it back.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::scale::{scale, until_replicas};
use super::shop::Shop;
use crate::error::{Error, Result};

/// What it wants, one after the other, faster than replicas can come and go.
const WISHES: [u64; 6] = [3, 1, 2, 3, 1, 2];

/// Under load, up and down; then a person does it, and all settles at what was wanted last.
pub(super) async fn autoscaler(cluster: &mut Cluster) -> Outcome {
    let mut shop = Shop::open(cluster, "autoscaler").await?;
    for name in ["second", "third"] {
        let namespace = shop.namespace.clone();
        shop.producer(name, &namespace).await?;
    }
    for wish in WISHES {
        want(&shop, wish).await?;
        // A while of traffic between two of them.
        shop.until_receipts(200).await?;
    }
    settled(&shop, 2).await?;
    scale(&shop, 3).await?;
    settled(&shop, 3).await?;
    want(&shop, 1).await?;
    settled(&shop, 1).await?;
    let note = format!("{} wishes, settled at 2, 3 and 1", WISHES.len());
    Ok((shop.close().await?, note))
}

/// As an autoscaler does it; what it read may be out of date when it writes, then it looks again.
async fn want(shop: &Shop<'_>, replicas: u64) -> Result<()> {
    let path = path(shop);
    within(30, "a write of the scale", async || {
        let mut scale = shop.cluster.get_raw(&path).await?;
        scale["spec"]["replicas"] = replicas.into();
        shop.cluster.put_raw(&path, &scale).await.map(Some)
    })
    .await
}

/// Waits until there are so many, and what an autoscaler goes by says the same.
async fn settled(shop: &Shop<'_>, replicas: u64) -> Result<()> {
    until_replicas(shop, replicas).await?;
    shop.until_says("ScalingDown", "False", "NoneGoing", 60).await?;
    shop.until_says("Reconciling", "False", "Settled", 60).await?;
    let scale = shop.cluster.get_raw(&path(shop)).await?;
    let selector = scale["status"]["selector"].as_str().unwrap_or_default();
    let pods = shop.get(&format!("pods -l {selector}")).await?;
    let pods = pods["items"].as_array().map(|pods| pods.len() as u64);
    if scale["status"]["replicas"] != replicas || pods != Some(replicas) {
        return Err(Error::Broken(format!("{} with {pods:?} pods", scale["status"])));
    }
    Ok(())
}

fn path(shop: &Shop<'_>) -> String {
    let namespace = &shop.namespace;
    format!("/apis/lifeboat.dev/v1alpha1/namespaces/{namespace}/persistentqueues/orders/scale")
}
