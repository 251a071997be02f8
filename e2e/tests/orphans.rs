//! Whatever ends a test, its control plane goes with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lifeboat_e2e::until;

/// Starts a control plane in a process of its own; answers its directory when it is ready.
fn elsewhere() -> (Child, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // All three lines, or it would find nobody to tell the rest.
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(3);
    let lines: Vec<_> = lines.map(Result::unwrap).collect();
    let kubeconfig = lines[0].strip_prefix("export KUBECONFIG=").unwrap();
    let directory = Path::new(kubeconfig).parent().unwrap().to_owned();
    (child, directory)
}

/// Command names of running processes that were started with a path in this directory.
fn processes(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(directory))
        .map(|line| line.split('\0').next().unwrap_or_default().to_owned())
        .collect()
}

async fn until_none(directory: &Path) {
    until("no process", async || {
        let left = processes(directory);
        left.is_empty().then_some(()).ok_or(format!("{left:?}"))
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn a_sigkill_leaves_no_process_behind() {
    let (mut owner, directory) = elsewhere();
    assert_eq!(processes(&directory).len(), 3);
    owner.kill().unwrap();
    owner.wait().unwrap();
    until_none(&directory).await;
    fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
#[ignore = "needs the control plane's binaries: e2e/build"]
async fn an_ordinary_end_leaves_nothing_behind() {
    let (mut owner, directory) = elsewhere();
    assert_eq!(processes(&directory).len(), 3);
    let told = Command::new("kill").arg(owner.id().to_string()).status().unwrap();
    assert!(told.success() && owner.wait().unwrap().success());
    until_none(&directory).await;
    assert!(!directory.exists());
}
