//! The cluster that scenarios run on, by the programs that its users have: kubectl and helm.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::error::{Error, Result};
use crate::node::Node;
use crate::{images, tool, tools};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// A cluster, and the node of it if that is ours.
#[derive(Debug)]
pub struct Cluster {
    /// None: `$KUBECONFIG` says which.
    kubeconfig: Option<PathBuf>,
    node: Option<Node>,
}

impl Cluster {
    /// One that is ours.
    pub fn own(node: Node) -> Self {
        Self { kubeconfig: Some(node.plane().kubeconfig()), node: Some(node) }
    }

    /// That of `$KUBECONFIG`.
    pub fn of_environment() -> Self {
        Self { kubeconfig: None, node: None }
    }

    /// Takes in the images: our node does, or the command `$LIFEBOAT_E2E_LOAD`, whose `{archive}` is
    /// each archive in turn. Without such a command they are taken to be in the cluster's registry.
    ///
    /// # Errors
    /// `Failed`.
    pub fn load_images(&self) -> Result<()> {
        let load = std::env::var("LIFEBOAT_E2E_LOAD").ok();
        for archive in images::archives() {
            if let Some(node) = &self.node {
                node.load(&archive)?;
            } else if let Some(load) = &load {
                let line = load.replace("{archive}", &archive.to_string_lossy());
                tool::run("sh", ["-c", &line])?;
            }
        }
        Ok(())
    }

    /// The node, if it is ours.
    ///
    /// # Errors
    /// `Broken`: it is not.
    pub(super) fn node(&self) -> Result<&Node> {
        self.node.as_ref().ok_or_else(|| Error::Broken("the node is not ours".to_owned()))
    }

    /// The same, to be changed.
    pub(super) fn node_mut(&mut self) -> Result<&mut Node> {
        self.node.as_mut().ok_or_else(|| Error::Broken("the node is not ours".to_owned()))
    }

    /// Whether the node is ours, so that things can be done to it.
    pub(super) fn has_node(&self) -> bool {
        self.node.is_some()
    }

    /// Writes down what the cluster says of itself: beside the logs of the node, which are kept and
    /// named at the end, or where it says.
    pub async fn keep_evidence(&self, scenario: &str) {
        let directory = self.node.as_ref().map_or_else(
            || {
                let directory = std::env::temp_dir().join("lifeboat-e2e");
                eprintln!("what the cluster says of itself is kept in {}", directory.display());
                directory
            },
            |node| node.plane().logs(),
        );
        let _reported_by_the_writes = std::fs::create_dir_all(&directory);
        for (name, arguments) in [
            ("objects", "get -A pq,sts,pods,pvc,pv,svc,cm,nodes -o yaml"),
            ("events", "get events -A --sort-by=.lastTimestamp"),
            ("describe", "describe -A pq,pods"),
        ] {
            let said = self.kubectl(arguments).await;
            keep(&directory.join(format!("{scenario}.{name}")), said);
        }
        let pods = self.get("pods -A -l lifeboat.dev/component=replica").await.unwrap_or_default();
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
            let (namespace, pod) = (name("namespace"), name("name"));
            let file = |what: &str| directory.join(format!("{scenario}.{namespace}.{pod}.{what}"));
            keep(&file("status.json"), self.sidecar_status(namespace, pod).await);
            let logs = format!("logs -n {namespace} {pod} --all-containers --prefix --tail=5000");
            keep(&file("log"), self.kubectl(&logs).await);
        }
    }

    /// What a pod's sidecar says of itself: `/v1/status`.
    pub(super) async fn sidecar_status(&self, namespace: &str, pod: &str) -> Result<String> {
        let lifeboat = "lifeboat status --json --data /var/lib/lifeboat/data";
        self.kubectl(&format!("exec -n {namespace} {pod} -c lifeboat-sidecar -- {lifeboat}")).await
    }

    pub(super) async fn kubectl(&self, arguments: &str) -> Result<String> {
        self.run("kubectl", arguments.split_whitespace(), "").await
    }

    pub(super) async fn helm(&self, arguments: &str) -> Result<String> {
        self.run("helm", arguments.split_whitespace(), "").await
    }

    /// What `kubectl get` answers.
    pub(super) async fn get(&self, arguments: &str) -> Result<Value> {
        let text = self.kubectl(&format!("get -o json {arguments}")).await?;
        serde_json::from_str(&text).map_err(|error| Error::Broken(format!("{arguments}: {error}")))
    }

    pub(super) async fn apply(&self, namespace: &str, manifest: &str) -> Result<()> {
        let arguments = ["apply", "-n", namespace, "-f", "-"];
        self.run("kubectl", arguments, manifest).await.map(|_| ())
    }

    /// What the API server has at this path.
    pub(super) async fn get_raw(&self, path: &str) -> Result<Value> {
        let text = self.kubectl(&format!("get --raw {path}")).await?;
        serde_json::from_str(&text).map_err(|error| Error::Broken(format!("{path}: {error}")))
    }

    /// Puts this there.
    pub(super) async fn put_raw(&self, path: &str, object: &Value) -> Result<()> {
        let arguments = ["replace", "--raw", path, "-f", "-"];
        self.run("kubectl", arguments, &object.to_string()).await.map(|_| ())
    }

    async fn run(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = &str>,
        input: &str,
    ) -> Result<String> {
        let mut command = Command::new(tools::path(program)?);
        command.args(arguments);
        self.finish(command, input).await
    }

    /// Runs a script at the root of the checkout, up to its first command that fails.
    pub(super) async fn shell(&self, script: &str) -> Result<String> {
        let mut command = Command::new("bash");
        let tools = tools::links()?;
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["-euo", "pipefail", "-c", script]).current_dir(images::checkout());
        command.env("PATH", format!("{}:{path}", tools.display()));
        self.finish(command, "").await
    }

    async fn finish(&self, mut command: Command, input: &str) -> Result<String> {
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let what = || Error::io("running a command");
        let mut child = command.kill_on_drop(true).spawn().map_err(what())?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await.map_err(what())?;
        }
        let output = child.wait_with_output().await.map_err(what())?;
        tool::checked(command.as_std(), &output)
    }
}

fn keep(file: &Path, said: Result<String>) {
    let said = said.unwrap_or_else(|error| error.to_string());
    if let Err(error) = std::fs::write(file, said) {
        eprintln!("{}: {error}", file.display());
    }
}

/// Asks until it is so; an error counts as not yet.
pub(super) async fn within<T>(
    seconds: u64,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let last = match ask().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => "not yet".to_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(Error::Deadline { what: what.to_owned(), seconds, last });
        }
        tokio::time::sleep(LOOK).await;
    }
}
