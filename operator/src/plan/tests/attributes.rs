//! Claims that are to have another volume attributes class.

use super::*;

fn wished(class: &str) -> World {
    World::running(2).spec("/storage/volumeAttributesClassName", json!(class))
}

fn with_class(world: World, ordinal: u32, class: &str) -> World {
    world.with_claim(ordinal, |claim| claim["spec"]["volumeAttributesClassName"] = json!(class))
}

fn asked(plan: &Plan) -> Vec<(&str, &str)> {
    let asks = plan.steps.iter().filter_map(|step| match step {
        Step::SetAttributes { claim, class, .. } => Some((claim.as_str(), class.as_str())),
        _ => None,
    });
    asks.collect()
}

#[test]
fn every_bound_claim_is_asked_stranded_ones_too() {
    let pending = |claim: &mut serde_json::Value| claim["status"]["phase"] = json!("Pending");
    let world = with_class(wished("gold"), 0, "gold").claim(7, "1Gi");
    let plan = world.claim(8, "1Gi").with_claim(8, pending).plan();
    assert_eq!(asked(&plan), [("lifeboat-data-q-1", "gold"), ("lifeboat-data-q-7", "gold")]);
    assert_eq!(plan.attributes, Some(Attributes::Changing("gold".to_owned())));
}

#[test]
fn claims_keep_their_class_where_the_queue_names_none() {
    let plan = with_class(World::running(2), 0, "gold").plan();
    assert_eq!((asked(&plan), &plan.attributes), (vec![], &None));
}

#[test]
fn what_the_driver_cannot_is_told_and_not_asked_again() {
    let world = with_class(with_class(wished("gold"), 0, "gold"), 1, "gold");
    let failed = |message: &str| {
        let (claim, class) = ("lifeboat-data-q-1".to_owned(), "gold".to_owned());
        Some(Attributes::Failed { claim, class, message: message.to_owned() })
    };
    let infeasible = |claim: &mut serde_json::Value| {
        claim["status"]["modifyVolumeStatus"] =
            json!({"status": "Infeasible", "targetVolumeAttributesClassName": "gold"});
    };
    let mut world = world.with_claim(1, infeasible);
    let plan = world.plan();
    assert_eq!((asked(&plan), &plan.attributes), (vec![], &failed("Infeasible")));
    let mut world = world.with_claim(1, |claim| {
        let error =
            json!([{"type": "ModifyVolumeError", "status": "True", "message": "no such tier"}]);
        claim["status"]["conditions"] = error;
    });
    assert_eq!(world.plan().attributes, failed("no such tier"));
    // Of another class than the one that is wanted now: that says nothing.
    let plan = world.spec("/storage/volumeAttributesClassName", json!("silver")).plan();
    assert_eq!(asked(&plan).len(), 2);
    assert_eq!(plan.attributes, Some(Attributes::Changing("silver".to_owned())));
}

#[test]
fn a_server_that_does_not_keep_the_field_is_not_asked_for_ever() {
    let mut world = wished("gold");
    assert_eq!(asked(&world.plan()).len(), 2);
    let mut world = world.later(59);
    assert_eq!(asked(&world.plan()).len(), 2);
    let mut world = world.later(1);
    let plan = world.plan();
    assert_eq!(asked(&plan), []);
    assert!(matches!(plan.attributes, Some(Attributes::Failed { .. })), "{:?}", plan.attributes);
    // Once it has it, all is forgotten.
    let mut world = with_class(with_class(world, 0, "gold"), 1, "gold");
    assert_eq!(world.plan().attributes, None);
    let mut world = with_class(world, 0, "silver");
    assert_eq!(asked(&world.plan()), [("lifeboat-data-q-0", "gold")]);
}
