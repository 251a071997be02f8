//! The claims: whose they are, which are marked drained, which may be deleted, which are stranded.
//! A claim that may hold anything that somebody waits for is never deleted.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use lifeboat_api::queue::ClaimPolicy;

use super::Step;
use super::scale_down::Course;
use super::view::{View, number};

/// Marks an ordinal's claim as drained with this volume id.
pub(super) fn mark(view: &View<'_>, ordinal: u32, log_id: String) -> Option<Step> {
    let (claim, uid) = identified(view.claim(ordinal)?)?;
    Some(Step::MarkDrained { claim, uid, log_id: Some(log_id) })
}

/// What is to be done about the claims.
pub(super) fn steps(view: &View<'_>, course: &Course) -> Vec<Step> {
    let mut steps = Vec::new();
    // First it is told, then done: what goes with the queue must show before it does.
    let is_told = told(view).is_some_and(|owned| owned > 0);
    for (ordinal, claim) in claims(view) {
        let Some((name, uid)) = identified(claim) else { continue };
        if is_to_be_deleted(view, course, ordinal) {
            let resource_version = claim.metadata.resource_version.clone().unwrap_or_default();
            steps.push(Step::DeleteClaim { claim: name, uid, resource_version });
            continue;
        }
        if view.mark(ordinal).is_some() && !keeps_mark(view, course, ordinal) {
            let (claim, uid) = (name.clone(), uid.clone());
            steps.push(Step::MarkDrained { claim, uid, log_id: None });
        }
        if goes_with_queue(view) && is_told && !view.observed.owns(claim) {
            steps.push(Step::OwnClaim { claim: name, uid, owned: true });
        }
    }
    steps
}

/// Claims that are not to go with the queue any more are let go. As long as it is told that some do,
/// or nothing is, that is all of them: what is observed of one may be older than its owner.
pub(super) fn releases(view: &View<'_>) -> Vec<Step> {
    if goes_with_queue(view) {
        return Vec::new();
    }
    let may_own = told(view).is_none_or(|owned| owned > 0);
    let owned = claims(view).filter(|(_, claim)| may_own || view.observed.owns(claim));
    let identified = owned.filter_map(|(_, claim)| identified(claim));
    identified.map(|(claim, uid)| Step::OwnClaim { claim, uid, owned: false }).collect()
}

/// How many claims go with the queue, as the status has it.
fn told(view: &View<'_>) -> Option<i32> {
    let status = view.observed.queue.status.as_ref()?;
    Some(status.storage.as_ref()?.owned_claims)
}

/// Whether claims are to be deleted with the queue.
fn goes_with_queue(view: &View<'_>) -> bool {
    view.queue.claim.when_deleted == Some(ClaimPolicy::Delete)
}

/// The ordinals that are gone and whose claims may hold something.
pub(super) fn stranded(view: &View<'_>, replicas: i32) -> Vec<u32> {
    let is_stranded = |ordinal: &u32| {
        let entry = view.entry(*ordinal);
        let rests = view.queue.suspend && entry.log_id.is_some() && !entry.drain;
        is_gone(view, *ordinal, replicas)
            && view.pod(*ordinal).is_none()
            && !view.is_proven(*ordinal)
            && !rests
    };
    claims(view).map(|(ordinal, _)| ordinal).filter(is_stranded).collect()
}

/// The ordinals without a pod whose claims wait for one, with whatever they hold: those of a queue
/// that rests, or whose StatefulSet is to come back.
pub(super) fn resting(view: &View<'_>, replicas: i32) -> Vec<u32> {
    let stranded = stranded(view, replicas);
    let is_resting = |ordinal: &u32| {
        let is_drained = is_gone(view, *ordinal, replicas) && view.is_proven(*ordinal);
        view.pod(*ordinal).is_none() && !is_drained && !stranded.contains(ordinal)
    };
    claims(view).map(|(ordinal, _)| ordinal).filter(is_resting).collect()
}

/// Each claim that is not being deleted.
fn claims<'a>(view: &View<'a>) -> impl Iterator<Item = (u32, &'a PersistentVolumeClaim)> {
    let replicas = view.observed.replicas.iter();
    let claims = replicas.filter_map(|(ordinal, it)| Some((*ordinal, it.claim.as_ref()?)));
    claims.filter(|(_, claim)| claim.metadata.deletion_timestamp.is_none())
}

fn identified(claim: &PersistentVolumeClaim) -> Option<(String, String)> {
    Some((claim.metadata.name.clone()?, claim.metadata.uid.clone()?))
}

/// Whether the ordinal neither is nor comes.
fn is_gone(view: &View<'_>, ordinal: u32, replicas: i32) -> bool {
    ordinal >= view.count().max(number(replicas))
}

/// A mark stays on what was proven drained and is gone, and on what is sealed and goes.
fn keeps_mark(view: &View<'_>, course: &Course, ordinal: u32) -> bool {
    let is_proven = view.is_proven(ordinal);
    let goes = course.going.is_some_and(|going| going.ordinal == ordinal && going.is_sealed);
    is_proven && (goes || is_gone(view, ordinal, course.replicas))
}

fn is_to_be_deleted(view: &View<'_>, course: &Course, ordinal: u32) -> bool {
    view.queue.claim.when_scaled == Some(ClaimPolicy::Delete)
        && !view.queue.suspend
        // Without a StatefulSet nobody knows which ordinals it would have.
        && view.current.is_some()
        && is_gone(view, ordinal, course.replicas.max(view.queue.replicas))
        && view.pod(ordinal).is_none()
        && view.is_proven(ordinal)
}
