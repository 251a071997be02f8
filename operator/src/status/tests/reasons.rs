//! Each condition with each of its reasons: one world for each, and none is left out.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::facts::{State, Stream, Volume};
use crate::plan::testing::{at, log_id};

/// Makes one world out of another.
pub(super) type Change = fn(World) -> World;

/// One stream, as a sidecar tells of it.
pub(super) fn stream(state: &str, damage: Option<&str>) -> Vec<Stream> {
    let damage = damage.map(str::to_owned);
    vec![Stream { name: "work".to_owned(), state: state.to_owned(), damage, ..Stream::default() }]
}

/// The sidecar of the second replica is not ready.
pub(super) fn not_ready(world: World) -> World {
    world.with_pod(1, |pod| pod["status"]["initContainerStatuses"][0]["ready"] = json!(false))
}

fn draining(world: World) -> World {
    let config = json!({
        "0": {"logId": log_id(0)}, "1": {"logId": log_id(1), "drain": true},
    });
    let world = world.spec("/replicas", json!(1)).config(&config).told(1, false, "draining");
    world.says(1, State::Draining, false)
}

/// The one that goes has a stream in this state.
fn going_with(world: World, state: &str) -> World {
    draining(world).with_facts(1, |facts| facts.streams = stream(state, None))
}

fn used(world: World, used_bytes: u64) -> World {
    world.with_facts(0, |facts| facts.volume = Some(Volume { total_bytes: 100, used_bytes }))
}

/// Drained for as long as the second replica says that it is in this state.
fn draining_as(world: World, state: State, is_drained: bool) -> World {
    draining(world).says(1, state, is_drained)
}

/// A drain that something has held up for two minutes.
pub(super) fn held(world: World, change: Change) -> World {
    let mut world = change(draining(world));
    world.plan();
    world.later(120)
}

/// The second replica has less than before.
fn served(world: World) -> World {
    world.with_facts(1, |facts| facts.totals.depth -= 1)
}

/// Nobody has answered for too long.
fn silent(mut world: World) -> World {
    world.now = at(world.now.as_second() + 31);
    world
}

/// The oldest message of the first replica waits for five minutes.
fn waiting(world: World, is_connected: bool) -> World {
    world.with_facts(0, |facts| {
        facts.totals.oldest_time = Some(at(1_000_000 - 300));
        facts.app_connected = Some(is_connected);
    })
}

/// The claims have another volume attributes class, or the second's driver says so of its own.
fn classed(world: World, said: Option<&str>) -> World {
    let gold = world.spec("/storage/volumeAttributesClassName", json!("gold"));
    let Some(said) = said else { return gold };
    let asked = |claim: &mut serde_json::Value| {
        claim["spec"]["volumeAttributesClassName"] = json!("gold");
    };
    gold.with_claim(0, asked).with_claim(1, asked).with_claim(1, |claim| {
        claim["status"]["modifyVolumeStatus"] =
            json!({"status": said, "targetVolumeAttributesClassName": "gold"});
    })
}

/// What each condition says in a world, made of two replicas that run.
type Case = (&'static str, &'static str, Change);

/// Whether it serves.
const SERVES: &[Case] = &[
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
    ("Ready", "False StorageFull", |it| {
        it.with_facts(1, |facts| facts.streams = stream("full", None))
    }),
    ("Accepting", "False CorruptSegment", |it| {
        it.with_facts(1, |facts| facts.streams = stream("stopped", Some("segment 3")))
    }),
    ("Ready", "False CorruptSegment", |it| {
        it.with_facts(1, |facts| facts.streams = stream("stopped", Some("segment 3")))
    }),
    // Of the one that goes it does not matter.
    ("Ready", "True AllReplicasReady", |it| going_with(it, "full")),
    ("Ready", "True AllReplicasReady", |it| going_with(it, "stopped")),
    ("Accepting", "True Draining", |it| going_with(it, "full")),
    ("Accepting", "True Draining", |it| going_with(it, "stopped")),
    ("Accepting", "True Draining", draining),
    ("Accepting", "False Fenced", |it| it.annotated("lifeboat.dev/fenced-replicas", "1")),
    ("Accepting", "False NoReplicas", |it| it.spec("/suspend", json!(true))),
    ("Ready", "False SpecInvalid", |it| it.spec("/replicas", json!(200))),
];

/// Whether something is at work.
const WORKS: &[Case] = &[
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
    ("Reconciling", "True ModifyingStorage", |it| classed(it, None)),
    ("Reconciling", "True ModifyingStorage", |it| classed(it, Some("InProgress"))),
    ("Reconciling", "False VolumeModifyFailed", |it| classed(it, Some("Infeasible"))),
    // Every claim that there is has its class, and nobody says anything about it.
    ("Reconciling", "False Settled", |it| {
        classed(it, Some(""))
            .with_claim(1, |claim| claim["status"]["modifyVolumeStatus"] = json!(null))
    }),
];

