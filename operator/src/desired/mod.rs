//! What the objects of a queue are to look like. Pure: from the queue, the plan and what exists, to
//! whole objects. It must not decide when anything happens; the plan has.

use serde_json::Value;

use crate::observed::Observed;
use crate::plan::Plan;
use crate::queue::Queue;
use crate::release::Release;

/// What is to exist of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The whole objects, in the order in which they are to be applied: the StatefulSet is last.
    /// Whatever else has the queue's label and is its own is left over.
    pub objects: Vec<Value>,
    /// The sidecar's image that the pods get.
    pub sidecar_image: String,
    /// What the spec uses and a running sidecar lacks, by name: then the sidecars keep the
    /// configuration that they have (`SidecarTooOld`).
    pub missing_features: Vec<String>,
}

/// What is to exist of `queue`.
pub fn desired(queue: &Queue, plan: &Plan, observed: &Observed, release: &Release) -> Desired {
    let _ = (queue, plan, observed);
    Desired {
        objects: Vec::new(),
        sidecar_image: release.sidecar_image.clone(),
        missing_features: Vec::new(),
    }
}
