//! `Stalled`: somebody has to act. All that is wrong is told, and what to do about it; the first
//! gives the reason.

use k8s_openapi::api::core::v1::Pod;

use super::{Reason, Verdict};
use crate::plan::{Attributes, Blocked, GrowthPhase, ScaleDown};
use crate::status::case::Case;

/// How long a pod may be without a place before somebody has to act.
const UNPLACED_SECONDS: i64 = 60;

pub(super) fn stalled(case: &Case<'_>) -> Verdict {
    let wrongs = [
        invalid(case),
        refused(case),
        unreachable(case),
        too_old(case),
        case.subject.plan.scale_down.as_ref().and_then(held_up),
        growth(case),
        attributes(case),
        unplaced(case),
    ];
    let wrongs: Vec<_> = wrongs.into_iter().flatten().collect();
    let Some((reason, _)) = wrongs.first() else {
        return Verdict::no(Reason::Progressing, "Nobody has to act.");
    };
    let messages: Vec<_> = wrongs.iter().map(|(_, message)| message.as_str()).collect();
    Verdict::yes(*reason, messages.join(" "))
}

type Wrong = Option<(Reason, String)>;

fn invalid(case: &Case<'_>) -> Wrong {
    let problems = case.subject.queue.err()?;
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Some((
        Reason::SpecInvalid,
        format!("The spec is invalid, nothing is changed: {}.", lines.join("; ")),
    ))
}

fn refused(case: &Case<'_>) -> Wrong {
    let said = case.subject.observed.refused.as_ref()?;
    let growth = case.subject.plan.growth.as_ref();
    if let Some(growth) = growth.filter(|_| said.starts_with("PersistentVolumeClaim ")) {
        let message = format!(
            "The server refuses a claim of {}: {said}. Raise the quota, or mend what it names.",
            growth.size
        );
        return Some((Reason::VolumeResizeFailed, message));
    }
    let of_template = said.contains("spec.template") || said.contains("containers");
    let reason = if of_template { Reason::TemplateInvalid } else { Reason::StatefulSetRejected };
    Some((
        reason,
        format!("The server refuses what the queue is to have, the pods stay as they are: {said}."),
    ))
}

fn unreachable(case: &Case<'_>) -> Wrong {
    let replicas = &case.subject.observed.replicas;
    let (ordinal, replica) = replicas.iter().find(|(_, it)| it.node_gone && it.pod.is_some())?;
    let node = replica.pod.as_ref()?.spec.as_ref()?.node_name.clone().unwrap_or_default();
    let message = format!(
        "Node {node} of replica {ordinal} does not answer. Its pod is not replaced, for it may \
         still write. If the node is off for good, taint it with \
         node.kubernetes.io/out-of-service=nodeshutdown:NoExecute."
    );
    Some((Reason::NodeUnreachable, message))
}

fn too_old(case: &Case<'_>) -> Wrong {
    let missing = &case.subject.desired?.missing_features;
    if missing.is_empty() {
        return None;
    }
    let message = format!(
        "The sidecars keep the configuration that they have: their version does not support {}. \
         Set spec.sidecar.image to a newer one, or spec.sidecar.upgrade to WithOperator.",
        missing.join(", ")
    );
    Some((Reason::SidecarTooOld, message))
}

