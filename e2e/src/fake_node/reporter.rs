//! The one who says how a pod is.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::PodReport;
use super::again::until_done;
use super::pods::siblings;

/// Writes the status of one pod. Cheap to clone.
#[derive(Clone)]
pub struct Reporter {
    client: Client,
    pod: Pod,
}

impl Reporter {
    /// Of that very pod, not of another one by its name.
    pub(super) fn new(client: Client, pod: Pod) -> Self {
        Self { client, pod }
    }

    /// Says how it is, and returns once that was heard, or the pod is gone.
    pub async fn say(&self, report: &PodReport) {
        until_done("status", &self.pod, || self.try_to_say(report)).await;
    }

    /// Says it once.
    pub(super) async fn try_to_say(&self, report: &PodReport) -> Result<(), kube::Error> {
        let status = report.status(&self.pod, Timestamp::now());
        let patch = Patch::Merge(json!({"metadata": {"uid": self.pod.uid()}, "status": status}));
        let pods = siblings(&self.client, &self.pod);
        let name = self.pod.name_any();
        pods.patch_status(&name, &PatchParams::default(), &patch).await.map(|_| ())
    }
}
