//! The single things that a plan has done, beside the objects that are applied.

/// The annotation of a pod that repeats what its configuration says (`open`, `draining`,
/// `fenced`): a change of the pod makes the kubelet bring the new file at once, not within a
/// minute. The file decides, not the annotation.
pub const ASKED_STATE: &str = "lifeboat.dev/asked-state";

/// One thing to be done, safe to be done again. Whatever it is done to is named with its uid, which
/// is a precondition: another object of the same name is not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes the label `lifeboat.dev/accepting` off a pod, or puts it back.
    Accept {
        /// The pod.
        pod: String,
        /// Its uid.
        uid: String,
        /// Whether the label is to be there.
        accept: bool,
    },
    /// Sets the annotation [`ASKED_STATE`] of a pod.
    Ask {
        /// The pod.
        pod: String,
        /// Its uid.
        uid: String,
        /// The annotation's value.
        state: &'static str,
    },
    /// Asks for a larger claim.
    GrowClaim {
        /// The claim.
        claim: String,
        /// Its uid.
        uid: String,
        /// The size to ask for, as a quantity.
        size: String,
    },
    /// Asks for another volume attributes class.
    SetAttributes {
        /// The claim.
        claim: String,
        /// Its uid.
        uid: String,
        /// The class.
        class: String,
    },
    /// Deletes the StatefulSet, not its pods; the next reconcile makes it anew.
    Orphan {
        /// The StatefulSet's uid.
        uid: String,
        /// The version of it that the decision was made by: a precondition.
        resource_version: String,
    },
    /// Notes on a claim, by the label `lifeboat.dev/drained`, that its volume was proven drained,
    /// or takes that back.
    MarkDrained {
        /// The claim.
        claim: String,
        /// Its uid.
        uid: String,
        /// The volume's id; `None`: the label goes.
        log_id: Option<String>,
    },
    /// Deletes a claim.
    DeleteClaim {
        /// The claim.
        claim: String,
        /// Its uid.
        uid: String,
        /// The version of it that the decision was made by: a precondition, so that a mark that
        /// has been taken off since saves it.
        resource_version: String,
    },
    /// Lets the garbage collector delete a claim with its queue, or not.
    OwnClaim {
        /// The claim.
        claim: String,
        /// Its uid.
        uid: String,
        /// Whether the queue is to be its owner.
        owned: bool,
    },
    /// Deletes a pod, which the StatefulSet makes anew.
    RestartPod {
        /// The pod.
        pod: String,
        /// Its uid.
        uid: String,
    },
    /// Takes an annotation off the queue, if it still has this value: what it asked for, once, is
    /// done.
    Forget {
        /// The annotation.
        annotation: &'static str,
        /// The value that was heeded.
        value: String,
    },
}
