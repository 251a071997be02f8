//! Each replica, as it is told.

use std::collections::BTreeSet;

use lifeboat_api::queue::{InstanceStatus, Rates};

use super::case::Case;
use super::figures;
use crate::names;
use crate::plan::Phase;

/// The replicas that there are or ought to be, by ordinal. One whose claim rests is told as it was
/// last seen: whoever deletes the queue has to know what it holds.
pub(super) fn instances(case: &Case<'_>) -> Vec<InstanceStatus> {
    let replicas = case.subject.observed.replicas.iter();
    let with_pod = replicas.filter(|(_, it)| it.pod.is_some()).map(|(ordinal, _)| *ordinal);
    let set = case.subject.observed.stateful_set.as_ref().and_then(|set| set.spec.as_ref());
    let count = set.and_then(|spec| spec.replicas).and_then(|count| u32::try_from(count).ok());
    let ordinals = with_pod.chain(0..count.unwrap_or(0)).chain(resting(case));
    let ordinals: BTreeSet<_> = ordinals.collect();
    ordinals.into_iter().map(|ordinal| instance(case, ordinal)).collect()
}

/// The replicas without a pod whose claims wait for one. Where nothing is decided: those that were
/// told and whose claims are still there.
fn resting(case: &Case<'_>) -> Vec<u32> {
    if case.is_decided() {
        return case.subject.plan.resting.clone();
    }
    let replicas = case.subject.observed.replicas.iter();
    let is_told = |ordinal: u32| {
        let number = figures::ordinal(ordinal);
        let is_stranded = case.before.stranded_claims.iter().any(|it| it.ordinal == number);
        case.instance_before(ordinal).is_some() && !is_stranded
    };
    let with_claim = replicas.filter(|(_, it)| it.claim.is_some()).map(|(ordinal, _)| *ordinal);
    with_claim.filter(|ordinal| is_told(*ordinal)).collect()
}

fn instance(case: &Case<'_>, ordinal: u32) -> InstanceStatus {
    let before = case.instance_before(ordinal);
    let facts = case.facts.get(&ordinal).copied();
    let pod = case.pod(ordinal);
    let queue = case.subject.observed.queue.metadata.name.as_deref().unwrap_or_default();
    let asked = case.subject.plan.sidecars.get(&ordinal);
    let instance = InstanceStatus {
        ordinal: figures::ordinal(ordinal),
        pod: names::pod(queue, ordinal),
        node: pod.and_then(|pod| pod.spec.as_ref()).and_then(|spec| spec.node_name.clone()),
        log_id: log_id(case, ordinal),
        accepting: case.accepts(ordinal),
        app_connected: facts.map_or_else(
            // Until it is heard, as it was: an operator that starts has not heard anybody yet.
            || before.is_some_and(|before| before.app_connected) && pod.is_some(),
            |facts| facts.app_connected == Some(true),
        ),
        draining: asked.is_some_and(|asked| asked.drain == Some(true)),
        ..InstanceStatus::default()
    };
    match (facts, before) {
        (Some(facts), before) => {
            figures::update(instance, before, facts, case.now, is_leaving(case, ordinal))
        }
        // Nothing comes or goes where there is no pod.
        (None, Some(before)) if pod.is_none() => {
            InstanceStatus { rates: Rates::default(), ..figures::keep(instance, before) }
        }
        (None, Some(before)) => figures::keep(instance, before),
        (None, None) => instance,
    }
}

/// The volume that it must have. What it has instead is told in `DataIntact`: here it would be taken
/// for the expected one if the configuration were lost.
fn log_id(case: &Case<'_>, ordinal: u32) -> Option<String> {
    let asked = case.subject.plan.sidecars.get(&ordinal).and_then(|it| it.log_id.clone());
    let before = || case.instance_before(ordinal)?.log_id.clone();
    let told = || case.facts.get(&ordinal).map(|it| it.log_id.clone()).filter(|id| !id.is_empty());
    // Of a spec that cannot be read nothing is decided.
    let is_decided = case.subject.queue.is_ok();
    asked.or_else(|| if is_decided { told().or_else(before) } else { before().or_else(told) })
}

/// Whether its pod ends: what its claim holds is then what it said last.
fn is_leaving(case: &Case<'_>, ordinal: u32) -> bool {
    let going = case.subject.plan.scale_down.as_ref();
    let is_ending = case.pod(ordinal).is_some_and(|it| it.metadata.deletion_timestamp.is_some());
    is_ending || going.is_some_and(|it| it.ordinal == ordinal && it.phase == Phase::Shrinking)
}
