//! Bounds and forms of fields, by their place: what the types do not carry. Where the validator
//! has the same bound, both take it from [`bounds`].
//!
//! The API server needs an upper bound on every list and text that a rule reads, to know what the
//! rule may cost.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::{bounds, duration, quantity};

/// A DNS label (RFC 1123), as `names::is_label` has it.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS subdomain (RFC 1123): the name of most of Kubernetes' objects.
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A quantity that may be fractional, as of processor time.
const CPU: &str = "^([0-9]+m|[0-9]+([.][0-9]{1,3})?)$";

/// Replicas: as many as there are ordinals.
const REPLICAS: RangeInclusive<u64> = 0..=*bounds::ORDINALS.end() as u64 + 1;
/// Entries of a list of which a queue needs a few.
const FEW: RangeInclusive<usize> = 0..=64;
/// Entries of a list of a pod template.
const MANY: RangeInclusive<usize> = 0..=256;

/// Every bound and form, as keywords to add at a place.
pub(super) fn all() -> Vec<(&'static str, Value)> {
    [streams(), ingress(), deliveries(), volume(), pods(), template(), access(), status()].concat()
}

fn streams() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.streams", map(bounds::STREAMS, "name")),
        ("spec.streams[].name", text(bounds::NAME_LENGTH, LABEL)),
        ("spec.streams[].ingress", map(bounds::INGRESS, "name")),
        ("spec.streams[].deliveries", map(bounds::DELIVERIES, "name")),
        ("spec.streams[].retention.key", json!({"enum": ["Topic", "Frame"]})),
        ("spec.streams[].retention.frame", number(0..=1_023)),
        ("spec.streams[].retention.maxMessages", json!({"minimum": 1, "format": "int64"})),
    ]
}

fn ingress() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.streams[].ingress[].name", text(bounds::NAME_LENGTH, LABEL)),
        ("spec.streams[].ingress[].connect", set(bounds::REMOTES)),
        ("spec.streams[].ingress[].topics", set(FEW)),
        ("spec.streams[].ingress[].topics[]", json!({"maxLength": 256})),
        ("spec.streams[].ingress[].maxConnections", number(bounds::CONNECTIONS)),
        ("spec.streams[].ingress[].curve.secretName", text(253, SUBDOMAIN)),
        ("spec.streams[].ingress[].filters", list(FEW)),
        ("spec.streams[].ingress[].filters[]", free_object()),
        ("spec.streams[].ingress[].routingId", json!({"minLength": 1, "maxLength": 255})),
    ]
}

fn deliveries() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.streams[].deliveries[].name", text(bounds::NAME_LENGTH, LABEL)),
        ("spec.streams[].deliveries[].connect", set(bounds::REMOTES)),
        ("spec.streams[].deliveries[].maxConnections", number(bounds::CONNECTIONS)),
        ("spec.streams[].deliveries[].maxInFlight", number(bounds::IN_FLIGHT)),
        ("spec.streams[].deliveries[].maxAttempts", number(bounds::ATTEMPTS)),
        ("spec.streams[].deliveries[].backoff", list(bounds::BACKOFF)),
        ("spec.streams[].deliveries[].trail.messages", number(bounds::TRAIL_MESSAGES)),
        ("spec.streams[].deliveries[].from", json!({"maxLength": 64})),
        ("spec.streams[].deliveries[].curve.secretName", text(253, SUBDOMAIN)),
        ("spec.streams[].deliveries[].filters", list(FEW)),
        ("spec.streams[].deliveries[].filters[]", free_object()),
        ("spec.streams[].deliveries[].routingId", json!({"minLength": 1, "maxLength": 255})),
    ]
}

fn volume() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.storage.storageClassName", text(253, SUBDOMAIN)),
        ("spec.storage.volumeAttributesClassName", text(253, SUBDOMAIN)),
    ]
}

/// How many pods there are, and how they come and go.
fn pods() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.replicas", with(number(REPLICAS), json!({"default": 1}))),
        ("spec.suspend", json!({"default": false})),
        ("spec.scaleDown.policy", json!({"default": "Drain"})),
        ("spec.scaleDown.timeout", text(duration::MAX_LENGTH, duration::PATTERN)),
        ("spec.scaleDown.onTimeout", json!({"default": "Block"})),
        ("spec.updateStrategy.type", json!({"default": "RollingUpdate"})),
        (
            "spec.updateStrategy.rollingUpdate.partition",
            with(number(REPLICAS), json!({"default": 0})),
        ),
        ("spec.podDisruptionBudget.enabled", json!({"default": true})),
        ("spec.podDisruptionBudget.maxUnavailable", with(number(REPLICAS), json!({"default": 1}))),
    ]
}

