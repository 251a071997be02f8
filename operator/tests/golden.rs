//! Whole objects of whole queues, compared with those in `golden/`: `NAME.snap` of each case.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use lifeboat_api::queue::PersistentQueue;
use lifeboat_operator::desired::{Desired, desired};
use serde_json::json;

use common::{
    applied, directory, fresh, from_file, observed, plan, read, release, said, template, with,
};

fn check(name: &str, desired: &Desired) {
    let objects: Vec<_> = desired.objects.iter().map(|object| format!("{object:#}\n")).collect();
    insta::with_settings!({
        snapshot_path => directory("golden"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, objects.join("---\n"));
    });
    let last = desired.objects.last().unwrap();
    assert_eq!(last["kind"], "StatefulSet", "{name}");
}

fn example(name: &str) -> PersistentQueue {
    from_file(&directory("../examples").join(name))
}

#[test]
fn the_examples() {
    for name in ["work-queue", "push-pull", "rep-workers"] {
        check(name, &fresh(&example(&format!("{name}.yaml"))));
    }
}

#[test]
fn nothing_but_what_must_be_there() {
    check("minimal", &fresh(&from_file(&directory("golden/minimal.yaml"))));
}

#[test]
fn everything_set() {
    check("everything", &fresh(&from_file(&directory("golden/everything.yaml"))));
}

#[test]
fn a_drain_and_a_fence() {
    let resource = example("work-queue.yaml");
    let mut plan = plan(2);
    let log_id = "00112233445566778899aabbccddeeff";
    plan.sidecars.insert(0, said(Some(log_id), true, false));
    plan.sidecars.insert(1, said(Some(log_id), false, true));
    plan.sidecars.insert(2, said(None, false, false));
    check("drain-and-fence", &desired(&read(&resource), &plan, &observed(&resource), &release()));
}

#[test]
fn suspended() {
    let resource = with(&json!({
        "suspend": true,
        "replicas": 2,
        "service": {"perReplica": true},
    }));
    check("suspended", &desired(&read(&resource), &plan(0), &observed(&resource), &release()));
}

#[test]
fn a_sidecar_too_old_keeps_what_it_has() {
    let old = with(&json!({}));
    let before = fresh(&old);
    let mut new = old.clone();
    new.spec.streams[0]["ingress"][0]["name"] = "other".into();
    new.spec.streams[0]["ingress"][0]["connect"] = json!(["tcp://far:5555"]);
    new.spec.streams[0]["ingress"][0].as_object_mut().unwrap().remove("bind");
    let listed = ["ingress.socket.PULL", "delivery.socket.PUSH"];
    let mut drain = plan(1);
    drain.sidecars.insert(0, said(None, false, true));
    let wanted = desired(&read(&new), &drain, &applied(&new, &before, &listed), &release());
    assert_eq!(wanted.missing_features, ["ingress.connect"]);
    assert_eq!(template(&wanted), template(&before));
    check("sidecar-too-old", &wanted);
    // Once it lists the feature, or nobody has said what it lacks, the spec is what counts.
    for features in [&[][..], &["ingress.socket.PULL", "delivery.socket.PUSH", "ingress.connect"]] {
        let wanted = desired(&read(&new), &drain, &applied(&new, &before, features), &release());
        assert_eq!(wanted.missing_features, Vec::<String>::new());
        assert_ne!(template(&wanted), template(&before));
    }
}
