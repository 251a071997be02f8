//! A replica's disk fills up while its application hangs: with messages, or with somebody else's files.
//! Receipts wait or are refused, as the queue says; when there is room, they come again, without a
//! hand.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::faults::BETWEEN;
use super::node_faults::APPLICATION;
use super::shop::{Queue, Shop};
use super::table::Counts;
use crate::error::{Error, Result};

/// Of a message, so that a disk of 64 MiB is full soon.
const BYTES: u32 = 64 << 10;
/// Most of a disk of 64 MiB: what the queue has there is little before it is full.
const MOST: u64 = 32 << 20;

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
    let pod = hold_application(&shop).await?;
    let full = until_full(&shop, on_full).await?;
    shop.cluster.node()?.release_in_pod(&pod, APPLICATION);
    until_room(&shop, &pod).await?;
    Ok((shop.close().await?, full))
}

/// Somebody else fills the disk long before the queue would, and then makes room.
pub(super) async fn disk_taken(cluster: &mut Cluster) -> Outcome {
    let shop = Shop::open_with(cluster, "disk-taken", Queue::default(), BYTES).await?;
    let claim = shop.get("pvc lifeboat-data-orders-0").await?;
    let volume = claim["spec"]["volumeName"].as_str().filter(|name| !name.is_empty());
    let volume = volume.ok_or_else(|| Error::Broken("a claim without a volume".to_owned()))?;
    let pod = hold_application(&shop).await?;
    let taken = shop.cluster.node()?.fill_volume(volume)?;
    if taken < MOST {
        return Err(Error::Broken(format!("only {} MiB of the disk were taken", taken >> 20)));
    }
    let full = until_full(&shop, "Block").await?;
    shop.cluster.node()?.empty_volume(volume)?;
    // Room is all that it takes. The application goes on before its producer fills the disk again.
    shop.until_receipts(1).await?;
    shop.cluster.node()?.release_in_pod(&pod, APPLICATION);
    until_room(&shop, &pod).await?;
    let note = format!("{} MiB taken; full after {full} messages of 64 KiB", taken >> 20);
    Ok((shop.close().await?, note))
}

/// Has the application hang; answers which pod it is in.
async fn hold_application(shop: &Shop<'_>) -> Result<String> {
    let pod = shop.uid("pod orders-0").await?;
    if shop.cluster.node()?.hold_in_pod(&pod, APPLICATION) == 0 {
        return Err(Error::Broken("no application that could hang".to_owned()));
    }
    Ok(pod)
}

/// Waits until nothing more is taken in and people are told why; answers how many receipts there are.
async fn until_full(shop: &Shop<'_>, on_full: &str) -> Result<u64> {
    shop.until_says("StoragePressure", "True", "Full", 180).await?;
    shop.until_says("Accepting", "False", "StorageFull", 30).await?;
    no_more(shop, on_full).await
}

/// Waits until this very pod takes messages in again and says so.
async fn until_room(shop: &Shop<'_>, pod: &str) -> Result<()> {
    shop.until_receipts(BETWEEN).await?;
    shop.until_says("StoragePressure", "False", "RoomLeft", 120).await?;
    shop.until_says("Accepting", "True", "SidecarsReady", 60).await?;
    shop.until_ready(60).await?;
    if shop.uid("pod orders-0").await? != pod {
        return Err(Error::Broken("the pod was replaced".to_owned()));
    }
    Ok(())
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
