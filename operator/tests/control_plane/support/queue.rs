//! Queues that tests declare.

use serde_json::{Value, json};

/// Two replicas of a work queue, named `orders`.
pub(crate) fn orders() -> Value {
    json!({
        "apiVersion": "lifeboat.dev/v1alpha1",
        "kind": "PersistentQueue",
        "metadata": {"name": "orders"},
        "spec": {
            "replicas": 2,
            "storage": {"size": "1Gi"},
            "streams": [{
                "name": "work",
                "ingress": [
                    {"name": "in", "socket": "ROUTER", "protocol": "Receipt", "bind": "tcp://*:5556"},
                ],
                "deliveries": [{"name": "out", "socket": "ROUTER", "protocol": "Credit"}],
            }],
            "template": {"spec": {"containers": [{"name": "app", "image": "shop/worker:1.0"}]}},
        },
    })
}

/// The same by another name, and with these fields of its spec.
pub(crate) fn orders_with(name: &str, change: &Value) -> Value {
    let mut queue = orders();
    queue["metadata"]["name"] = name.into();
    for (field, value) in change.as_object().into_iter().flatten() {
        queue["spec"][field] = value.clone();
    }
    queue
}
