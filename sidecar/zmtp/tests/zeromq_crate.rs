//! Against the `zeromq` crate, an implementation of ZMTP 3.0 with nothing in common with libzmq.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod support;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use lifeboat_zmtp::{Connection, Event, HeartbeatConfig, SocketType, Version};
use support::{PATIENCE, Parts, Rig, both_transports, config, shapes, wire};
use zeromq::{Socket, SocketRecv, SocketSend, ZmqMessage};

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

fn message(parts: &Parts) -> ZmqMessage {
    let frames: Vec<Bytes> = parts.iter().cloned().map(Bytes::from).collect();
    ZmqMessage::try_from(frames).unwrap()
}

fn parts(message: &ZmqMessage) -> Parts {
    message.iter().map(|frame| frame.to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_our_pull_every_shape() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Pull, &[SocketType::Push]);
        let (rig, mut inbox) = Rig::pull(&endpoint, config).await;
        let mut push = zeromq::PushSocket::new();
        in_time(push.connect(&rig.address())).await.unwrap();
        for shape in shapes() {
            in_time(push.send(message(&shape))).await.unwrap();
            assert!(inbox.next().await == shape, "{} frames on {endpoint}", shape.len());
        }
        assert_eq!(rig.counts.peers.lock().unwrap()[0].version, Version::V3_0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_push_to_pull_every_shape() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Push, &[SocketType::Pull]);
        let rig = Rig::start(&endpoint, config, |mut connection: Connection| async move {
            for shape in shapes() {
                connection.enqueue(Bytes::from(wire(&shape)));
            }
            while let Ok(Event::Flushed) = connection.drive().await {}
        })
        .await;
        let mut pull = zeromq::PullSocket::new();
        in_time(pull.connect(&rig.address())).await.unwrap();
        for shape in shapes() {
            assert!(parts(&in_time(pull.recv()).await.unwrap()) == shape, "on {endpoint}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dealer_and_req_to_our_router() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Router, &[SocketType::Req, SocketType::Dealer]);
        let rig = Rig::echo(&endpoint, config).await;
        let mut dealer = zeromq::DealerSocket::new();
        in_time(dealer.connect(&rig.address())).await.unwrap();
        let mut req = zeromq::ReqSocket::new();
        in_time(req.connect(&rig.address())).await.unwrap();
        for shape in shapes() {
            in_time(dealer.send(message(&shape))).await.unwrap();
            assert!(parts(&in_time(dealer.recv()).await.unwrap()) == shape, "on {endpoint}");
            in_time(req.send(message(&shape))).await.unwrap();
            assert!(parts(&in_time(req.recv()).await.unwrap()) == shape, "on {endpoint}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_3_0_peer_is_never_pinged_nor_given_up() {
    // The crate drops a connection on which a PING comes.
    let mut config = config(SocketType::Pull, &[SocketType::Push]);
    config.heartbeat = Some(HeartbeatConfig {
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(100),
    });
    let (rig, mut inbox) = Rig::pull(&"tcp://*:*".parse().unwrap(), config).await;
    let mut push = zeromq::PushSocket::new();
    in_time(push.connect(&rig.address())).await.unwrap();
    in_time(push.send("one".into())).await.unwrap();
    inbox.next().await;
    // Silence is what is tested.
    tokio::time::sleep(Duration::from_millis(300)).await;
    in_time(push.send("two".into())).await.unwrap();
    assert_eq!(inbox.next().await, [b"two"]);
    assert_eq!(rig.counts.connected(), 1);
    assert!(rig.counts.closed.lock().unwrap().is_empty());
}
