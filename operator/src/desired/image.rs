//! Which image of the sidecar a queue gets. A queue that is pinned keeps the one that it has, so that
//! a new operator restarts nobody's pods.

use k8s_openapi::api::core::v1::PodSpec;
use lifeboat_api::queue::Upgrade;

use crate::names::SIDECAR;
use crate::observed::Observed;
use crate::queue::Queue;
use crate::release::Release;

/// The image that the spec names; else, unless the queue goes with the operator, the one in use; else
/// the release's.
pub(super) fn sidecar(queue: &Queue, observed: &Observed, release: &Release) -> String {
    if let Some(image) = &queue.sidecar.image {
        return image.clone();
    }
    let pinned = queue.sidecar.upgrade.unwrap_or_default() == Upgrade::Pinned;
    let in_use = pinned.then(|| in_use(observed)).flatten();
    in_use.unwrap_or_else(|| release.sidecar_image.clone())
}

/// The StatefulSet may be gone for a moment (growth); then status and pods remember.
fn in_use(observed: &Observed) -> Option<String> {
    let set = observed.stateful_set.as_ref().and_then(|set| set.spec.as_ref());
    let set = set.and_then(|spec| image_of(spec.template.spec.as_ref()));
    let status = || observed.queue.status.as_ref()?.sidecar_image.clone();
    let pods = || {
        let mut replicas = observed.replicas.values();
        replicas.find_map(|replica| image_of(replica.pod.as_ref()?.spec.as_ref()))
    };
    set.or_else(status).or_else(pods)
}

fn image_of(pod: Option<&PodSpec>) -> Option<String> {
    let containers = pod?.init_containers.as_ref()?;
    containers.iter().find(|container| container.name == SIDECAR)?.image.clone()
}
