//! A disk that does not answer for a while: nothing is receipted meanwhile, probes and status say so,
//! and it goes on by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::sync::Arc;

use support::process::probe;
use support::simulated::{QUEUE, Simulated};
use support::sockets::{connected, receive, send};
use support::wait_for;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_is_told_and_costs_nothing() {
    let queue = Simulated::start(QUEUE, |disk| Arc::new(disk)).await;
    let (endpoint, admin) = (queue.ingress(0), queue.sidecar.admin.unwrap());
    let (node, disk) = (Arc::clone(&queue.sidecar.node), queue.disk.clone());
    let producer = tokio::task::spawn_blocking(move || {
        let dealer = connected(zmq::DEALER, &endpoint);
        send(&dealer, &[b"before"]);
        assert_eq!(receive(&dealer), [&b"200"[..], b"0"]);
        disk.set_hanging(true);
        send(&dealer, &[b"while it hangs"]);
        wait_for("a queue that is not ready", || (probe(admin, "/readyz").0 == 503).then_some(()));
        let (_, why) = probe(admin, "/readyz");
        assert!(why.starts_with("the disk hangs: no answer for 1"), "{why}");
        assert_eq!(probe(admin, "/livez").0, 200, "a restart would not help");
        assert!(node.status().disk_hangs >= Some(10));
        assert_eq!(dealer.poll(zmq::POLLIN, 0).unwrap(), 0, "a receipt without a sync");
        disk.set_hanging(false);
        assert_eq!(receive(&dealer), [&b"200"[..], b"1"]);
        wait_for("a queue that is ready", || (probe(admin, "/readyz").0 == 200).then_some(()));
        assert_eq!(node.status().disk_hangs, None);
    });
    producer.await.unwrap();
    queue.sidecar.stop().await.unwrap();
}
