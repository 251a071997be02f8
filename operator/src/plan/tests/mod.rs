//! What is decided in each state of each flow.

mod attributes;
mod claims;
mod given_up;
mod growth;
mod identity;
mod scale_down;
mod steady;

use super::*;
use crate::facts::State;
use crate::plan::testing::{World, log_id};
use serde_json::json;

/// What the plan says of an ordinal: expected volume, drain, fence.
fn entry(plan: &Plan, ordinal: u32) -> (Option<&str>, bool, bool) {
    plan.sidecars.get(&ordinal).map_or((None, false, false), |entry| {
        (entry.log_id.as_deref(), entry.drain == Some(true), entry.fenced == Some(true))
    })
}

/// Makes one world out of another.
type Change = fn(World) -> World;

/// Three replicas of which one is to go, at the time that it is asked to drain.
fn asked() -> World {
    let config = json!({
        "0": {"logId": log_id(0)}, "1": {"logId": log_id(1)},
        "2": {"logId": log_id(2), "drain": true},
    });
    World::running(3).spec("/replicas", json!(2)).config(&config).told(2, false, "draining")
}

/// The same when it was proven drained.
fn sealed() -> World {
    let config = json!({
        "0": {"logId": log_id(0)}, "1": {"logId": log_id(1)},
        "2": {"logId": log_id(2), "drain": true, "fenced": true},
    });
    let world = asked().config(&config).told(2, false, "fenced");
    world.says(2, State::Fenced, true)
}

/// The same when its pod is gone.
fn gone() -> World {
    sealed().marked(2, &log_id(2)).set(2).without_pod(2)
}

fn phase(plan: &Plan) -> Option<Phase> {
    plan.scale_down.as_ref().map(|it| it.phase)
}

fn blocked(plan: &Plan) -> Option<Blocked> {
    plan.scale_down.as_ref().and_then(|it| it.blocked.clone())
}

fn unmarks(plan: &Plan, ordinal: u32) -> bool {
    let name = crate::names::claim("q", ordinal);
    plan.steps
        .iter()
        .any(|step| matches!(step, Step::MarkDrained { claim, log_id: None, .. } if *claim == name))
}

fn deletes(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| matches!(step, Step::DeleteClaim { .. })).count()
}
