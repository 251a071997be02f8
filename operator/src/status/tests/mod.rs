//! What is told in each state.

mod conditions;
mod figures;
mod reasons;

use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::QueueStatus;

use super::reason::REASONS;
use super::*;
use crate::desired::desired;
use crate::plan::testing::{World, object};
use crate::queue::Queue;
use crate::release::Release;

/// What is told about a world now, in which all claims were let go that are to be.
fn tell(world: &mut World) -> (QueueStatus, Vec<EventNote>) {
    tell_when(world, true)
}

/// The same, when they were or not. Each reason is one that its condition is known to have.
fn tell_when(world: &mut World, is_released: bool) -> (QueueStatus, Vec<EventNote>) {
    let read = Queue::read(&object(world.resource.clone()));
    let plan = read.as_ref().map_or_else(|_| Plan::default(), |_| world.plan());
    let release = Release::new("lifeboat:test", "lifeboat-system");
    let wanted = read.as_ref().ok().filter(|_| !plan.paused);
    let desired = wanted.map(|queue| desired(queue, &plan, &world.observed, &release));
    let (queue, desired) = (read.as_ref(), desired.as_ref());
    let subject = Subject { queue, observed: &world.observed, plan: &plan, desired, is_released };
    let (status, events) = status(&subject, world.now);
    for condition in &status.conditions {
        let (type_, reason) = (condition.type_.as_str(), condition.reason.as_str());
        let of_stalled = type_ == "Reconciling" && has("Stalled", reason);
        assert!(has(type_, reason) || of_stalled, "{type_} has no reason {reason}");
    }
    (status, events)
}

fn has(type_: &str, reason: &str) -> bool {
    let all = REASONS.iter().filter(|(of, _)| *of == type_).flat_map(|(_, reasons)| *reasons);
    all.into_iter().any(|known| known.text() == reason)
}

/// The same, and it is written.
fn write(world: &mut World) -> (QueueStatus, Vec<EventNote>) {
    let (status, events) = tell(world);
    world.observed.queue.status = Some(status.clone());
    (status, events)
}

/// What a condition says: `True Reason`.
fn says(status: &QueueStatus, type_: &str) -> String {
    let condition = status.conditions.iter().find(|it| it.type_ == type_).unwrap();
    format!("{} {}", condition.status, condition.reason)
}

fn since(status: &QueueStatus, type_: &str) -> Timestamp {
    status.conditions.iter().find(|it| it.type_ == type_).unwrap().last_transition_time.0
}
