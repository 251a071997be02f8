//! `lifeboat-operator check-install`: whether an installation works. It makes a queue, waits until it
//! is ready, sends messages and waits for their receipts, reads every one of them back, and removes
//! all that it made. For the chart's test and for whoever wonders.

mod exchange;
mod manifest;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use lifeboat_api::queue::{PersistentQueue, QueueStatus};
use tokio::time::{sleep, timeout};

pub use self::exchange::ExchangeError;
use crate::labels;

/// How often it is looked at what is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace in which the queue is made.
    pub namespace: String,
    /// The image of the queue's application, one that has the `lifeboat` command: the sidecar's.
    pub image: String,
    /// The storage class of its claim; `None`: the cluster's default.
    pub storage_class: Option<String>,
    /// Messages that are sent.
    pub messages: u32,
    /// Time for each of: becoming ready, the messages, the removal.
    pub patience: Duration,
    /// The host at which the queue is reached; `None`: its Service's name, which resolves in the
    /// cluster.
    pub host: Option<String>,
    /// Leave the queue there when the check fails, to be looked at.
    pub keep_failed: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The queue that was made.
    pub queue: String,
    /// Until it was ready.
    pub ready: Duration,
    /// From the first message's sending to the last one's acknowledgement.
    pub exchange: Duration,
    /// Messages that were sent and came back.
    pub messages: u32,
}

/// Why an installation does not work.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The API server said no, or nothing.
    #[error("{0}")]
    Api(Box<kube::Error>),
    /// Our own manifest is wrong.
    #[error("the queue cannot be made: {0}")]
    Manifest(#[from] serde_json::Error),
    /// The queue did not become ready.
    #[error("{queue} is not ready after {seconds} s: {conditions}")]
    NotReady {
        /// The queue.
        queue: String,
        /// How long it was waited.
        seconds: u64,
        /// What its conditions say.
        conditions: String,
    },
    /// Messages were not stored, or did not come back.
    #[error("{queue}: {source}")]
    Exchange {
        /// The queue.
        queue: String,
        /// What went wrong.
        source: ExchangeError,
    },
    /// The queue or its claim is still there.
    #[error("{what} is still there {seconds} s after the queue was deleted")]
    Left {
        /// What.
        what: String,
        /// How long it was waited.
        seconds: u64,
    },
}

impl From<kube::Error> for CheckError {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

/// Checks the installation.
///
/// # Errors
/// What does not work. The queue is removed all the same, as far as that works.
pub async fn run(client: Client, options: &Options) -> Result<Report, CheckError> {
    let name = format!("lifeboat-check-{:x}", Timestamp::now().as_millisecond());
    let check = Check { client, options, name };
    let found = check.all().await;
    if found.is_err() && options.keep_failed {
        return found;
    }
    // The first error is the one that explains.
    let removed = check.remove().await;
    let report = found?;
    removed.map(|()| report)
}

struct Check<'a> {
    client: Client,
    options: &'a Options,
    name: String,
}

impl Check<'_> {
    fn queues(&self) -> Api<PersistentQueue> {
        Api::namespaced(self.client.clone(), &self.options.namespace)
    }

    async fn all(&self) -> Result<Report, CheckError> {
        let started = Instant::now();
        let manifest = manifest::queue(&self.name, self.options)?;
        self.queues().create(&PostParams::default(), &manifest).await?;
        self.ready().await?;
        let ready = started.elapsed();
        let exchange = Instant::now();
        self.exchange().await?;
        Ok(Report {
            queue: self.name.clone(),
            ready,
            exchange: exchange.elapsed(),
            messages: self.options.messages,
        })
    }

    async fn ready(&self) -> Result<(), CheckError> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            let status = self.queues().get(&self.name).await?.status.unwrap_or_default();
            if is_ready(&status) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(CheckError::NotReady {
                    queue: self.name.clone(),
                    seconds: self.options.patience.as_secs(),
                    conditions: conditions(&status),
                });
            }
            sleep(LOOK).await;
        }
    }

    async fn exchange(&self) -> Result<(), CheckError> {
        let service = format!("{}.{}.svc", self.name, self.options.namespace);
        let host = self.options.host.as_deref().unwrap_or(&service);
        let endpoint = |port| format!("tcp://{host}:{port}");
        let both = async {
            let receipts = endpoint(manifest::RECEIPTS);
            exchange::send(&receipts, &self.name, self.options.messages).await?;
            let deliveries = endpoint(manifest::DELIVERIES);
            exchange::receive(&deliveries, &self.name, self.options.messages).await
        };
        let done = timeout(self.options.patience, both).await;
        let done = done.unwrap_or(Err(ExchangeError::Late));
        done.map_err(|source| CheckError::Exchange { queue: self.name.clone(), source })
    }

    /// Deletes the queue, and waits until it and its claims are gone: the operator deletes them, for
    /// the manifest says so.
    async fn remove(&self) -> Result<(), CheckError> {
        match self.queues().delete(&self.name, &DeleteParams::background()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &self.options.namespace);
        let own = ListParams::default().labels(&format!("{}={}", labels::QUEUE, self.name));
        let deadline = Instant::now() + self.options.patience;
        loop {
            let queue = self.queues().get_opt(&self.name).await?.map(|_| self.name.clone());
            let claim = claims.list(&own).await?.items.into_iter().find_map(|it| it.metadata.name);
            let Some(what) = queue.or(claim) else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(CheckError::Left { what, seconds: self.options.patience.as_secs() });
            }
            sleep(LOOK).await;
        }
    }
}

fn is_ready(status: &QueueStatus) -> bool {
    status.conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True")
}

/// What does not stand as it should, in a line.
fn conditions(status: &QueueStatus) -> String {
    let told = status.conditions.iter().map(|it| {
        format!("{}={} ({}) {}", it.type_, it.status, it.reason, it.message).trim_end().to_owned()
    });
    let told = told.collect::<Vec<_>>().join("; ");
    if told.is_empty() { "the operator has said nothing of it".to_owned() } else { told }
}
