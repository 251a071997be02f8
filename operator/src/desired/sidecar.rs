//! The sidecar's container.

use lifeboat_api::format_bytes;
use serde_json::{Map, Value, json};

use super::config::Config;
use super::json::{append, merge};
use crate::labels::POD_INDEX;
use crate::names::{
    ADMIN_PORT, ADMIN_PORT_NAME, CLAIM_TEMPLATE, CONFIG_KEY, SIDECAR, SOCKET_DIRECTORY,
};
use crate::queue::{LOG_VARIABLE, ORDINAL_VARIABLE, Queue, ports};

/// The user and the group that it runs as, also the group of sockets and volume.
pub(super) const USER: u32 = 65_532;
/// The volume with the sockets.
pub(super) const SOCKETS: &str = "lifeboat-run";
/// The volume with the configuration.
pub(super) const CONFIGURATION: &str = "lifeboat-config";
/// The empty volume where a token would be.
pub(super) const NO_TOKEN: &str = "lifeboat-no-token";

const VOLUME: &str = "/var/lib/lifeboat";
/// The data directory in the container. Not the volume itself: that may hold a `lost+found`.
pub const DATA_DIRECTORY: &str = "/var/lib/lifeboat/data";
const CONFIG_DIRECTORY: &str = "/etc/lifeboat";
/// Where the API server would mount a token. It adds none where something is mounted already.
const TOKEN_DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const CPU: &str = "50m";

/// The container: an init container that goes on running, so that it starts before the application
/// and ends after it.
pub(super) fn container(queue: &Queue, config: &Config, image: &str) -> Value {
    let mut container = Map::new();
    let parts = [
        ("name", SIDECAR.into()),
        ("image", image.into()),
        ("restartPolicy", "Always".into()),
        ("command", command()),
        ("env", environment(queue)),
        ("ports", container_ports(config)),
        // The port answers once the log is recovered, which may take minutes: 30 of them.
        ("startupProbe", probe("/startupz", 2, 900)),
        ("readinessProbe", probe("/readyz", 5, 2)),
        ("livenessProbe", probe("/livez", 10, 6)),
        (
            "lifecycle",
            json!({"preStop": {"exec": {"command": ["lifeboat", "quiesce", "--data", DATA_DIRECTORY]}}}),
        ),
        ("resources", resources(queue, config)),
        ("securityContext", security()),
        ("volumeMounts", mounts()),
        // A file that it refuses is told on stderr, and so in the pod's status.
        ("terminationMessagePolicy", "FallbackToLogsOnError".into()),
    ];
    container.extend(parts.map(|(field, value)| (field.to_owned(), value)));
    append(&mut container, "env", queue.sidecar.env.clone().unwrap_or_default());
    Value::Object(container)
}

fn command() -> Value {
    let file = format!("{CONFIG_DIRECTORY}/{CONFIG_KEY}");
    let admin = format!("0.0.0.0:{ADMIN_PORT}");
    let ordinal = format!("$({ORDINAL_VARIABLE})");
    json!([
        "lifeboat",
        "run",
        file,
        "--data",
        DATA_DIRECTORY,
        "--sockets",
        SOCKET_DIRECTORY,
        "--host",
        "0.0.0.0",
        "--admin",
        admin,
        "--ordinal",
        ordinal,
    ])
}

fn environment(queue: &Queue) -> Value {
    let index = format!("metadata.labels['{POD_INDEX}']");
    let mut variables = vec![json!({
        "name": ORDINAL_VARIABLE,
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": index}},
    })];
    if let Some(level) = &queue.sidecar.log_level {
        variables.push(json!({"name": LOG_VARIABLE, "value": level}));
    }
    Value::Array(variables)
}

fn container_ports(config: &Config) -> Value {
    let streams = ports(&config.dataplane)
        .into_iter()
        .map(|port| json!({"name": port.name(), "containerPort": port.number, "protocol": "TCP"}));
    let admin = json!({"name": ADMIN_PORT_NAME, "containerPort": ADMIN_PORT, "protocol": "TCP"});
    streams.chain([admin]).collect()
}

/// A probe each `period` seconds, which may fail `failures` times in a row.
fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": ADMIN_PORT, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    })
}

/// What the user asks for, and all the memory that it may use: it is the last one that should be
/// evicted.
fn resources(queue: &Queue, config: &Config) -> Value {
    let mut resources = match &queue.sidecar.resources {
        Some(Value::Object(given)) => given.clone(),
        _ => Map::new(),
    };
    let memory = json!({"memory": format_bytes(config.dataplane.memory)});
    for list in ["requests", "limits"] {
        merge(&mut resources, list, memory.clone());
    }
    // A limit alone is a request too: the API server's rule.
    let is_given = ["requests", "limits"].iter().any(|list| resources[*list].get("cpu").is_some());
    match &queue.sidecar.cpu {
        Some(cpu) => merge(&mut resources, "requests", json!({"cpu": cpu})),
        None if is_given => {}
        None => merge(&mut resources, "requests", json!({"cpu": CPU})),
    }
    Value::Object(resources)
}

fn security() -> Value {
    json!({
        "runAsUser": USER,
        "runAsGroup": USER,
        "runAsNonRoot": true,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

fn mounts() -> Value {
    json!([
        {"name": CLAIM_TEMPLATE, "mountPath": VOLUME},
        {"name": SOCKETS, "mountPath": SOCKET_DIRECTORY},
        {"name": CONFIGURATION, "mountPath": CONFIG_DIRECTORY, "readOnly": true},
        {"name": NO_TOKEN, "mountPath": TOKEN_DIRECTORY, "readOnly": true},
    ])
}
