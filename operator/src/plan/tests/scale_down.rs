//! A replica that goes: each step, what holds it up, and what takes it back.

use super::*;
use crate::facts::State;
use crate::plan::testing::{World, at, log_id};
use serde_json::json;

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

fn phase(plan: &Plan) -> Option<Phase> {
    plan.scale_down.as_ref().map(|it| it.phase)
}

fn blocked(plan: &Plan) -> Option<Blocked> {
    plan.scale_down.as_ref().and_then(|it| it.blocked.clone())
}

#[test]
fn first_it_is_asked_to_drain() {
    let plan = World::running(3).spec("/replicas", json!(1)).plan();
    assert_eq!(plan.replicas, 3);
    assert_eq!(phase(&plan), Some(Phase::Requested));
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, false));
    assert_eq!(entry(&plan, 1), (Some(log_id(1).as_str()), false, false));
    let (pod, uid) = ("q-2".to_owned(), "pod-2".to_owned());
    let accept = Step::Accept { pod: pod.clone(), uid: uid.clone(), accept: false };
    assert_eq!(plan.steps, [accept, Step::Ask { pod, uid, state: "draining" }]);
    assert!(plan.hold_rollout);
}

#[test]
fn it_drains_for_as_long_as_it_takes() {
    let plan = asked().says(2, State::Draining, false).plan();
    assert_eq!((plan.replicas, phase(&plan)), (3, Some(Phase::Draining)));
    assert_eq!((plan.steps, plan.again_in), (vec![], None));
}

#[test]
fn it_is_proven_by_two_reads_and_then_sealed() {
    let mut world = asked().says(2, State::Draining, true);
    let plan = world.plan();
    assert_eq!(phase(&plan), Some(Phase::Verifying));
    assert_eq!(plan.again_in, Some(Duration::from_secs(5)));
    let mut world = world.later(4);
    assert_eq!(phase(&world.plan()), Some(Phase::Verifying));
    let plan = world.later(1).plan();
    assert_eq!((plan.replicas, phase(&plan)), (3, Some(Phase::Sealing)));
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, true));
}

#[test]
fn one_read_seen_twice_proves_nothing() {
    let mut world = asked().says(2, State::Draining, true);
    world.plan();
    world.now = at(world.now.as_second() + 10);
    assert_eq!(phase(&world.plan()), Some(Phase::Verifying));
}

#[test]
fn proof_starts_over_with_the_sidecar_and_with_whatever_is_left() {
    let spoils: [fn(World) -> World; 4] = [
        |world| world.with_facts(2, |facts| facts.boot_id = "another".to_owned()),
        |world| world.says(2, State::Draining, false),
        |world| world.says(2, State::Open, true),
        |world| world.with_facts(2, |facts| facts.drained = None),
    ];
    for (index, spoil) in spoils.into_iter().enumerate() {
        let mut world = asked().says(2, State::Draining, true);
        world.plan();
        let mut world = spoil(world.later(3));
        world.plan();
        let boot = world.replica(2).facts.clone().unwrap().0.boot_id;
        let world = world.later(3).says(2, State::Draining, true);
        let mut world = world.with_facts(2, |facts| facts.boot_id = boot);
        assert_eq!(phase(&world.plan()), Some(Phase::Verifying), "{index}");
        assert_eq!(phase(&world.later(5).plan()), Some(Phase::Sealing), "{index}");
    }
}

#[test]
fn sealed_and_drained_its_claim_is_marked_and_then_it_goes() {
    let plan = sealed().plan();
    assert_eq!((plan.replicas, phase(&plan)), (3, Some(Phase::Sealing)));
    let (claim, uid) = ("lifeboat-data-q-2".to_owned(), "claim-2".to_owned());
    assert_eq!(plan.steps, [Step::MarkDrained { claim, uid, log_id: Some(log_id(2)) }]);
    let plan = sealed().marked(2, &log_id(2)).plan();
    assert_eq!((plan.replicas, phase(&plan)), (2, Some(Phase::Shrinking)));
    assert_eq!(plan.steps, []);
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, true));
}

#[test]
fn what_comes_in_at_the_last_moment_opens_it_again() {
    let plan = sealed().marked(2, &log_id(2)).says(2, State::Fenced, false).plan();
    assert_eq!((plan.replicas, phase(&plan)), (3, Some(Phase::Draining)));
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, false));
    let unmark = |step: &Step| matches!(step, Step::MarkDrained { log_id: None, .. });
    assert!(plan.steps.iter().any(unmark), "{:?}", plan.steps);
}

#[test]
fn stale_facts_let_nothing_go() {
    let mut world = sealed().marked(2, &log_id(2));
    world.now = at(world.now.as_second() + 31);
    let plan = world.plan();
    assert_eq!((plan.replicas, blocked(&plan)), (3, Some(Blocked::NotRunning)));
}
