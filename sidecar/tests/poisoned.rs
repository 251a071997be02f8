//! A sync that fails once and then "succeeds": nothing is receipted after it, producers learn it,
//! the queue says that it failed and ends with the disk's error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::{Fault, SimDisk};
use lifeboat_sidecar::app::{self, Place};
use lifeboat_sidecar::status::State;

const QUEUE: &str = "
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {name: q}
spec:
  storage: {size: 64Mi}
  streams:
    - name: work
      ingress: [{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}]
      deliveries: [{name: out, socket: PUSH}]
";

/// The disk as the sidecar sees it has the same paths as the real one that holds its sockets.
fn make_parents(disk: &SimDisk, path: &Path) {
    use lifeboat_log::vfs::Vfs;
    let parents: Vec<_> = path.ancestors().collect();
    for parent in parents.iter().rev() {
        disk.create_dir(parent).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_ends_all_receipts() {
    let home = tempfile::tempdir().unwrap();
    let (data, sockets) = (home.path().join("data"), home.path().join("sockets"));
    let dataplane = lifeboat_api::validate_dataplane(&lifeboat_api::parse(QUEUE).unwrap()).unwrap();
    let host = "127.0.0.1".into();
    let place = Place { data: data.clone(), sockets, host, admin: None, ordinal: None };
    let disk = SimDisk::new(1);
    make_parents(&disk, home.path());
    let sidecar = app::start_on(Arc::new(disk.clone()), &dataplane, &place).await.unwrap();
    let endpoint = sidecar.node.streams[0].ingress()[0].socket.endpoint.clone();

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
