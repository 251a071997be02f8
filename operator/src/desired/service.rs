//! The Services: one for producers, one that gives each pod a name, and one for each replica where
//! that is wanted.

use serde_json::{Map, Value, json};

use super::config::Config;
use super::object;
use crate::labels::{self, ACCEPTING, POD_NAME, TRUE};
use crate::names::{self, ADMIN_PORT, ADMIN_PORT_NAME};
use crate::plan::Plan;
use crate::queue::{Queue, ports};

/// Every Service of the queue. Without a tcp port there is nothing for producers to reach.
pub(super) fn services(queue: &Queue, config: &Config, plan: &Plan) -> Vec<Value> {
    let ports: Vec<_> = ports(&config.dataplane)
        .into_iter()
        .map(|port| service_port(&port.name(), port.number))
        .collect();
    let mut services = vec![headless(queue, &ports)];
    if ports.is_empty() {
        return services;
    }
    services.push(client(queue, &ports));
    if queue.service.per_replica.unwrap_or(false) {
        // Those of a suspended queue stay, for the addresses that they have.
        let wanted = queue.replicas.max(plan.replicas);
        let ordinals = 0..u32::try_from(wanted).unwrap_or_default();
        services.extend(ordinals.map(|ordinal| of_replica(queue, ordinal, &ports)));
    }
    services
}

/// Pods that take messages in, whatever their application does: readiness is that of the whole pod,
/// so it is not asked; the label is.
fn client(queue: &Queue, ports: &[Value]) -> Value {
    let mut selector = labels::selector(&queue.name);
    selector[ACCEPTING] = TRUE.into();
    exposed(queue, &names::service(&queue.name), &selector, ports)
}

fn of_replica(queue: &Queue, ordinal: u32, ports: &[Value]) -> Value {
    let mut selector = labels::selector(&queue.name);
    selector[POD_NAME] = names::pod(&queue.name, ordinal).into();
    exposed(queue, &names::replica_service(&queue.name, ordinal), &selector, ports)
}

fn exposed(queue: &Queue, name: &str, selector: &Value, ports: &[Value]) -> Value {
    let mut object = object(queue, "v1", "Service", name);
    if let Some(annotations) = &queue.service.annotations {
        object["metadata"]["annotations"] = json!(annotations);
    }
    spec(
        object,
        json!({
            "type": queue.service.type_.unwrap_or_default(),
            "publishNotReadyAddresses": true,
            "selector": selector,
            "ports": ports,
        }),
    )
}

fn headless(queue: &Queue, ports: &[Value]) -> Value {
    let admin = service_port(ADMIN_PORT_NAME, ADMIN_PORT);
    let ports: Vec<_> = ports.iter().cloned().chain([admin]).collect();
    spec(
        object(queue, "v1", "Service", &names::pods_service(&queue.name)),
        json!({
            "clusterIP": "None",
            "publishNotReadyAddresses": true,
            "selector": labels::selector(&queue.name),
            "ports": ports,
        }),
    )
}

fn spec(mut object: Map<String, Value>, spec: Value) -> Value {
    object.insert("spec".to_owned(), spec);
    Value::Object(object)
}

fn service_port(name: &str, number: u16) -> Value {
    json!({"name": name, "port": number, "targetPort": number, "protocol": "TCP"})
}
