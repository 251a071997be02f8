//! When a figure is worth a write.

use serde_json::json;

use super::*;
use crate::facts::Volume;
use crate::plan::testing::log_id;

fn with_depth(world: World, depth: u64) -> World {
    world.with_facts(0, |facts| facts.totals.depth = depth)
}

#[test]
fn a_figure_is_written_when_it_moves_far_enough() {
    // From 1,000 messages to this many, so many seconds later: written or not.
    let cases = [
        (1_000, 3_600, false),
        (1_001, 5, false),
        (1_001, 29, false),
        (1_001, 30, true),
        (1_099, 15, false),
        (1_100, 14, false),
        (1_100, 15, true),
        (900, 15, true),
        (0, 1, true),
    ];
    for (depth, seconds, written) in cases {
        let mut world = with_depth(World::running(1), 1_000);
        let (before, _) = write(&mut world);
        let mut world = with_depth(world.later(seconds), depth);
        let (after, _) = tell(&mut world);
        assert_eq!(after != before, written, "{depth} after {seconds} s");
        let messages = after.backlog.unwrap().messages;
        assert_eq!(messages, if written { i64::try_from(depth).unwrap() } else { 1_000 });
    }
}

#[test]
fn what_a_replica_says_as_it_goes_is_told_at_once() {
    let mut world = World::running(2);
    write(&mut world);
    let going = world.later(1).spec("/replicas", json!(1));
    let more = |world: World| world.with_facts(1, |facts| facts.totals.depth = 11);
    let messages = |world: &mut World| write(world).0.instances[1].backlog.messages;
    assert_eq!(messages(&mut more(going.clone())), 10, "it drains: that has time");
    let mut forced = more(going.annotated("lifeboat.dev/force-scale-down", "1"));
    assert_eq!(messages(&mut forced), 11);
    let config = json!({"0": {"logId": log_id(0)}, "1": {"logId": log_id(1), "drain": true}});
    let mut gone = forced.set(1).config(&config).without_pod(1);
    assert_eq!(write(&mut gone).0.stranded_claims[0].messages, Some(11));
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let mut world = World::running(3);
    let (before, _) = write(&mut world);
    for _ in 0..60 {
        world = world.later(5);
        assert_eq!(tell(&mut world), (before.clone(), vec![]));
    }
}

#[test]
fn sums_are_over_those_that_are_known() {
    let mut world = with_depth(World::running(3), 5);
    world.replica(2).facts = None;
    let (status, _) = tell(&mut world);
    assert_eq!(status.backlog.unwrap().messages, 15);
    assert_eq!((status.instances.len(), status.accepting_replicas), (3, 3));
    assert_eq!(status.instances[2].last_seen, None);
}

#[test]
fn no_figure_is_too_large_for_a_sum() {
    let (status, _) = tell(&mut with_depth(World::running(2), u64::MAX));
    assert_eq!(status.backlog.unwrap().messages, i64::MAX);
}

#[test]
fn a_rate_that_is_not_zero_is_not_told_as_zero() {
    let world = World::running(1).with_facts(0, |facts| facts.totals.ingress_per_second = 0.01);
    let (status, _) = tell(&mut { world });
    assert_eq!(status.rates.unwrap().ingress_per_second, 1);
}

#[test]
fn the_fullest_volume_is_told_and_what_was_known_of_one_that_is_silent() {
    let used = |used_bytes| Some(Volume { total_bytes: 1_000, used_bytes });
    let storage = |world: &mut World| write(world).0.storage.unwrap();
    let mut world = World::running(2);
    assert_eq!(storage(&mut world).used_percent, None, "no sidecar has said so");
    let world = world.later(60).with_facts(0, |facts| facts.volume = used(421));
    let mut world = world.with_facts(1, |facts| facts.volume = used(637));
    let expected = StorageStatus {
        requested: "1Gi".to_owned(),
        smallest_capacity: Some("1Gi".to_owned()),
        used_percent: Some(63),
        owned_claims: 0,
    };
    assert_eq!(storage(&mut world), expected);
    world.replica(1).facts = None;
    assert_eq!(storage(&mut world), expected);
}

