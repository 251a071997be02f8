//! A node that is played: no container runs, but pods become Running and end as if one did.
//!
//! It binds every pod to itself, has a [`Workload`] start what stands behind it and say how it is,
//! and when the pod is deleted has the workload stop it before the pod goes. To the API server and all controllers it is a kubelet, slow or broken as a test likes.

mod again;
mod heartbeat;
mod pods;
mod report;
mod reporter;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use tokio::task::JoinHandle;

use crate::error::Result;
pub use report::PodReport;
pub use reporter::Reporter;

/// The node's name. There is one a cluster.
pub(crate) const NAME: &str = "node-1";

/// What stands behind the pods of a [`FakeNode`].
pub trait Workload: Send + Sync + 'static {
    /// A pod is to run here. It is Pending until the reporter says something else, now or later.
    /// Deleting the pod meanwhile cancels this; an error is printed, and the pod stays as it is.
    fn start(&self, pod: &Pod, reporter: &Reporter) -> impl Future<Output = Result<()>> + Send;

    /// The pod is being deleted, within its grace period. It is gone once this returns.
    fn stop(&self, pod: &Pod) -> impl Future<Output = ()> + Send;
}

/// Every pod runs at once, ready, at a loopback address of its own where nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Workload for Nothing {
    async fn start(&self, _pod: &Pod, reporter: &Reporter) -> Result<()> {
        reporter.say(&PodReport::ready(crate::loopback::address())).await;
        Ok(())
    }

    async fn stop(&self, _pod: &Pod) {}
}

/// The node, until it is dropped: then its pods stay as they were last reported, as when a machine
/// loses its network.
pub struct FakeNode {
    client: Client,
    tasks: [JoinHandle<()>; 2],
}

impl std::fmt::Debug for FakeNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeNode").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

impl FakeNode {
    /// Registers the node and takes in all pods of the cluster, present and future.
    ///
    /// # Errors
    /// `Api` where the node cannot be registered.
    pub async fn run(client: Client, workload: impl Workload) -> Result<Self> {
        heartbeat::register(&client).await?;
        let tasks = [
            tokio::spawn(heartbeat::keep(client.clone())),
            tokio::spawn(pods::serve(client.clone(), workload)),
        ];
        Ok(Self { client, tasks })
    }

    /// Says something else about a pod than its workload did.
    ///
    /// # Errors
    /// `Api`: it is not there any more, or another pod has its name.
    pub async fn report(&self, pod: &Pod, report: &PodReport) -> Result<()> {
        Reporter::new(self.client.clone(), pod.clone())
            .try_to_say(report)
            .await
            .map_err(crate::Error::api("reporting a pod's status"))
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
