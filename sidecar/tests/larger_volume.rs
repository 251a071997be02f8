//! A volume that grows under a running queue: a full stream takes messages again without a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lifeboat_api::{Dataplane, parse, validate_dataplane};
use lifeboat_sidecar::app::Sidecar;
use support::simulated::Simulated;
use support::sockets::{connected, receive, send};

const MIB: u64 = 1 << 20;

fn queue(size: &str) -> String {
    format!(
        "apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {{name: q}}
spec:
  storage: {{size: {size}}}
  streams:
    - name: work
      ingress: [{{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}}]
      deliveries: [{{name: out, socket: PUSH}}]
      retention: {{onFull: Reject}}
"
    )
}

fn dataplane(size: &str) -> Dataplane {
    validate_dataplane(&parse(&queue(size)).unwrap()).unwrap()
}

fn share(sidecar: &Sidecar) -> u64 {
    sidecar.node.streams[0].max_bytes.load(Ordering::Relaxed)
}

/// Sends messages of 1 MiB until one is refused; answers how many were stored.
async fn fill(endpoint: &str) -> u64 {
    let endpoint = endpoint.to_owned();
    let fill = move || {
        let producer = connected(zmq::DEALER, &endpoint);
        let body = vec![b'x'; 1 << 20];
        for stored in 0.. {
            send(&producer, &[&body]);
            match receive(&producer)[0].as_slice() {
                b"200" => {}
                b"503" => return stored,
                other => panic!("{}", String::from_utf8_lossy(other)),
            }
        }
        unreachable!("an endless disk")
    };
    tokio::task::spawn_blocking(fill).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_goes_on_when_its_volume_grows() {
    let small = Simulated::start(&queue("64Mi"), |disk| {
        disk.set_capacity(96 * MIB);
        Arc::new(disk)
    })
    .await;
    let endpoint = small.ingress(0);
    let Simulated { mut sidecar, disk, home: _home } = small;
    let first = share(&sidecar);
    let stored = fill(&endpoint).await;
    assert!((32..64).contains(&stored), "{stored}");

    // The file grows, and the file system only as far as it is: the streams get that.
    let applied = sidecar.apply(&dataplane("192Mi")).await;
    assert_eq!((applied.pending, applied.problems), (vec![], vec![]));
    let second = share(&sidecar);
    assert!((first + 24 * MIB..=first + 32 * MIB).contains(&second), "{first}, {second}");
    let more = fill(&endpoint).await;
    assert!((16..=40).contains(&more), "{more}");
    assert!(!sidecar.grow(), "nothing has happened");

    // As a driver grows it, later, while the queue runs.
    disk.set_capacity(192 * MIB);
    assert!(sidecar.grow());
    assert!(share(&sidecar) > second + 64 * MIB);
    let more = fill(&endpoint).await;
    assert!(more >= 64, "{more}");
    assert!(!sidecar.grow());

    // It never shrinks while it runs.
    let applied = sidecar.apply(&dataplane("64Mi")).await;
    assert_eq!(applied.pending, ["spec.storage.size"]);
    sidecar.stop().await.unwrap();
}
