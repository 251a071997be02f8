//! The application's pod template: raw JSON, so that fields of newer versions of Kubernetes survive.
//! Only what would clash with the sidecar is checked; the rest is the API server's to judge.

use lifeboat_api::Problems;
use serde_json::{Map, Value};

use crate::labels;
use crate::names::{CLAIM_TEMPLATE, RESERVED, SOCKET_DIRECTORY};

const CONTAINERS_FORM: &str = "a list of at least one container";

/// A pod template, as the user wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// `metadata`.
    pub metadata: Map<String, Value>,
    /// `spec`.
    pub spec: Map<String, Value>,
}

impl Template {
    /// Reads `spec.template`; `None` when it has no form to go on with.
    pub(super) fn read(given: &Value, problems: &mut Problems) -> Option<Self> {
        let Some(spec) = given.get("spec").and_then(Value::as_object) else {
            problems.push("spec.template.spec", "missing; expected a pod's spec");
            return None;
        };
        let metadata = match given.get("metadata") {
            Some(Value::Object(metadata)) => metadata.clone(),
            _ => Map::new(),
        };
        let template = Self { metadata, spec: spec.clone() };
        template.check_metadata(problems);
        template.check_pod(problems);
        if template.names("containers").next().is_none() {
            let field = "spec.template.spec.containers";
            problems.push(field, format!("missing or empty; expected {CONTAINERS_FORM}"));
            return None;
        }
        Some(template)
    }

    /// The names of the containers of a list such as `containers`, in order.
    pub fn names(&self, list: &str) -> impl Iterator<Item = &str> {
        items(&self.spec, list).filter_map(|(_, item)| item.get("name")?.as_str())
    }

    /// The containers that get the sockets: those that `wanted` names, else the first.
    pub(super) fn receivers(
        &self,
        wanted: Option<&[String]>,
        problems: &mut Problems,
    ) -> Vec<String> {
        let all: Vec<&str> = self.names("containers").collect();
        let Some(wanted) = wanted else {
            return all.first().map(|name| (*name).to_owned()).into_iter().collect();
        };
        for (index, name) in wanted.iter().enumerate() {
            if !all.contains(&name.as_str()) {
                let all = all.join(", ");
                let message =
                    format!("{name:?} is no container of the template; expected one of {all}");
                problems.push(format!("spec.containers[{index}]"), message);
            }
        }
        wanted.to_vec()
    }

    /// Ports that the sidecar has: all containers of a pod share them.
    pub(super) fn check_ports(&self, taken: &[u16], problems: &mut Problems) {
        for list in ["initContainers", "containers"] {
            for (at, container) in items(&self.spec, list) {
                for (index, port) in items(container, "ports") {
                    let number = port.get("containerPort").and_then(Value::as_u64);
                    let taken = taken.iter().find(|taken| Some(u64::from(**taken)) == number);
                    let field = format!("spec.template.spec.{list}[{at}].ports[{index}]");
                    match taken {
                        Some(_) if port.get("protocol").is_some_and(|it| *it != "TCP") => {}
                        Some(number) => problems.push(
                            format!("{field}.containerPort"),
                            format!("{number} is the sidecar's in this pod; use another"),
                        ),
                        None => {}
                    }
                }
            }
        }
    }

    fn check_metadata(&self, problems: &mut Problems) {
        for part in ["labels", "annotations"] {
            let field = format!("spec.template.metadata.{part}");
            match self.metadata.get(part) {
                None | Some(Value::Null) => {}
                Some(Value::Object(map)) => {
                    for name in map.keys().filter(|name| labels::is_ours(name)) {
                        let field = format!("{field}[{name}]");
                        problems.push(field, "is the operator's own; remove it");
                    }
                }
                Some(_) => problems.push(field, "expected a mapping from names to texts"),
            }
        }
    }

    fn check_pod(&self, problems: &mut Problems) {
        if let Some(policy) = self.spec.get("restartPolicy").filter(|it| *it != "Always") {
            let message = format!(
                "{policy} ends with the application; remove it, a queue's pod restarts Always"
            );
            problems.push("spec.template.spec.restartPolicy", message);
        }
        for (index, volume) in items(&self.spec, "volumes") {
            reserved(&format!("spec.template.spec.volumes[{index}].name"), volume, problems);
        }
        for list in ["initContainers", "containers"] {
            for (index, container) in items(&self.spec, list) {
                let field = format!("spec.template.spec.{list}[{index}]");
                check_container(&field, container, problems);
            }
        }
    }
}

fn check_container(field: &str, container: &Map<String, Value>, problems: &mut Problems) {
    reserved(&format!("{field}.name"), container, problems);
    for (index, mount) in items(container, "volumeMounts") {
        let field = format!("{field}.volumeMounts[{index}]");
        if mount.get("name").is_some_and(|name| name == CLAIM_TEMPLATE) {
            problems.push(format!("{field}.name"), "is the log's own volume; remove it");
        }
        let path = mount.get("mountPath").and_then(Value::as_str).unwrap_or_default();
        if path.trim_end_matches('/') == SOCKET_DIRECTORY {
            let message = format!("{SOCKET_DIRECTORY} is where the sockets are; use another path");
            problems.push(format!("{field}.mountPath"), message);
        }
    }
}

fn reserved(field: &str, named: &Map<String, Value>, problems: &mut Problems) {
    let name = named.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.starts_with(RESERVED) {
        problems.push(
            field,
            format!("names that start with {RESERVED} are the operator's; use another"),
        );
    }
}

/// The objects of a list, with their places in it.
fn items<'a>(
    object: &'a Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = (usize, &'a Map<String, Value>)> {
    let items = object.get(list).and_then(Value::as_array).into_iter().flatten();
    items.enumerate().filter_map(|(index, item)| Some((index, item.as_object()?)))
}
