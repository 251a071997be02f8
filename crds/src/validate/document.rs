//! The file as a whole: what it is, whose it is, and its parts.

use serde_json::Value;

use super::facts::Facts;
use super::walk::{Node, Object, Walk, show};
use super::{fields, replicas, spec};
use crate::names::{QUEUE_FORM, is_queue_name};
use crate::{API_VERSION, KIND};

const METADATA_FORM: &str = "a mapping with the queue's name";
const SPEC_FORM: &str = "a mapping with streams and storage";

/// Checks all of `tree`, apart from the rules that join several fields.
pub(crate) fn check<'a>(walk: &mut Walk, tree: &'a Value) -> Facts<'a> {
    let root = Node { path: String::new(), value: tree };
    let Some(document) = walk.object(&root, fields::DOCUMENT) else {
        return Facts::default();
    };
    constant(walk, &document, "apiVersion", API_VERSION);
    constant(walk, &document, "kind", KIND);
    if let Some(node) = walk.required(&document, "metadata", METADATA_FORM) {
        metadata(walk, &node);
    }
    let spec = walk.required(&document, "spec", SPEC_FORM);
    let facts = spec.map_or_else(Facts::default, |node| spec::check(walk, &node));
    if let Some(node) = document.get("replicas") {
        replicas::check(walk, &node);
    }
    facts
}

fn constant(walk: &mut Walk, document: &Object<'_>, name: &str, expected: &str) {
    let Some(node) = walk.required(document, name, expected) else { return };
    let Some(text) = walk.text(&node, expected) else { return };
    if text != expected {
        walk.problem(&node.path, format!("{} is unknown; expected {expected}", show(text)));
    }
}

fn metadata(walk: &mut Walk, node: &Node<'_>) {
    let Some(metadata) = walk.object(node, fields::METADATA) else { return };
    let Some(name) = walk.required(&metadata, "name", QUEUE_FORM) else { return };
    let Some(text) = walk.text(&name, QUEUE_FORM) else { return };
    if !is_queue_name(text) {
        walk.problem(&name.path, format!("{} is no valid name; expected {QUEUE_FORM}", show(text)));
    }
}