/// A drain that does not go on.
fn held_up(going: &ScaleDown) -> Wrong {
    let blocked = going.blocked.as_ref().filter(|_| going.is_stalled)?;
    let ordinal = going.ordinal;
    let (reason, wrong) = match blocked {
        Blocked::Forbidden => {
            let message = format!(
                "spec.scaleDown.policy is Forbid: replica {ordinal} stays. Raise spec.replicas, or \
                 change the policy."
            );
            return Some((Reason::ScaleDownForbidden, message));
        }
        Blocked::Fenced => (Reason::ReplicaUnavailable, "is fenced and cannot be drained"),
        Blocked::OtherVolume => (Reason::ReplicaUnavailable, "has another volume than it had"),
        Blocked::NotRunning => {
            (Reason::ReplicaUnavailable, "does not answer and cannot be drained")
        }
        Blocked::Silent => (Reason::SidecarTooOld, "does not say whether it is drained"),
        Blocked::Unheard(problems) => {
            return Some((Reason::ReplicaUnavailable, unheard(ordinal, problems)));
        }
        Blocked::Timeout => (Reason::DrainTimeout, "is not drained within spec.scaleDown.timeout"),
        Blocked::NoConsumer => (Reason::NoConsumer, "has a backlog and no application connected"),
        Blocked::NoProgress(removed) => return Some((Reason::NoProgress, idle(ordinal, removed))),
        Blocked::DeadLetters(_) => (
            Reason::DeadLettersLeft,
            "holds nothing but dead letters: in its container lifeboat-sidecar put them back with \
             `lifeboat redrive STREAM --all`, or remove them with `lifeboat purge STREAM \
             --dead-letters --yes`",
        ),
    };
    Some((reason, format!("Replica {ordinal} {wrong}. {}", way_out(ordinal))))
}

fn way_out(ordinal: u32) -> String {
    format!(
        "It stays until it is drained; the annotation lifeboat.dev/force-scale-down: \"{ordinal}\" \
         lets it go and keeps its claim."
    )
}

/// A sidecar that does not do what it is asked to.
fn unheard(ordinal: u32, problems: &[String]) -> String {
    let cause = if problems.is_empty() {
        "see the log of its sidecar".to_owned()
    } else {
        format!("its sidecar does not take its configuration: {}", problems.join("; "))
    };
    format!("Replica {ordinal} is asked to drain and does not: {cause}. {}", way_out(ordinal))
}

/// A drain that nothing is seen to hold up, and that does not get on.
fn idle(ordinal: u32, removed: &[String]) -> String {
    let nobodys = if removed.is_empty() {
        String::new()
    } else {
        format!(
            ". Or it is held in {}, which the spec does not name any more: name it again, or give up \
             what it holds with lifeboat purge in the sidecar's container",
            removed.join(", ")
        )
    };
    format!(
        "What replica {ordinal} holds does not become less: see whether its application still takes \
         messages, and DataIntact{nobodys}. {}",
        way_out(ordinal)
    )
}

fn growth(case: &Case<'_>) -> Wrong {
    let growth = case.subject.plan.growth.as_ref()?;
    match &growth.phase {
        GrowthPhase::NotExpandable => Some((
            Reason::StorageClassNotExpandable,
            format!(
                "The storage class does not let claims become {}. If its driver can, set \
                 allowVolumeExpansion on the class.",
                growth.size
            ),
        )),
        GrowthPhase::Failed { claim, message } => {
            let message = format!(
                "Claim {claim} does not become {}: {message}. Raise the quota, or mend the storage \
                 class.",
                growth.size
            );
            Some((Reason::VolumeResizeFailed, message))
        }
        _ => None,
    }
}

fn attributes(case: &Case<'_>) -> Wrong {
    let Some(Attributes::Failed { claim, class, message }) = &case.subject.plan.attributes else {
        return None;
    };
    let message = format!(
        "Claim {claim} does not get the volume attributes class {class}: {message}. Choose another \
         spec.storage.volumeAttributesClassName, or mend that one."
    );
    Some((Reason::VolumeModifyFailed, message))
}

/// A pod that no node takes.
fn unplaced(case: &Case<'_>) -> Wrong {
    let mut pods = (0..case.wanted()).filter_map(|ordinal| Some((ordinal, case.pod(ordinal)?)));
    let (ordinal, said) =
        pods.find_map(|(ordinal, pod)| Some((ordinal, scheduler(pod, case.now.as_second())?)))?;
    let message = format!("No node takes the pod of replica {ordinal}: {said}");
    Some((Reason::ReplicaUnavailable, message))
}

fn scheduler(pod: &Pod, now: i64) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|it| it.type_ == "PodScheduled")?;
    let since = condition.last_transition_time.as_ref()?.0.as_second();
    let is_unplaced = condition.status == "False" && now - since >= UNPLACED_SECONDS;
    is_unplaced.then(|| condition.message.clone().unwrap_or_default())
}
