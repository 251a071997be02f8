//! What happens to queues on a real cluster, and what must be true afterwards. Each scenario counts
//! every message; one that was receipted and did not arrive is a failure.

mod cluster;
mod faults;
mod install;
mod scale;
mod shop;
mod table;
mod tour;

use std::time::Instant;

pub use cluster::Cluster;
pub use table::{Counts, Row, line, render};

use crate::error::Result;

/// What a scenario counted, and a remark.
type Outcome = Result<(Counts, String)>;

/// Names of all scenarios, in the order in which they run, and what each is.
pub const ALL: [(&str, &str); 14] = [
    ("install", "the chart installs in time, and its own test passes"),
    ("examples", "each example takes messages in"),
    ("tour", "docs/tour.md, command by command"),
    ("producers", "producers in the queue's namespace and in another"),
    ("pod-deleted", "the pod is deleted under load"),
    ("sidecar-killed", "SIGKILL of the sidecar"),
    ("app-killed", "SIGKILL of the application"),
    ("crash-loop", "the application crashes; messages still come in"),
    ("rollout", "new templates under load"),
    ("scale", "1, 3 and 1 replicas, and a change of mind"),
    ("kubelet-away", "the kubelet is stopped and comes back"),
    ("all-killed", "all containers of the node are killed at once"),
    ("operator-killed", "operators are killed during a rollout"),
    ("api-away", "the API server is away"),
];

/// Runs one by name; `thorough` repeats more often.
pub async fn run(cluster: &mut Cluster, name: &'static str, thorough: bool) -> Row {
    let begun = Instant::now();
    let outcome = dispatch(cluster, name, thorough).await.map_err(|error| error.to_string());
    Row { name, took: begun.elapsed(), outcome }
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
        "producers" => install::producers(cluster).await,
        "pod-deleted" => faults::pod_deleted(cluster, times(5, 20)).await,
        "sidecar-killed" => faults::sidecar_killed(cluster, times(3, 5)).await,
        "app-killed" => faults::app_killed(cluster, times(3, 5)).await,
        "crash-loop" => faults::crash_loop(cluster).await,
        "rollout" => faults::rollout(cluster).await,
        "scale" => scale::up_and_down(cluster).await,
        "kubelet-away" => faults::kubelet_away(cluster).await,
        "all-killed" => faults::all_killed(cluster).await,
        "operator-killed" => faults::operator_killed(cluster).await,
        "api-away" => faults::api_away(cluster, times(30, 120).into()).await,
        unknown => Err(crate::Error::Broken(format!("there is no scenario {unknown}"))),
    }
}
