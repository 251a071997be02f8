//! How conditions come and go, and the events at each change. What each can say is in
//! [`super::reasons`].

use serde_json::json;

use super::reasons::{Change, held, not_ready, stream};
use super::*;
use crate::facts::State;
use crate::plan::testing::{at, log_id};

#[test]
fn a_claim_made_anew_is_told_from_another_volume() {
    let mut world = World::running(2);
    write(&mut world);
    let world = world.later(60).with_claim(1, |claim| {
        claim["metadata"]["creationTimestamp"] = json!("1970-01-12T13:47:00Z");
    });
    let mut world = world.with_facts(1, |facts| facts.log_id = "f".repeat(32));
    assert_eq!(says(&write(&mut world).0, "DataIntact"), "False ClaimLost");
    // And stays so when the new volume has been told.
    assert_eq!(says(&write(&mut world.later(60)).0, "DataIntact"), "False ClaimLost");
}

#[test]
fn an_invalid_spec_changes_nothing_and_is_told() {
    let mut world = World::running(2);
    write(&mut world);
    let mut world = world.spec("/streams/0/name", json!("No Label"));
    let (status, events) = tell(&mut world);
    assert_eq!(says(&status, "Stalled"), "True SpecInvalid");
    let told = events.iter().find(|event| event.message.contains("spec.streams[0].name"));
    assert!(told.is_some_and(|event| event.is_warning), "{events:?}");
}

#[test]
fn a_condition_moves_only_when_its_status_does() {
    let mut world = World::running(2);
    write(&mut world);
    let mut world = not_ready(world.later(60));
    let (status, _) = write(&mut world);
    assert_eq!(since(&status, "Ready"), world.now);
    assert_eq!(since(&status, "DataIntact"), at(1_000_000));
}

#[test]
fn an_event_comes_once_for_each_change() {
    let mut world = World::running(2);
    assert_eq!(write(&mut world).1, []);
    assert_eq!(write(&mut world).1, []);
    let damaged =
        |it: World| it.with_facts(1, |facts| facts.streams = stream("stopped", Some("segment 3")));
    let mut world = damaged(world.later(60));
    let (_, events) = write(&mut world);
    // Of each condition that has changed: Ready, Accepting and DataIntact.
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.is_warning && event.reason == "CorruptSegment"));
    assert_eq!(write(&mut world).1, []);
}

#[test]
fn a_stranded_claim_is_told_with_what_it_held() {
    let mut world = World::running(2);
    write(&mut world);
    let config = json!({
        "0": {"logId": log_id(0)}, "1": {"logId": log_id(1), "drain": true},
    });
    let mut world = world.spec("/replicas", json!(1)).set(1).config(&config).without_pod(1);
    let (status, events) = write(&mut world);
    let stranded = &status.stranded_claims;
    assert_eq!(stranded.len(), 1);
    assert_eq!((stranded[0].ordinal, stranded[0].messages), (1, Some(10)));
    assert_eq!(stranded[0].since.0, world.now);
    assert!(events.iter().any(|event| event.reason == "ClaimStranded"));
    let (again, events) = write(&mut world.later(60));
    assert_eq!(again.stranded_claims, status.stranded_claims);
    assert_eq!(events, []);
}

/// The message of `Stalled` of a drain that something has held up for long.
fn held_up(change: Change) -> String {
    let (status, _) = tell(&mut held(World::running(2), change));
    status.conditions.into_iter().find(|it| it.type_ == "Stalled").unwrap().message
}

#[test]
fn the_usual_cause_is_told_beside_streams_that_nobody_names() {
    let usual = held_up(|it| it);
    assert!(usual.contains("its application") && !usual.contains("purge"), "{usual}");
    let both = held_up(|it| it.with_facts(1, |facts| facts.removed = vec!["old".to_owned()]));
    assert!(both.contains("its application"), "{both}");
    assert!(both.contains("does not name any more") && both.contains("old"), "{both}");
}

#[test]
fn what_a_sidecar_finds_wrong_with_its_file_is_told() {
    let refused = held_up(|it| {
        let problems = vec!["spec.streams[0].color: unknown field".to_owned()];
        it.says(1, State::Open, true).with_facts(1, |facts| facts.config.problems = problems)
    });
    assert!(refused.contains("spec.streams[0].color"), "{refused}");
}

#[test]
fn without_a_configuration_the_status_remembers() {
    let other = "f".repeat(32);
    let exchanged = |it: World| it.with_facts(1, |facts| facts.log_id = "f".repeat(32));
    let mut world = World::running(2);
    write(&mut world);
    // Another volume has come, and has been told; the spec may have been wrong meanwhile.
    let mut world = exchanged(world.later(60));
    assert_eq!(says(&write(&mut world).0, "DataIntact"), "False LogIdentityChanged");
    let mut wrong = world.clone().spec("/replicas", json!(200));
    write(&mut wrong);
    for mut world in [world, wrong.spec("/replicas", json!(2))] {
        assert_eq!(
            world.observed.queue.status.as_ref().unwrap().instances[1].log_id,
            Some(log_id(1))
        );
        world.observed.config_map = None;
        let plan = world.plan();
        assert_eq!(plan.sidecars[&1].log_id, Some(log_id(1)));
        assert_eq!(plan.mismatches[&1].found.as_ref(), Some(&other));
        assert_eq!(says(&write(&mut world).0, "DataIntact"), "False LogIdentityChanged");
    }
}
