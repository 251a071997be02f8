//! Volumes that are not the ones that they were, and fences.

use super::*;

fn other() -> String {
    "f".repeat(32)
}

fn exchanged() -> World {
    let world = World::running(2).says(1, State::Closed, true);
    world.with_facts(1, |facts| facts.log_id = other())
}

#[test]
fn another_volume_is_told_and_the_expected_one_stays_expected() {
    let plan = exchanged().plan();
    let mismatch = Mismatch { expected: log_id(1), found: Some(other()) };
    assert_eq!(plan.mismatches, [(1, mismatch)].into());
    assert_eq!(entry(&plan, 1).0, Some(log_id(1).as_str()));
    let (pod, uid) = ("q-1".to_owned(), "pod-1".to_owned());
    assert_eq!(plan.steps, [Step::Accept { pod, uid, accept: false }]);
}

#[test]
fn a_claim_that_is_gone_is_told() {
    let lost = Mismatch { expected: log_id(1), found: None };
    let mut gone = World::running(2);
    gone.replica(1).claim = None;
    let phase = |claim: &mut serde_json::Value| claim["status"]["phase"] = json!("Lost");
    for mut world in [gone, World::running(2).with_claim(1, phase)] {
        assert_eq!(world.plan().mismatches, [(1, lost.clone())].into());
    }
}

#[test]
fn another_volume_is_accepted_once() {
    let mut world = exchanged().annotated("lifeboat.dev/accept-new-log", "1");
    let plan = world.plan();
    assert!(plan.mismatches.is_empty());
    assert_eq!(entry(&plan, 1).0, Some(other().as_str()));
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::Forget { .. })));
    let config = json!({"0": {"logId": log_id(0)}, "1": {"logId": other()}});
    let mut world = world.config(&config).with_facts(1, |facts| facts.state = State::Open);
    let annotation = crate::labels::ACCEPT_NEW_LOG;
    assert_eq!(world.plan().steps, [Step::Forget { annotation, value: "1".to_owned() }]);
}

#[test]
fn a_fenced_replica_takes_nothing_until_it_is_let() {
    let mut world = World::running(2).annotated("lifeboat.dev/fenced-replicas", "1");
    let plan = world.plan();
    assert_eq!(entry(&plan, 1), (Some(log_id(1).as_str()), false, true));
    let (pod, uid) = ("q-1".to_owned(), "pod-1".to_owned());
    let ask = |state| Step::Ask { pod: pod.clone(), uid: uid.clone(), state };
    let accept = |accept| Step::Accept { pod: pod.clone(), uid: uid.clone(), accept };
    assert_eq!(plan.steps, [accept(false), ask("fenced")]);
    let mut world = world.annotated("lifeboat.dev/fenced-replicas", "").told(1, false, "fenced");
    let plan = world.plan();
    assert_eq!(entry(&plan, 1), (Some(log_id(1).as_str()), false, false));
    assert_eq!(plan.steps, [accept(true), ask("open")]);
}
