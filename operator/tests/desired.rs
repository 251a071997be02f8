//! What holds of the objects of every queue.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use lifeboat_operator::desired::desired;
use lifeboat_operator::queue::Queue;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use common::{applied, fresh, object, observed, plan, read, release, template, with};

/// Words that stand where names, fields and values do.
const WORDS: [&str; 40] = [
    "name",
    "app",
    "lifeboat-data",
    "image",
    "env",
    "ports",
    "containerPort",
    "volumeMounts",
    "mountPath",
    "/run/lifeboat",
    "containers",
    "initContainers",
    "volumes",
    "securityContext",
    "fsGroup",
    "metadata",
    "labels",
    "annotations",
    "lifeboat.dev/queue",
    "spec",
    "restartPolicy",
    "Always",
    "Never",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
    "streams",
    "ingress",
    "deliveries",
    "socket",
    "PULL",
    "bind",
    "tcp://*:5555",
    "tcp://*:9464",
    "size",
    "1Gi",
    "storage",
    "timeout",
    "1h",
    "enabled",
    "from",
];

/// A tree of any shape, its words often those of the schema.
fn tree() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        4 => proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A good queue with one field of its spec, at any depth of the template, of any shape.
fn near_queue() -> impl Strategy<Value = Value> {
    let field = proptest::sample::select(vec![
        "/streams",
        "/storage",
        "/durability",
        "/sidecar",
        "/template",
        "/template/spec",
        "/template/metadata",
        "/template/spec/containers",
        "/template/spec/containers/0",
        "/template/spec/containers/0/env",
        "/template/spec/initContainers",
        "/template/spec/volumes",
        "/template/spec/securityContext",
        "/containers",
        "/replicas",
        "/scaleDown",
        "/service",
        "/networkPolicy",
        "/podDisruptionBudget",
        "/updateStrategy",
    ]);
    (field, tree()).prop_map(|(field, value)| {
        let mut spec = good(3, true, true);
        if let Some(slot) = spec.pointer_mut(field) {
            *slot = value;
        }
        spec
    })
}

