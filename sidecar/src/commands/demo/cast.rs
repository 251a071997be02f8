//! The demo's producer and consumer, as tasks that run through every kill.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::figures::{Figures, Ledger};
use super::queue::Queue;
use super::{PATIENCE, TICK, consumer, producer};
use crate::commands::failure::Failure;
use crate::stop::{self, Stop, Stopper};

/// Producer and consumer. Dropped, both end.
pub(super) struct Cast {
    /// What they count.
    pub(super) figures: Arc<Figures>,
    producer: Part<()>,
    consumer: Part<Ledger>,
}

impl Cast {
    /// Both start.
    pub(super) async fn start(queue: &Queue) -> Result<Self, Failure> {
        let figures = Arc::new(Figures::default());
        let (ingress, delivery) = (queue.endpoint("in").await?, queue.endpoint("out").await?);
        let producer = Part::start(|stop| producer::produce(ingress, Arc::clone(&figures), stop));
        let consumer = Part::start(|stop| consumer::consume(delivery, Arc::clone(&figures), stop));
        Ok(Self { figures, producer, consumer })
    }

    /// Fails when one of them has.
    pub(super) async fn check(&mut self) -> Result<(), Failure> {
        self.producer.check().await?;
        self.consumer.check().await
    }

    /// Lets the producer wait for its last receipts and the consumer for the last messages.
    pub(super) async fn finish(&mut self) -> Result<Ledger, Failure> {
        self.producer.end().await?;
        let (mut seen, mut deadline) = (0, Instant::now() + PATIENCE);
        while seen < self.figures.receipted.get() && Instant::now() < deadline {
            self.consumer.check().await?;
            sleep(TICK).await;
            let delivered = self.figures.delivered.get();
            if delivered > seen {
                (seen, deadline) = (delivered, Instant::now() + PATIENCE);
            }
        }
        // What has not come in when nothing more does is lost.
        self.consumer.end().await
    }
}

/// A task with its order to stop. Dropped, it ends.
struct Part<T> {
    task: JoinHandle<Result<T, Failure>>,
    stop: Stopper,
}

impl<T: Send + 'static> Part<T> {
    fn start<F>(work: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (stop, ordered) = stop::channel();
        Self { task: tokio::spawn(work(ordered)), stop }
    }

    async fn check(&mut self) -> Result<(), Failure> {
        if self.task.is_finished() {
            self.end().await?;
            return Err(Failure::new("a part of the demo ended too early"));
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<T, Failure> {
        self.stop.stop();
        match timeout(PATIENCE, &mut self.task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(Failure::new(error.to_string())),
            Err(_) => Err(Failure::new("a part of the demo does not end")),
        }
    }
}

impl<T> Drop for Part<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
