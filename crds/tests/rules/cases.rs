//! The table of cases: each rule refuses what it should, and nothing else.

use std::collections::BTreeSet;

use lifeboat_api::{Problem, parse, validate_dataplane};
use serde_json::{Value, json};

use crate::api_server::ApiServer;

/// The table's part `part`: `bad`, `good` or `updates`.
pub(crate) fn table(part: &str) -> Vec<Value> {
    let cases = parse(include_str!("cases.yaml")).unwrap();
    let cases = cases[part].as_array().unwrap().clone();
    assert!(cases.len() >= 20, "only {} cases in {part}", cases.len());
    cases
}

/// The queue of `base.yaml` with the fields that `edits` sets.
pub(crate) fn queue(edits: &Value) -> Value {
    let mut queue = parse(include_str!("base.yaml")).unwrap();
    for (pointer, value) in edits.as_object().into_iter().flatten() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = queue.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match (parent, value) {
            (Value::Object(fields), Value::Null) => {
                fields.remove(name).unwrap_or_else(|| panic!("{pointer}"));
            }
            (Value::Object(fields), value) => {
                fields.insert(name.to_owned(), value.clone());
            }
            (parent, value) => parent[name.parse::<usize>().unwrap()] = value.clone(),
        }
    }
    queue
}

fn unsupported(problem: &Problem) -> bool {
    problem.message.contains("not supported by this version")
}

#[test]
fn bad_ones_are_refused_by_their_rule_alone_and_by_the_validator() {
    let server = ApiServer::new();
    for case in table("bad") {
        let queue = queue(&case["set"]);
        let refusals = server.refusals(&queue, None);
        let message = case["message"].as_str().unwrap();
        assert!(matches!(&*refusals, [one] if one.contains(message)), "{case}: {refusals:?}");
        let refused = validate_dataplane(&queue).is_err();
        match case["validator"].as_str() {
            Some("refuses") => assert!(refused, "{case}: the validator accepts it"),
            Some("ignores") => assert!(!refused, "{case}: the validator refuses it"),
            other => panic!("{case}: {other:?}"),
        }
    }
}

#[test]
fn good_ones_are_accepted() {
    let server = ApiServer::new();
    for case in table("good") {
        let queue = queue(&case["set"]);
        assert_eq!(server.refusals(&queue, None), [""; 0], "{case}");
        if let Err(problems) = validate_dataplane(&queue) {
            assert!(problems.iter().all(unsupported), "{case}: {problems}");
        }
    }
}

#[test]
fn updates_are_refused_where_they_must_be() {
    let server = ApiServer::new();
    for case in table("updates").iter().filter(|case| case["by_key"] != true) {
        let (before, after) = (queue(&case["before"]), queue(&case["after"]));
        assert_eq!(server.refusals(&before, None), [""; 0], "{case}");
        assert_eq!(server.refusals(&after, None), [""; 0], "{case}");
        let refusals = server.refusals(&after, Some(&before));
        let expected: Vec<_> =
            ["message", "also"].iter().filter_map(|field| case[*field].as_str()).collect();
        assert_eq!(refusals.len(), expected.len(), "{case}: {refusals:?}");
        for message in expected {
            assert!(refusals.iter().any(|it| it.contains(message)), "{case}: {refusals:?}");
        }
    }
}

#[test]
fn every_rule_has_a_case_that_it_refuses() {
    let server = ApiServer::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for case in table("bad") {
        seen.extend(server.refusals(&queue(&case["set"]), None));
    }
    for case in table("updates") {
        seen.extend(server.refusals(&queue(&case["after"]), Some(&queue(&case["before"]))));
    }
    for message in server.messages() {
        let refused = seen.iter().any(|refusal| refusal.ends_with(&message));
        assert!(refused, "no case for: {message}");
        assert!(message.contains("; ") && message.len() < 200, "no fix, or too long: {message}");
    }
}

#[test]
fn the_forms_of_values_are_checked_too() {
    let server = ApiServer::new();
    let cases = [
        ("/spec/replicas", json!(129), "range"),
        ("/spec/replicas", json!(-1), "range"),
        ("/spec/streams", json!([]), "length"),
        ("/spec/storage/size", json!("10 Gi"), "pattern"),
        ("/spec/storage/size", json!(10), "type"),
        ("/spec/streams/0/name", json!("A"), "pattern"),
        ("/spec/streams/0/name", json!("x".repeat(33)), "length"),
        ("/spec/streams/0/ingress/0/socket", json!("PUSH"), "enum"),
        ("/spec/streams/0/ingress/0/bind", json!("udp://*:1"), "pattern"),
        ("/spec/streams/0/ingress/1/name", json!("push"), "repeated"),
        ("/spec/streams/0/deliveries/0/ackTimeout", json!("30"), "pattern"),
        ("/spec/streams/0/deliveries/0/ackTimeout", json!(""), "length"),
        ("/spec/template/spec/containers", json!([]), "length"),
        ("/spec/template", json!({}), "\"spec\" is required"),
        ("/spec/streams/0/unknown", json!(1), "unknown is unknown"),
    ];
    for (pointer, value, why) in cases {
        let refusals = server.refusals(&queue(&json!({pointer: value})), None);
        assert!(refusals.iter().any(|it| it.ends_with(why)), "{pointer} {value}: {refusals:?}");
    }
}
