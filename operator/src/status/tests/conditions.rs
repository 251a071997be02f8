//! Each condition and reason, and the events at each change.

use serde_json::json;

use super::*;
use crate::facts::{State, Stream, Volume};
use crate::plan::testing::{at, log_id};

/// Makes one world out of another.
type Change = fn(World) -> World;

fn stream(state: &str, damage: Option<&str>) -> Vec<Stream> {
    let damage = damage.map(str::to_owned);
    vec![Stream { name: "work".to_owned(), state: state.to_owned(), damage, ..Stream::default() }]
}

fn not_ready(world: World) -> World {
    world.with_pod(1, |pod| pod["status"]["initContainerStatuses"][0]["ready"] = json!(false))
}

fn draining(world: World) -> World {
    let config = json!({
        "0": {"logId": log_id(0)}, "1": {"logId": log_id(1), "drain": true},
    });
    let world = world.spec("/replicas", json!(1)).config(&config).told(1, false, "draining");
    world.says(1, State::Draining, false)
}

fn used(world: World, used_bytes: u64) -> World {
    world.with_facts(0, |facts| facts.volume = Some(Volume { total_bytes: 100, used_bytes }))
}

/// A drain that something has held up for two minutes.
fn held(change: impl FnOnce(World) -> World) -> World {
    let mut world = change(draining(World::running(2)));
    world.plan();
    world.later(120)
}

/// What each condition says in a world.
type Case = (&'static str, &'static str, Change);

fn check(cases: &[Case]) {
    for (type_, expected, change) in cases {
        let mut world = change(World::running(2));
        let (status, _) = tell(&mut world);
        assert_eq!(says(&status, type_), *expected, "{type_}");
        assert_eq!(status.conditions.len(), 9);
        assert!(status.conditions.iter().all(|it| it.observed_generation == Some(1)));
    }
}

#[test]
fn whether_it_serves_and_is_at_work_is_told() {
    check(&[
        ("Ready", "True AllReplicasReady", |it| it),
        ("Ready", "False ReplicasNotReady", not_ready),
        ("Ready", "False AppNotConnected", |it| {
            it.with_facts(0, |facts| facts.app_connected = Some(false))
        }),
        ("Ready", "False Suspended", |it| it.spec("/suspend", json!(true))),
        ("Ready", "True Paused", |it| it.annotated("lifeboat.dev/paused", "true")),
        ("Ready", "True AllReplicasReady", draining),
        ("Accepting", "True SidecarsReady", |it| it),
        ("Accepting", "False SidecarNotReady", not_ready),
        ("Accepting", "False StorageFull", |it| {
            it.with_facts(1, |facts| facts.streams = stream("full", None))
        }),
        ("Accepting", "True Draining", draining),
        ("Accepting", "False Fenced", |it| it.annotated("lifeboat.dev/fenced-replicas", "1")),
        ("Accepting", "False NoReplicas", |it| it.spec("/suspend", json!(true))),
        ("Reconciling", "False Settled", |it| it),
        ("Reconciling", "True Creating", |mut it| {
            it.observed.stateful_set = None;
            it
        }),
        ("Reconciling", "True ScalingUp", |it| it.spec("/replicas", json!(4))),
        ("Reconciling", "True Draining", draining),
        ("Reconciling", "True ResizingStorage", |it| it.spec("/storage/size", json!("2Gi"))),
        ("Reconciling", "True RollingOut", |mut it| {
            let status = it.observed.stateful_set.as_mut().unwrap().status.as_mut().unwrap();
            status.updated_replicas = Some(1);
            it
        }),
        ("Reconciling", "False Paused", |it| it.annotated("lifeboat.dev/paused", "true")),
    ]);
}

#[test]
fn whether_somebody_has_to_act_is_told() {
    check(&[
        ("Stalled", "False Progressing", |it| it),
        ("Stalled", "True TemplateInvalid", |mut it| {
            it.observed.refused = Some("spec.template.spec.containers[0].image: required".into());
            it
        }),
        ("Stalled", "True StatefulSetRejected", |mut it| {
            it.observed.refused = Some("exceeded quota".into());
            it
        }),
        ("Stalled", "True NodeUnreachable", |mut it| {
            it.replica(1).node_gone = true;
            it
        }),
        ("Stalled", "True ScaleDownForbidden", |it| {
            it.spec("/scaleDown", json!({"policy": "Forbid"})).spec("/replicas", json!(1))
        }),
        ("Stalled", "True StorageClassNotExpandable", |mut it| {
            it.observed.class_allows_growth = Some(false);
            it.spec("/storage/size", json!("2Gi"))
        }),
        ("Stalled", "True VolumeResizeFailed", |it| {
            let it = it.spec("/storage/size", json!("2Gi")).claim(1, "2Gi").claim(0, "2Gi");
            it.with_claim(1, |claim| {
                claim["status"]["capacity"]["storage"] = json!("1Gi");
                claim["status"]["allocatedResourceStatuses"] =
                    json!({"storage": "ControllerResizeInfeasible"});
            })
        }),
        ("Stalled", "True ReplicaUnavailable", |it| {
            let unplaced = json!([{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "no node has room", "lastTransitionTime": "1970-01-02T00:00:00Z",
            }]);
            not_ready(it).with_pod(1, |pod| pod["status"]["conditions"] = unplaced)
        }),
    ]);
}

