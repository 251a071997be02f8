//! A control: a volume is lost with messages in it, by force and on purpose. The count that every
//! scenario ends with must find them missing, or it would prove nothing.

use super::Outcome;
use super::claim_deleted::{accept, lose_volume};
use super::cluster::Cluster;
use super::faults::{BETWEEN, crash};
use super::shop::{Queue, Shop};
use crate::error::{Error, Result};

/// Messages that are on the volume at least.
const BACKLOG: u64 = 100;
/// How long those that cannot come are waited for, in seconds.
const IN_VAIN: u64 = 5;

/// Passes only if exactly those are missing that were on the volume.
pub(super) async fn lost_volume(cluster: &mut Cluster) -> Outcome {
    let mut shop = Shop::open(cluster, "lost-volume").await?;
    crash(&shop, "orders-0", 1, 1).await?;
    shop.until_receipts(BACKLOG).await?;
    let stopped = shop.stop_first().await?;
    let waiting = shop.tally(&stopped).await?.lost;
    if waiting < BACKLOG {
        return Err(Error::Broken(format!("only {waiting} messages to be lost")));
    }
    lose_volume(&shop).await?;
    shop.until_says("DataIntact", "False", "ClaimLost", 180).await?;
    shop.apply(Queue::default()).await?;
    accept(&shop).await?;
    serves_again(&mut shop).await?;
    if !matches!(shop.until_arrived(&stopped, IN_VAIN).await, Err(Error::Deadline { .. })) {
        return Err(Error::Broken("lost messages were not missed".to_owned()));
    }
    let found = shop.tally(&stopped).await?;
    if found.lost != waiting {
        return Err(Error::Broken(format!("{} are missing, of {waiting} lost", found.lost)));
    }
    let counts = shop.close().await? + found;
    Ok((counts, format!("a control: {waiting} on a volume that was taken away, all missed")))
}

/// Has later messages arrive: what does not by then is not in the queue.
async fn serves_again(shop: &mut Shop<'_>) -> Result<()> {
    let namespace = shop.namespace.clone();
    shop.start_producer("late", &namespace, "orders", 0).await?;
    shop.until_receipts_of("late", BETWEEN).await?;
    shop.until_ready(120).await?;
    shop.settle().await
}
