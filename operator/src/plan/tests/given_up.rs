//! Replicas that go with what they hold, and those that only rest.

use super::*;

#[test]
fn who_does_not_want_to_drain_lets_it_go_at_once() {
    let cases: [Change; 3] = [
        |it| it.spec("/scaleDown", json!({"policy": "Retain"})),
        |it| it.annotated("lifeboat.dev/force-scale-down", "2"),
        |mut it| {
            it = it.spec("/scaleDown", json!({"timeout": "1m", "onTimeout": "Retain"}));
            assert_eq!(it.plan().replicas, 3);
            it.later(60)
        },
    ];
    for (index, change) in cases.into_iter().enumerate() {
        let plan = change(World::running(3).spec("/replicas", json!(1))).plan();
        assert_eq!((plan.replicas, phase(&plan)), (2, Some(Phase::Shrinking)), "{index}");
        assert!(entry(&plan, 2).1 && !unmarks(&plan, 2), "{index}");
    }
}

#[test]
fn only_the_one_that_is_named_is_forced() {
    let world = World::running(3).spec("/replicas", json!(1));
    let plan = world.annotated("lifeboat.dev/force-scale-down", "1").plan();
    assert_eq!((plan.replicas, phase(&plan)), (3, Some(Phase::Requested)));
}

#[test]
fn a_mark_of_an_earlier_drain_comes_off_before_a_replica_is_given_up() {
    let world = World::running(3).marked(2, &log_id(2)).spec("/replicas", json!(2));
    let mut world = world.spec("/scaleDown", json!({"policy": "Retain"}));
    let plan = world.plan();
    assert_eq!((plan.replicas, entry(&plan, 2).1, unmarks(&plan, 2)), (3, false, true));
}

#[test]
fn what_was_given_up_is_stranded_and_not_deleted() {
    let config = json!({
        "0": {"logId": log_id(0)}, "1": {"logId": log_id(1)},
        "2": {"logId": log_id(2), "drain": true},
    });
    let world = World::running(3).spec("/replicas", json!(2)).set(2).without_pod(2);
    let world = world.config(&config).spec("/storage/whenScaled", json!("Delete"));
    let mut world = world.annotated("lifeboat.dev/force-scale-down", "2");
    let plan = world.plan();
    assert_eq!((plan.replicas, plan.stranded.as_slice(), deletes(&plan)), (2, &[2][..], 0));
    // The wish is done, and is not to be heeded the next time.
    let annotation = crate::labels::FORCE_SCALE_DOWN;
    assert_eq!(plan.steps, [Step::Forget { annotation, value: "2".to_owned() }]);
    // More replicas bring it back, and it must be the same volume.
    let plan = world.spec("/replicas", json!(3)).plan();
    assert_eq!(plan.replicas, 3);
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), false, false));
}

#[test]
fn a_suspended_queue_has_no_pods_and_loses_nothing() {
    let plan = asked().spec("/suspend", json!(true)).plan();
    assert_eq!((plan.replicas, &plan.scale_down, plan.hold_rollout), (0, &None, false));
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), false, false));
    let mut world = (0..3).fold(World::running(3), World::without_pod).set(0);
    world = world.spec("/suspend", json!(true)).spec("/replicas", json!(1));
    let plan = world.plan();
    assert_eq!((plan.replicas, plan.stranded.len(), plan.steps.len()), (0, 0, 0));
    assert_eq!(plan.resting, [0, 1, 2]);
    assert_eq!(plan.sidecars.len(), 3);
    // When it wakes up, those that were never drained are first.
    let mut world = world.spec("/suspend", json!(false));
    let plan = world.plan();
    assert_eq!((plan.replicas, &plan.scale_down), (3, &None));
    // Unless nobody wants that.
    let plan = world.spec("/scaleDown", json!({"policy": "Retain"})).plan();
    assert_eq!((plan.replicas, plan.stranded.as_slice()), (1, &[1, 2][..]));
}
