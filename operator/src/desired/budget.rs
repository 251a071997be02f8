//! The PodDisruptionBudget.

use serde_json::{Value, json};

use super::object;
use crate::labels;
use crate::names;
use crate::queue::Queue;

/// The budget, unless the user wants none. A pod that is not healthy may always be evicted: its
/// data is on the claim.
pub(super) fn disruption_budget(queue: &Queue) -> Option<Value> {
    let max_unavailable = queue.max_unavailable?;
    let name = names::disruption_budget(&queue.name);
    let mut object = object(queue, "policy/v1", "PodDisruptionBudget", &name);
    let spec = json!({
        "maxUnavailable": max_unavailable,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": labels::selector(&queue.name)},
    });
    object.insert("spec".to_owned(), spec);
    Some(Value::Object(object))
}
