//! An operator in the test's own process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use lifeboat_e2e::until;
use lifeboat_operator::run::{self, Error, Options};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Cluster, http};

/// An operator that runs.
pub(crate) struct Operator {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
    address: SocketAddr,
}

/// How operators of tests run.
pub(crate) fn options(pod: &str) -> Options {
    // A port that was free a moment ago.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    Options {
        sidecar_image: "lifeboat:test".to_owned(),
        namespaces: Vec::new(),
        listen: listener.local_addr().unwrap(),
        lease_name: "lifeboat-operator".to_owned(),
        pod_name: pod.to_owned(),
        pod_namespace: "default".to_owned(),
    }
}

impl Operator {
    /// Starts one.
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        Self::start_as(cluster, options("operator-0")).await
    }

    /// Starts one with these options.
    pub(crate) async fn start_as(cluster: &Cluster, options: Options) -> Self {
        Self::start_with(&cluster.plane.kubeconfig(), options).await
    }

    /// Starts one as whoever this kubeconfig names.
    pub(crate) async fn start_with(kubeconfig: &Path, options: Options) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let context = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &context).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let address = options.listen;
        let task = tokio::spawn(run::run(options, config, async move { drop(stopped.await) }));
        Self { stop, task, address }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }

    /// Ends it between two of its steps, wherever it is, as a SIGKILL would: nothing is finished,
    /// nothing given back.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Waits until it ends by itself; answers why.
    pub(crate) async fn ended(self) -> Error {
        self.task.await.unwrap().unwrap_err()
    }

    /// The sum over all labels of a counter, or of those series whose labels contain `label`.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> f64 {
        http::metric(&self.address.to_string(), name, label).await
    }

    /// Waits until it has reconciled so many times, whatever came of it.
    pub(crate) async fn until_reconciles(&self, times: f64) {
        until("more reconciles", async || {
            let now = self.metric("lifeboat_operator_reconciles_total", "").await;
            if now >= times { Ok(()) } else { Err(format!("{now} of {times}")) }
        })
        .await
        .unwrap();
    }

    /// Has it look at the queue `orders` so many times, for changes that concern nobody.
    pub(crate) async fn look(&self, cluster: &Cluster, times: u32) {
        for _ in 0..times {
            self.until_ready().await;
            let before = self.metric("lifeboat_operator_reconciles_total", "").await;
            let annotations = json!({"example.com/looks": before.to_string()});
            cluster.change("orders", json!({"metadata": {"annotations": annotations}})).await;
            self.until_reconciles(before + 1.0).await;
        }
    }

    /// Waits until it has written so many times, statuses not counted.
    async fn until_written(&self, times: f64) {
        until(&format!("{times} writes"), async || {
            let name = "lifeboat_operator_writes_total";
            let all = self.metric(name, "").await;
            let told = self.metric(name, "verb=\"status\"").await;
            if all - told >= times {
                Ok(())
            } else {
                Err(format!("{all}, {told} of them statuses"))
            }
        })
        .await
        .unwrap();
    }

    /// Waits until its caches are filled, or it waits for the lease.
    pub(crate) async fn until_ready(&self) {
        until("a ready operator", async || match self.get("/readyz").await {
            Ok(text) if text.contains("200 OK") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
        .unwrap();
    }

    async fn get(&self, path: &str) -> std::io::Result<String> {
        http::get(&self.address.to_string(), path).await
    }
}

/// Starts operators one after the other, each of which is killed one write later than the last.
pub(crate) async fn kill_later_and_later(cluster: &Cluster) {
    let mut writes = 1.0;
    loop {
        let operator = Operator::start(cluster).await;
        operator.until_ready().await;
        operator.until_written(writes).await;
        operator.kill().await;
        writes += 1.0;
    }
}
