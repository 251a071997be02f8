//! A replica that holds messages is to go, and nobody consumes them: it stays and says why. A change
//! of mind opens it again; a consumer that comes back lets it go.

use super::Outcome;
use super::cluster::Cluster;
use super::faults::{BETWEEN, crash};
use super::scale::{scale, until_draining, until_replicas};
use super::shop::{Queue, Shop};
use crate::error::{Error, Result};

/// The producer of the replica that is to go.
const SECOND: &str = "second";
/// Messages that it has waiting in it.
const BACKLOG: u64 = 100;

/// Both ways out.
pub(super) async fn drain_blocked(cluster: &mut Cluster) -> Outcome {
    let two = Queue { replicas: 2, ..Queue::default() };
    let mut shop = Shop::open_with(cluster, "drain-blocked", two, 0).await?;
    let namespace = shop.namespace.clone();
    shop.start_producer(SECOND, &namespace, "orders-1.orders-pods", 0).await?;
    crash(&shop, "orders-1", 2, 1).await?;
    shop.until_receipts_of(SECOND, BACKLOG).await?;
    let pod = shop.uid("pod orders-1").await?;

    scale(&shop, 1).await?;
    let said = shop.until_says("Stalled", "True", "NoConsumer", 240).await?;
    shop.until_says("ScalingDown", "True", "WaitingForConsumer", 30).await?;
    stays(&shop, &pod, &said).await?;

    scale(&shop, 2).await?;
    shop.until_says("ScalingDown", "False", "NoneGoing", 60).await?;
    shop.until_says("Stalled", "False", "Progressing", 60).await?;
    shop.until_receipts_of(SECOND, BETWEEN).await?;

    scale(&shop, 1).await?;
    until_draining(&shop).await?;
    shop.apply(Queue::default()).await?;
    until_replicas(&shop, 1).await?;
    shop.until_ready(60).await?;
    Ok((shop.close().await?, "blocked and told, cancelled, drained by a consumer".to_owned()))
}

/// Checks that the replica is there with what it holds, and that people are told.
async fn stays(shop: &Shop<'_>, pod: &str, said: &str) -> Result<()> {
    let queue = shop.get("pq orders").await?;
    let going = &queue["status"]["scaleDown"];
    let set = shop.get("statefulset orders").await?;
    let is_told = said.contains("Replica 1") && going["ordinal"] == 1;
    let is_held = going["remainingMessages"].as_u64() >= Some(BACKLOG);
    if set["spec"]["replicas"] != 2 || shop.uid("pod orders-1").await? != pod {
        return Err(Error::Broken("the replica is gone".to_owned()));
    }
    if !is_told || !is_held {
        return Err(Error::Broken(format!("{said} {going}")));
    }
    Ok(())
}
