//! The schema of the CRD: the types' own, made structural, with the bounds ([`shapes`]) and the
//! rules ([`rules`]) that types cannot carry.
//!
//! It must not hold a default below `spec.streams`, `spec.storage`, `spec.durability` and
//! `spec.sidecar.memory`: what a user did not write there stays unwritten.

mod place;
mod rules;
mod shapes;
mod structural;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{PersistentQueue, QueueSpec, QueueStatus};

const DESCRIPTION: &str = "A PersistentQueue is durable ZeroMQ messaging around an application: \
    what arrives is on the volume, synced, before it is handed on and before its producer is told \
    that it is safe. Each replica is a log of its own (a shard, not a copy) in a pod with the \
    application.";

impl JsonSchema for PersistentQueue {
    fn schema_name() -> Cow<'static, str> {
        crate::KIND.into()
    }

    /// The finished schema; the generator's settings change nothing in it.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({
            "description": DESCRIPTION,
            "type": "object",
            "required": ["spec"],
            "properties": {"spec": of::<QueueSpec>(), "status": of::<QueueStatus>()},
        });
        let root = schema.ensure_object();
        for (at, keywords) in shapes::all() {
            place::add(root, at, keywords);
        }
        for rule in rules::all() {
            place::push(root, rule.at, "x-kubernetes-validations", rule.to_json());
        }
        schema
    }
}

/// The structural schema of `T`.
fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    structural::make(&mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        PersistentQueue::json_schema(&mut SchemaGenerator::default()).to_value()
    }

    #[test]
    fn every_shape_and_rule_has_its_place() {
        let mut schema = schema();
        let root = schema.as_object_mut().unwrap();
        for (at, _) in shapes::all() {
            assert!(place::find(root, at).is_some(), "{at}");
        }
        for rule in rules::all() {
            assert!(place::find(root, rule.at).is_some(), "{}", rule.at);
        }
    }
}
