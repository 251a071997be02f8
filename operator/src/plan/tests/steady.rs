//! A queue that is made, grows in number, or stays as it is.

use super::*;
use crate::facts::State;
use crate::plan::testing::{World, log_id};
use serde_json::json;

#[test]
fn a_new_queue_gets_what_it_asks_for() {
    let plan = World::new(2).plan();
    assert_eq!(plan.replicas, 2);
    assert!(plan.sidecars.is_empty());
    assert_eq!(plan.steps, []);
    assert!(!plan.paused && plan.scale_down.is_none() && plan.growth.is_none());
}

#[test]
fn a_settled_queue_needs_nothing() {
    let plan = World::running(3).plan();
    assert_eq!(plan.replicas, 3);
    assert_eq!(plan.steps, []);
    assert_eq!(plan.again_in, None);
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), false, false));
}

#[test]
fn more_replicas_come_at_once() {
    let plan = World::running(1).spec("/replicas", json!(5)).plan();
    assert_eq!((plan.replicas, plan.steps.len()), (5, 0));
}

#[test]
fn the_volume_id_is_learnt_from_a_sidecar_that_runs() {
    for (state, learnt) in [
        (State::Open, true),
        (State::Draining, true),
        (State::Closed, false),
        (State::Failed, false),
        (State::Unknown, false),
    ] {
        let mut world = World::running(1).config(&json!({})).says(0, state, false);
        let plan = world.plan();
        let expected = learnt.then(|| log_id(0));
        assert_eq!(entry(&plan, 0).0.map(str::to_owned), expected, "{state:?}");
    }
}

#[test]
fn a_paused_queue_stays_as_it_is() {
    let world = World::running(3).spec("/replicas", json!(1));
    let plan = world.annotated("lifeboat.dev/paused", "true").plan();
    assert!(plan.paused);
    assert_eq!((plan.replicas, plan.steps.len(), plan.sidecars.len()), (3, 0, 3));
}

#[test]
fn a_set_that_is_gone_comes_back_as_large_as_it_was() {
    let mut world = World::running(3).spec("/replicas", json!(1));
    world.observed.stateful_set = None;
    world.observed.claim_templates = None;
    let plan = world.plan();
    assert_eq!((plan.replicas, plan.scale_down), (3, None));
    // Not even a pod that happens to be absent is forgotten.
    assert_eq!(world.without_pod(2).plan().replicas, 3);
}
