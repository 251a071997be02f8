//! Trying again while the API server is away, which a kubelet does too.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::NAME;

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);

/// Repeats what fails only because nobody answers, or another writer was quicker.
pub(super) async fn until_done<F>(what: &str, pod: &Pod, action: impl Fn() -> F)
where
    F: Future<Output = Result<(), kube::Error>>,
{
    loop {
        match action().await {
            Ok(()) => return,
            // The pod is gone, or bound; or its name is another pod's by now.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                return;
            }
            Err(error) => eprintln!("{NAME}: {what} of {}: {error}", pod.name_any()),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
