//! How many replicas there are to be in the end, and what holds up a scale-up. Going down, and
//! what that takes, is [`super::scale_down`]'s.

use lifeboat_api::queue::ScaleDownPolicy;

use super::view::{View, count, number};

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The replicas that there are to be in the end.
    pub(super) wanted: i32,
    /// The replicas that there are, those of a StatefulSet that is gone included.
    pub(super) standing: i32,
    /// The replicas from which the way goes there: more than there are now where some come back
    /// first.
    pub(super) from: i32,
    /// The replica that is to go next.
    pub(super) going: Option<u32>,
}

/// Where a queue is to go, and from where.
pub(super) fn target(view: &View<'_>) -> Target {
    let standing = view.current.unwrap_or_else(|| lost(view));
    if view.queue.suspend {
        return Target { wanted: 0, standing, from: standing, going: None };
    }
    let (wanted, policy) = (view.queue.replicas, view.queue.scale_down.policy);
    // What was put to rest, or is without a StatefulSet, was never drained: it comes back first.
    let rested = if policy == ScaleDownPolicy::Retain { 0 } else { rested(view) };
    let from = standing.max(rested);
    let goes = policy != ScaleDownPolicy::Forbid && view.current == Some(from) && wanted < from;
    Target { wanted, standing, from, going: goes.then(|| number(from - 1)) }
}

/// The replicas that would bring back every volume that no scale-down has let go: those of a
/// queue that was suspended.
fn rested(view: &View<'_>) -> i32 {
    let entries = view.entries.iter().rev();
    let mut resting = entries.filter(|(ordinal, entry)| {
        **ordinal >= view.count() && entry.log_id.is_some() && !entry.drain
    });
    resting.next().map_or(0, |(ordinal, _)| count(ordinal + 1))
}

/// The replicas of a StatefulSet that is gone while its pods are not: the next one has to have as
/// many, or it would delete them.
fn lost(view: &View<'_>) -> i32 {
    let pods = view.observed.replicas.iter().filter(|(_, replica)| {
        replica.pod.as_ref().is_some_and(|pod| pod.metadata.deletion_timestamp.is_none())
    });
    let pods = pods.map(|(ordinal, _)| count(ordinal + 1)).max().unwrap_or(0);
    let status = view.observed.queue.status.as_ref();
    let going = status.and_then(|status| status.scale_down.as_ref());
    let going = going.map(|it| it.ordinal).filter(|ordinal| {
        let ordinal = number(*ordinal);
        view.claim(ordinal).is_some() && !view.is_proven(ordinal)
    });
    pods.max(going.map_or(0, |ordinal| ordinal.saturating_add(1)))
}

/// `replicas`, but no more new ones than come before the first claim that is marked drained or being
/// deleted: a pod must not run on a claim that may be deleted, not even if the operator is killed
/// before it has taken the mark off.
pub(super) fn held(view: &View<'_>, target: &Target, replicas: i32) -> i32 {
    let is_held = |ordinal: &u32| {
        let claim = view.claim(*ordinal);
        let is_deleted = claim.is_some_and(|claim| claim.metadata.deletion_timestamp.is_some());
        view.mark(*ordinal).is_some() || is_deleted
    };
    let mut coming = number(target.standing)..number(replicas);
    coming.find(is_held).map_or(replicas, count)
}
