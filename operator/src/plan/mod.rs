//! What is to be done about a queue now: the flows of scale-down, growth, identity and deletion.
//! Pure: from what is observed, what is remembered and the time to a [`Plan`]. Each flow goes by
//! what exists, so that an operator that is killed anywhere goes on from there.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use lifeboat_api::resource;

use crate::observed::Observed;
use crate::queue::Queue;

mod attributes;
mod claims;
mod fencing;
mod growth;
mod identity;
mod memory;
mod replicas;
mod scale_down;
#[cfg(test)]
mod simulation;
mod step;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use attributes::Attributes;
pub use growth::{Growth, GrowthPhase};
pub use identity::{Identity, Mismatch};
pub use memory::Memory;
pub use scale_down::{Blocked, Phase, ScaleDown};
pub use step::{ASKED_STATE, Step};
pub(crate) use view::{FRESH, elapsed};

/// What is to be done now.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The replicas that the StatefulSet is to have. Never lower than it has by more than one,
    /// but for a suspended queue.
    ///
    /// The StatefulSet and the ConfigMap are applied with the `resourceVersion` that was observed:
    /// a plan that was made from an older state must fail, never lower what has been raised since.
    pub replicas: i32,
    /// What the sidecars' configuration says about each ordinal: expected volume, fence, drain.
    pub sidecars: BTreeMap<u32, resource::Replica>,
    /// What is to be done whatever becomes of the rest, before it: claims that are not to go with the
    /// queue any more must not wait for objects that a server refuses.
    pub releases: Vec<Step>,
    /// What is to be done besides applying the objects: after it, in this order. The first that
    /// fails ends it; the next plan goes on from what exists.
    pub steps: Vec<Step>,
    /// Nothing is to be applied nor done, only told: the queue is paused or being deleted.
    pub paused: bool,
    /// Pods keep the revision that they have: a drain is on its way, and a restart would only hold
    /// it up. (`updateStrategy.rollingUpdate.partition` is then [`Plan::replicas`].)
    pub hold_rollout: bool,
    /// The scale-down under way.
    pub scale_down: Option<ScaleDown>,
    /// The growth of claims under way.
    pub growth: Option<Growth>,
    /// The change of the claims' volume attributes class under way.
    pub attributes: Option<Attributes>,
    /// Ordinals whose volume is not the one that they had.
    pub mismatches: BTreeMap<u32, Mismatch>,
    /// Ordinals that are gone and whose claims may hold what nobody delivers.
    pub stranded: Vec<u32>,
    /// Ordinals without a pod whose claims are neither drained nor stranded: they wait for a pod.
    pub resting: Vec<u32>,
    /// When to plan again though nothing has changed.
    pub again_in: Option<Duration>,
}

/// Decides what is to be done about a queue now. `memory` is what an operator may forget: of one
/// that starts it is empty, and then some things only take longer.
pub fn plan(queue: &Queue, observed: &Observed, memory: &mut Memory, now: Timestamp) -> Plan {
    let view = view::View::new(queue, observed, now);
    if queue.requests.paused || observed.queue.metadata.deletion_timestamp.is_some() {
        return view.unchanged();
    }
    let identity = identity::identify(&view);
    let target = replicas::target(&view);
    memory.keep(target.going, &view);
    let course = scale_down::course(&view, &identity, &target, memory);
    let replicas = replicas::held(&view, &target, course.replicas);
    let sidecars = fencing::sidecars(&view, &identity, &course, replicas);
    let scale_down = course.scale_down.as_ref();
    let is_scaling_down = scale_down.is_some_and(|it| it.blocked != Some(Blocked::Forbidden));
    let growth = growth::growth(&view, is_scaling_down, replicas, memory);

    let mut steps = course.steps.clone();
    steps.extend(fencing::steps(&view, &identity, &sidecars));
    steps.extend(claims::steps(&view, &course));
    let stranded = claims::stranded(&view, course.replicas);
    let resting = claims::resting(&view, course.replicas);
    steps.extend(identity::forgets(&view, &identity));
    steps.extend(growth.steps);
    let (attributes, set_attributes) = attributes::attributes(&view, memory);
    steps.extend(set_attributes);
    let again_in = [course.again_in, growth.again_in].into_iter().flatten().min();
    Plan {
        replicas,
        sidecars: sidecars.into_iter().map(|(ordinal, it)| (ordinal, view::written(it))).collect(),
        releases: claims::releases(&view),
        steps,
        paused: false,
        hold_rollout: course.hold_rollout,
        scale_down: course.scale_down,
        growth: growth.growth,
        attributes,
        mismatches: identity.mismatches,
        stranded,
        resting,
        again_in,
    }
}
