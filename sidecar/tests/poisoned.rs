//! A sync that fails once and then "succeeds": nothing is receipted after it, producers learn it,
//! the queue says that it failed and ends with the disk's error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::Fault;
use lifeboat_sidecar::status::State;
use support::simulated::{QUEUE, Simulated};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_ends_all_receipts() {
    let queue = Simulated::start(QUEUE, |disk| Arc::new(disk)).await;
    let endpoint = queue.ingress(0);
    let Simulated { sidecar, disk, home: _home } = queue;

    let producer = tokio::task::spawn_blocking(move || {
        let context = zmq::Context::new();
        let dealer = context.socket(zmq::DEALER).unwrap();
        dealer.set_rcvtimeo(20_000).unwrap();
        dealer.set_linger(0).unwrap();
        dealer.connect(&endpoint).unwrap();
        let mut codes = Vec::new();
        for number in 0..20u32 {
            if number == 10 {
                // From the next call on the disk fails once; everything after "works".
                let next = disk.calls() + 1;
                disk.fail_at(next, Fault::Eio, false);
            }
            dealer.send(&number.to_be_bytes()[..], 0).unwrap();
            let reply = dealer.recv_multipart(0).unwrap();
            codes.push(String::from_utf8(reply[0].clone()).unwrap());
        }
        codes
    });
    let codes = producer.await.unwrap();
    assert!(codes[..10].iter().all(|code| code == "200"), "{codes:?}");
    assert!(codes[10..].iter().all(|code| code == "503"), "{codes:?}");

    tokio::time::timeout(Duration::from_secs(10), sidecar.failed()).await.unwrap();
    assert_eq!(sidecar.node.state.get(), State::Failed);
    let error = sidecar.stop().await.unwrap_err();
    assert!(error.to_string().contains("sync") || error.to_string().contains("write"), "{error}");
}
