//! What is to be done about a queue now: the flows of scale-down, growth, identity and deletion.
//! Pure: from what is observed, what is remembered and the time to a [`Plan`]. Each flow goes by
//! what exists, so that an operator that is killed anywhere goes on from there.

use std::collections::BTreeMap;

use lifeboat_api::resource;

/// What is to be done now.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The replicas that the StatefulSet is to have. Never lower than it has by more than one.
    pub replicas: i32,
    /// What the sidecars' configuration says about each ordinal: expected volume, fence, drain.
    pub sidecars: BTreeMap<u32, resource::Replica>,
    /// What is to be done besides applying the objects, in this order; those marked so in
    /// [`Step`] before, the others after.
    pub steps: Vec<Step>,
}

/// One thing to be done, safe to be done again. Whatever destroys names the uid that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes the label `lifeboat.dev/accepting` off a pod, or puts it back.
    Accept { pod: String, uid: String, accept: bool },
    /// Asks for a larger claim.
    GrowClaim { claim: String, uid: String, size: String },
    /// Deletes the StatefulSet, not its pods; the next reconcile makes it anew.
    Orphan { uid: String, resource_version: String },
    /// Notes on a claim that the volume with this id was proven drained, or takes that back.
    MarkDrained { claim: String, uid: String, log_id: Option<String> },
    /// Deletes a claim.
    DeleteClaim { claim: String, uid: String, resource_version: String },
    /// Lets the garbage collector delete a claim with its queue, or not.
    OwnClaim { claim: String, uid: String, owned: bool },
    /// Deletes a pod, which the StatefulSet makes anew.
    RestartPod { pod: String, uid: String },
}
