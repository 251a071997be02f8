//! A replica's disk fills up while its application hangs. Receipts wait or are refused, as the queue
//! says; when the application goes on, so does the intake, without a hand.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::faults::BETWEEN;
use super::node_faults::APPLICATION;
use super::shop::{Queue, Shop};
use super::table::Counts;
use crate::error::{Error, Result};

/// Of a message, so that a disk of 64 MiB is full soon.
const BYTES: u32 = 64 << 10;

/// Once with producers that wait, once with producers that are refused.
pub(super) async fn disk_full(cluster: &mut Cluster) -> Outcome {
    let waiting = fill(cluster, "disk-full", "Block").await?;
    let refused = fill(cluster, "disk-full-reject", "Reject").await?;
    let note = format!("full after {} and {} messages of 64 KiB", waiting.1, refused.1);
    Ok((waiting.0 + refused.0, note))
}

/// Fills it and has it emptied; answers also how many messages filled it.
async fn fill(cluster: &mut Cluster, namespace: &str, on_full: &str) -> Result<(Counts, u64)> {
    let queue = Queue { on_full, ..Queue::default() };
    let shop = Shop::open_with(cluster, namespace, queue, BYTES).await?;
    let pod = shop.uid("pod orders-0").await?;
    if shop.cluster.node()?.hold_in_pod(&pod, APPLICATION) == 0 {
        return Err(Error::Broken("no application that could hang".to_owned()));
    }
    shop.until_says("StoragePressure", "True", "Full", 180).await?;
    shop.until_says("Accepting", "False", "StorageFull", 30).await?;
    let full = no_more(&shop, on_full).await?;
    shop.cluster.node()?.release_in_pod(&pod, APPLICATION);
    shop.until_receipts(BETWEEN).await?;
    shop.until_says("StoragePressure", "False", "RoomLeft", 120).await?;
    shop.until_says("Accepting", "True", "SidecarsReady", 60).await?;
    shop.until_ready(60).await?;
    if shop.uid("pod orders-0").await? != pod {
        return Err(Error::Broken("the pod was replaced".to_owned()));
    }
    Ok((shop.close().await?, full))
}

/// Waits until the producer has tried in vain, as the queue says that it is to; answers how many
/// receipts it has.
async fn no_more(shop: &Shop<'_>, on_full: &str) -> Result<u64> {
    within(60, "a producer that gets no more receipts", async || {
        let before = shop.first_report().await?;
        let after = within(30, "tries", async || {
            let now = shop.first_report().await?;
            Ok((now.sent >= before.sent + 3).then_some(now))
        })
        .await?;
        let is_refused = after.refused > before.refused;
        let as_told = is_refused == (on_full == "Reject");
        Ok((after.receipted == before.receipted && as_told).then_some(after.receipted))
    })
    .await
}
