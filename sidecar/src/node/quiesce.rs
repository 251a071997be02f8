//! The order to quiesce, on its way from the verb to whoever owns the sockets, and back.

use lifeboat_log::{CommitQueue, JournalQueue, Refusal, Urgency};
use tokio::time::sleep;

use super::{Node, StreamNode};
use crate::stop::{self, Stop, Stopper};

/// How often it is looked whether a sync was enough.
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
        for stream in &self.streams {
            stream.synced(&self.journal).await?;
        }
        Ok(())
    }
}

impl StreamNode {
    /// Completes when everything that was handed over to its log so far is synced, also in a weak
    /// sync mode, or refused. What comes later is not waited for: a stream may stay full for ever.
    ///
    /// # Errors
    /// The writer takes nothing any more.
    pub async fn synced(&self, journal: &JournalQueue) -> Result<(), Refusal> {
        let newest = [self.log.queue(), self.log.refusing_queue()].map(CommitQueue::newest);
        for fate in newest.into_iter().flatten() {
            // What is refused was told to whoever handed it over.
            let _ = fate.wait().await;
        }
        self.synced_below(self.log.published_end(), journal).await
    }

    /// Completes when the published records below `end` are synced, also in a weak sync mode.
    ///
    /// # Errors
    /// The writer takes nothing any more.
    pub async fn synced_below(&self, end: u64, journal: &JournalQueue) -> Result<(), Refusal> {
        loop {
            self.log.order_sync();
            journal.submit([], Urgency::Now).wait().await?;
            if self.log.marks().durable_end >= end {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }
}
