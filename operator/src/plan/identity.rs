//! Which volume each ordinal must have. The id is learnt once, from a sidecar that runs, and kept
//! in the sidecars' configuration until the replica was proven drained and is gone; a sidecar that
//! finds another volume stays closed.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::Step;
use super::view::View;
use crate::facts::{Facts, State};
use crate::labels;

/// Which volume each ordinal must have, and where it is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The volume id of each ordinal that has had one.
    pub expected: BTreeMap<u32, String>,
    /// Those that have another, or none.
    pub mismatches: BTreeMap<u32, Mismatch>,
}

/// An ordinal whose volume is not the one that it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The volume id that it had.
    pub expected: String,
    /// The one that it has; `None`: its claim is gone.
    pub found: Option<String>,
}

/// Finds out which volumes the ordinals have and had.
pub(super) fn identify(view: &View<'_>) -> Identity {
    let mut identity = Identity::default();
    let ordinals: BTreeSet<_> = view.entries.keys().chain(view.observed.replicas.keys()).collect();
    for ordinal in ordinals.into_iter().copied() {
        let found = view.facts(ordinal).map(|facts| facts.log_id.as_str());
        let found = found.filter(|id| !id.is_empty());
        let is_lost = is_lost(view, ordinal);
        let Some(expected) = expected(view, ordinal, is_lost) else { continue };
        if is_lost {
            let mismatch = Mismatch { expected: expected.clone(), found: None };
            identity.mismatches.insert(ordinal, mismatch);
        } else if let Some(found) = found.filter(|found| *found != expected) {
            let mismatch = Mismatch { expected: expected.clone(), found: Some(found.to_owned()) };
            identity.mismatches.insert(ordinal, mismatch);
        }
        identity.expected.insert(ordinal, expected);
    }
    identity
}

/// The volume id that the ordinal must have; `None`: any will do.
fn expected(view: &View<'_>, ordinal: u32, is_lost: bool) -> Option<String> {
    let entry = view.entry(ordinal);
    if entry.drain && ordinal >= view.count() && view.replica(ordinal).is_none() {
        // It was let go, and its claim is gone as well: whoever comes next is new.
        return None;
    }
    let known = entry.log_id;
    let fresh = view.fresh_facts(ordinal).map(|(facts, _)| facts);
    if view.queue.requests.accept_new_log.contains(&ordinal) {
        if is_lost {
            return None;
        }
        let found = fresh.map(|facts| facts.log_id.clone()).filter(|id| !id.is_empty());
        return found.or(known);
    }
    known.or_else(|| fresh.and_then(learnt))
}

/// The volume id of a sidecar that runs by it.
fn learnt(facts: &Facts) -> Option<String> {
    let runs = matches!(
        facts.state,
        State::Open | State::Draining | State::Quiesced | State::Fenced | State::Stopping
    );
    (runs && !facts.log_id.is_empty()).then(|| facts.log_id.clone())
}

/// Whether the claim of an ordinal that the queue has, or will have again, is gone.
fn is_lost(view: &View<'_>, ordinal: u32) -> bool {
    // An ordinal that was let go may lose its claim: people delete what is stranded.
    let is_ours = ordinal < view.count() || !view.entry(ordinal).drain;
    let is_gone = |claim: &PersistentVolumeClaim| {
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        phase == Some("Lost") || claim.metadata.deletion_timestamp.is_some()
    };
    is_ours && view.claim(ordinal).is_none_or(is_gone)
}

/// Takes back the annotations that asked for something once, when it is done: left behind they
/// would let the next loss pass unseen.
pub(super) fn forgets(view: &View<'_>, identity: &Identity) -> Vec<Step> {
    let requests = &view.queue.requests;
    let is_accepted = |ordinal: &u32| {
        let facts = view.fresh_facts(*ordinal).map(|(facts, _)| facts);
        let known = view.entry(*ordinal).log_id;
        let is_open = |facts: &Facts| facts.state != State::Closed;
        !identity.mismatches.contains_key(ordinal)
            && facts.is_some_and(|it| is_open(it) && known.as_ref() == Some(&it.log_id))
    };
    let accepted = &requests.accept_new_log;
    let accepted = !accepted.is_empty() && accepted.iter().all(is_accepted);
    let forced = requests.force_scale_down.is_some_and(|ordinal| {
        view.current.is_some() && ordinal >= view.count() && view.pod(ordinal).is_none()
    });
    let done = [(accepted, labels::ACCEPT_NEW_LOG), (forced, labels::FORCE_SCALE_DOWN)];
    let annotations = view.observed.queue.metadata.annotations.as_ref();
    let step = |annotation: &'static str| {
        let value = annotations?.get(annotation)?.clone();
        Some(Step::Forget { annotation, value })
    };
    done.into_iter().filter(|(done, _)| *done).filter_map(|(_, name)| step(name)).collect()
}