/// Whether somebody has to act.
const ACTS: &[Case] = &[
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
    ("Stalled", "True SpecInvalid", |it| it.spec("/replicas", json!(200))),
    ("Stalled", "True SidecarTooOld", |it| {
        it.with_facts(1, |facts| facts.features = ["ingress.socket.PULL".to_owned()].into())
    }),
    ("Stalled", "True VolumeResizeFailed", |mut it| {
        it.observed.refused =
            Some("PersistentVolumeClaim lifeboat-data-q-1: exceeded quota".into());
        it.spec("/storage/size", json!("2Gi"))
    }),
    ("Stalled", "True VolumeModifyFailed", |it| classed(it, Some("Infeasible"))),
    ("Stalled", "True VolumeModifyFailed", |it| {
        let mut it = classed(it, None);
        it.plan();
        it.later(60)
    }),
];

/// What holds up a drain, when waiting does not help.
const HELD: &[Case] = &[
    ("Stalled", "True NoConsumer", |it| {
        held(it, |it| it.with_facts(1, |facts| facts.app_connected = Some(false)))
    }),
    ("Stalled", "True ReplicaUnavailable", |it| {
        held(it, |mut it| {
            it.replica(1).facts = None;
            it
        })
    }),
    ("Stalled", "True ReplicaUnavailable", |it| {
        held(it, |it| it.annotated("lifeboat.dev/fenced-replicas", "1"))
    }),
    ("Stalled", "True ReplicaUnavailable", |it| {
        held(it, |it| it.with_facts(1, |facts| facts.log_id = "f".repeat(32)))
    }),
    ("Stalled", "True SidecarTooOld", |it| {
        held(it, |it| it.with_facts(1, |facts| facts.drained = None))
    }),
    ("Stalled", "True ReplicaUnavailable", |it| held(it, |it| it.says(1, State::Open, true))),
    ("Stalled", "True DeadLettersLeft", |it| {
        held(it, |it| {
            it.with_facts(1, |facts| {
                (facts.totals.depth, facts.totals.dead_letters) = (0, 3);
            })
        })
    }),
    ("Stalled", "True DrainTimeout", |it| {
        held(it, |it| it.spec("/scaleDown", json!({"timeout": "1m"})))
    }),
    ("Stalled", "True NoProgress", |it| held(it, |it| it)),
    ("Stalled", "True NoProgress", |it| {
        held(it, |it| it.with_facts(1, |facts| facts.removed = vec!["old".to_owned()]))
    }),
    ("Stalled", "False Progressing", |it| served(held(it, |it| it))),
    ("Reconciling", "True Draining", |it| served(held(it, |it| it))),
];

/// How far a replica is that goes.
const GOES: &[Case] = &[
    ("ScalingDown", "False NoneGoing", |it| it),
    ("ScalingDown", "False Forbidden", |it| {
        it.spec("/scaleDown", json!({"policy": "Forbid"})).spec("/replicas", json!(1))
    }),
    ("ScalingDown", "True DrainRequested", |it| draining_as(it, State::Open, false)),
    ("ScalingDown", "True WaitingForConsumer", draining),
    ("ScalingDown", "True Verifying", |it| draining_as(it, State::Draining, true)),
    ("ScalingDown", "True Verifying", |it| {
        // Being sealed.
        draining_as(it, State::Draining, true).config(&json!({
            "0": {"logId": log_id(0)},
            "1": {"logId": log_id(1), "drain": true, "fenced": true},
        }))
    }),
    ("ScalingDown", "True Shrinking", |it| draining(it).set(1)),
];

/// How data and volumes are.
const DATA: &[Case] = &[
    ("StoragePressure", "False RoomLeft", |it| it),
    ("StoragePressure", "True NearlyFull", |it| used(it, 80)),
    ("StoragePressure", "True Full", |it| {
        it.with_facts(0, |facts| facts.streams = stream("full", None))
    }),
    ("StoragePressure", "True Full", |it| going_with(it, "full")),
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
    ("StoragePressure", "Unknown NotReported", silent),
    ("DataIntact", "False ClaimLost", |mut it| {
        it.replica(1).claim = None;
        it
    }),
    ("DataIntact", "Unknown NotReported", silent),
    ("DurableVolume", "Unknown NotReported", silent),
    ("DeliveryStuck", "True NoConsumer", |it| waiting(it, false)),
    ("DeliveryStuck", "True ConsumerFailing", |it| waiting(it, true)),
    ("DeliveryStuck", "Unknown NotReported", silent),
];

#[test]
fn each_condition_has_each_of_its_reasons_in_some_world() {
    let mut reached = BTreeSet::new();
    for (type_, expected, change) in [SERVES, WORKS, ACTS, HELD, GOES, DATA].concat() {
        let mut world = change(World::running(2));
        let (status, _) = tell(&mut world);
        assert_eq!(says(&status, type_), expected, "{type_}: {:#?}", status.conditions);
        assert_eq!(status.conditions.len(), REASONS.len());
        assert!(status.conditions.iter().all(|it| it.observed_generation == Some(1)));
        let is_stalled = says(&status, "Stalled").starts_with("True");
        let is_working = says(&status, "Reconciling").starts_with("True");
        assert!(!(is_stalled && is_working), "{expected}: who waits would wait for ever");
        let (_, reason) = expected.split_once(' ').unwrap();
        reached.insert((type_, reason));
    }
    for (type_, reasons) in REASONS {
        for reason in reasons {
            assert!(reached.contains(&(type_, reason.text())), "no world for {type_} {reason:?}");
        }
    }
}
