//! The command line of a pod, and its ConfigMap as kubelet mounts it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat_sidecar::status::State;

use crate::support::sockets::connected;
use crate::support::{Home, lifeboat, status, wait_for};
use crate::{Lifeboat, file, produce};

/// A directory that a ConfigMap is mounted on. Each change is another directory behind `..data`.
struct Mount {
    dir: PathBuf,
    versions: usize,
}

impl Mount {
    fn new(dir: PathBuf, text: &str) -> Self {
        std::fs::create_dir(&dir).unwrap();
        let mut mount = Self { dir, versions: 0 };
        mount.write(text);
        symlink("..data/queue.yaml", mount.file()).unwrap();
        mount
    }

    fn file(&self) -> PathBuf {
        self.dir.join("queue.yaml")
    }

    fn write(&mut self, text: &str) {
        self.versions += 1;
        let version = format!("..2026_11_24_13_30_0{}.1", self.versions);
        std::fs::create_dir(self.dir.join(&version)).unwrap();
        std::fs::write(self.dir.join(&version).join("queue.yaml"), text).unwrap();
        let (new, data) = (self.dir.join("..data_tmp"), self.dir.join("..data"));
        let old = std::fs::read_link(&data).ok();
        symlink(&version, &new).unwrap();
        std::fs::rename(&new, &data).unwrap();
        if let Some(old) = old {
            std::fs::remove_dir_all(self.dir.join(old)).unwrap();
        }
    }
}

/// The command of a pod, with its directories below `root`.
fn pod(root: &Path, file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    command.arg("run").arg(file);
    command.arg("--data").arg(root.join("data")).arg("--sockets").arg(root.join("run"));
    command.args(["--host", "0.0.0.0", "--admin", "127.0.0.1:0"]);
    command.env("LIFEBOAT_ORDINAL", "1").env("LIFEBOAT_LOG", "error");
    command
}

#[test]
fn a_swapped_config_map_drains_and_opens_again() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let mut mount = Mount::new(root.join("config"), &file("{}"));
    let process = Lifeboat::start(pod(root, &mount.file()));
    let data = root.join("data");
    let reaches = |wanted: State| {
        let what = format!("the state to be {}", wanted.name());
        wait_for(&what, || (status(&data).state == wanted).then_some(()));
    };
    assert_eq!(status(&data).ordinal, Some(1));
    produce(&connected(zmq::DEALER, process.endpoint("work.receipts")), "a");
    mount.write(&file("{1: {drain: true}}"));
    reaches(State::Draining);
    mount.write(&file("{1: {fenced: true}}"));
    reaches(State::Fenced);
    mount.write(&file("{0: {drain: true}}"));
    reaches(State::Open);
    assert_eq!(status(&data).totals.depth, 1);
    assert_eq!(process.stop().code(), Some(0));
}

#[test]
fn applications_of_the_group_may_use_the_sockets_and_nobody_else() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let mount = Mount::new(root.join("config"), &file("{}"));
    let run = root.join("run");
    std::fs::create_dir(&run).unwrap();
    // As kubelet makes an emptyDir for an fsGroup.
    std::fs::set_permissions(&run, PermissionsExt::from_mode(0o2770)).unwrap();
    let _process = Lifeboat::start(pod(root, &mount.file()));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&run), 0o2770);
    for socket in ["work.outbox", "work.out"] {
        assert_eq!(mode(&run.join(socket)), 0o660, "{socket}");
    }
}

#[test]
fn a_file_that_tells_replicas_apart_wants_to_know_which_one_runs() {
    let home = Home::new(&file("{1: {fenced: true}}"));
    let (queue, data) = (home.file(), home.data());
    let (queue, data) = (queue.to_str().unwrap(), data.to_str().unwrap());
    let outcome = lifeboat(&["run", queue, "--data", data, "--admin", "off"], "");
    assert_eq!(outcome.code, Some(64), "{outcome:?}");
    assert!(outcome.stderr.contains("replicas: ") && outcome.stderr.contains("--ordinal"));
    assert!(!home.data().exists());
    let outcome = lifeboat(&["run", queue, "--data", data, "--ordinal", "one"], "");
    assert_eq!(outcome.code, Some(64), "{outcome:?}");
    // A replica that the file does not name yet is an open one; so it is without any.
    home.rewrite(&file("{}"));
    let process = home.start();
    assert_eq!(home.status().ordinal, None);
    // A running one refuses such a file as a whole.
    home.rewrite(&file("{0: {drain: true}}"));
    process.signal(rustix::process::Signal::HUP);
    let problems = wait_for("the problem", || {
        let problems = home.status().config.problems;
        (!problems.is_empty()).then_some(problems)
    });
    assert!(problems[0].starts_with("replicas: "), "{problems:?}");
    assert_eq!(home.status().state, State::Open);
}
