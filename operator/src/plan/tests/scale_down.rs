//! A replica that goes: each step, what holds it up, and what takes it back.

use super::*;
use crate::plan::testing::at;

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
    assert_eq!((plan.steps, plan.again_in), (vec![], Some(Duration::from_secs(60))));
}

#[test]
fn one_that_was_quiesced_by_hand_is_proven_as_well() {
    let mut world = asked().says(2, State::Quiesced, true);
    assert_eq!(phase(&world.plan()), Some(Phase::Verifying));
    // A restart is a start anew.
    let restarted = |facts: &mut crate::facts::Facts| facts.boot_id = "another".to_owned();
    let mut again = world.clone().later(5).with_facts(2, restarted);
    assert_eq!(phase(&again.plan()), Some(Phase::Verifying));
    assert_eq!(phase(&world.later(5).plan()), Some(Phase::Sealing));
}

#[test]
fn a_drain_that_does_not_get_on_is_told_and_holds_up_no_rollout() {
    let holds = |world: World, depth: u64, in_flight: u64| {
        world.with_facts(2, |facts| {
            (facts.totals.depth, facts.totals.in_flight) = (depth, in_flight);
        })
    };
    let mut world = holds(asked().says(2, State::Draining, false), 10, 2);
    world.plan();
    // It gets on, and then not; what comes in from inside its pod makes no difference.
    let mut world = holds(world.later(59), 9, 2);
    assert_eq!(blocked(&world.plan()), None);
    let mut world = holds(world.later(59), 12, 2);
    let plan = world.plan();
    assert_eq!((blocked(&plan), plan.again_in), (None, Some(Duration::from_secs(1))));
    let mut world = world.later(1);
    let plan = world.plan();
    assert_eq!(blocked(&plan), Some(Blocked::NoProgress(Vec::new())));
    assert!(plan.scale_down.unwrap().is_stalled && !plan.hold_rollout);
    let mut served = holds(world.clone(), 11, 2);
    assert_eq!(blocked(&served.plan()), None);
    // What was held up by something else has its time again.
    let alone = |facts: &mut crate::facts::Facts| facts.app_connected = Some(false);
    let mut world = world.with_facts(2, alone);
    assert_eq!(blocked(&world.plan()), Some(Blocked::NoConsumer));
    let mut world = world.later(60).with_facts(2, |facts| facts.app_connected = Some(true));
    assert_eq!(blocked(&world.plan()), None);
}

#[test]
fn leases_that_run_out_are_no_progress() {
    // An application that hangs takes records, and never settles one.
    let mut world = asked().says(2, State::Draining, false);
    for in_flight in [8, 0, 8, 0] {
        world = world.with_facts(2, |facts| facts.totals.in_flight = in_flight);
        assert_eq!(blocked(&world.plan()), None);
        world = world.later(15);
    }
    assert_eq!(blocked(&world.plan()), Some(Blocked::NoProgress(Vec::new())));
}

#[test]
fn letters_that_are_purged_are_progress_and_records_that_become_letters_are_not() {
    let holds = |world: World, depth: u64, dead_letters: u64| {
        world.with_facts(2, |facts| {
            (facts.totals.depth, facts.totals.dead_letters) = (depth, dead_letters);
        })
    };
    let mut world = holds(asked().says(2, State::Draining, false), 10, 2);
    world.plan();
    let mut parked = holds(world.clone().later(60), 9, 3);
    assert_eq!(blocked(&parked.plan()), Some(Blocked::NoProgress(Vec::new())));
    assert_eq!(blocked(&holds(world.later(60), 10, 1).plan()), None);
}

#[test]
fn what_nobody_can_be_served_is_named() {
    let told = json!({
        "removed": ["old"],
        "streams": [{"name": "work", "state": "open", "deliveries": [
            {"delivery": "out", "name": "out", "socket": "PUSH", "depth": 4},
            {"delivery": "gone", "depth": 4},
            {"delivery": "done", "depth": 0},
        ]}],
    });
    let told: crate::facts::Facts = serde_json::from_value(told).unwrap();
    let mut world = asked().says(2, State::Draining, false).with_facts(2, |facts| {
        (facts.removed, facts.streams) = (told.removed, told.streams);
    });
    world.plan();
    let names = ["old", "work/gone"].map(str::to_owned).to_vec();
    assert_eq!(blocked(&world.later(60).plan()), Some(Blocked::NoProgress(names)));
}

