//! What a kubelet says about a pod, as a pure function of the pod and of what a test wants said.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// A pod that runs, and which of its containers are not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodReport {
    ip: Ipv4Addr,
    unready: BTreeSet<String>,
    restarts: u32,
}

impl PodReport {
    /// All containers run and are ready.
    pub fn ready(ip: Ipv4Addr) -> Self {
        Self { ip, unready: BTreeSet::new(), restarts: 0 }
    }

    /// This container, or sidecar, runs and is not ready; so the pod is not.
    #[must_use]
    pub fn unready(mut self, container: &str) -> Self {
        self.unready.insert(container.to_owned());
        self
    }

    /// So many restarts of each container.
    #[must_use]
    pub fn restarts(mut self, restarts: u32) -> Self {
        self.restarts = restarts;
        self
    }

    /// The pod's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// The `status` of this pod at this time. Init containers have ended, except sidecars (those
    /// with `restartPolicy: Always`), which run.
    pub(super) fn status(&self, pod: &Pod, now: Timestamp) -> Value {
        let now = Time(now);
        let none = Vec::new();
        let spec = pod.spec.as_ref();
        let first = spec.and_then(|spec| spec.init_containers.as_ref()).unwrap_or(&none);
        let containers = spec.map_or(&none, |spec| &spec.containers);
        let running = |container: &Container| self.running(container, &now);
        let init: Vec<_> = first
            .iter()
            .map(|container| {
                if container.restart_policy.as_deref() == Some("Always") {
                    running(container)
                } else {
                    ended(container, &now)
                }
            })
            .collect();
        let ready = self.unready.is_empty();
        json!({
            "phase": "Running",
            "hostIP": "127.0.0.1",
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "startTime": now,
            "conditions": [
                condition("PodScheduled", true, &now),
                condition("Initialized", true, &now),
                condition("ContainersReady", ready, &now),
                condition("Ready", ready, &now),
            ],
            "initContainerStatuses": init,
            "containerStatuses": containers.iter().map(running).collect::<Vec<_>>(),
        })
    }

    fn running(&self, container: &Container, now: &Time) -> Value {
        json!({
            "name": container.name,
            "image": container.image,
            "imageID": container.image,
            "containerID": format!("fake://{}-{}", container.name, self.restarts),
            "ready": !self.unready.contains(&container.name),
            "started": true,
            "restartCount": self.restarts,
            "state": {"running": {"startedAt": now}},
        })
    }
}

fn ended(container: &Container, now: &Time) -> Value {
    json!({
        "name": container.name,
        "image": container.image,
        "imageID": container.image,
        "ready": true,
        "started": false,
        "restartCount": 0,
        "state": {"terminated": {
            "exitCode": 0,
            "reason": "Completed",
            "startedAt": now,
            "finishedAt": now,
        }},
    })
}

fn condition(name: &str, holds: bool, now: &Time) -> Value {
    let status = if holds { "True" } else { "False" };
    json!({"type": name, "status": status, "lastTransitionTime": now})
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodStatus;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({"spec": {
            "initContainers": [
                {"name": "prepare", "image": "p:1"},
                {"name": "lifeboat-sidecar", "image": "l:1", "restartPolicy": "Always"},
            ],
            "containers": [{"name": "app", "image": "a:1"}],
        }}))
        .unwrap()
    }

    fn status(report: &PodReport) -> PodStatus {
        serde_json::from_value(report.status(&pod(), Timestamp::UNIX_EPOCH)).unwrap()
    }

    fn holds(status: &PodStatus, name: &str) -> bool {
        let conditions = status.conditions.as_ref().unwrap();
        conditions.iter().find(|condition| condition.type_ == name).unwrap().status == "True"
    }

    #[test]
    fn sidecars_run_and_other_init_containers_have_ended() {
        let status = status(&PodReport::ready(Ipv4Addr::new(127, 9, 9, 9)));
        assert_eq!(status.pod_ip.as_deref(), Some("127.9.9.9"));
        let init = status.init_container_statuses.as_ref().unwrap();
        assert!(init[0].state.as_ref().unwrap().terminated.is_some());
        assert!(init[1].state.as_ref().unwrap().running.is_some());
        assert_eq!(init[1].started, Some(true));
        assert!(holds(&status, "Ready"));
    }

    #[test]
    fn one_container_that_is_not_ready_makes_the_pod_unready() {
        let report = PodReport::ready(Ipv4Addr::LOCALHOST).unready("lifeboat-sidecar").restarts(3);
        let status = status(&report);
        assert!(!holds(&status, "Ready") && !holds(&status, "ContainersReady"));
        let sidecar = &status.init_container_statuses.unwrap()[1];
        assert!(!sidecar.ready && sidecar.restart_count == 3);
        assert!(status.container_statuses.unwrap()[0].ready);
    }
}
