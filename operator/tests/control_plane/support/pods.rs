//! Queues whose pods have a real sidecar each, and the applications and producers around them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use k8s_openapi::api::core::v1::Pod;
use lifeboat_e2e::{FakeDisks, FakeNode, Sidecars, lifeboat, until};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::Cluster;

/// A node whose pods have real sidecars.
pub(crate) struct Pods {
    pub(crate) sidecars: Sidecars,
    program: PathBuf,
    _node: FakeNode,
    _disks: FakeDisks,
}

impl Pods {
    pub(crate) async fn run(cluster: &Cluster) -> Self {
        let program = lifeboat().unwrap();
        let sidecars = Sidecars::new(&cluster.plane, &program, "lifeboat-sidecar").unwrap();
        let node = FakeNode::run(cluster.client.clone(), sidecars.clone()).await.unwrap();
        let disks = FakeDisks::run(cluster.client.clone()).await.unwrap();
        Self { sidecars, program, _node: node, _disks: disks }
    }

    /// Sends messages called `name-0` and so on to a pod; each is receipted.
    pub(crate) async fn send(&self, pod: &Pod, name: &str, count: usize) -> BTreeSet<String> {
        let messages: Vec<_> = (0..count).map(|number| format!("{name}-{number}")).collect();
        let output = self.try_send(pod, &messages, "30s").await;
        assert!(output.status.success(), "{output:?}\n{}", self.sidecars.log(pod));
        messages.into_iter().collect()
    }

    /// Whether a producer still finds its ingress.
    pub(crate) async fn takes_messages(&self, pod: &Pod) -> bool {
        self.try_send(pod, &[], "2s").await.status.success()
    }

    async fn try_send(&self, pod: &Pod, messages: &[String], timeout: &str) -> Output {
        let address = pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
        let mut command = Command::new(&self.program);
        command.args(["send", &format!("tcp://{address}:5556"), "--receipts"]);
        command.args(["--timeout", timeout]).args(messages);
        command.stdin(Stdio::null()).output().await.unwrap()
    }

    /// An application in the pod, until it is dropped: it prints what it gets, and acknowledges.
    pub(crate) fn consume(&self, pod: &Pod) -> Child {
        let socket = self.sidecars.sockets(pod).unwrap().join("work.out");
        let mut command = Command::new(&self.program);
        command.args(["receive", &format!("ipc://{}", socket.display()), "--credit"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
    }

    /// What an application in the pod gets: so many messages, and then until there is no more.
    pub(crate) async fn receive(&self, pod: &Pod, count: usize) -> BTreeSet<String> {
        let count = count.to_string();
        let mut got = self.take(pod, &["--count", &count, "--timeout", "30s"]).await;
        got.extend(self.rest(pod).await);
        got
    }

    /// What it gets within a moment.
    pub(crate) async fn rest(&self, pod: &Pod) -> BTreeSet<String> {
        self.take(pod, &["--timeout", "2s"]).await
    }

    async fn take(&self, pod: &Pod, until: &[&str]) -> BTreeSet<String> {
        let socket = self.sidecars.sockets(pod).unwrap().join("work.out");
        let url = format!("ipc://{}", socket.display());
        let mut command = Command::new(&self.program);
        let output =
            command.args(["receive", &url, "--credit"]).args(until).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Waits until the pod's sidecar says that it is in this state.
    pub(crate) async fn until_state(&self, pod: &Pod, state: &str) {
        let address = pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
        until(&format!("a sidecar that is {state}"), async || {
            let status = super::http::get(&format!("{address}:9464"), "/v1/status").await;
            let text = status.map_err(|error| error.to_string())?;
            let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
            let said: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
            if said["state"] == state { Ok(()) } else { Err(said["state"].to_string()) }
        })
        .await
        .unwrap();
    }
}

/// What an application that has ended has printed.
pub(crate) async fn consumed(mut application: Child) -> BTreeSet<String> {
    application.start_kill().unwrap();
    let output = application.wait_with_output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