/// The application's pod template is the API server's to check, when the operator applies it. Here
/// stands only what rules read and what lets several field managers share a list; all else is kept
/// as it is.
fn template() -> Vec<(&'static str, Value)> {
    let named = |description: &str, range| {
        let item = json!({
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 63}},
            "x-kubernetes-preserve-unknown-fields": true,
        });
        let all = json!({"description": description, "type": "array", "items": item});
        with(map(range, "name"), all)
    };
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let spec = json!({
        "description": "As in a Deployment. Names that start with `lifeboat-` are reserved.",
        "type": "object",
        "required": ["containers"],
        "properties": {
            "containers": named("The application's containers: at least one.", 1..=*FEW.end()),
            "initContainers": named("Containers that start before.", FEW),
            "volumes": named("The application's volumes.", MANY),
            "restartPolicy": {
                "description": "Always, if it is given.",
                "type": "string",
                "maxLength": 16,
            },
        },
        "x-kubernetes-preserve-unknown-fields": true,
    });
    let metadata = json!({
        "description": "Labels and annotations of the pods.",
        "type": "object",
        "properties": {"labels": strings, "annotations": strings},
        "x-kubernetes-preserve-unknown-fields": true,
    });
    let template = json!({
        "type": "object",
        "required": ["spec"],
        "properties": {"metadata": metadata, "spec": spec},
        "x-kubernetes-preserve-unknown-fields": true,
    });
    vec![
        ("spec.template", template),
        ("spec.containers", set(1..=*FEW.end())),
        ("spec.containers[]", text(63, LABEL)),
        ("spec.sidecar.image", json!({"minLength": 1, "maxLength": 1024})),
        ("spec.sidecar.upgrade", json!({"default": "Pinned"})),
        ("spec.sidecar.cpu", text(quantity::MAX_LENGTH, CPU)),
        ("spec.sidecar.resources", free_object()),
        ("spec.sidecar.logLevel", json!({"maxLength": 256})),
        ("spec.sidecar.env", map(MANY, "name")),
        (
            "spec.sidecar.env[]",
            with(
                free_object(),
                json!({
                    "required": ["name"],
                    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 253}},
                }),
            ),
        ),
    ]
}

/// Who may reach the queue, and how.
fn access() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.service.type", json!({"default": "ClusterIP"})),
        ("spec.service.annotations", json!({"maxProperties": FEW.end()})),
        ("spec.service.perReplica", json!({"default": false})),
        ("spec.networkPolicy.enabled", json!({"default": true})),
        ("spec.networkPolicy.from", list(FEW)),
        ("spec.networkPolicy.from[]", free_object()),
        ("spec.networkPolicy.monitoringFrom", list(FEW)),
        ("spec.networkPolicy.monitoringFrom[]", free_object()),
    ]
}

fn status() -> Vec<(&'static str, Value)> {
    vec![
        ("status.conditions", map(0..=32, "type")),
        ("status.instances", map(0..=128, "ordinal")),
        ("status.instances[]", json!({"required": ["ordinal"]})),
        ("status.strandedClaims", map(0..=1_024, "claim")),
    ]
}

/// A list that has one owner.
fn list(range: RangeInclusive<usize>) -> Value {
    let mut keywords = json!({"maxItems": range.end(), "x-kubernetes-list-type": "atomic"});
    if *range.start() > 0 {
        keywords["minItems"] = (*range.start()).into();
    }
    keywords
}

/// A list whose items are known by their field `key`.
fn map(range: RangeInclusive<usize>, key: &str) -> Value {
    let keys = json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]});
    with(list(range), keys)
}

/// A list in which each item stands once.
fn set(range: RangeInclusive<usize>) -> Value {
    with(list(range), json!({"x-kubernetes-list-type": "set"}))
}

fn number(range: RangeInclusive<u64>) -> Value {
    json!({"minimum": range.start(), "maximum": range.end()})
}

fn text(most: usize, pattern: &str) -> Value {
    json!({"maxLength": most, "pattern": pattern})
}

/// Any object; it is checked by whoever gets it.
fn free_object() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// `more` on top of `keywords`, both objects.
fn with(mut keywords: Value, more: Value) -> Value {
    if let (Some(keywords), Value::Object(more)) = (keywords.as_object_mut(), more) {
        keywords.extend(more);
    }
    keywords
}
