//! The space of inputs: no tree panics the validator, and what it accepts it always accepts.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lifeboat_api::{parse, validate_dataplane};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A tree of any shape with fractions.
fn tree() -> impl Strategy<Value = Value> {
    tree_with(prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)])
}

/// A tree of any shape with these numbers; its keys are often fields, its texts often values.
fn tree_with(number: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

const WORDS: [&str; 48] = [
    "apiVersion",
    "lifeboat.dev/v1alpha1",
    "kind",
    "PersistentQueue",
    "metadata",
    "name",
    "spec",
    "status",
    "replicas",
    "streams",
    "storage",
    "size",
    "10Gi",
    "64Mi",
    "durability",
    "sync",
    "Always",
    "Interval",
    "sidecar",
    "memory",
    "ingress",
    "deliveries",
    "retention",
    "socket",
    "PULL",
    "ROUTER",
    "PUSH",
    "protocol",
    "Receipt",
    "Credit",
    "bind",
    "tcp://*:5555",
    "ipc:///run/lifeboat/a",
    "maxMessageSize",
    "4Mi",
    "maxConnections",
    "ackTimeout",
    "30s",
    "maxInFlight",
    "maxAttempts",
    "backoff",
    "trail",
    "messages",
    "time",
    "policy",
    "WorkQueue",
    "maxBytes",
    "logId",
];

/// A queue that is accepted and names every field of this version.
fn full() -> Value {
    json!({
        "apiVersion": "lifeboat.dev/v1alpha1",
        "kind": "PersistentQueue",
        "metadata": {"name": "orders"},
        "spec": {
            "storage": {"size": "1Gi"},
            "durability": {"sync": "Always"},
            "sidecar": {"memory": "96Mi"},
            "streams": [{
                "name": "work",
                "ingress": [
                    {"name": "push", "socket": "PULL", "bind": "tcp://*:5555",
                     "maxMessageSize": "1Mi", "maxConnections": 10},
                    {"name": "receipts", "socket": "ROUTER", "protocol": "Receipt",
                     "bind": "ipc:///run/lifeboat/r"},
                ],
                "deliveries": [
                    {"name": "workers", "socket": "ROUTER", "protocol": "Credit",
                     "ackTimeout": "30s", "maxInFlight": 64, "maxAttempts": 20,
                     "backoff": ["1s", "10s"], "maxConnections": 10},
                    {"name": "out", "socket": "PUSH", "trail": {"messages": 1000, "time": "60s"}},
                ],
                "retention": {"policy": "WorkQueue", "maxBytes": "512Mi", "maxAge": "72h",
                              "onFull": "Block", "onDamage": "Stop"},
            }, {
                "name": "kept",
                "ingress": [{"name": "in", "socket": "PULL", "maxMessageSize": "1Mi"}],
                "deliveries": [{"name": "out", "socket": "PUSH", "from": "First"}],
                "retention": {"policy": "Limits", "maxMessages": 1000, "onFull": "DropOldest"},
            }],
        },
        "replicas": {"0": {"logId": "0123456789abcdef0123456789abcdef", "fenced": false,
                           "drain": true}},
    })
}

/// The JSON pointers of every value in `tree`.
fn pointers(tree: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match tree {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                pointers(value, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// Validates twice: the same both times, and never by way of a gap between walk and types.
fn check(tree: &Value) -> Result<(), TestCaseError> {
    let first = validate_dataplane(tree);
    prop_assert_eq!(&first, &validate_dataplane(tree));
    if let Err(problems) = first {
        prop_assert!(!problems.is_empty());
        let text = problems.to_string();
        prop_assert_eq!(text.lines().count(), problems.len());
        prop_assert!(!text.contains("please report it"), "{}", text);
    }
    Ok(())
}

#[test]
fn the_full_queue_is_accepted() {
    validate_dataplane(&full()).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn each_value_of_another_kind_is_refused() {
    let mut places = Vec::new();
    pointers(&full(), "", &mut places);
    assert!(places.len() > 40);
    let kinds =
        [json!(null), json!({}), json!([]), json!([[]]), json!({"zzz": 1}), json!("?"), json!(-1)];
    for place in &places {
        for kind in &kinds {
            // No replicas, and a replica of which nothing is said, are what they say.
            if kind == &json!({}) && place.starts_with("/replicas") && place.len() <= 11 {
                continue;
            }
            let optional = ["/spec/durability", "/spec/sidecar", "/retention", "/trail"];
            if kind == &json!({}) && optional.iter().any(|end| place.ends_with(end)) {
                continue;
            }
            let mut tree = full();
            *tree.pointer_mut(place).unwrap() = kind.clone();
            let problems = validate_dataplane(&tree).expect_err(place);
            assert!(!problems.to_string().contains("please report it"), "{place}: {problems}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn no_tree_panics(tree in tree()) {
        check(&tree)?;
    }

    #[test]
    fn no_part_of_a_queue_panics(part in tree(), place in any::<proptest::sample::Index>()) {
        let mut places = Vec::new();
        pointers(&full(), "", &mut places);
        let mut tree = full();
        if let Some(value) = tree.pointer_mut(place.get(&places).as_str()) {
            *value = part;
        }
        check(&tree)?;
    }

    #[test]
    fn no_text_panics_the_parser(text in "[a-z:{}\\[\\]&*!|>%@`'\"#, \n\t-]{0,80}|\\PC{0,60}") {
        if let Ok(tree) = parse(&text) {
            check(&tree)?;
        }
    }

    /// JSON is YAML: but for fractions, which may be written otherwise, nothing may change.
    #[test]
    fn a_tree_written_as_json_parses_to_itself(
        tree in tree_with(any::<i64>().prop_map(Value::from)),
    ) {
        prop_assume!(!tree.is_null());
        prop_assert_eq!(parse(&tree.to_string()), Ok(tree));
    }
}
