//! What is told about a queue: figures, instances, conditions and events. Pure: from what exists,
//! what is decided and what was told before. It must not decide anything, nor tell an age or a
//! figure that would have it written again though nothing has happened.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::{
    ClaimPolicy, InstanceStatus, QueueStatus, ScaleDownStatus, StorageStatus, StrandedClaim,
};
use lifeboat_api::{Problems, Quantity, format_bytes};

use crate::desired::Desired;
use crate::labels;
use crate::names;
use crate::observed::Observed;
use crate::plan::{Blocked, Plan};
use crate::queue::Queue;

mod case;
mod conditions;
mod events;
mod figures;
mod instances;
mod reason;
#[cfg(test)]
mod tests;

pub use events::EventNote;

use case::Case;

/// What there is to tell about a queue.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The queue, or what is wrong with it.
    pub queue: Result<&'a Queue, &'a Problems>,
    /// What exists, the status that was written last included.
    pub observed: &'a Observed,
    /// What is decided; of a queue that cannot be read [`Plan::default`].
    pub plan: &'a Plan,
    /// What is to exist; `None` of a queue that cannot be read, or that is paused.
    pub desired: Option<&'a Desired>,
    /// Whether all of the plan's releases have been made, by the server's word.
    pub is_released: bool,
}

/// What is told about a queue now, and what is worth an event because it has changed.
pub fn status(subject: &Subject<'_>, now: Timestamp) -> (QueueStatus, Vec<EventNote>) {
    let before = subject.observed.queue.status.clone().unwrap_or_default();
    let case = Case::new(subject, &before, now);
    let set = subject.observed.stateful_set.as_ref().and_then(|set| set.status.as_ref());
    let instances = instances::instances(&case);
    let (backlog, rates) = figures::sums(&instances);
    let metadata = &subject.observed.queue.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let mut status = QueueStatus {
        observed_generation: metadata.generation,
        replicas: set.map_or(0, |set| set.replicas),
        ready_replicas: set.and_then(|set| set.ready_replicas).unwrap_or(0),
        updated_replicas: set.and_then(|set| set.updated_replicas).unwrap_or(0),
        accepting_replicas: figures::count(instances.iter().filter(|it| it.accepting)),
        selector: labels::selector_text(name),
        current_revision: set.and_then(|set| set.current_revision.clone()),
        update_revision: set.and_then(|set| set.update_revision.clone()),
        sidecar_image: sidecar_image(&case),
        operator_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        backlog,
        rates,
        scale_down: scale_down(&case, &instances),
        stranded_claims: stranded(&case, name),
        storage: storage(&case, &instances),
        instances,
        conditions: Vec::new(),
    };
    status.conditions = conditions::conditions(&case, &status);
    let events = events::events(&case, &status);
    (status, events)
}

fn sidecar_image(case: &Case<'_>) -> Option<String> {
    let chosen = case.subject.desired.map(|desired| desired.sidecar_image.clone());
    chosen.or_else(|| case.before.sidecar_image.clone())
}

fn scale_down(case: &Case<'_>, instances: &[InstanceStatus]) -> Option<ScaleDownStatus> {
    let going = case.subject.plan.scale_down.as_ref();
    // Where the policy forbids it, none is under way.
    let going = going.filter(|going| going.blocked != Some(Blocked::Forbidden))?;
    let ordinal = figures::ordinal(going.ordinal);
    let instance = instances.iter().find(|it| it.ordinal == ordinal);
    let known = instance.filter(|it| it.last_seen.is_some()).map(|it| &it.backlog);
    Some(ScaleDownStatus {
        target: going.target,
        ordinal,
        started_at: Time(going.started_at),
        remaining_messages: known.map(|backlog| backlog.messages),
        remaining_bytes: known.map(|backlog| backlog.bytes),
    })
}

/// What was told before about a stranded claim stays: nobody is left to ask.
fn stranded(case: &Case<'_>, queue: &str) -> Vec<StrandedClaim> {
    if !case.is_decided() {
        return case.before.stranded_claims.clone();
    }
    let tell = |ordinal: &u32| {
        let number = figures::ordinal(*ordinal);
        let known = case.before.stranded_claims.iter().find(|it| it.ordinal == number);
        known.cloned().unwrap_or_else(|| {
            let instance = case.before.instances.iter().find(|it| it.ordinal == number);
            let backlog = instance.filter(|it| it.last_seen.is_some()).map(|it| &it.backlog);
            StrandedClaim {
                claim: names::claim(queue, *ordinal),
                ordinal: number,
                messages: backlog.map(|backlog| backlog.messages),
                bytes: backlog.map(|backlog| backlog.bytes),
                since: Time(case.now),
            }
        })
    };
    case.subject.plan.stranded.iter().map(tell).collect()
}

fn storage(case: &Case<'_>, instances: &[InstanceStatus]) -> Option<StorageStatus> {
    let owned_claims = owned_claims(case);
    let Ok(queue) = case.subject.queue else {
        return case.before.storage.clone().map(|before| StorageStatus { owned_claims, ..before });
    };
    let claims = case.subject.observed.replicas.values().filter_map(|it| it.claim.as_ref());
    let capacities = claims.filter_map(|claim| {
        let amount = claim.status.as_ref()?.capacity.as_ref()?.get("storage")?;
        amount.0.parse::<Quantity>().ok().map(|quantity| quantity.bytes())
    });
    Some(StorageStatus {
        requested: queue.claim.size.to_string(),
        smallest_capacity: capacities.min().map(format_bytes),
        used_percent: instances
            .iter()
            .filter_map(|it| it.volume.as_ref())
            .map(|it| it.used_percent)
            .max(),
        owned_claims,
    })
}

/// The claims that go with the queue, those included that it is about to own. Where none is to, there
/// is none only once all have been let go: what is observed of them may be behind.
fn owned_claims(case: &Case<'_>) -> i32 {
    let observed = case.subject.observed;
    let all_go =
        case.subject.queue.is_ok_and(|queue| queue.claim.when_deleted == Some(ClaimPolicy::Delete));
    if !all_go && case.is_decided() && case.subject.is_released {
        return 0;
    }
    let claims = observed.replicas.values().filter_map(|it| it.claim.as_ref());
    let owned = figures::count(claims.filter(|claim| all_go || observed.owns(claim)));
    let told = case.before.storage.as_ref().map_or(0, |storage| storage.owned_claims);
    if all_go { owned } else { owned.max(told) }
}
