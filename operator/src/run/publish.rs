//! Writes the status of a queue, whole, and only when it is another than the one that is there.

use std::collections::HashMap;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use lifeboat_api::queue::{PersistentQueue, QueueStatus};
use serde_json::json;
use tokio::time::Instant;

use crate::labels;
use crate::run::lock::Locked;
use crate::run::metrics::Metrics;

/// How long a cache may be behind our own write.
const LAG: Duration = Duration::from_secs(5);

/// Writes statuses.
pub(crate) struct Publisher {
    client: Client,
    metrics: Metrics,
    /// What was written last, by the queue's uid.
    written: Locked<HashMap<String, (QueueStatus, Instant)>>,
}

impl Publisher {
    pub(crate) fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics, written: Locked::default() }
    }

    /// Writes `status`, unless it is there or on its way; says whether it was written.
    ///
    /// # Errors
    /// Of the server, other than that the queue is gone.
    pub(crate) async fn publish(
        &self,
        queue: &PersistentQueue,
        status: &QueueStatus,
    ) -> kube::Result<bool> {
        let metadata = &queue.metadata;
        let (Some(uid), Some(name), Some(namespace)) =
            (&metadata.uid, &metadata.name, &metadata.namespace)
        else {
            return Ok(false);
        };
        if queue.status.as_ref() == Some(status) || self.was_written(uid, status) {
            return Ok(false);
        }
        let queues = Api::<PersistentQueue>::namespaced(self.client.clone(), namespace);
        let patch = json!({
            "apiVersion": PersistentQueue::api_version(&()),
            "kind": PersistentQueue::kind(&()),
            // A queue that was made anew under this name is another.
            "metadata": {"name": name, "uid": uid},
            "status": status,
        });
        let params = PatchParams::apply(labels::MANAGER).force();
        match queues.patch_status(name, &params, &Patch::Apply(patch)).await {
            Ok(_) => {
                self.metrics.wrote("PersistentQueue", "status");
                self.written.lock().insert(uid.clone(), (status.clone(), Instant::now()));
                Ok(true)
            }
            Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn was_written(&self, uid: &str, status: &QueueStatus) -> bool {
        let written = self.written.lock();
        written.get(uid).is_some_and(|(last, at)| last == status && at.elapsed() < LAG)
    }

    /// Forgets a queue that is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.written.lock().remove(uid);
    }
}
