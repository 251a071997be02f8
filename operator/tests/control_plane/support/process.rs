//! An operator in a process of its own: the program as it is shipped.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use lifeboat_e2e::until;
use tokio::process::{Child, Command};

use super::{Cluster, http};

/// The program to run, if not the one that is built with the tests.
const PROGRAM: &str = "LIFEBOAT_OPERATOR";

/// A process, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Starts one, and waits until it is ready.
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let built = env!("CARGO_BIN_EXE_lifeboat-operator");
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| built.into());
        let child = Command::new(program)
            .args(["run", "--sidecar-image", "lifeboat:test", "--listen", &address])
            .env("KUBECONFIG", cluster.plane.kubeconfig())
            .envs([("POD_NAME", "operator-0"), ("POD_NAMESPACE", "default")])
            .env("LIFEBOAT_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let operator = Self { child, address: address.clone() };
        until("a ready operator", async || {
            let leads = http::get(&address, "/metrics").await.map_err(|error| error.to_string())?;
            let ready = http::get(&address, "/readyz").await.map_err(|error| error.to_string())?;
            let is = leads.contains("lifeboat_operator_leader 1") && ready.contains("200 OK");
            if is { Ok(()) } else { Err(ready) }
        })
        .await
        .unwrap();
        operator
    }

    /// Its resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let text = std::fs::read_to_string(status).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// The sum over all series of a metric whose labels contain `label`.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> f64 {
        http::metric(&self.address, name, label).await
    }

    /// Tells it to stop by SIGTERM, and waits until it has.
    pub(crate) async fn stop(mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").arg(id).status().await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success());
    }
}
