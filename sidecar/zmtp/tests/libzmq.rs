//! Against libzmq, the implementation that everybody runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod support;

use std::thread;
use std::time::Duration;

use bytes::Bytes;
use lifeboat_zmtp::{CloseReason, Connection, Endpoint, Event, SocketType, Version, frames};
use support::{PATIENCE, Parts, Rig, both_transports, config, shapes, wait_for, wire};

/// A libzmq socket that gives up after a while instead of hanging the test.
fn socket(kind: zmq::SocketType) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    let patience = i32::try_from(PATIENCE.as_millis()).unwrap();
    socket.set_rcvtimeo(patience).unwrap();
    socket.set_sndtimeo(patience).unwrap();
    socket
}

/// One that PINGs each 100 ms and gives up a peer that does not answer, as it asks of the peer.
fn beating(address: &str) -> zmq::Socket {
    let push = socket(zmq::PUSH);
    push.set_heartbeat_ivl(100).unwrap();
    push.set_heartbeat_timeout(5000).unwrap();
    push.set_heartbeat_ttl(5000).unwrap();
    push.connect(address).unwrap();
    push
}

/// Runs blocking libzmq calls beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_our_pull_every_shape() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Pull, &[SocketType::Push]);
        let (rig, mut inbox) = Rig::pull(&endpoint, config).await;
        let address = rig.address();
        let sender = thread::spawn(move || {
            let push = socket(zmq::PUSH);
            push.connect(&address).unwrap();
            for shape in shapes() {
                push.send_multipart(shape, 0).unwrap();
            }
        });
        for shape in shapes() {
            assert!(inbox.next().await == shape, "{} frames on {endpoint}", shape.len());
        }
        sender.join().unwrap();
        wait_for("closed", &rig.counts, |counts| counts.closed(CloseReason::PeerClosed) == 1).await;
        let peers = rig.counts.peers.lock().unwrap().clone();
        assert_eq!((peers[0].socket, peers[0].version), (SocketType::Push, Version::V3_1));
    }
}

/// Sends all shapes and stays until the peer has read them.
async fn push_all(mut connection: Connection) {
    let mut end = 0;
    for shape in shapes() {
        end = connection.enqueue(Bytes::from(wire(&shape)));
    }
    while let Ok(Event::Flushed) = connection.drive().await {
        assert_eq!((connection.queued(), connection.written()), (0, end));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_push_to_pull_every_shape() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Push, &[SocketType::Pull]);
        let rig = Rig::start(&endpoint, config, push_all).await;
        let address = rig.address();
        let received: Vec<Parts> = blocking(move || {
            let pull = socket(zmq::PULL);
            pull.connect(&address).unwrap();
            shapes().iter().map(|_| pull.recv_multipart(0).unwrap()).collect()
        })
        .await;
        assert!(received == shapes(), "on {endpoint}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dealer_and_req_to_our_router_every_shape() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Router, &[SocketType::Req, SocketType::Dealer]);
        let rig = Rig::echo(&endpoint, config).await;
        let address = rig.address();
        blocking(move || {
            for kind in [zmq::DEALER, zmq::REQ] {
                let client = socket(kind);
                client.set_identity(b"somebody").unwrap();
                client.connect(&address).unwrap();
                for shape in shapes() {
                    client.send_multipart(&shape, 0).unwrap();
                    assert!(client.recv_multipart(0).unwrap() == shape, "{kind:?}");
                }
            }
        })
        .await;
        let peers = rig.counts.peers.lock().unwrap().clone();
        let kinds: Vec<_> = peers.iter().map(|peer| peer.socket).collect();
        assert_eq!(kinds, [SocketType::Dealer, SocketType::Req]);
        assert!(peers.iter().all(|peer| peer.identity == "somebody"));
        assert_ne!(peers[0].id, peers[1].id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_socket_type_is_told_and_stays_away() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Router, &[SocketType::Dealer]);
        let rig = Rig::echo(&endpoint, config).await;
        let address = rig.address();
        let req = socket(zmq::REQ);
        req.connect(&address).unwrap();
        wait_for("refused", &rig.counts, |counts| counts.refused(CloseReason::SocketType) >= 1)
            .await;
        assert_eq!(rig.counts.connected(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_keep_an_idle_connection() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Pull, &[SocketType::Push]);
        let (rig, mut inbox) = Rig::pull(&endpoint, config.clone()).await;
        let push = beating(&rig.address());
        push.send("before", 0).unwrap();
        assert_eq!(inbox.next().await, [b"before"]);
        let mute = Rig::start(&"tcp://*:*".parse().unwrap(), config, async |connection| {
            std::future::pending::<()>().await;
            drop(connection);
        })
        .await;
        let _asks = beating(&mute.address());
        // Idle for longer than both limits is what is tested, so here time itself has to pass.
        tokio::time::sleep(Duration::from_secs(6)).await;
        push.send("after", 0).unwrap();
        assert_eq!(inbox.next().await, [b"after"]);
        assert_eq!(rig.counts.connected(), 1, "one connection all the time");
        assert!(rig.counts.closed.lock().unwrap().is_empty());
        // It does ask: one that hears no answer comes again.
        wait_for("the mute one to be given up", &mute.counts, |counts| counts.connected() > 1)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_pings_are_answered_by_libzmq() {
    let mut config = config(SocketType::Pull, &[SocketType::Push]);
    config.heartbeat = Some(lifeboat_zmtp::HeartbeatConfig {
        interval: Duration::from_millis(50),
        timeout: Duration::from_secs(5),
    });
    let (rig, mut inbox) = Rig::pull(&"tcp://*:*".parse().unwrap(), config).await;
    let push = socket(zmq::PUSH);
    push.connect(&rig.address()).unwrap();
    push.send("x", 0).unwrap();
    inbox.next().await;
    // Longer than the timeout: only PONGs keep it alive.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(rig.counts.closed.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_socket_file_is_no_hindrance() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let config = config(SocketType::Pull, &[SocketType::Push]);
    let (rig, mut inbox) = Rig::pull(&Endpoint::ipc(&path).unwrap(), config).await;
    let push = socket(zmq::PUSH);
    push.connect(&rig.address()).unwrap();
    push.send("x", 0).unwrap();
    assert_eq!(inbox.next().await, [b"x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peer_is_seen_to_read() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::ipc(dir.path().join("socket")).unwrap();
    let (sender, mut positions) = tokio::sync::mpsc::unbounded_channel();
    let config = config(SocketType::Push, &[SocketType::Pull]);
    let rig = Rig::start(&endpoint, config, move |mut connection: Connection| {
        let sender = sender.clone();
        async move {
            let end = connection.enqueue(Bytes::from(wire(&[[7; 1000]])));
            let mut taken = 0;
            while taken < end {
                if tokio::time::timeout(Duration::from_millis(1), connection.drive())
                    .await
                    .is_ok_and(|outcome| outcome.is_err())
                {
                    return;
                }
                taken = connection.taken().unwrap();
            }
            sender.send((end, taken)).unwrap();
        }
    })
    .await;
    let pull = socket(zmq::PULL);
    pull.connect(&rig.address()).unwrap();
    let (end, taken) = tokio::time::timeout(PATIENCE, positions.recv()).await.unwrap().unwrap();
    assert_eq!((end, taken), (1009, 1009));
    assert_eq!(frames(&wire(&[pull.recv_bytes(0).unwrap()])).count(), 1);
}
