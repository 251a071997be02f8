//! What happens to containers, and who is in them: faults that a test causes on the node itself.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::Node;
use crate::error::Result;
use crate::tool;

impl Node {
    /// Kills, by SIGKILL, the processes of a pod that this command runs; answers how many.
    ///
    /// # Errors
    /// `Io`: there is no /proc.
    pub fn kill_in_pod(&self, pod_uid: &str, command: &str) -> Result<usize> {
        let found = processes(pod_uid, command);
        for pid in &found {
            // One that has ended meanwhile is killed, too.
            let _gone = kill_process(*pid, Signal::KILL);
        }
        Ok(found.len())
    }

    /// Kills every container at once, the pods' sandboxes too, as when a machine loses its power;
    /// answers how many.
    ///
    /// # Errors
    /// `Failed` where containerd does not answer.
    pub fn kill_all_containers(&self) -> Result<usize> {
        let mut list = self.ctr();
        list.args(["tasks", "list"]);
        let tasks = tool::finish(list)?;
        let mut killed = 0;
        for line in tasks.lines().skip(1) {
            let pid = line.split_whitespace().nth(1).and_then(|pid| pid.parse().ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
            }
        }
        Ok(killed)
    }
}

/// Processes whose cgroup is the pod's and whose command line has this word.
fn processes(pod_uid: &str, command: &str) -> Vec<Pid> {
    let of_pod = |path: &Path| {
        let cgroup = fs::read_to_string(path.join("cgroup")).unwrap_or_default();
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        cgroup.contains(pod_uid)
            && String::from_utf8_lossy(&line).split('\0').any(|word| word == command)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(|entry| of_pod(&entry.path()))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .collect()
}
