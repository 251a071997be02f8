//! What the sidecars are told: expected volume, fence, drain; and what the pods' labels and
//! annotations say about it. It must not decide who goes: that is [`super::scale_down`]'s.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use lifeboat_api::Replica as Entry;
use lifeboat_api::queue::ClaimPolicy;

use super::identity::Identity;
use super::scale_down::Course;
use super::view::{View, number};
use super::{ASKED_STATE, Step};
use crate::labels;

/// What the configuration is to say of each ordinal; those of which there is nothing to say are
/// left out.
pub(super) fn sidecars(
    view: &View<'_>,
    identity: &Identity,
    course: &Course,
    replicas: i32,
) -> BTreeMap<u32, Entry> {
    let ordinals: BTreeSet<_> = view.entries.keys().chain(view.observed.replicas.keys()).collect();
    // One that is held back stays as it went: whether its claim is still there shows when the mark
    // comes off.
    let wanted = 0..view.count().max(number(replicas));
    let ordinals = ordinals.into_iter().copied().chain(wanted.clone()).collect::<BTreeSet<_>>();
    let entry = |ordinal: u32| {
        let mut entry = if wanted.contains(&ordinal) {
            kept(view, course, ordinal)
        } else {
            gone(view, ordinal)?
        };
        entry.log_id = identity.expected.get(&ordinal).cloned();
        (entry != Entry::default()).then_some((ordinal, entry))
    };
    ordinals.into_iter().filter_map(entry).collect()
}

/// A replica that there is, or that comes.
fn kept(view: &View<'_>, course: &Course, ordinal: u32) -> Entry {
    let going = course.going.filter(|going| going.ordinal == ordinal);
    Entry {
        log_id: None,
        fenced: view.is_fenced(ordinal) || going.is_some_and(|going| going.is_sealed),
        drain: going.is_some_and(|going| going.drain),
    }
}

/// A replica that is gone; `None`: nothing needs to be remembered of it.
///
/// `drain` of an ordinal that the StatefulSet does not have says that a scale-down has let it go:
/// a queue that wakes up does not bring it back.
fn gone(view: &View<'_>, ordinal: u32) -> Option<Entry> {
    let entry = view.entries.get(&ordinal)?;
    if view.pod(ordinal).is_some() || (view.queue.suspend && !entry.drain) {
        return Some(entry.clone());
    }
    view.claim(ordinal)?;
    if view.is_proven(ordinal) {
        let is_deleted = view.queue.claim.when_scaled == Some(ClaimPolicy::Delete);
        return is_deleted.then(|| entry.clone());
    }
    // A mark that is not to be believed comes off first: beside `drain` it might be.
    let drain = entry.drain || view.mark(ordinal).is_none();
    Some(Entry { drain, ..Entry::default() })
}

/// Tells the pods' labels and annotations what the sidecars are told.
pub(super) fn steps(
    view: &View<'_>,
    identity: &Identity,
    sidecars: &BTreeMap<u32, Entry>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for ordinal in 0..view.count() {
        let Some(pod) = view.pod(ordinal).filter(|pod| lives(pod)) else { continue };
        let (Some(name), Some(uid)) = (&pod.metadata.name, &pod.metadata.uid) else { continue };
        let entry = sidecars.get(&ordinal).cloned().unwrap_or_default();
        let accept = !entry.fenced && !entry.drain && !identity.mismatches.contains_key(&ordinal);
        if accepts(pod) != accept {
            steps.push(Step::Accept { pod: name.clone(), uid: uid.clone(), accept });
        }
        let state = asked(&entry);
        if asked_before(pod) != state {
            steps.push(Step::Ask { pod: name.clone(), uid: uid.clone(), state });
        }
    }
    steps
}

fn lives(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

fn accepts(pod: &Pod) -> bool {
    let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get(labels::ACCEPTING));
    label.is_some_and(|label| label == labels::TRUE)
}

fn asked(entry: &Entry) -> &'static str {
    match (entry.fenced, entry.drain) {
        (true, _) => "fenced",
        (false, true) => "draining",
        (false, false) => "open",
    }
}

/// A pod that nothing was asked of is open.
fn asked_before(pod: &Pod) -> &str {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(ASKED_STATE)).map_or("open", String::as_str)
}
