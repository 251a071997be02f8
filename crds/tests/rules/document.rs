//! The document that sidecars get is what the user wrote, and is judged alike.

use std::collections::BTreeMap;

use lifeboat_api::queue::PersistentQueue;
use lifeboat_api::{Dataplane, Problems, Replica, validate_dataplane};
use serde_json::{Value, json};

use crate::cases::{queue, table};
use crate::dice::Dice;

fn typed(queue: &Value) -> PersistentQueue {
    serde_json::from_value(queue.clone()).unwrap()
}

/// What it says, apart from what the document leaves to the operator.
fn judged(tree: &Value) -> Result<Dataplane, Problems> {
    validate_dataplane(tree).map(|dataplane| Dataplane { ignored: Vec::new(), ..dataplane })
}

#[test]
fn it_is_judged_as_the_resource_is() {
    let mut dice = Dice::new(2);
    let cases = table("bad").into_iter().chain(table("good"));
    let queues: Vec<_> = cases.map(|case| queue(&case["set"])).collect();
    let queues = queues.into_iter().chain((0..2_000).map(|_| dice.queue()));
    let (mut accepted, mut refused) = (0, 0);
    for queue in queues {
        let document = typed(&queue).dataplane_document(&BTreeMap::new());
        let expected = judged(&queue);
        accepted += usize::from(expected.is_ok());
        refused += usize::from(expected.is_err());
        assert_eq!(judged(&document), expected, "{queue}");
    }
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
}

/// Odd spellings, null, fields of later versions: nothing of the data plane's part may change.
#[test]
fn no_byte_of_what_was_written_changes() {
    let queue = queue(&json!({
        "/spec/storage": {"size": "10240Mi", "whenScaled": "Delete", "later": {"b": 1, "a": null}},
        "/spec/durability": {"sync": "Always", "later": [1, 2.50, "x"]},
        "/spec/sidecar": {"memory": "0.125Gi", "image": "x", "cpu": "100m"},
        "/spec/streams/0/later": {"z": {}, "a": []},
        "/spec/streams/0/deliveries/0/backoff": ["1000ms", "0m1s"],
    }));
    let document = typed(&queue).dataplane_document(&BTreeMap::new());
    for part in ["streams", "storage", "durability"] {
        assert_eq!(document["spec"][part].to_string(), queue["spec"][part].to_string());
    }
    assert_eq!(document["spec"]["sidecar"], json!({"memory": "0.125Gi"}));
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&document["spec"]), ["durability", "sidecar", "storage", "streams"]);
    assert_eq!(fields(&document), ["apiVersion", "kind", "metadata", "replicas", "spec"]);
    assert_eq!(document["metadata"], json!({"name": "orders"}));
}

#[test]
fn what_was_not_written_is_not_there() {
    let document = typed(&queue(&json!({"/spec/sidecar": {"image": "x"}})));
    let document = document.dataplane_document(&BTreeMap::new());
    assert!(document["spec"].get("durability").is_none());
    assert!(document["spec"].get("sidecar").is_none());
    assert_eq!(document["replicas"], json!({}));
}

#[test]
fn replicas_come_back_as_they_were_given() {
    let log_id = Some("0123456789abcdef0123456789abcdef".to_owned());
    let replicas = BTreeMap::from([
        (0, Replica { log_id, fenced: false, drain: true }),
        (1, Replica { log_id: None, fenced: true, drain: false }),
        (10, Replica::default()),
    ]);
    let document = typed(&queue(&json!({}))).dataplane_document(&replicas);
    assert_eq!(document["replicas"]["10"], json!({}));
    assert_eq!(validate_dataplane(&document).unwrap().replicas, replicas);
}

/// A queue that came from a cluster and goes back has gained nothing, such as nulls.
#[test]
fn a_typed_round_trip_adds_nothing() {
    for case in table("good") {
        let queue = queue(&case["set"]);
        let back = serde_json::to_value(typed(&queue)).unwrap();
        assert_eq!(back, queue, "{case}");
    }
}
