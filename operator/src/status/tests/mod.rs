//! What is told in each state.

mod conditions;
mod figures;

use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::QueueStatus;

use super::*;
use crate::plan::testing::World;

/// What is told about a world now.
fn tell(world: &mut World) -> (QueueStatus, Vec<EventNote>) {
    let (queue, plan) = (world.queue(), world.plan());
    let subject =
        Subject { queue: Ok(&queue), observed: &world.observed, plan: &plan, desired: None };
    status(&subject, world.now)
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
