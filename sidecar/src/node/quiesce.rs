//! The order to quiesce, on its way from the verb to whoever owns the sockets, and back.

use lifeboat_log::{Refusal, Urgency};
use tokio::time::sleep;

use super::Node;
use crate::stop::{self, Stop, Stopper};

/// How often records that wait for space are looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Given once and for ever.
#[derive(Debug)]
pub struct Quiesce {
    order: Stopper,
    ordered: Stop,
    close: Stopper,
    closed: Stop,
}

impl Default for Quiesce {
    fn default() -> Self {
        let ((order, ordered), (close, closed)) = (stop::channel(), stop::channel());
        Self { order, ordered, close, closed }
    }
}

impl Quiesce {
    /// Gives the order, and completes once every socket that it concerns is closed. Cancel-safe:
    /// the order stays given.
    pub async fn order(&self) {
        self.order.stop();
        self.closed.clone().ordered().await;
    }

    /// Completes once the order was given; never when it is carried out already.
    pub async fn ordered(&self) {
        if self.closed.is_ordered() {
            std::future::pending::<()>().await;
        }
        self.ordered.clone().ordered().await;
    }

    /// Says that every socket that it concerns is closed.
    pub fn closed(&self) {
        self.close.stop();
    }
}

impl Node {
    /// Completes when everything that was handed over to the logs so far is synced, or refused.
    ///
    /// # Errors
    /// The writer takes nothing any more.
    pub async fn synced(&self) -> Result<(), Refusal> {
        loop {
            // Its commit takes what waits along, but for what finds no space.
            self.journal.submit([], Urgency::Now).wait().await?;
            if self.streams.iter().all(|stream| !stream.log.marks().waiting) {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }
}
