//! The CRD: the file is what the types make, small, structural, and without defaults where there
//! must be none.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lifeboat_api::queue::manifest;
use serde_json::Value;

const FILE: &str = include_str!("../persistentqueues.yaml");

fn version() -> Value {
    let crd = lifeboat_api::parse(FILE).unwrap();
    crd["spec"]["versions"][0].clone()
}

fn schema() -> Value {
    version()["schema"]["openAPIV3Schema"].clone()
}

/// Every schema below `schema`, with the path of its field.
fn walk<'a>(schema: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(path, schema);
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        walk(child, &path, visit);
    }
    for (inner, sign) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = schema.get(inner) {
            walk(child, &format!("{path}{sign}"), visit);
        }
    }
}

fn visited(visit: &mut impl FnMut(&str, &Value)) {
    let schema = schema();
    let mut seen = 0;
    walk(&schema, "", &mut |path, schema| {
        seen += 1;
        visit(path, schema);
    });
    assert!(seen > 150, "only {seen} schemas walked");
}

#[test]
fn the_file_is_what_the_types_make() {
    let made = manifest().unwrap();
    assert!(
        made == FILE,
        "crds/persistentqueues.yaml is out of date; make it again:\n  cargo run -p lifeboat-api \
         --features kube --example crd >crds/persistentqueues.yaml"
    );
}

/// What `kubectl apply` keeps in an annotation, of at most 256 KiB.
#[test]
fn the_file_is_small_enough_for_a_client_side_apply() {
    let crd = lifeboat_api::parse(FILE).unwrap();
    let bytes = crd.to_string().len();
    assert!(bytes < 60_000, "{bytes} bytes");
}

/// Kubernetes: "Specifying a structural schema", and what an API server would warn of.
#[test]
fn the_schema_is_structural() {
    visited(&mut |path, schema| {
        let free = schema["x-kubernetes-preserve-unknown-fields"] == true;
        assert!(schema["type"].is_string() || free, "{path} has no type");
        for word in ["nullable", "oneOf", "anyOf", "allOf", "not", "$ref", "const"] {
            assert!(schema.get(word).is_none(), "{path} has {word}");
        }
        let values = schema["enum"].as_array().into_iter().flatten();
        assert!(values.into_iter().all(Value::is_string), "{path} has a value that is no text");
        let format = schema["format"].as_str();
        let known = [None, Some("int32"), Some("int64"), Some("date-time")];
        assert!(known.contains(&format), "{path} has the format {format:?}");
    });
}

#[test]
fn every_list_and_every_text_of_the_spec_is_bounded() {
    visited(&mut |path, schema| {
        if schema["type"] == "array" {
            assert!(schema["maxItems"].is_u64(), "{path} has no maxItems");
            assert!(schema["x-kubernetes-list-type"].is_string(), "{path} has no list type");
            for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
                let required = schema["items"]["required"].as_array().unwrap();
                assert!(required.contains(key), "{path} is keyed by what may be absent");
            }
        }
        if schema["type"] == "string" && path.starts_with("spec") && !path.ends_with("{}") {
            let bounded = schema.get("enum").is_some() || schema["maxLength"].is_u64();
            assert!(bounded, "{path} has no maxLength");
        }
    });
}

#[test]
fn every_field_is_described() {
    visited(&mut |path, schema| {
        let named = path.ends_with("[].name") || path.starts_with("spec.template.metadata");
        let inner = path.ends_with("[]") || path.ends_with("{}") || named;
        let text = schema["description"].as_str().unwrap_or_default();
        assert!(inner || text.len() > 3, "{path}: {text:?}");
        assert!(!text.contains("[`"), "{path} has a link of rustdoc: {text}");
    });
}

#[test]
fn only_what_the_operator_alone_reads_has_defaults() {
    let mut defaults = Vec::new();
    visited(&mut |path, schema| {
        if let Some(default) = schema.get("default") {
            defaults.push(format!("{path}: {default}"));
        }
    });
    let expected = [
        "spec.networkPolicy.enabled: true",
        "spec.podDisruptionBudget.enabled: true",
        "spec.podDisruptionBudget.maxUnavailable: 1",
        "spec.replicas: 1",
        "spec.scaleDown.onTimeout: \"Block\"",
        "spec.scaleDown.policy: \"Drain\"",
        "spec.service.perReplica: false",
        "spec.service.type: \"ClusterIP\"",
        "spec.sidecar.upgrade: \"Pinned\"",
        "spec.suspend: false",
        "spec.updateStrategy.rollingUpdate.partition: 0",
        "spec.updateStrategy.type: \"RollingUpdate\"",
    ];
    assert_eq!(defaults, expected);
}

#[test]
fn columns_and_subresources_name_fields_that_there_are() {
    let version = version();
    let mut fields = Vec::new();
    visited(&mut |path, _| fields.push(format!(".{path}")));
    let known = |path: &str| fields.iter().any(|field| field == path);
    let columns = version["additionalPrinterColumns"].as_array().unwrap();
    let named = |wide: bool| -> Vec<&str> {
        let columns = columns.iter().filter(|column| (column["priority"] == 1) == wide);
        columns.map(|column| column["name"].as_str().unwrap()).collect()
    };
    let narrow = ["Ready", "Replicas", "Desired", "Depth", "Oldest", "In/s", "Out/s", "Age"];
    assert_eq!(named(false), narrow);
    assert_eq!(named(true), ["Bytes", "DLQ", "Used %", "Class", "Sidecar"]);
    for column in columns {
        let path = column["jsonPath"].as_str().unwrap();
        let ready = ".status.conditions[?(@.type==\"Ready\")].status";
        assert!(known(path) || path == ready || path.starts_with(".metadata."), "{path}");
    }
    assert_eq!(version["subresources"]["status"], serde_json::json!({}));
    let scale = version["subresources"]["scale"].as_object().unwrap();
    assert_eq!(scale.len(), 3);
    assert!(scale.values().all(|path| known(path.as_str().unwrap())), "{scale:?}");
    assert_eq!(version["selectableFields"], serde_json::json!([{"jsonPath": ".spec.suspend"}]));
}
