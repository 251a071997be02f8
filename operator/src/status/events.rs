//! What is worth an event: what has changed since the status that was written last. An event that
//! tells the same again is none.

use lifeboat_api::queue::QueueStatus;

use super::case::Case;
use crate::plan::Step;

/// An event about the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNote {
    /// Whether somebody should look.
    pub is_warning: bool,
    /// Why, in CamelCase.
    pub reason: String,
    /// What was done or found out, in CamelCase.
    pub action: &'static str,
    /// What people read.
    pub message: String,
}

/// The conditions that are good when true; the others are good when false. Of `ScalingDown` and
/// `Reconciling` neither is bad.
const GOOD: [&str; 4] = ["Ready", "Accepting", "DataIntact", "DurableVolume"];
const NEUTRAL: [&str; 2] = ["ScalingDown", "Reconciling"];

/// What is worth an event.
pub(super) fn events(case: &Case<'_>, status: &QueueStatus) -> Vec<EventNote> {
    let mut events = transitions(case, status);
    events.extend(stranded(case, status));
    events.extend(case.subject.plan.steps.iter().filter_map(done));
    events
}

/// Conditions that say something else than before. At first only what is bad is worth it.
fn transitions(case: &Case<'_>, status: &QueueStatus) -> Vec<EventNote> {
    let event = |now: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        let before = case.before.conditions.iter().find(|it| it.type_ == now.type_);
        let is_bad = is_bad(&now.type_, &now.status);
        let has_changed = match before {
            // What only says more about the same does not: reasons of what is good come and go.
            Some(before) => before.status != now.status || (is_bad && before.reason != now.reason),
            None => is_bad,
        };
        let is_told = has_changed && now.status != "Unknown" && now.type_ != "Reconciling";
        is_told.then(|| EventNote {
            is_warning: is_bad && !is_expected(&now.reason),
            reason: now.reason.clone(),
            action: "Observe",
            message: now.message.clone(),
        })
    };
    status.conditions.iter().filter_map(event).collect()
}

fn is_bad(type_: &str, status: &str) -> bool {
    let good = if GOOD.contains(&type_) { "True" } else { "False" };
    !NEUTRAL.contains(&type_) && status != good && status != "Unknown"
}

/// What is bad only in passing, or as somebody wished.
fn is_expected(reason: &str) -> bool {
    ["ReplicasNotReady", "SidecarNotReady", "Suspended", "NoReplicas", "Fenced"].contains(&reason)
}

fn stranded(case: &Case<'_>, status: &QueueStatus) -> Vec<EventNote> {
    let is_new = |claim: &str| case.before.stranded_claims.iter().all(|it| it.claim != claim);
    let new = status.stranded_claims.iter().filter(|it| is_new(&it.claim));
    let event = |claim: &str| EventNote {
        is_warning: true,
        reason: "ClaimStranded".to_owned(),
        action: "ScaleDown",
        message: format!("Nobody delivers what claim {claim} holds. Scaling up again does."),
    };
    new.map(|it| event(&it.claim)).collect()
}

/// What a step is worth an event for.
fn done(step: &Step) -> Option<EventNote> {
    let (reason, message) = match step {
        Step::DeleteClaim { claim, .. } => {
            ("ClaimDeleted", format!("Claim {claim} was drained and is deleted."))
        }
        Step::RestartPod { pod, .. } => {
            ("PodRestarted", format!("Pod {pod} is restarted, for its volume to grow."))
        }
        Step::Orphan { .. } => (
            "StatefulSetRecreated",
            "The StatefulSet is made anew with larger claims; the pods stay.".to_owned(),
        ),
        _ => return None,
    };
    let (reason, action) = (reason.to_owned(), "Reconcile");
    Some(EventNote { is_warning: false, reason, action, message })
}
