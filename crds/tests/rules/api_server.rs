//! What an API server does with the CRD's schema: the forms of values, then the rules. Lists are
//! compared with their old state by position, so that tests must keep their order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use kube_cel::{CompiledSchema, Validator, compile_schema};
use regex::Regex;
use serde_json::Value;

/// The CRD's schema, ready for use.
pub(crate) struct ApiServer {
    schema: Value,
    rules: CompiledSchema,
    patterns: RefCell<BTreeMap<String, Regex>>,
}

impl ApiServer {
    pub(crate) fn new() -> Self {
        let crd = lifeboat_api::parse(include_str!("../../persistentqueues.yaml")).unwrap();
        let schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        let rules = compile_schema(&schema);
        assert!(!rules.has_errors(), "{:?}", rules.compilation_errors());
        Self { schema, rules, patterns: RefCell::default() }
    }

    /// Why `queue` is refused, when it is made or when it replaces `old`. Rules are looked at only
    /// if every value has its form.
    pub(crate) fn refusals(&self, queue: &Value, old: Option<&Value>) -> Vec<String> {
        let mut refusals = Vec::new();
        self.check(&self.schema, queue, "", &mut refusals);
        if refusals.is_empty() {
            let errors = Validator::new().validate_compiled(&self.rules, queue, old).err();
            refusals.extend(errors.into_iter().flatten().map(|error| error.to_string()));
        }
        refusals
    }

    /// The messages of all rules.
    pub(crate) fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        collect(&self.schema, &mut messages);
        messages
    }

    fn check(&self, schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
        let mut refuse = |why: &str| out.push(format!("{path}: {why}"));
        if !is_of(schema, value) {
            return refuse("type");
        }
        if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
            refuse("enum");
        }
        if let Some(number) = value.as_i64() {
            let bound = |keyword| schema[keyword].as_i64();
            if bound("minimum").is_some_and(|least| number < least)
                || bound("maximum").is_some_and(|most| number > most)
            {
                refuse("range");
            }
        }
        match value {
            Value::String(text) => {
                if !within(schema, text.chars().count(), "minLength", "maxLength") {
                    refuse("length");
                }
                if schema["pattern"].as_str().is_some_and(|pattern| !self.matches(pattern, text)) {
                    refuse("pattern");
                }
            }
            Value::Array(items) => {
                if !within(schema, items.len(), "minItems", "maxItems") {
                    refuse("length");
                }
                if repeats(schema, items) {
                    refuse("repeated");
                }
                for (index, item) in items.iter().enumerate() {
                    self.check(&schema["items"], item, &format!("{path}[{index}]"), out);
                }
            }
            Value::Object(fields) => {
                for name in schema["required"].as_array().into_iter().flatten() {
                    if !fields.contains_key(name.as_str().unwrap()) {
                        refuse(&format!("{name} is required"));
                    }
                }
                for (name, value) in fields {
                    if let Some(schema) = schema["properties"].get(name) {
                        self.check(schema, value, &format!("{path}.{name}"), out);
                    } else if !(path.is_empty() || is_free(schema)) {
                        out.push(format!("{path}: {name} is unknown"));
                    }
                }
            }
            _ => {}
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        let known = patterns.entry(pattern.to_owned());
        known.or_insert_with(|| Regex::new(pattern).unwrap()).is_match(text)
    }
}

fn is_of(schema: &Value, value: &Value) -> bool {
    match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        other => panic!("no type, or an unknown one: {other:?}"),
    }
}

fn is_free(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema.get("additionalProperties").is_some()
}

fn within(schema: &Value, length: usize, least: &str, most: &str) -> bool {
    let length = u64::try_from(length).unwrap();
    schema[least].as_u64().is_none_or(|least| length >= least)
        && schema[most].as_u64().is_none_or(|most| length <= most)
}

/// Whether a set or a map has an item, or a key, twice.
fn repeats(schema: &Value, items: &[Value]) -> bool {
    let key = |item: &Value| match schema["x-kubernetes-list-map-keys"].as_array() {
        None => item.to_string(),
        Some(keys) => keys.iter().map(|key| item[key.as_str().unwrap()].to_string()).collect(),
    };
    let distinct: BTreeSet<_> = items.iter().map(key).collect();
    schema["x-kubernetes-list-type"] != "atomic" && distinct.len() < items.len()
}

fn collect(schema: &Value, messages: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        messages.push(rule["message"].as_str().unwrap().to_owned());
    }
    schema["properties"].as_object().into_iter().flatten().for_each(|(_, inner)| {
        collect(inner, messages);
    });
    if let Some(items) = schema.get("items") {
        collect(items, messages);
    }
}