#[test]
fn a_stream_that_is_stopped_or_full_for_ever_holds_it_up() {
    // Not drained, though no record is left to be delivered.
    let mut world = asked().says(2, State::Draining, false);
    world = world.with_facts(2, |facts| facts.totals.depth = 0);
    assert_eq!(blocked(&world.plan()), None);
    assert_eq!(blocked(&world.later(60).plan()), Some(Blocked::NoProgress(Vec::new())));
}

#[test]
fn an_order_that_is_never_heard_is_told_and_holds_up_no_rollout() {
    // It has nothing, and goes on by the file that it has; or it says a word of a newer version.
    for state in [State::Open, State::Unknown] {
        let mut world = asked().says(2, state, true);
        world.plan();
        let mut world = world.later(59);
        let plan = world.plan();
        assert_eq!((blocked(&plan), plan.again_in), (None, Some(Duration::from_secs(1))));
        let problems = vec!["spec.streams[0].color: unknown field".to_owned()];
        let said = problems.clone();
        let mut world = world.later(1).with_facts(2, |facts| facts.config.problems = said);
        let plan = world.plan();
        assert_eq!(blocked(&plan), Some(Blocked::Unheard(problems)), "{state:?}");
        assert!(plan.scale_down.unwrap().is_stalled && !plan.hold_rollout);
        let plan = world.says(2, State::Draining, true).plan();
        assert_eq!((blocked(&plan), plan.hold_rollout), (None, true));
    }
}

#[test]
fn an_order_that_could_not_be_heeded_has_its_time_again() {
    let fenced = |world: World| world.annotated("lifeboat.dev/fenced-replicas", "2");
    let mut world = fenced(asked().says(2, State::Fenced, true));
    world.plan();
    let mut world = world.later(60);
    assert_eq!(blocked(&world.plan()), Some(Blocked::Fenced));
    let mut world = world.annotated("lifeboat.dev/fenced-replicas", "0").later(1);
    assert_eq!(blocked(&world.plan()), None);
}

#[test]
fn traffic_is_no_sign_that_an_order_was_heard() {
    let mut world = asked().says(2, State::Open, false);
    for depth in [10, 5, 9, 3] {
        world = world.with_facts(2, |facts| facts.totals.depth = depth);
        assert_eq!(blocked(&world.plan()), None);
        world = world.later(15);
    }
    assert_eq!(blocked(&world.plan()), Some(Blocked::Unheard(Vec::new())));
}

#[test]
fn one_that_is_never_closed_is_told() {
    let mut world = sealed().says(2, State::Draining, true);
    assert_eq!((phase(&world.plan()), blocked(&world.plan())), (Some(Phase::Sealing), None));
    let mut world = world.later(60);
    assert_eq!(blocked(&world.plan()), Some(Blocked::Unheard(Vec::new())));
    // The order to be closed has a minute of its own.
    let mut late = asked().says(2, State::Open, true);
    late.plan();
    let mut late = late.later(59).says(2, State::Draining, true);
    late.plan();
    let closing = late.observed.replicas[&2].facts.clone().unwrap().0;
    let sealed = sealed().observed.config_map;
    late.observed.config_map = sealed;
    let mut late = late.later(30).says_all(2, closing);
    assert_eq!(blocked(&late.plan()), None);
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
    let spoils: [Change; 4] = [
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
    assert!(unmarks(&plan, 2), "{:?}", plan.steps);
}

#[test]
fn stale_facts_let_nothing_go() {
    let mut world = sealed().marked(2, &log_id(2));
    world.now = at(world.now.as_second() + 31);
    let plan = world.plan();
    assert_eq!((plan.replicas, blocked(&plan)), (3, Some(Blocked::NotRunning)));
}

#[test]
fn a_drain_is_taken_back_at_every_step_before_the_last() {
    let steps = [asked(), asked().says(2, State::Draining, true), sealed()];
    for (index, world) in steps.into_iter().enumerate() {
        for marked in [false, true] {
            let mut world = world.clone().spec("/replicas", json!(3));
            if marked {
                world = world.marked(2, &log_id(2));
            }
            let plan = world.plan();
            assert_eq!((plan.replicas, &plan.scale_down), (3, &None), "{index}");
            assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), false, false));
            assert_eq!(unmarks(&plan, 2), marked);
            let (pod, uid) = ("q-2".to_owned(), "pod-2".to_owned());
            let accept = Step::Accept { pod: pod.clone(), uid: uid.clone(), accept: true };
            assert!(plan.steps.contains(&accept));
            assert!(plan.steps.contains(&Step::Ask { pod, uid, state: "open" }));
            // And what was proven before says nothing when it is wanted again.
            let mut world = world.spec("/replicas", json!(2));
            let plan = world.plan();
            assert_eq!(plan.replicas, 3);
            assert!(!plan.sidecars[&2].fenced.unwrap_or(false), "{index}");
        }
    }
}

