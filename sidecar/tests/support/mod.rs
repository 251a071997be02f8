//! Runs the real `lifeboat` binary for tests: starts it, finds its endpoints, kills or stops it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(dead_code)] // each test binary uses its own part

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Patience of every wait: far longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running queue. Dropped, it is killed.
pub(crate) struct Lifeboat {
    child: Child,
    /// Endpoints by `stream.socket`.
    endpoints: BTreeMap<String, String>,
}

/// A queue's file and its directories, below one temporary directory.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// Writes `yaml` as the queue's file.
    pub(crate) fn new(yaml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("queue.yaml"), yaml).unwrap();
        Self { dir }
    }

    /// A queue with one stream `work`, made of these flow-style ingresses and deliveries.
    pub(crate) fn queue(ingress: &str, deliveries: &str) -> Self {
        Self::new(&format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
             spec:\n  storage: {{size: 4Gi}}\n  streams:\n    - name: work\n      \
             ingress: [{ingress}]\n      deliveries: [{deliveries}]\n"
        ))
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("queue.yaml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The command that runs the queue.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.arg("run").arg(self.file()).arg("--data").arg(self.data());
        command.args(["--admin", "off"]).env("LIFEBOAT_LOG", "warn");
        command
    }

    /// Starts the queue and waits until it is open.
    pub(crate) fn start(&self) -> Lifeboat {
        Lifeboat::start(self.command())
    }
}

impl Lifeboat {
    /// Starts `command`, a `lifeboat run`, and waits until it is open.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut endpoints = BTreeMap::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("lifeboat ended before it was open").unwrap();
        assert!(first.contains("is open"), "{first}");
        for line in lines.by_ref().map_while(Result::ok) {
            let mut words = line.split_whitespace();
            let (side, name, endpoint) = (words.next(), words.next(), words.next_back());
            match (side, name, endpoint) {
                (Some("producers" | "apps"), Some(name), Some(endpoint)) => {
                    endpoints.insert(name.to_owned(), endpoint.to_owned());
                }
                _ => break,
            }
        }
        // Nothing more comes, but a closed pipe would make it fail if something did.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, endpoints }
    }

    /// The endpoint of `stream.socket`.
    pub(crate) fn endpoint(&self, name: &str) -> &str {
        self.endpoints.get(name).unwrap_or_else(|| panic!("no endpoint {name}"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "lifeboat does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Lifeboat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Group commits of the queue that runs on `data`, and the records that they synced.
pub(crate) fn commits(data: &Path) -> Option<(u64, u64)> {
    let status = status(data)?;
    Some((status.syncs, status.synced_records))
}

/// What the queue that runs on `data` says of itself.
pub(crate) fn status(data: &Path) -> Option<lifeboat_sidecar::status::Status> {
    use lifeboat_sidecar::control::{Reply, Request, ask};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(ask(data, &Request::Status)) {
        Ok(Reply::Status(status)) => Some(*status),
        _ => None,
    }
}
