//! A whole cluster of one node: the control plane, and kubelet, containerd, kube-proxy and DNS as a
//! real node has them. Pods are real, and so is what happens to them.
//!
//! It lives in namespaces of its own (see [`crate::sandbox`]), so nothing of it is stopped here with
//! care: the kernel ends all of it with the first process.

mod components;
mod containers;
mod disks;
pub(crate) mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::{Api, Client};

use crate::control_plane::ControlPlane;
use crate::control_plane::place::Place;
use crate::error::Result;
use crate::process::Process;
use crate::{images, tool, until};
use components::{Components, PAUSE};
use disks::Disks;

/// The node's name.
pub(crate) const NAME: &str = "node-1";

/// Where the volumes are, below the cluster's directory.
const DISKS: &str = "disks";

/// The cluster. Dropping it kills what it has started.
pub struct Node {
    kubelet: Option<Process>,
    rest: [Process; 4],
    _disks: Disks,
    plane: ControlPlane,
    run: PathBuf,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts it, and returns when the node is ready. To be called in a sandbox, once.
    ///
    /// # Errors
    /// `MissingTool`; `Failed` where the machine does not allow a step; `Ended` or `Deadline` where
    /// a program does not come up.
    pub async fn start(run: &Path) -> Result<Self> {
        machine::prepare(run)?;
        let components = Components::new(run);
        components.configure()?;
        let logs = run.join("logs");
        let containerd = Process::start("containerd", components.containerd(), &logs)?;
        let at = Place { address: machine::ADDRESS, api_port: 6443, etcd_port: 2379, nodes: true };
        let plane = ControlPlane::start_at(run, at).await?;
        let scheduler = Process::start("scheduler", components.scheduler()?, &logs)?;
        let proxy = Process::start("proxy", components.proxy()?, &logs)?;
        let dns = Process::start("dns", components.dns()?, &logs)?;
        let disks = Disks::run(plane.client(), run.join(DISKS)).await?;
        until("containerd", async || {
            let socket = components.containerd_socket();
            socket.exists().then_some(()).ok_or_else(|| "no socket".to_owned())
        })
        .await?;
        let mut node = Self {
            kubelet: None,
            rest: [scheduler, proxy, dns, containerd],
            _disks: disks,
            plane,
            run: run.to_owned(),
        };
        let pause = run.join("pause.tar");
        images::pause(PAUSE, &pause)?;
        node.load(&pause)?;
        node.start_kubelet()?;
        node.until_ready().await?;
        Ok(node)
    }

    /// The control plane.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Kills the API server.
    pub fn stop_api_server(&mut self) {
        self.plane.stop_api_server();
    }

    /// Starts it again.
    ///
    /// # Errors
    /// `Ended` or `Deadline` where it does not come up.
    pub async fn start_api_server(&mut self) -> Result<()> {
        self.plane.start_api_server().await
    }

    /// Takes in the images of an archive, as `docker save` writes it.
    ///
    /// # Errors
    /// `Failed`.
    pub fn load(&self, archive: &Path) -> Result<()> {
        let mut command = self.ctr();
        command.args(["images", "import"]).arg(archive);
        tool::finish(command).map(|_| ())
    }

    /// Takes all space that a volume has left; answers how many bytes.
    ///
    /// # Errors
    /// `Io`.
    pub fn fill_volume(&self, volume: &str) -> Result<u64> {
        disks::fill(&self.disks_directory().join(volume))
    }

    /// Gives it back.
    ///
    /// # Errors
    /// `Io`.
    pub fn empty_volume(&self, volume: &str) -> Result<()> {
        disks::empty(&self.disks_directory().join(volume))
    }

    /// Starts the kubelet, unless it runs.
    ///
    /// # Errors
    /// `Io`.
    pub fn start_kubelet(&mut self) -> Result<()> {
        if self.kubelet.is_none() {
            let command = Components::new(&self.run).kubelet()?;
            self.kubelet = Some(Process::start("kubelet", command, &self.run.join("logs"))?);
        }
        Ok(())
    }

    /// Kills the kubelet: pods run on, and nobody looks after them.
    pub fn stop_kubelet(&mut self) {
        self.kubelet = None;
    }

    /// Waits until the API server counts on the node.
    ///
    /// # Errors
    /// `Ended` or `Deadline`.
    pub async fn until_ready(&mut self) -> Result<()> {
        let nodes = Api::<NodeObject>::all(self.client());
        until("a node that is ready", async || {
            let mut running = self.kubelet.iter_mut().chain(&mut self.rest);
            if let Some(ended) = running.find_map(|process| process.check().err()) {
                return Ok(Err(ended));
            }
            match nodes.get_opt(NAME).await {
                Ok(Some(node)) if is_ready(&node) => Ok(Ok(())),
                Ok(node) => Err(format!("{:?}", node.and_then(|node| node.status?.conditions))),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?
    }

    fn disks_directory(&self) -> PathBuf {
        self.run.join(DISKS)
    }

    fn client(&self) -> Client {
        self.plane.client()
    }

    /// containerd's own client, in the namespace that kubelets use.
    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.run.join("containerd.sock"));
        command.args(["--namespace", "k8s.io"]);
        command
    }
}

fn is_ready(node: &NodeObject) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True")
}
