//! Larger claims: ask for them, wait until they are, restart pods whose file system needs that,
//! and last make the StatefulSet anew, whose claim template cannot be changed. A StatefulSet that is
//! gone while its pods are there is always made again, whoever deleted it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::Quantity;
use serde_json::Value;

use super::Step;
use super::memory::{Memory, Since};
use super::view::{View, elapsed};

mod claim;

/// How long a file system may wait to be grown before its pod is restarted: the kubelet does it on
/// a running pod within about a minute, where the driver can.
const PENDING: Duration = Duration::from_secs(120);

/// The growth of claims under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The size that is wanted.
    pub size: String,
    /// How far it is.
    pub phase: GrowthPhase,
}

/// How far growth is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrowthPhase {
    /// The storage class does not let claims grow.
    NotExpandable,
    /// The driver could not: what it says of which claim.
    Failed {
        /// The claim.
        claim: String,
        /// What is said about it.
        message: String,
    },
    /// Claims are being asked to be larger.
    Growing,
    /// They are not yet.
    Waiting,
    /// A pod is restarted, so that its file system can be grown.
    Restarting(u32),
    /// The StatefulSet is made anew.
    Recreating,
}

/// What growth asks for now.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) growth: Option<Growth>,
    pub(super) steps: Vec<Step>,
    pub(super) again_in: Option<Duration>,
}

/// Decides on the next step of growth. While a scale-down is under way nothing is restarted and
/// the StatefulSet stays: one that comes back would not know which replica was going.
pub(super) fn growth(
    view: &View<'_>,
    is_scaling_down: bool,
    replicas: i32,
    memory: &mut Memory,
) -> Outcome {
    let size = &view.queue.claim.size;
    let claims =
        || view.observed.replicas.iter().filter_map(|(n, it)| Some((*n, it.claim.as_ref()?)));
    let small: Vec<_> = claims().filter(|(_, it)| claim::is_asked_less(it, size.bytes())).collect();
    let waiting: Vec<_> = claims()
        .filter(|(ordinal, it)| *ordinal < view.count() && !claim::has(it, size.bytes()))
        .collect();
    let is_template_small = template(view).is_some_and(|bytes| bytes < size.bytes());
    // A claim that is new waits as well, and that is no growth.
    let is_growing = is_template_small
        || !small.is_empty()
        || waiting.iter().any(|(_, claim)| claim::is_resizing(claim));
    if !is_growing {
        return Outcome::default();
    }
    let outcome = |phase, steps| {
        let growth = Some(Growth { size: size.to_string(), phase });
        Outcome { growth, steps, again_in: None }
    };
    if !small.is_empty() {
        // Where that is not known, the server says so when it is asked.
        if view.observed.class_allows_growth == Some(false) {
            return outcome(GrowthPhase::NotExpandable, Vec::new());
        }
        let steps = small.iter().filter_map(|(_, claim)| claim::grow(claim, size)).collect();
        return outcome(GrowthPhase::Growing, steps);
    }
    if let Some((claim, message)) = waiting.iter().find_map(|(_, it)| claim::failure(it)) {
        return outcome(GrowthPhase::Failed { claim, message }, Vec::new());
    }
    if !waiting.is_empty() {
        return wait(view, &waiting, is_scaling_down, memory, outcome);
    }
    let is_settled = !is_scaling_down && view.current == Some(replicas);
    let steps = if is_settled { orphan(view).into_iter().collect() } else { Vec::new() };
    outcome(GrowthPhase::Recreating, steps)
}

/// Waits for capacity, and restarts one pod whose file system has waited for too long.
fn wait(
    view: &View<'_>,
    waiting: &[(u32, &PersistentVolumeClaim)],
    is_scaling_down: bool,
    memory: &mut Memory,
    outcome: impl Fn(GrowthPhase, Vec<Step>) -> Outcome,
) -> Outcome {
    let mut again_in = None;
    for (ordinal, claim) in waiting.iter().rev() {
        let what = Since::PendingResize(*ordinal);
        let Some(pending) = claim::pending(claim) else {
            memory.over(what);
            continue;
        };
        let told = pending.last_transition_time.as_ref().map(|time| time.0);
        let since = told.unwrap_or_else(|| memory.since(what, view.now));
        let left = PENDING.saturating_sub(elapsed(since, view.now));
        if !left.is_zero() {
            again_in = Some(again_in.map_or(left, |sooner: Duration| sooner.min(left)));
            continue;
        }
        if is_scaling_down || !others_are_ready(view, *ordinal) {
            continue;
        }
        if let Some(step) = restart(view, *ordinal, since) {
            return outcome(GrowthPhase::Restarting(*ordinal), vec![step]);
        }
    }
    Outcome { again_in, ..outcome(GrowthPhase::Waiting, Vec::new()) }
}

/// Restarts the ordinal's pod, unless it has been since.
fn restart(view: &View<'_>, ordinal: u32, since: Timestamp) -> Option<Step> {
    let metadata = &view.pod(ordinal)?.metadata;
    let created = metadata.creation_timestamp.as_ref()?.0;
    if metadata.deletion_timestamp.is_some() || created > since {
        return None;
    }
    Some(Step::RestartPod { pod: metadata.name.clone()?, uid: metadata.uid.clone()? })
}

fn others_are_ready(view: &View<'_>, ordinal: u32) -> bool {
    let others = (0..view.count()).filter(|other| *other != ordinal);
    others.map(|other| view.pod(other)).all(|pod| pod.is_some_and(is_ready))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let is_ready = conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}

/// The bytes that the StatefulSet's claim template asks for.
fn template(view: &View<'_>) -> Option<u64> {
    view.current?;
    let first = view.observed.claim_templates.as_ref()?.get(0)?;
    let size = first.pointer("/spec/resources/requests/storage").and_then(Value::as_str)?;
    size.parse::<Quantity>().ok().map(|size| size.bytes())
}

/// Deletes the StatefulSet alone. One that has not taken in all its pods yet is left: the garbage
/// collector could miss an owner that a pod gets at this moment, and delete the pod after it.
fn orphan(view: &View<'_>) -> Option<Step> {
    let set = view.observed.stateful_set.as_ref()?;
    let metadata = &set.metadata;
    let status = set.status.as_ref()?;
    let is_current = status.observed_generation == metadata.generation;
    if metadata.deletion_timestamp.is_some() || !is_current || Some(status.replicas) != view.current
    {
        return None;
    }
    let (uid, resource_version) = (metadata.uid.clone()?, metadata.resource_version.clone()?);
    Some(Step::Orphan { uid, resource_version })
}
