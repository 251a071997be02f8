//! The programs of a node, and the files that they are configured by.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::machine::{ADDRESS, CGROUP};
use crate::control_plane::commands::flag;
use crate::control_plane::credentials::{ADMIN, KUBELET, PROXY, SCHEDULER};
use crate::error::{Error, Result};
use crate::tools;

/// Addresses of pods.
const PODS: &str = "10.88.0.0/16";
/// The image that holds a pod's namespaces. The node makes it itself.
pub(super) const PAUSE: &str = "docker.io/local/pause:1";
/// Where Debian has the plugins that give pods their addresses.
const CNI: &str = "/usr/lib/cni";

/// What each program of one node is started with.
pub(super) struct Components<'a> {
    run: &'a Path,
}

impl<'a> Components<'a> {
    /// Those whose files are below this directory.
    pub(super) fn new(run: &'a Path) -> Self {
        Self { run }
    }

    /// Writes the files: once, for a program ends when its file changes.
    pub(super) fn configure(&self) -> Result<()> {
        for directory in ["cni", "kubelet", "logs/pods", super::DISKS] {
            let directory = self.file(directory);
            let what = format!("making {}", directory.display());
            fs::create_dir_all(directory).map_err(Error::io(what))?;
        }
        self.write("containerd.toml", &self.containerd_toml())?;
        self.write("cni/10-pods.conflist", &self.pod_network().to_string())?;
        self.write("kubelet.yaml", &self.kubelet_yaml().to_string())?;
        self.write("proxy.yaml", &self.proxy_yaml().to_string())?;
        self.write("Corefile", &self.corefile())?;
        self.write("resolv.conf", "")?;
        Ok(())
    }

    /// Runs containers. Debian's, for it comes with runc and its shim.
    pub(super) fn containerd(&self) -> Command {
        let mut command = Command::new("containerd");
        command.arg("--config").arg(self.file("containerd.toml"));
        command
    }

    /// Where it listens.
    pub(super) fn containerd_socket(&self) -> PathBuf {
        self.file("containerd.sock")
    }

    /// Runs pods.
    pub(super) fn kubelet(&self) -> Result<Command> {
        let mut command = Command::new(tools::path("kubelet")?);
        flag(&mut command, "config", self.file("kubelet.yaml"));
        flag(&mut command, "kubeconfig", self.file(KUBELET.kubeconfig));
        flag(&mut command, "root-dir", self.file("kubelet"));
        flag(&mut command, "hostname-override", super::NAME);
        flag(&mut command, "node-ip", ADDRESS.to_string());
        Ok(command)
    }

    /// Chooses nodes for pods. Where it finds its cache to be wrong, after the API server was away,
    /// it ends, and counts on being started again.
    pub(super) fn scheduler(&self) -> Result<Command> {
        let mut command = Command::new("sh");
        command.args(["-c", r#"while :; do "$@"; sleep 1; done"#, "again"]);
        command.arg(tools::path("kube-scheduler")?);
        flag(&mut command, "kubeconfig", self.file(SCHEDULER.kubeconfig));
        flag(&mut command, "leader-elect", "false");
        flag(&mut command, "secure-port", "0");
        Ok(command)
    }

    /// Spreads connections to Services.
    pub(super) fn proxy(&self) -> Result<Command> {
        let mut command = Command::new(tools::path("kube-proxy")?);
        flag(&mut command, "config", self.file("proxy.yaml"));
        Ok(command)
    }

    /// Answers the names of Services and pods.
    pub(super) fn dns(&self) -> Result<Command> {
        let mut command = Command::new(tools::path("coredns")?);
        command.arg("-conf").arg(self.file("Corefile"));
        Ok(command)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.file(name);
        fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))
    }

    fn containerd_toml(&self) -> String {
        let run = self.run.display();
        format!(
            r#"version = 2
root = "{run}/containerd/root"
state = "{run}/containerd/state"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{run}/cni"
"#
        )
    }

    fn pod_network(&self) -> Value {
        let addresses = json!({
            "type": "host-local",
            "dataDir": self.file("addresses"),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        });
        json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [{
                "type": "bridge",
                "bridge": "pods0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": addresses,
            }],
        })
    }

    fn kubelet_yaml(&self) -> Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            // Machines with version 1 are still about; from 1.35 on that has to be said.
            "failCgroupV1": false,
            "failSwapOn": false,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{CGROUP}"),
            "enforceNodeAllocatable": [],
            "containerRuntimeEndpoint": format!("unix://{}", self.containerd_socket().display()),
            // Only who is in this network can ask it.
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            // The machine's disk may be as full as it likes.
            "evictionHard": {},
            "imageGCHighThresholdPercent": 100,
            "clusterDomain": "cluster.local",
            "clusterDNS": [ADDRESS],
            "resolvConf": self.file("resolv.conf"),
            "podLogsDir": self.file("logs/pods"),
            "volumePluginDir": self.file("kubelet/plugins-exec"),
        })
    }

    fn proxy_yaml(&self) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": self.file(PROXY.kubeconfig)},
            "hostnameOverride": super::NAME,
            "clusterCIDR": PODS,
            // Those are the machine's, not the namespace's.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        })
    }

    fn corefile(&self) -> String {
        let kubeconfig = self.file(ADMIN.kubeconfig);
        format!(
            ".:53 {{\n  bind {ADDRESS}\n  errors\n  kubernetes cluster.local in-addr.arpa {{\n    \
             kubeconfig {}\n    pods insecure\n    ttl 5\n  }}\n}}\n",
            kubeconfig.display()
        )
    }
}