/// A spec that has every field.
fn good(sockets: usize, bound: bool, policy: bool) -> Value {
    let sockets = 0..sockets;
    let ingress: Vec<_> = sockets
        .clone()
        .map(|at| {
            let name = format!("in-{at}");
            if bound {
                json!({"name": name, "socket": "PULL", "bind": format!("tcp://*:{}", 5000 + at)})
            } else {
                json!({"name": name, "socket": "ROUTER", "protocol": "Receipt"})
            }
        })
        .collect();
    let deliveries: Vec<_> = sockets
        .map(|at| json!({"name": format!("out-{at}"), "socket": "ROUTER", "protocol": "Credit"}))
        .collect();
    json!({
        "streams": [{"name": "work", "ingress": ingress, "deliveries": deliveries}],
        "storage": {"size": "1Gi"},
        "durability": {"sync": "Always"},
        "sidecar": {"memory": "96Mi", "env": [{"name": "A", "value": "b"}]},
        "template": {
            "metadata": {"labels": {"app": "a"}, "annotations": {}},
            "spec": {
                "containers": [{"name": "app", "image": "i", "env": []}],
                "initContainers": [{"name": "first", "image": "i"}],
                "volumes": [],
                "securityContext": {},
            },
        },
        "containers": ["app"],
        "replicas": 2,
        "scaleDown": {"timeout": "1h"},
        "service": {"perReplica": true},
        "networkPolicy": {"enabled": policy},
        "podDisruptionBudget": {"maxUnavailable": 1},
        "updateStrategy": {"type": "RollingUpdate"},
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_spec_panics(spec in near_queue(), replicas in 0..=128) {
        let mut tree = serde_json::to_value(with(&json!({}))).unwrap();
        tree["spec"] = spec;
        let Some(resource) = common::resource(tree) else { return Ok(()) };
        match Queue::read(&resource) {
            Ok(queue) => {
                let wanted = desired(&queue, &plan(replicas), &observed(&resource), &release());
                prop_assert_eq!(&wanted.objects.last().unwrap()["kind"], "StatefulSet");
            }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn a_good_spec_is_stable(sockets in 1..=8_usize, bound: bool, policy: bool, replicas in 0..=128) {
        let resource = with(&good(sockets, bound, policy));
        let queue = read(&resource);
        let first = desired(&queue, &plan(replicas), &observed(&resource), &release());
        let after = applied(&resource, &first, lifeboat_api::supported_features());
        prop_assert_eq!(&desired(&queue, &plan(replicas), &after, &release()), &first);
        let names: BTreeSet<_> = first
            .objects
            .iter()
            .map(|object| (object["kind"].to_string(), object["metadata"]["name"].to_string()))
            .collect();
        prop_assert_eq!(names.len(), first.objects.len());
    }
}

#[test]
fn a_pinned_queue_keeps_its_template_under_a_newer_release() {
    let resource = with(&json!({}));
    let before = fresh(&resource);
    let newer = lifeboat_operator::release::Release {
        sidecar_image: "ghcr.io/lifeboat-dev/lifeboat:0.2.0".to_owned(),
        version: "0.2.0".to_owned(),
        ..release()
    };
    let observed = applied(&resource, &before, &[]);
    let after = desired(&read(&resource), &plan(1), &observed, &newer);
    assert_eq!(after, before);
    let mut moving = resource.clone();
    moving.spec.sidecar = Some(json!({"upgrade": "WithOperator"}));
    let after = desired(&read(&moving), &plan(1), &observed, &newer);
    assert_eq!(after.sidecar_image, newer.sidecar_image);
    moving.spec.sidecar = Some(json!({"image": "mine:1"}));
    let after = desired(&read(&moving), &plan(1), &observed, &newer);
    assert_eq!(after.sidecar_image, "mine:1");
    // While growth has the StatefulSet made anew, the status remembers.
    let mut gone = common::observed(&resource);
    let image = "ghcr.io/lifeboat-dev/lifeboat:0.0.9".to_owned();
    gone.queue.status.get_or_insert_default().sidecar_image = Some(image.clone());
    assert_eq!(desired(&read(&resource), &plan(1), &gone, &newer).sidecar_image, image);
}

/// The pod template of a queue whose spec is changed at one place.
fn changed(place: &str, value: Value) -> Value {
    let mut spec = json!({
        "storage": {"size": "1Gi"},
        "streams": [{
            "name": "work",
            "ingress": [{"name": "in", "socket": "ROUTER", "protocol": "Receipt"}],
            "deliveries": [{"name": "out", "socket": "ROUTER", "protocol": "Credit"}],
        }],
    });
    let (parent, field) = place.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[field] = value;
    template(&fresh(&with(&spec))).clone()
}

#[test]
fn what_the_sidecar_applies_by_itself_replaces_no_pod() {
    let plain = changed("/storage/size", json!("1Gi"));
    for (place, value) in [
        ("/storage/size", json!("2Gi")),
        ("/streams/0/retention", json!({"maxBytes": "512Mi"})),
        (
            "/streams/0/retention",
            json!({"policy": "WorkQueue", "onFull": "Block", "onDamage": "Stop"}),
        ),
        ("/streams/0/ingress/0/maxMessageSize", json!("1Mi")),
        ("/streams/0/ingress/0/maxConnections", json!(7)),
        ("/streams/0/deliveries/0/ackTimeout", json!("5s")),
        ("/streams/0/deliveries/0/maxInFlight", json!(3)),
        ("/streams/0/deliveries/0/backoff", json!(["1s"])),
    ] {
        assert_eq!(changed(place, value.clone()), plain, "{place}: {value}");
    }
    for (place, value) in [
        ("/streams/0/retention", json!({"onFull": "Reject"})),
        ("/streams/0/retention", json!({"onDamage": "SkipWithGap"})),
        ("/streams/0/ingress/0/dedup", json!({"window": "10m"})),
        ("/streams/0/deliveries/0/name", json!("other")),
        ("/sidecar", json!({"memory": "128Mi"})),
    ] {
        assert_ne!(changed(place, value.clone()), plain, "{place}: {value}");
    }
}

#[test]
fn growth_leaves_the_claim_template_until_the_set_is_made_anew() {
    let small = with(&json!({}));
    let before = fresh(&small);
    let large = with(&json!({"storage": {"size": "2Gi"}}));
    let mut observed = applied(&large, &before, &[]);
    let live = json!([{"metadata": {"name": "lifeboat-data"}, "status": {"phase": "Pending"}}]);
    observed.claim_templates = Some(live.clone());
    let claims = |observed: &_| {
        let wanted = desired(&read(&large), &plan(1), observed, &release());
        object(&wanted, "StatefulSet")["spec"]["volumeClaimTemplates"].clone()
    };
    assert_eq!(claims(&observed), live);
    observed.stateful_set = None;
    assert_eq!(claims(&observed)[0]["spec"]["resources"]["requests"]["storage"], "2Gi");
}

#[test]
fn the_sidecar_is_the_last_init_container_and_the_application_gets_its_sockets() {
    let mut spec = good(1, true, true);
    spec["template"]["spec"]["containers"] =
        json!([{"name": "app", "new": {"field": 1}}, {"name": "other"}]);
    let wanted = fresh(&with(&spec));
    let pod = &template(&wanted)["spec"];
    let names: Vec<_> =
        pod["initContainers"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["first", "lifeboat-sidecar"]);
    assert_eq!(pod["initContainers"][1]["restartPolicy"], "Always");
    let app = &pod["containers"][0];
    assert_eq!(app["new"], json!({"field": 1}));
    let variables = json!([
        {"name": "LIFEBOAT_WORK_IN_0", "value": "tcp://127.0.0.1:5000"},
        {"name": "LIFEBOAT_WORK_OUT_0", "value": "ipc:///run/lifeboat/work.out-0"},
    ]);
    assert_eq!(app["env"], variables);
    let mount = json!([{"name": "lifeboat-run", "mountPath": "/run/lifeboat", "readOnly": true}]);
    assert_eq!(app["volumeMounts"], mount);
    assert_eq!(pod["containers"][1], json!({"name": "other"}));
}

#[test]
fn the_sidecar_asks_for_what_the_user_says_and_for_its_memory() {
    let cases = [
        (
            json!({}),
            json!({"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "96Mi"}}),
        ),
        (
            json!({"memory": "1Gi", "cpu": "1"}),
            json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}),
        ),
        (
            json!({"resources": {"requests": {"cpu": "2", "memory": "5Gi"}, "claims": [{"name": "gpu"}]}}),
            json!({
                "requests": {"cpu": "2", "memory": "96Mi"},
                "limits": {"memory": "96Mi"},
                "claims": [{"name": "gpu"}],
            }),
        ),
        // The API server makes a limit a request; a request of ours could lie above it.
        (
            json!({"resources": {"limits": {"cpu": "20m"}}}),
            json!({"requests": {"memory": "96Mi"}, "limits": {"cpu": "20m", "memory": "96Mi"}}),
        ),
        (
            json!({"cpu": "10m", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "20m"}}}),
            json!({"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"cpu": "20m", "memory": "96Mi"}}),
        ),
    ];
    for (given, expected) in cases {
        let wanted = fresh(&with(&json!({"sidecar": given})));
        let containers = template(&wanted)["spec"]["initContainers"].as_array().unwrap();
        assert_eq!(containers.last().unwrap()["resources"], expected, "{given}");
    }
}

#[test]
fn problems_name_their_fields_all_at_once() {
    let mut resource = with(&json!({
        "replicas": 129,
        "streams": [{
            "name": "work",
            "ingress": [
                {"name": "in", "socket": "PULL", "bind": "tcp://*:9464"},
                {"name": "any", "socket": "PULL", "bind": "tcp://*:*"},
                {"name": "ipc", "socket": "PULL", "bind": "ipc:///tmp/x"},
                {"name": "good", "socket": "PULL", "bind": "tcp://*:5555"},
            ],
            "deliveries": [{"name": "out", "socket": "PUSH"}],
        }],
        "containers": ["nobody"],
        "scaleDown": {"timeout": "10ms"},
        "sidecar": {"logLevel": "debug", "env": [{"name": "LIFEBOAT_ORDINAL"}, {"name": "LIFEBOAT_LOG"}]},
        "updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}},
        "podDisruptionBudget": {"maxUnavailable": -1},
        "template": {
            "metadata": {"labels": {"lifeboat.dev/queue": "x"}, "annotations": "none"},
            "spec": {
                "restartPolicy": "Never",
                "volumes": [{"name": "lifeboat-x"}],
                "initContainers": [{"name": "lifeboat-sidecar"}],
                "containers": [{
                    "name": "app",
                    "ports": [{"containerPort": 5555}, {"containerPort": 5555, "protocol": "UDP"}],
                    "volumeMounts": [
                        {"name": "lifeboat-data", "mountPath": "/data"},
                        {"name": "x", "mountPath": "/run/lifeboat/"},
                    ],
                }],
            },
        },
    }));
    let annotations = [("lifeboat.dev/paused".to_owned(), "maybe".to_owned())];
    resource.metadata.annotations = Some(annotations.into());
    let problems = Queue::read(&resource).unwrap_err();
    insta::with_settings!({
        snapshot_path => common::directory("golden"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("problems", problems.to_string());
    });
}
