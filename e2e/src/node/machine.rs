//! What a node expects of its machine, inside namespaces of its own: nothing here is seen outside
//! of them, and all of it goes when they do.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::error::{Error, Result};
use crate::tool;

/// The node's address.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The cgroup below which all pods are. The sandbox removes it.
pub(crate) const CGROUP: &str = "lifeboat-e2e";
/// Where cgroups are mounted.
pub(crate) const CGROUPS: &str = "/sys/fs/cgroup";

/// Directories of the machine that programs write to whatever one tells them.
const PRIVATE: [&str; 5] =
    ["/run/netns", "/run/containerd", "/var/lib/cni", "/var/log/containers", "/var/lib/kubelet"];

/// What a kubelet sets for the whole machine, unless it finds it so. It finds these files instead.
const SETTINGS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Sets up network, mounts and cgroups. Called once, first.
///
/// # Errors
/// `Io` or `Failed`: a step that this machine does not allow.
pub(super) fn prepare(run: &Path) -> Result<()> {
    // Kubelets want mounts that propagate; those of this namespace stay in it.
    tool::run("mount", ["--make-rshared", "/"])?;
    for directory in PRIVATE {
        make(Path::new(directory))?;
        tool::run("mount", ["-t", "tmpfs", "private", directory])?;
    }
    settings(&run.join("settings"))?;
    cgroups()?;
    network()
}

fn settings(directory: &Path) -> Result<()> {
    for (name, value) in SETTINGS {
        let file = directory.join(name);
        make(file.parent().unwrap_or(directory))?;
        fs::write(&file, value).map_err(Error::io(format!("writing {}", file.display())))?;
        let setting = Path::new("/proc/sys").join(name);
        tool::run("mount", [Path::new("--bind"), &file, &setting])?;
    }
    Ok(())
}

/// In each hierarchy of version 1, or in the one of version 2.
fn cgroups() -> Result<()> {
    if Path::new(CGROUPS).join("cgroup.controllers").exists() {
        return make(&Path::new(CGROUPS).join(CGROUP));
    }
    let hierarchies = fs::read_dir(CGROUPS).map_err(Error::io("looking for cgroups"))?;
    for hierarchy in hierarchies {
        let hierarchy = hierarchy.map_err(Error::io("looking for cgroups"))?.path();
        if hierarchy.join("cgroup.procs").exists() {
            make(&hierarchy.join(CGROUP))?;
        }
    }
    Ok(())
}

/// A bridge carries the node's address: some kernels have no `dummy` device.
fn network() -> Result<()> {
    let address = format!("{ADDRESS}/24");
    tool::run("ip", ["link", "set", "lo", "up"])?;
    tool::run("ip", ["link", "add", "node0", "type", "bridge"])?;
    tool::run("ip", ["addr", "add", &address, "dev", "node0"])?;
    tool::run("ip", ["link", "set", "node0", "up"])?;
    tool::run("ip", ["route", "add", "default", "dev", "node0"])?;
    // /proc/sys/net is the namespace's own.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(Error::io("forwarding packets"))?;
    // Pods on one bridge reach each other by a Service only if the bridge asks its rules.
    let bridge = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    if bridge.exists() {
        fs::write(bridge, "1").map_err(Error::io("having rules for bridges"))?;
    }
    Ok(())
}

fn make(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::io(format!("making {}", directory.display())))
}
