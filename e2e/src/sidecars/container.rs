//! A container's spec, read as kubelet reads it: command, variables, probes and preStop hook.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::{self, EnvVar, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt as _;

use super::volumes::Volumes;
use crate::error::{Error, Result};

/// The container of one name.
#[derive(Debug, Clone)]
pub(super) struct Container {
    spec: v1::Container,
}

impl Container {
    /// Finds it in the pod.
    ///
    /// # Errors
    /// `Pod` where there is none.
    pub(super) fn of(pod: &Pod, name: &str) -> Result<Self> {
        let spec = pod.spec.as_ref();
        let mut containers = spec
            .into_iter()
            .flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
        let spec = containers
            .find(|container| container.name == name)
            .ok_or_else(|| Error::Pod { pod: pod.name_any(), what: format!("no {name}") })?;
        Ok(Self { spec: spec.clone() })
    }

    /// What runs it on this machine: `program` for its command, its mounts' paths replaced by where
    /// the volumes are, and every interface by the pod's address.
    ///
    /// # Errors
    /// `Pod` where the command or a variable is nothing that can be done here.
    pub(super) fn command(
        &self,
        pod: &Pod,
        volumes: &Volumes,
        program: &Path,
        address: Ipv4Addr,
    ) -> Result<Arguments> {
        let mut variables = Vec::new();
        for variable in self.spec.env.iter().flatten() {
            variables.push((variable.name.clone(), value(pod, variable)?));
        }
        let words =
            self.spec.command.iter().flatten().skip(1).chain(self.spec.args.iter().flatten());
        let words = words.map(|word| self.here(word, &variables, volumes, address)).collect();
        Ok(Arguments { program: program.to_owned(), words, variables })
    }

    /// The preStop hook, in the same way.
    pub(super) fn pre_stop(&self, like: &Arguments, volumes: &Volumes) -> Option<Arguments> {
        let hook = self.spec.lifecycle.as_ref()?.pre_stop.as_ref()?.exec.as_ref()?;
        let words = hook.command.iter().flatten().skip(1);
        let words = words.map(|word| self.here(word, &[], volumes, Ipv4Addr::LOCALHOST)).collect();
        Some(Arguments { words, ..like.clone() })
    }

    /// The path and port of a probe by HTTP, if it has one.
    pub(super) fn http(probe: Option<&Probe>) -> Option<(u16, String)> {
        let get = probe?.http_get.as_ref()?;
        let IntOrString::Int(port) = &get.port else { return None };
        Some((u16::try_from(*port).ok()?, get.path.clone().unwrap_or_default()))
    }

    /// Whether it has started.
    pub(super) fn startup(&self) -> Option<(u16, String)> {
        Self::http(self.spec.startup_probe.as_ref())
    }

    /// Whether it is ready.
    pub(super) fn readiness(&self) -> Option<(u16, String)> {
        Self::http(self.spec.readiness_probe.as_ref())
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    fn here(
        &self,
        word: &str,
        variables: &[(String, String)],
        volumes: &Volumes,
        address: Ipv4Addr,
    ) -> String {
        let mut word = word.replace("0.0.0.0", &address.to_string());
        for (name, value) in variables {
            word = word.replace(&format!("$({name})"), value);
        }
        for mount in self.spec.volume_mounts.iter().flatten() {
            if let (Some(rest), Some(path)) =
                (word.strip_prefix(&mount.mount_path), volumes.path(&mount.name))
            {
                return format!("{}{rest}", path.display());
            }
        }
        word
    }
}

/// A command line that can be run again.
#[derive(Debug, Clone)]
pub(super) struct Arguments {
    program: PathBuf,
    words: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Arguments {
    /// The command.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.words).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A variable's value: as it is, or of the pod's metadata.
fn value(pod: &Pod, variable: &EnvVar) -> Result<String> {
    if let Some(value) = &variable.value {
        return Ok(value.clone());
    }
    let source = variable.value_from.as_ref().and_then(|source| source.field_ref.as_ref());
    let path = source.map(|source| source.field_path.as_str()).unwrap_or_default();
    let label = path.strip_prefix("metadata.labels['").and_then(|rest| rest.strip_suffix("']"));
    let value = match (path, label) {
        ("metadata.name", _) => pod.metadata.name.clone(),
        ("metadata.namespace", _) => pod.metadata.namespace.clone(),
        (_, Some(label)) => pod.labels().get(label).cloned(),
        _ => None,
    };
    let what = format!("no value for {} here", variable.name);
    value.ok_or_else(|| Error::Pod { pod: pod.name_any(), what })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_is_carried_over() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "q-1", "labels": {"apps.kubernetes.io/pod-index": "1"}},
            "spec": {
                "containers": [],
                "initContainers": [{
                    "name": "s",
                    "command": ["lifeboat", "run", "/etc/l/q.yaml", "--host", "0.0.0.0"],
                    "args": ["--ordinal", "$(INDEX)", "--data=/var/data"],
                    "env": [{"name": "INDEX", "valueFrom": {"fieldRef": {
                        "fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']",
                    }}}],
                    "volumeMounts": [{"name": "config", "mountPath": "/etc/l"}],
                }],
            },
        }))
        .unwrap();
        let volumes = Volumes::fixed([("config", "/here")]);
        let container = Container::of(&pod, "s").unwrap();
        let arguments = container
            .command(&pod, &volumes, Path::new("/bin/lifeboat"), Ipv4Addr::new(127, 1, 2, 3))
            .unwrap();
        assert_eq!(
            arguments.words,
            ["run", "/here/q.yaml", "--host", "127.1.2.3", "--ordinal", "1", "--data=/var/data",]
        );
        assert_eq!(arguments.variables, [("INDEX".to_owned(), "1".to_owned())]);
        assert!(Container::of(&pod, "other").is_err());
    }
}
