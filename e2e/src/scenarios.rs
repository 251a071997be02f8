//! What happens to queues on a real cluster, and what must be true afterwards. Each scenario counts
//! every message; one that was receipted and did not arrive is a failure.

mod autoscaler;
mod claim_deleted;
mod cluster;
mod disk_full;
mod drain_blocked;
mod faults;
mod install;
mod lost_volume;
mod node_faults;
mod oom;
mod scale;
mod shop;
mod table;
mod tour;
mod uninstall;

use std::time::Instant;

pub use cluster::Cluster;
pub use table::{Counts, End, Row, line, render};

use crate::error::Result;

/// What a scenario counted, and a remark.
type Outcome = Result<(Counts, String)>;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether it belongs to every run; otherwise it is for those that may take longer.
    is_core: bool,
    /// Whether it does things to the node, which must be ours.
    needs_node: bool,
}

const fn core(name: &'static str, about: &'static str) -> Scenario {
    Scenario { name, about, is_core: true, needs_node: false }
}

const fn long(name: &'static str, about: &'static str) -> Scenario {
    Scenario { name, about, is_core: false, needs_node: false }
}

impl Scenario {
    const fn on_own_node(self) -> Self {
        Self { needs_node: true, ..self }
    }
}

/// All of them, in the order in which they run.
pub const ALL: [Scenario; 24] = [
    core("install", "the chart installs in time, and its own test passes"),
    core("examples", "each example takes messages in"),
    core("tour", "docs/tour.md, command by command"),
    core("restricted", "namespaces that enforce Pod Security `restricted`"),
    core("producers", "producers in the queue's namespace and in another"),
    core("pod-deleted", "the pod is deleted under load"),
    core("sidecar-killed", "SIGKILL of the sidecar").on_own_node(),
    core("app-killed", "SIGKILL of the application").on_own_node(),
    core("pod-killed", "SIGKILL of all that a pod is").on_own_node(),
    core("crash-loop", "the application crashes; messages still come in"),
    core("oom", "the application takes more memory than it may"),
    core("rollout", "new templates under load"),
    core("scale", "1, 3 and 1 replicas, and a change of mind"),
    long("autoscaler", "writes to the scale subresource under load"),
    long("drain-blocked", "a replica with a backlog and no consumer is to go"),
    core("disk-full", "the disk fills, and is emptied by its consumer").on_own_node(),
    core("disk-taken", "somebody else fills the disk").on_own_node(),
    core("claim-deleted", "a claim is deleted by hand"),
    core("lost-volume", "a control: what a lost volume held must be found missing"),
    core("kubelet-away", "the kubelet is stopped and comes back").on_own_node(),
    core("all-killed", "all containers of the node are killed at once").on_own_node(),
    core("operator-killed", "operators are killed during a rollout"),
    core("api-away", "the API server is away").on_own_node(),
    long("uninstall", "the chart goes and comes back, with messages waiting"),
];

/// Those with these names; without any, those of every run, or all.
pub fn chosen(names: &[String], all: bool) -> Vec<Scenario> {
    let is_chosen = |it: &Scenario| match names {
        [] => all || it.is_core,
        names => names.iter().any(|name| name == it.name),
    };
    ALL.into_iter().filter(is_chosen).collect()
}

/// Runs one; `thorough` repeats more often.
pub async fn run(cluster: &mut Cluster, scenario: Scenario, thorough: bool) -> Row {
    let begun = Instant::now();
    let end = if scenario.needs_node && !cluster.has_node() {
        End::Skipped("it does things to a node, and that of $KUBECONFIG is not ours".to_owned())
    } else {
        match dispatch(cluster, scenario.name, thorough).await {
            Ok((counts, note)) => End::Passed(counts, note),
            Err(error) => End::Failed(error.to_string()),
        }
    };
    Row { name: scenario.name, took: begun.elapsed(), end }
}

async fn dispatch(cluster: &mut Cluster, name: &str, thorough: bool) -> Outcome {
    if name != "install" {
        install::chart(cluster).await?;
    }
    let times = |core, all| if thorough { all } else { core };
    match name {
        "install" => install::install(cluster).await,
        "examples" => install::examples(cluster).await,
        "tour" => tour::tour(cluster).await,
        "restricted" => install::restricted(cluster).await,
        "producers" => install::producers(cluster).await,
        "pod-deleted" => faults::pod_deleted(cluster, times(5, 20)).await,
        "sidecar-killed" => node_faults::sidecar_killed(cluster, times(3, 4)).await,
        "app-killed" => node_faults::app_killed(cluster, times(3, 4)).await,
        "pod-killed" => node_faults::pod_killed(cluster, times(2, 3)).await,
        "crash-loop" => faults::crash_loop(cluster).await,
        "oom" => oom::oom(cluster).await,
        "rollout" => faults::rollout(cluster).await,
        "scale" => scale::up_and_down(cluster).await,
        "autoscaler" => autoscaler::autoscaler(cluster).await,
        "drain-blocked" => drain_blocked::drain_blocked(cluster).await,
        "disk-full" => disk_full::disk_full(cluster).await,
        "disk-taken" => disk_full::disk_taken(cluster).await,
        "claim-deleted" => claim_deleted::claim_deleted(cluster).await,
        "lost-volume" => lost_volume::lost_volume(cluster).await,
        "kubelet-away" => node_faults::kubelet_away(cluster).await,
        "all-killed" => node_faults::all_killed(cluster).await,
        "operator-killed" => faults::operator_killed(cluster).await,
        "api-away" => node_faults::api_away(cluster, times(30, 120).into()).await,
        "uninstall" => uninstall::uninstall(cluster).await,
        unknown => Err(crate::Error::Broken(format!("there is no scenario {unknown}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_chosen_in_order() {
        let names = |chosen: Vec<Scenario>| chosen.iter().map(|it| it.name).collect::<Vec<_>>();
        let asked = ["uninstall", "install"].map(str::to_owned);
        assert_eq!(names(chosen(&asked, false)), ["install", "uninstall"]);
        assert_eq!(chosen(&[], true).len(), ALL.len());
        assert!(!names(chosen(&[], false)).contains(&"uninstall"));
    }
    #[test]
    fn the_page_of_guarantees_has_each_of_them() {
        let page = include_str!("../../docs/guarantees.md");
        let commands: Vec<_> =
            page.lines().filter_map(|row| row.split("`e2e/run ").nth(1)).collect();
        let named =
            |it: &&str| commands.iter().any(|row| row.split([' ', '`']).any(|word| word == *it));
        let all: Vec<_> = ALL.iter().map(|it| it.name).collect();
        assert_eq!(all.iter().filter(|it| !named(it)).collect::<Vec<_>>(), Vec::<&&str>::new());
        let words =
            commands.iter().filter_map(|row| row.split('`').next()).flat_map(str::split_whitespace);
        assert!(words.into_iter().all(|word| all.contains(&word)));
    }
}
