//! An application that takes more memory than it may is killed by the kernel. Its messages come back.

use super::Outcome;
use super::cluster::{Cluster, within};
use super::faults::BETWEEN;
use super::shop::{Queue, Shop};
use super::table::Ends;
use crate::error::{Error, Result};

/// Messages that make it take memory, the first time that they are handed out.
const HUNGRY: &str = "150,400";
/// Kills that come of them.
const KILLS: u64 = 2;

/// Two messages kill the application, each once.
pub(super) async fn oom(cluster: &mut Cluster) -> Outcome {
    let queue = Queue { env: &[("HUNGRY", HUNGRY)], memory: "64Mi", ..Queue::default() };
    let shop = Shop::open_with(cluster, "oom", queue, 0).await?;
    within(120, "two kills", async || Ok((kills(&shop).await? == KILLS).then_some(()))).await?;
    shop.until_receipts(BETWEEN).await?;
    shop.until_ready(90).await?;
    let pod = shop.get("pod orders-0").await?;
    if pod["status"]["initContainerStatuses"][0]["restartCount"] != 0 {
        return Err(Error::Broken("the sidecar was killed, too".to_owned()));
    }
    let counts = shop.close().await?;
    let allowed = counts.bounded(Ends { applications: KILLS, sidecars: 0 })?;
    Ok((counts, format!("{KILLS} OOM kills; at most {allowed} duplicates")))
}

/// How often the application was restarted, the last time for its memory.
async fn kills(shop: &Shop<'_>) -> Result<u64> {
    let pod = shop.get("pod orders-0").await?;
    let application = &pod["status"]["containerStatuses"][0];
    let restarts = application["restartCount"].as_u64().unwrap_or_default();
    let reason = &application["lastState"]["terminated"]["reason"];
    if restarts > 0 && reason != "OOMKilled" {
        return Err(Error::Broken(format!("it ended otherwise: {}", application["lastState"])));
    }
    Ok(restarts)
}
