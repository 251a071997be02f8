//! The accept loop without file descriptors. A test of its own binary: the limit is the process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod support;

use std::fs::File;
use std::time::{Duration, Instant};

use lifeboat_zmtp::SocketType;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::raw::Raw;
use support::{Rig, both_transports, config, wait_for, wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_waits_for_descriptors_without_spinning() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let (rig, mut inbox) =
            Rig::pull(&endpoint, config(SocketType::Pull, &[SocketType::Push])).await;
        let mut served = Raw::ready(&rig.endpoint, "PUSH").await;
        let mut hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        assert!(!hoard.is_empty());
        // One for the client's end, none for ours.
        hoard.pop();
        let mut waiting = Raw::connect(&rig.endpoint).await;
        let failures = || *rig.counts.accept_failures.lock().unwrap();
        wait_for("no descriptor", &rig.counts, |counts| {
            *counts.accept_failures.lock().unwrap() >= 2
        })
        .await;
        let (before, start) = (failures(), Instant::now());
        // Half a second of trying is what is measured: one try each 75 ms, not one each turn.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let tries = failures() - before;
        let most = start.elapsed().as_millis() as usize / 75 + 2;
        assert!(tries <= most, "{tries}, at most {most}");
        wait_for("another try", &rig.counts, |counts| {
            *counts.accept_failures.lock().unwrap() > before
        })
        .await;

        served.send(&wire(&["meanwhile"])).await;
        assert_eq!(inbox.next().await, [b"meanwhile"]);
        drop(hoard);
        waiting.receive(64).await;
    }
}
