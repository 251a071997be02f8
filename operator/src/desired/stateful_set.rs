//! The StatefulSet.

use lifeboat_api::queue::UpdateStrategyType;
use serde_json::{Map, Value, json};

use super::config::Config;
use super::{object, pod};
use crate::labels;
use crate::names::{self, CLAIM_TEMPLATE};
use crate::observed::Observed;
use crate::plan::Plan;
use crate::queue::Queue;

/// A replica counts as updated when it has been ready for so many seconds.
const MIN_READY: u32 = 5;

/// The StatefulSet. Its claims are kept whatever becomes of it and its size: it knows nothing of
/// backlogs, the plan does.
pub(super) fn stateful_set(
    queue: &Queue,
    config: &Config,
    plan: &Plan,
    observed: &Observed,
    image: &str,
) -> Value {
    let mut object = object(queue, "apps/v1", "StatefulSet", &names::stateful_set(&queue.name));
    let spec = json!({
        "replicas": plan.replicas,
        "serviceName": names::pods_service(&queue.name),
        // Replicas do not need each other; and a revision that does not start can be taken back.
        "podManagementPolicy": "Parallel",
        "minReadySeconds": MIN_READY,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "updateStrategy": update_strategy(queue, plan),
        "selector": {"matchLabels": labels::selector(&queue.name)},
        "template": pod::template(queue, config, image),
        "volumeClaimTemplates": claim_templates(queue, observed),
    });
    object.insert("spec".to_owned(), spec);
    Value::Object(object)
}

/// While the plan holds a rollout the partition lies above all pods: each keeps its revision.
fn update_strategy(queue: &Queue, plan: &Plan) -> Value {
    match queue.update.strategy {
        UpdateStrategyType::OnDelete => json!({"type": "OnDelete"}),
        UpdateStrategyType::RollingUpdate => {
            let held = if plan.hold_rollout { plan.replicas } else { 0 };
            let partition = queue.update.partition.max(held);
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}})
        }
    }
}

/// A StatefulSet's claim templates cannot change: one that exists keeps its own, word for word, until
/// growth has it made anew.
fn claim_templates(queue: &Queue, observed: &Observed) -> Value {
    let live = observed.stateful_set.as_ref().and(observed.claim_templates.as_ref());
    live.cloned().unwrap_or_else(|| json!([claim_template(queue)]))
}

fn claim_template(queue: &Queue) -> Value {
    let claim = &queue.claim;
    let mut spec = Map::new();
    let access = claim.access_mode.unwrap_or_default();
    spec.insert("accessModes".to_owned(), json!([access]));
    spec.insert("resources".to_owned(), json!({"requests": {"storage": claim.size}}));
    let classes = [
        ("storageClassName", &claim.storage_class_name),
        ("volumeAttributesClassName", &claim.volume_attributes_class_name),
    ];
    for (field, class) in classes {
        if let Some(class) = class {
            spec.insert(field.to_owned(), class.as_str().into());
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM_TEMPLATE, "labels": labels::of_objects(&queue.name)},
        "spec": spec,
    })
}