#[test]
fn the_next_one_waits_until_the_pod_is_gone() {
    let world = sealed().marked(2, &log_id(2)).set(2).spec("/replicas", json!(0));
    let ending = |pod: &mut serde_json::Value| {
        pod["metadata"]["deletionTimestamp"] = json!("1970-01-12T13:46:40Z");
    };
    let mut world = world.with_pod(2, ending);
    let plan = world.plan();
    assert_eq!((plan.replicas, phase(&plan)), (2, Some(Phase::Shrinking)));
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, true));
    assert!(!entry(&plan, 1).1 && plan.steps.is_empty());
    assert!(entry(&world.without_pod(2).plan(), 1).1);
}

#[test]
fn the_last_one_goes_the_same_way() {
    let plan = World::running(1).spec("/replicas", json!(0)).plan();
    assert_eq!((plan.replicas, phase(&plan)), (1, Some(Phase::Requested)));
    assert!(entry(&plan, 0).1);
}

#[test]
fn what_holds_it_up_is_told() {
    let cases: [(Option<Blocked>, Change); 9] = [
        (None, |it| it),
        (Some(Blocked::NotRunning), |it| it.without_pod(2)),
        (Some(Blocked::Silent), |it| it.with_facts(2, |facts| facts.drained = None)),
        (Some(Blocked::NoConsumer), |it| {
            it.with_facts(2, |facts| facts.app_connected = Some(false))
        }),
        (Some(Blocked::DeadLetters(2)), |it| {
            it.with_facts(2, |facts| (facts.totals.depth, facts.totals.dead_letters) = (0, 2))
        }),
        (Some(Blocked::OtherVolume), |it| it.with_facts(2, |facts| facts.log_id = "f".repeat(32))),
        (Some(Blocked::Fenced), |it| it.annotated("lifeboat.dev/fenced-replicas", "2")),
        (Some(Blocked::Forbidden), |it| it.spec("/scaleDown", json!({"policy": "Forbid"}))),
        (Some(Blocked::Timeout), |mut it| {
            it.plan();
            it.spec("/scaleDown", json!({"timeout": "1m"})).later(60)
        }),
    ];
    for (expected, change) in cases {
        let plan = change(asked().says(2, State::Draining, false)).plan();
        assert_eq!(blocked(&plan), expected);
        assert_eq!(plan.replicas, 3);
        assert_eq!(plan.hold_rollout, expected.is_none(), "{expected:?}");
    }
}

#[test]
fn what_may_pass_is_no_error_for_a_minute() {
    let mut world = asked().without_pod(2);
    let plan = world.plan();
    assert!(!plan.scale_down.unwrap().is_stalled);
    assert_eq!(plan.again_in, Some(Duration::from_secs(60)));
    assert!(world.later(60).plan().scale_down.unwrap().is_stalled);
}

#[test]
fn a_replica_that_is_drained_with_history_goes_without_a_mark() {
    // One that does not say may keep some.
    for history in [Some(true), None] {
        let plan = sealed().with_facts(2, |facts| facts.retains_history = history).plan();
        assert_eq!((plan.replicas, plan.steps.len()), (2, 0), "{history:?}");
    }
    // So its claim is kept, and known.
    let world = sealed().set(2).without_pod(2).spec("/storage/whenScaled", json!("Delete"));
    let plan = { world }.plan();
    assert_eq!((deletes(&plan), plan.stranded.as_slice()), (0, &[2][..]));
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, false));
}
