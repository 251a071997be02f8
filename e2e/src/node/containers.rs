//! What happens to containers, and who is in them: faults that a test causes on the node itself.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::Node;
use crate::error::Result;
use crate::tool;

impl Node {
    /// Kills, by SIGKILL, the processes of a pod that this command runs; answers how many.
    pub fn kill_in_pod(&self, pod_uid: &str, command: &str) -> usize {
        signal(&processes(pod_uid, Some(command)), Signal::KILL)
    }

    /// Kills all processes of a pod, also the one that holds its namespaces; answers how many.
    pub fn kill_pod(&self, pod_uid: &str) -> usize {
        signal(&processes(pod_uid, None), Signal::KILL)
    }

    /// Stops the processes of a pod that this command runs, as if they hung; answers how many.
    pub fn hold_in_pod(&self, pod_uid: &str, command: &str) -> usize {
        signal(&processes(pod_uid, Some(command)), Signal::STOP)
    }

    /// Lets them go on; answers how many.
    pub fn release_in_pod(&self, pod_uid: &str, command: &str) -> usize {
        signal(&processes(pod_uid, Some(command)), Signal::CONT)
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

fn signal(processes: &[Pid], signal: Signal) -> usize {
    // One that has ended meanwhile counts, too: it was there.
    let send = |pid: &Pid| _ = kill_process(*pid, signal);
    processes.iter().map(send).count()
}

/// Processes whose cgroup is the pod's and whose command line has this word, if any is asked for.
fn processes(pod_uid: &str, command: Option<&str>) -> Vec<Pid> {
    let has = |path: &Path, command: &str| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').any(|word| word == command)
    };
    let of_pod = |path: &Path| {
        let cgroup = fs::read_to_string(path.join("cgroup")).unwrap_or_default();
        cgroup.contains(pod_uid) && command.is_none_or(|command| has(path, command))
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(|entry| of_pod(&entry.path()))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .collect()
}
