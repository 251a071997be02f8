//! Runs the real `lifeboat` binary for tests: starts it, finds its endpoints, asks it, kills or
//! stops it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small
#![allow(dead_code)] // each test binary uses its own part

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lifeboat_sidecar::control::{self, Line, Request, Verb};
use lifeboat_sidecar::status::{DeliveryStatus, Status, StreamStatus};

pub(crate) mod both;
pub(crate) mod credit;
pub(crate) mod loop_disk;
pub(crate) mod monitor;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod repeats;
pub(crate) mod siege;
pub(crate) mod sockets;
pub(crate) mod tally;
pub(crate) mod traffic;
pub(crate) mod worker;

/// Patience of every wait: far longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running queue. Dropped, it is killed.
pub(crate) struct Lifeboat {
    child: Child,
    /// Endpoints by `stream.socket`, and `admin`.
    endpoints: BTreeMap<String, String>,
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `lifeboat` with these arguments and this standard input until it ends.
pub(crate) fn lifeboat(arguments: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that ends early reads no input.
    std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("lifeboat {arguments:?} does not end");
    };
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A queue's file and its directories, below one temporary directory.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// Writes `yaml` as the queue's file.
    pub(crate) fn new(yaml: &str) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        home.rewrite(yaml);
        home
    }

    /// A queue with one stream `work`, made of these flow-style ingresses and deliveries.
    pub(crate) fn queue(ingress: &str, deliveries: &str) -> Self {
        Self::sized("4Gi", ingress, deliveries)
    }

    /// The same on a volume of this size.
    pub(crate) fn sized(size: &str, ingress: &str, deliveries: &str) -> Self {
        Self::new(&yaml(size, &[("work", ingress, deliveries)]))
    }

    /// Changes the queue's file, for the next start.
    pub(crate) fn rewrite(&self, yaml: &str) {
        std::fs::write(self.file(), yaml).unwrap();
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
        self.command_with_admin("127.0.0.1:0")
    }

    /// The command that runs the queue with its admin HTTP there.
    pub(crate) fn command_with_admin(&self, admin: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.arg("run").arg(self.file()).arg("--data").arg(self.data());
        command.args(["--admin", admin]).env("LIFEBOAT_LOG", "error");
        command
    }

    /// Starts the queue and waits until it is open.
    pub(crate) fn start(&self) -> Lifeboat {
        Lifeboat::start(self.command())
    }

    /// What the running sidecar says of itself.
    pub(crate) fn status(&self) -> Status {
        status(&self.data())
    }

    /// The status of one stream.
    pub(crate) fn stream(&self, name: &str) -> StreamStatus {
        let found = self.status().streams.into_iter().find(|stream| stream.name == name);
        found.unwrap_or_else(|| panic!("no stream {name}"))
    }

    /// The status of one delivery of the stream `work`.
    pub(crate) fn delivery(&self, name: &str) -> DeliveryStatus {
        let found = self.stream("work").deliveries.into_iter().find(|it| it.delivery == name);
        found.unwrap_or_else(|| panic!("no delivery {name}"))
    }
}

/// A queue's file: streams of name, ingresses and deliveries, in flow style.
pub(crate) fn yaml(size: &str, streams: &[(&str, &str, &str)]) -> String {
    let mut yaml = format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
         spec:\n  storage: {{size: {size}}}\n  streams:\n"
    );
    for (name, ingress, deliveries) in streams {
        let sockets = format!("ingress: [{ingress}], deliveries: [{deliveries}]");
        writeln!(yaml, "    - {{name: {name}, {sockets}}}").unwrap();
    }
    yaml
}

impl Lifeboat {
    /// Starts `command`, a `lifeboat run`, and waits until it is open, or says why it is not.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut endpoints = BTreeMap::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("lifeboat ended before it was open").unwrap();
        assert!(first.contains("; data in "), "{first}");
        for line in lines.by_ref().map_while(Result::ok) {
            let mut words = line.split_whitespace();
            let (side, name, endpoint) = (words.next(), words.next(), words.next_back());
            match (side, name, endpoint) {
                (Some("admin"), Some(url), None) => {
                    endpoints.insert("admin".to_owned(), url.to_owned());
                }
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

    /// The endpoint of `stream.socket`, or the URL of `admin`.
    pub(crate) fn endpoint(&self, name: &str) -> &str {
        self.endpoints.get(name).unwrap_or_else(|| panic!("no endpoint {name}"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL; it must have lived until then.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "lifeboat had ended before it was killed: {status}");
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("lifeboat to end", || self.child.try_wait().unwrap())
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Lifeboat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the queue that runs on `data` says of itself, over its control socket.
pub(crate) fn status(data: &Path) -> Status {
    serde_json::from_value(ask(data, Verb::Status).unwrap()).unwrap()
}

/// The result of a verb, or why there is none; items and progress are passed over.
pub(crate) fn ask(data: &Path, verb: Verb) -> Result<serde_json::Value, control::VerbError> {
    let request = serde_json::to_string(&Request::new(verb)).unwrap();
    ask_raw(data, &request)
}

/// The same with a request as it is written.
pub(crate) fn ask_raw(data: &Path, request: &str) -> Result<serde_json::Value, control::VerbError> {
    let mut stream = UnixStream::connect(control::path_in(data)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{request}\n").as_bytes()).unwrap();
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line.unwrap()).unwrap() {
            Line::Result(result) => return Ok(result),
            Line::Error(error) => return Err(error),
            Line::Item(_) | Line::Progress(_) | Line::Alive => {}
        }
    }
    panic!("no answer to {request}");
}

/// Asks until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
