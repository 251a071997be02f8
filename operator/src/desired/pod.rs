//! The pod template: the user's, with the sidecar put into it. Every field of the user's stays,
//! those that this version does not know included.

use lifeboat_api::{Dataplane, Endpoint, Host, TcpEndpoint, variable_name};
use serde_json::{Map, Value, json};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::config::Config;
use super::json::{append, default, has_named, merge, prepend};
use super::sidecar::{self, CONFIGURATION, NO_TOKEN, SOCKETS, USER};
use crate::labels::{self, ACCEPTING, CONFIG_HASH, RESTARTED_AT, TRUE};
use crate::names::{self, CONFIG_KEY, SOCKET_DIRECTORY};
use crate::queue::Queue;

/// Time for the application to end and for the sidecar to close the log, in seconds.
const GRACE: u32 = 60;
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The pod template of the StatefulSet.
pub(super) fn template(queue: &Queue, config: &Config, image: &str) -> Value {
    json!({"metadata": metadata(queue, config), "spec": spec(queue, config, image)})
}

fn metadata(queue: &Queue, config: &Config) -> Value {
    let mut metadata = queue.template.metadata.clone();
    merge(&mut metadata, "labels", labels::selector(&queue.name));
    merge(&mut metadata, "labels", json!({ACCEPTING: TRUE}));
    merge(&mut metadata, "annotations", json!({CONFIG_HASH: config.hash()}));
    if let Some(when) = &queue.requests.restarted_at {
        merge(&mut metadata, "annotations", json!({RESTARTED_AT: when}));
    }
    // So that `kubectl logs` and `exec` mean the application.
    let first = queue.template.names("containers").next();
    if let (Some(first), Some(Value::Object(annotations))) =
        (first, metadata.get_mut("annotations"))
    {
        default(annotations, DEFAULT_CONTAINER, first.into());
    }
    Value::Object(metadata)
}

fn spec(queue: &Queue, config: &Config, image: &str) -> Value {
    let mut spec = queue.template.spec.clone();
    // Last of them: the user's own come first, as in a pod without a queue.
    append(&mut spec, "initContainers", [sidecar::container(queue, config, image)]);
    let variables = variables(&config.dataplane);
    if let Some(Value::Array(containers)) = spec.get_mut("containers") {
        let receives = |container: &Map<String, Value>| {
            let name = container.get("name").and_then(Value::as_str);
            name.is_some_and(|name| queue.containers.iter().any(|it| it == name))
        };
        let all = containers.iter_mut().filter_map(Value::as_object_mut);
        all.filter(|container| receives(container)).for_each(|it| give_sockets(it, &variables));
    }
    append(&mut spec, "volumes", volumes(queue));
    security(&mut spec);
    default(&mut spec, "terminationGracePeriodSeconds", GRACE.into());
    default(&mut spec, "topologySpreadConstraints", spread(queue));
    Value::Object(spec)
}

/// Sockets can be connected to on a read-only mount, and not be removed.
fn give_sockets(container: &mut Map<String, Value>, variables: &[(String, String)]) {
    // What the container sets itself is what its author wants.
    let missing: Vec<_> = variables
        .iter()
        .filter(|(name, _)| !has_named(container, "env", name))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    // Before its own, which may refer to them: `$(NAME)` is made of what stands earlier.
    prepend(container, "env", missing);
    let mount = json!({"name": SOCKETS, "mountPath": SOCKET_DIRECTORY, "readOnly": true});
    append(container, "volumeMounts", [mount]);
}

/// A variable for each socket that is bound: its name, and the endpoint as the pod reaches it.
fn variables(dataplane: &Dataplane) -> Vec<(String, String)> {
    let dir = Path::new(SOCKET_DIRECTORY);
    let mut variables = Vec::new();
    for stream in &dataplane.streams {
        let ingress = stream.ingress.iter().filter(|it| it.connect.is_empty());
        let ingress = ingress.map(|it| (&it.name, it.endpoint_in(dir, &stream.name)));
        let deliveries = stream.deliveries.iter().filter(|it| it.connect.is_empty());
        let deliveries = deliveries.map(|it| (&it.name, it.endpoint_in(dir, &stream.name)));
        for (name, endpoint) in ingress.chain(deliveries) {
            variables.push((variable_name(&stream.name, name), from_inside(endpoint).to_string()));
        }
    }
    variables
}

/// What is bound on every interface is reached on the pod's own.
fn from_inside(endpoint: Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::Tcp(TcpEndpoint { host, port }) => {
            let host = match host {
                Host::Any => Host::Ip(Ipv4Addr::LOCALHOST.into()),
                Host::Ip(IpAddr::V4(address)) if address.is_unspecified() => {
                    Host::Ip(Ipv4Addr::LOCALHOST.into())
                }
                Host::Ip(IpAddr::V6(address)) if address.is_unspecified() => {
                    Host::Ip(Ipv6Addr::LOCALHOST.into())
                }
                other => other,
            };
            Endpoint::Tcp(TcpEndpoint { host, port })
        }
        ipc @ Endpoint::Ipc(_) => ipc,
    }
}

fn volumes(queue: &Queue) -> [Value; 3] {
    let config = names::config_map(&queue.name);
    let items = json!([{"key": CONFIG_KEY, "path": CONFIG_KEY}]);
    [
        json!({"name": SOCKETS, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}),
        json!({"name": CONFIGURATION, "configMap": {"name": config, "items": items}}),
        json!({"name": NO_TOKEN, "emptyDir": {}}),
    ]
}

/// The group by which application and sidecar share the sockets, unless the user has one.
fn security(spec: &mut Map<String, Value>) {
    default(spec, "securityContext", json!({}));
    if let Some(Value::Object(security)) = spec.get_mut("securityContext")
        && security.get("fsGroup").is_none_or(Value::is_null)
    {
        security.insert("fsGroup".to_owned(), USER.into());
        default(security, "fsGroupChangePolicy", "OnRootMismatch".into());
    }
}

/// Replicas apart where that is possible.
fn spread(queue: &Queue) -> Value {
    let constraint = |key: &str| {
        json!({
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels::selector(&queue.name)},
        })
    };
    json!([constraint("kubernetes.io/hostname"), constraint("topology.kubernetes.io/zone")])
}