#[test]
fn how_data_and_volumes_are_is_told() {
    check(&[
        ("ScalingDown", "False NoneGoing", |it| it),
        ("ScalingDown", "True WaitingForConsumer", draining),
        ("StoragePressure", "False RoomLeft", |it| it),
        ("StoragePressure", "True NearlyFull", |it| used(it, 80)),
        ("StoragePressure", "True Full", |it| {
            it.with_facts(0, |facts| facts.streams = stream("full", None))
        }),
        ("DataIntact", "True Verified", |it| it),
        ("DataIntact", "False LogIdentityChanged", |it| {
            it.with_facts(1, |facts| facts.log_id = "f".repeat(32))
        }),
        ("DataIntact", "False CorruptSegment", |it| {
            it.with_facts(1, |facts| facts.streams = stream("stopped", Some("segment 3")))
        }),
        ("DurableVolume", "True Durable", |it| it),
        ("DurableVolume", "False VolumeNotDurable", |it| {
            it.with_facts(1, |facts| facts.durable_volume = Some(false))
        }),
        ("DeliveryStuck", "False Delivering", |it| it),
    ]);
}

#[test]
fn what_holds_up_a_drain_is_told_when_waiting_does_not_help() {
    let silent: Change = |mut it| {
        it.replica(1).facts = None;
        it
    };
    let cases: [(&str, Change); 6] = [
        ("True NoConsumer", |it| it.with_facts(1, |facts| facts.app_connected = Some(false))),
        ("True ReplicaUnavailable", silent),
        ("True SidecarTooOld", |it| it.with_facts(1, |facts| facts.drained = None)),
        ("True DeadLettersLeft", |it| {
            it.with_facts(1, |facts| {
                (facts.totals.depth, facts.totals.dead_letters) = (0, 3);
            })
        }),
        ("True DrainTimeout", |it| it.spec("/scaleDown", json!({"timeout": "1m"}))),
        ("False Progressing", |it| it),
    ];
    for (expected, change) in cases {
        let (status, _) = tell(&mut held(change));
        assert_eq!(says(&status, "Stalled"), expected);
        let working = if expected.starts_with("True") { "False" } else { "True" };
        assert!(says(&status, "Reconciling").starts_with(working), "{expected}");
    }
}

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
    let mut problems = Problems::default();
    problems.push("spec.streams[0].name", "is missing");
    let plan = Plan::default();
    let subject =
        Subject { queue: Err(&problems), observed: &world.observed, plan: &plan, desired: None };
    let (status, events) = status(&subject, world.now);
    assert_eq!(says(&status, "Stalled"), "True SpecInvalid");
    assert_eq!(says(&status, "Ready"), "False SpecInvalid");
    let told = events.iter().find(|event| event.message.contains("spec.streams[0].name"));
    assert!(told.is_some_and(|event| event.is_warning), "{events:?}");
}

#[test]
fn who_does_not_answer_is_unknown_not_wrong() {
    let mut world = World::running(2);
    world.now = at(world.now.as_second() + 31);
    let (status, _) = tell(&mut world);
    for type_ in ["StoragePressure", "DataIntact", "DurableVolume", "DeliveryStuck"] {
        assert_eq!(says(&status, type_), "Unknown NotReported");
    }
}

#[test]
fn what_waits_for_long_is_stuck() {
    let stuck = |connected: bool| {
        let mut world = World::running(1).with_facts(0, |facts| {
            facts.totals.oldest_time = Some(at(1_000_000 - 300));
            facts.app_connected = Some(connected);
        });
        says(&tell(&mut world).0, "DeliveryStuck")
    };
    assert_eq!(stuck(false), "True NoConsumer");
    assert_eq!(stuck(true), "True ConsumerFailing");
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
    assert_eq!(events.len(), 1);
    assert!(events[0].is_warning && events[0].reason == "CorruptSegment");
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
