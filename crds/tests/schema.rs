//! The schema that the CRD will be made of: no defaults in it, all of them told in words.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lifeboat_api::resource::PersistentQueueSpec;
use serde_json::Value;

fn schema() -> Value {
    schemars::generate::SchemaSettings::openapi3()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<PersistentQueueSpec>()
        .to_value()
}

/// Every schema below `schema`, with the path of its field.
fn walk<'a>(schema: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(path, schema);
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        walk(child, &format!("{path}.{name}"), visit);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}[]"), visit);
    }
    for combined in ["oneOf", "anyOf", "allOf"] {
        for child in schema[combined].as_array().into_iter().flatten() {
            walk(child, path, visit);
        }
    }
}

#[test]
fn the_schema_has_no_defaults() {
    let schema = schema();
    let mut seen = 0;
    walk(&schema, "spec", &mut |path, schema| {
        seen += 1;
        assert!(schema.get("default").is_none(), "{path} has a default");
    });
    assert!(seen > 40, "only {seen} schemas walked");
    assert!(!schema.to_string().contains("\"default\""));
}

#[test]
fn what_must_be_written_is_required_and_nothing_else() {
    let schema = schema();
    let mut required = Vec::new();
    walk(&schema, "spec", &mut |path, schema| {
        for name in schema["required"].as_array().into_iter().flatten() {
            required.push(format!("{path}.{}", name.as_str().unwrap()));
        }
    });
    required.sort();
    let expected = [
        "spec.storage",
        "spec.storage.size",
        "spec.streams",
        "spec.streams[].deliveries",
        "spec.streams[].deliveries[].curve.secretName",
        "spec.streams[].deliveries[].name",
        "spec.streams[].deliveries[].socket",
        "spec.streams[].ingress",
        "spec.streams[].ingress[].curve.secretName",
        "spec.streams[].ingress[].dedup.window",
        "spec.streams[].ingress[].name",
        "spec.streams[].ingress[].socket",
        "spec.streams[].name",
    ];
    assert_eq!(required, expected);
}

#[test]
fn every_field_is_described() {
    let schema = schema();
    let mut seen = 0;
    walk(&schema, "spec", &mut |path, schema| {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            seen += 1;
            let text = field["description"].as_str().unwrap_or_default();
            assert!(text.len() > 10, "{path}.{name}: {text:?}");
        }
    });
    assert!(seen > 40, "only {seen} fields");
}