#[test]
fn a_scale_down_that_is_forbidden_is_not_told_as_one_and_is_told_once() {
    let world = World::running(2).spec("/scaleDown", json!({"policy": "Forbid"}));
    let mut world = world.spec("/replicas", json!(1));
    let (before, _) = write(&mut world);
    assert_eq!(
        (&before.scale_down, says(&before, "Accepting").as_str()),
        (&None, "True SidecarsReady")
    );
    assert_eq!(says(&before, "Stalled"), "True ScaleDownForbidden");
    assert_eq!(tell(&mut world.later(5)).0, before);
}

/// The pods of a queue go, one after the other or all at once.
fn rested(world: World) -> World {
    (0..2).fold(world, World::without_pod).set(0)
}

#[test]
fn what_a_queue_without_pods_holds_is_still_told() {
    let mut world = World::running(2);
    write(&mut world);
    let suspended = world.clone().later(60).spec("/suspend", json!(true));
    let ending = |pod: &mut serde_json::Value| {
        pod["metadata"]["deletionTimestamp"] = json!("1970-01-12T13:47:40Z");
    };
    let more = |world: World| world.with_facts(0, |facts| facts.totals.depth = 11);
    let mut suspended = more(suspended.set(0).with_pod(0, ending));
    assert_eq!(write(&mut suspended).0.backlog.unwrap().messages, 21, "the last that is heard");
    let messages = |world: &mut World| {
        let (status, _) = write(world);
        let ids: Vec<_> = status.instances.iter().filter_map(|it| it.log_id.clone()).collect();
        assert_eq!((ids, status.accepting_replicas), (vec![log_id(0), log_id(1)], 0));
        assert_eq!(status.rates, Some(lifeboat_api::queue::Rates::default()));
        status.backlog.map(|backlog| backlog.messages)
    };
    let mut suspended = rested(suspended);
    assert_eq!(messages(&mut suspended), Some(21));
    // Also when it is paused, wrong, or its StatefulSet is gone as well.
    let mut paused = suspended.clone().annotated("lifeboat.dev/paused", "true");
    assert_eq!(messages(&mut paused), Some(21));
    let mut wrong = suspended.clone().spec("/replicas", json!(200));
    assert_eq!(messages(&mut wrong), Some(21));
    let mut lost = rested(world);
    lost.observed.stateful_set = None;
    assert_eq!(messages(&mut lost), Some(20));
}

#[test]
fn what_goes_with_the_queue_is_told_before_it_does_and_until_it_does_not() {
    let owned = |world: &mut World| write(world).0.storage.unwrap().owned_claims;
    let mut world = World::running(2);
    assert_eq!(owned(&mut world), 0);
    let mut world = world.spec("/storage/whenDeleted", json!("Delete"));
    assert!(world.plan().steps.is_empty(), "not before it is told");
    assert_eq!(owned(&mut world), 2);
    assert_eq!(world.plan().steps.len(), 2);
    let mark = |claim: &mut serde_json::Value| {
        claim["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "lifeboat.dev/v1alpha1", "kind": "PersistentQueue", "name": "q",
            "uid": "queue-uid",
        }]);
    };
    // Until they have been let go, whatever is seen of them; of a queue that is paused or wrong they
    // are not.
    let mut world = world.with_claim(0, mark).spec("/storage/whenDeleted", json!("Retain"));
    let status = tell_when(&mut world, false).0;
    assert_eq!(status.storage.unwrap().owned_claims, 2);
    for change in [
        |it: World| it.annotated("lifeboat.dev/paused", "true"),
        |it: World| it.spec("/replicas", json!(200)),
    ] {
        assert_eq!(owned(&mut change(world.clone())), 2);
    }
    // Then none does, though one is still seen to, or is on its way out for ever.
    assert_eq!(owned(&mut world.clone()), 0);
    let ending = |claim: &mut serde_json::Value| {
        claim["metadata"]["deletionTimestamp"] = json!("1970-01-12T13:46:40Z");
    };
    assert_eq!(owned(&mut world.with_claim(0, ending)), 0);
}
