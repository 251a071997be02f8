//! `Reconciling`: the operator or Kubernetes is at work. Waiting tools read it (kstatus), so it is
//! false once somebody has to act: then `Stalled` says so.

use lifeboat_api::queue::QueueStatus;

use super::{Reason, Truth, Verdict, replicas};
use crate::plan::{Attributes, GrowthPhase};
use crate::status::case::Case;

pub(super) fn reconciling(case: &Case<'_>, status: &QueueStatus, stalled: &Verdict) -> Verdict {
    if stalled.truth == Truth::True {
        return Verdict::no(stalled.reason, "Nothing goes on by itself; see Stalled.");
    }
    if case.subject.plan.paused {
        return Verdict::no(Reason::Paused, "Nothing is changed: paused.");
    }
    if case.subject.observed.stateful_set.is_none() {
        return Verdict::yes(Reason::Creating, "The objects of the queue are being made.");
    }
    if case.subject.plan.scale_down.is_some() {
        return Verdict::yes(Reason::Draining, "A replica is on its way out; see ScalingDown.");
    }
    if let Some(growth) = &case.subject.plan.growth {
        let message = match &growth.phase {
            GrowthPhase::Restarting(ordinal) => {
                format!("Replica {ordinal} is restarted, for its volume to become {}.", growth.size)
            }
            _ => format!("The claims become {}.", growth.size),
        };
        return Verdict::yes(Reason::ResizingStorage, message);
    }
    if let Some(Attributes::Changing(class)) = &case.subject.plan.attributes {
        let message = format!("The claims get the volume attributes class {class}.");
        return Verdict::yes(Reason::ModifyingStorage, message);
    }
    let missing: Vec<_> = (0..case.wanted()).filter(|it| case.pod(*it).is_none()).collect();
    let is_scaled = case.subject.plan.replicas == set_replicas(case) && missing.is_empty();
    if !is_scaled {
        let reason = if status.ready_replicas == 0 { Reason::Creating } else { Reason::ScalingUp };
        let message = match missing.as_slice() {
            [] => "The number of replicas changes.".to_owned(),
            missing => format!("Being made: {}.", replicas(missing)),
        };
        return Verdict::yes(reason, message);
    }
    if is_rolling(case, status) {
        return Verdict::yes(
            Reason::RollingOut,
            "Pods are replaced by those of the newest revision.",
        );
    }
    let starting: Vec<_> = (0..case.wanted()).filter(|it| !case.accepts(*it)).collect();
    if !starting.is_empty() && status.ready_replicas < status.replicas {
        let message = format!("Starting: {}.", replicas(&starting));
        return Verdict::yes(Reason::Creating, message);
    }
    Verdict::no(Reason::Settled, "All is as the spec asks for.")
}

fn set_replicas(case: &Case<'_>) -> i32 {
    let set = case.subject.observed.stateful_set.as_ref();
    set.and_then(|set| set.spec.as_ref()).and_then(|spec| spec.replicas).unwrap_or(0)
}

fn is_rolling(case: &Case<'_>, status: &QueueStatus) -> bool {
    let Some(set) = &case.subject.observed.stateful_set else { return false };
    let seen = set.status.as_ref().and_then(|status| status.observed_generation);
    let by_hand = case.subject.queue.is_ok_and(|queue| {
        queue.update.strategy == lifeboat_api::queue::UpdateStrategyType::OnDelete
            || queue.update.partition > 0
    });
    let is_behind = status.updated_replicas < status.replicas && !by_hand;
    seen < set.metadata.generation || is_behind
}
