//! The queue of the check: what comes in with a receipt goes to the check over tcp, and to the
//! application in the pod through its socket.

use lifeboat_api::queue::PersistentQueue;
use lifeboat_api::{API_VERSION, KIND};
use serde_json::json;

use super::Options;
use crate::labels::{ALLOW_DELETE, TRUE};

/// The port that takes messages and gives receipts.
pub(super) const RECEIPTS: u16 = 5556;
/// The port that delivers them.
pub(super) const DELIVERIES: u16 = 6556;

/// The resource, of one replica with the smallest volume. Nothing of it is to stay.
pub(super) fn queue(name: &str, options: &Options) -> Result<PersistentQueue, serde_json::Error> {
    let mut storage = json!({"size": "64Mi", "whenDeleted": "Delete"});
    if let Some(class) = &options.storage_class {
        storage["storageClassName"] = class.as_str().into();
    }
    // The application is the `lifeboat` command itself: its image is here anyway.
    let application = json!({
        "name": "reader",
        "image": options.image,
        "command": ["lifeboat", "receive", "$(LIFEBOAT_CHECK_READER)", "--credit"],
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": {
            "runAsUser": 65_534,
            "runAsNonRoot": true,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    serde_json::from_value(json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": options.namespace,
            "annotations": {ALLOW_DELETE: TRUE},
        },
        "spec": {
            "replicas": 1,
            "storage": storage,
            "streams": [{
                "name": "check",
                "ingress": [{
                    "name": "receipts",
                    "socket": "ROUTER",
                    "protocol": "Receipt",
                    "bind": format!("tcp://*:{RECEIPTS}"),
                    "maxMessageSize": "64Ki",
                }],
                "deliveries": [
                    {
                        "name": "check",
                        "socket": "ROUTER",
                        "protocol": "Credit",
                        "bind": format!("tcp://*:{DELIVERIES}"),
                    },
                    {"name": "reader", "socket": "ROUTER", "protocol": "Credit"},
                ],
            }],
            "template": {
                "spec": {
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 10,
                    "containers": [application],
                },
            },
        },
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::queue::Queue;

    #[test]
    fn the_queue_can_be_made() {
        let options = Options {
            namespace: "lifeboat-system".to_owned(),
            image: "lifeboat:0.1.0".to_owned(),
            storage_class: Some("fast".to_owned()),
            messages: 10,
            patience: Duration::from_secs(60),
            host: None,
            keep_failed: false,
        };
        let resource = queue("lifeboat-check-19d2c0ffee0", &options).unwrap();
        let read = Queue::read(&resource).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(read.claim.storage_class_name.as_deref(), Some("fast"));
        assert_eq!(crate::queue::ports(&read.dataplane).len(), 2);
    }
}
