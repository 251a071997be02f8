//! Claims of replicas that are gone: kept, deleted, used again; and whose they are.

use super::*;
use crate::plan::testing::object;

fn with_deletion(world: World) -> World {
    world.spec("/storage/whenScaled", json!("Delete"))
}

#[test]
fn a_drained_claim_is_kept_and_its_volume_forgotten() {
    let plan = gone().plan();
    assert_eq!((plan.replicas, plan.steps.len(), plan.stranded.len()), (2, 0, 0));
    assert!(!plan.sidecars.contains_key(&2));
}

#[test]
fn a_drained_claim_is_deleted_if_that_is_wanted() {
    let plan = with_deletion(gone()).plan();
    let (claim, uid) = ("lifeboat-data-q-2".to_owned(), "claim-2".to_owned());
    let resource_version = "3".to_owned();
    assert_eq!(plan.steps, [Step::DeleteClaim { claim, uid, resource_version }]);
    // Until it is gone its volume is not forgotten.
    assert_eq!(entry(&plan, 2), (Some(log_id(2).as_str()), true, true));
}

#[test]
fn a_claim_is_not_deleted_on_any_doubt() {
    let cases: [Change; 8] = [
        |it| it.with_claim(2, |claim| claim["metadata"]["labels"] = json!({})),
        |it| it.marked(2, &log_id(7)),
        |it| it.config(&json!({"2": {"logId": log_id(2), "drain": true}})),
        |it| it.config(&json!({"2": {"logId": log_id(2)}})),
        |it| it.pod(2),
        |it| it.spec("/replicas", json!(3)),
        |it| it.spec("/suspend", json!(true)),
        |mut it| {
            it.observed.stateful_set = None;
            it
        },
    ];
    for (index, change) in cases.into_iter().enumerate() {
        let plan = change(with_deletion(gone())).plan();
        assert_eq!(deletes(&plan), 0, "{index}: {:?}", plan.steps);
    }
}

#[test]
fn a_claim_that_is_used_again_first_loses_its_mark() {
    let mut world = gone().config(&json!({})).spec("/replicas", json!(4));
    let plan = world.plan();
    assert_eq!((plan.replicas, unmarks(&plan, 2)), (2, true));
    let plan = world.with_claim(2, |claim| claim["metadata"]["labels"] = json!({})).plan();
    assert_eq!((plan.replicas, plan.steps.len()), (4, 0));
}

#[test]
fn a_claim_that_is_being_deleted_is_waited_for() {
    let ending = |claim: &mut serde_json::Value| {
        claim["metadata"]["deletionTimestamp"] = json!("1970-01-12T13:46:40Z");
    };
    let world = gone().config(&json!({})).spec("/replicas", json!(3)).with_claim(2, ending);
    assert_eq!({ world }.plan().replicas, 2);
}

#[test]
fn a_new_queue_does_not_trust_marks_that_it_has_not_seen_set() {
    let mut world = World::new(1).claim(0, "1Gi").marked(0, &log_id(0));
    let plan = world.plan();
    assert_eq!((plan.replicas, unmarks(&plan, 0)), (0, true));
}

#[test]
fn the_queue_owns_its_claims_only_if_they_are_to_go_with_it() {
    let owned = |plan: &Plan| {
        let owns = |step: &Step| matches!(step, Step::OwnClaim { owned: true, .. });
        plan.steps.iter().filter(|step| owns(step)).count()
    };
    let mut world = World::running(2).claim(5, "1Gi");
    assert_eq!(owned(&world.plan()), 0);
    let mut world = world.spec("/storage/whenDeleted", json!("Delete"));
    assert_eq!(owned(&world.plan()), 0, "the status has to tell it first");
    world.observed.queue.status = Some(object(json!({"storage": {"ownedClaims": 3}})));
    assert_eq!(owned(&world.plan()), 3);
    for ordinal in [0, 1, 5] {
        world = world.with_claim(ordinal, |claim| {
            claim["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "lifeboat.dev/v1alpha1", "kind": "PersistentQueue", "name": "q",
                "uid": "queue-uid",
            }]);
        });
    }
    assert_eq!(owned(&world.plan()), 0);
    let mut world = world.spec("/storage/whenDeleted", json!("Retain"));
    let plan = world.plan();
    // Whatever becomes of the rest.
    assert_eq!((let_go(&plan), plan.steps), (3, vec![]));
    world.observed.queue.status = Some(object(json!({"storage": {"ownedClaims": 0}})));
    assert_eq!(let_go(&world.plan()), 3, "what is seen to be owned, whatever is told");
}

/// How many claims a plan lets go.
fn let_go(plan: &Plan) -> usize {
    let is = |step: &&Step| matches!(step, Step::OwnClaim { owned: false, .. });
    plan.releases.iter().filter(is).count()
}

#[test]
fn as_long_as_it_is_told_that_claims_go_with_the_queue_all_are_let_go() {
    // The cache of the claims is behind: it does not show yet that they are owned.
    let told = |status: serde_json::Value| {
        let mut world = World::running(2);
        world.observed.queue.status = Some(object(status));
        let_go(&world.plan())
    };
    assert_eq!(told(json!({"storage": {"ownedClaims": 2}})), 2);
    assert_eq!(told(json!({"storage": {"ownedClaims": 0}})), 0);
    assert_eq!(told(json!({})), 2, "nobody knows");
}
