//! Claims that are to become larger.

use super::*;

fn wished() -> World {
    World::running(2).spec("/storage/size", json!("2Gi"))
}

/// The same when the claims have been asked to.
fn asked_for() -> World {
    let small =
        |claim: &mut serde_json::Value| claim["status"]["capacity"]["storage"] = json!("1Gi");
    let world = wished().claim(0, "2Gi").claim(1, "2Gi");
    world.with_claim(0, small).with_claim(1, small)
}

/// The same when a file system waits since 120 s before now.
fn pending(ordinal: u32) -> World {
    asked_for().with_claim(ordinal, |claim| {
        claim["status"]["conditions"] = json!([{
            "type": "FileSystemResizePending", "status": "True",
            "lastTransitionTime": "1970-01-12T13:44:40Z",
        }]);
    })
}

fn growth_phase(plan: &Plan) -> Option<GrowthPhase> {
    plan.growth.as_ref().map(|growth| growth.phase.clone())
}

#[test]
fn every_claim_is_asked_to_grow_stranded_ones_too() {
    let plan = wished().claim(7, "1Gi").plan();
    assert_eq!(growth_phase(&plan), Some(GrowthPhase::Growing));
    let grows = |step: &Step| matches!(step, Step::GrowClaim { size, .. } if size == "2Gi");
    assert_eq!(plan.steps.iter().filter(|step| grows(step)).count(), 3);
}

#[test]
fn a_class_that_does_not_grow_is_told_and_all_else_goes_on() {
    let mut world = wished().spec("/replicas", json!(3));
    world.observed.class_allows_growth = Some(false);
    let plan = world.plan();
    assert_eq!(growth_phase(&plan), Some(GrowthPhase::NotExpandable));
    assert_eq!((plan.replicas, plan.steps.len()), (3, 0));
}

#[test]
fn where_classes_cannot_be_read_the_server_is_asked() {
    let mut world = wished();
    world.observed.class_allows_growth = None;
    let plan = world.plan();
    assert_eq!((growth_phase(&plan), plan.steps.len()), (Some(GrowthPhase::Growing), 2));
}

#[test]
fn capacity_is_waited_for() {
    let plan = asked_for().plan();
    assert_eq!((growth_phase(&plan), plan.steps.len()), (Some(GrowthPhase::Waiting), 0));
}

#[test]
fn what_the_driver_could_not_is_told() {
    let error = json!([{"type": "NodeResizeError", "status": "True", "message": "no room"}]);
    let plan = asked_for().with_claim(1, |it| it["status"]["conditions"] = error).plan();
    let (claim, message) = ("lifeboat-data-q-1".to_owned(), "no room".to_owned());
    assert_eq!(growth_phase(&plan), Some(GrowthPhase::Failed { claim, message }));
}

#[test]
fn a_pod_whose_file_system_waits_for_long_is_restarted_alone_and_once() {
    let restart = [Step::RestartPod { pod: "q-1".to_owned(), uid: "pod-1".to_owned() }];
    assert_eq!(pending(1).plan().steps, restart);
    let unready = |pod: &mut serde_json::Value| {
        pod["status"]["conditions"][0]["status"] = json!("False");
    };
    assert_eq!(pending(1).with_pod(0, unready).plan().steps, []);
    let young = |pod: &mut serde_json::Value| {
        pod["metadata"]["creationTimestamp"] = json!("1970-01-12T13:45:00Z");
    };
    assert_eq!(pending(1).with_pod(1, young).plan().steps, []);
    // Nor while a replica drains, which none does where that is forbidden.
    let fewer = pending(1).spec("/replicas", json!(1));
    assert!(!fewer.clone().plan().steps.contains(&restart[0]));
    assert_eq!(fewer.spec("/scaleDown", json!({"policy": "Forbid"})).plan().steps, restart);
    // Nor before two minutes are over.
    let mut early = pending(1);
    early.now = crate::plan::testing::at(early.now.as_second() - 1);
    let plan = early.plan();
    assert_eq!((plan.steps.len(), plan.again_in), (0, Some(Duration::from_secs(1))));
}

#[test]
fn last_the_set_is_made_anew() {
    let mut world = wished().claim(0, "2Gi").claim(1, "2Gi");
    let plan = world.plan();
    assert_eq!(growth_phase(&plan), Some(GrowthPhase::Recreating));
    let (uid, resource_version) = ("set-uid".to_owned(), "7".to_owned());
    assert_eq!(plan.steps, [Step::Orphan { uid, resource_version }]);
    // Not while a replica is going.
    let plan = world.clone().spec("/replicas", json!(1)).plan();
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::Orphan { .. })));
    let plan = world.template_size("2Gi").plan();
    assert_eq!((plan.growth, plan.steps.len()), (None, 0));
}

#[test]
fn a_claim_that_came_small_is_grown_later() {
    let world = World::running(2).spec("/storage/size", json!("2Gi")).template_size("2Gi");
    let plan = world.claim(0, "2Gi").plan();
    assert_eq!((growth_phase(&plan), plan.steps.len()), (Some(GrowthPhase::Growing), 1));
}
