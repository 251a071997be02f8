//! The `zeromq` crate, a ZMTP 3.0 peer that has nothing in common with libzmq, at both ends.

use std::future::Future;

use bytes::Bytes;
use zeromq::{DealerSocket, PullSocket, PushSocket, ReqSocket};
use zeromq::{Socket, SocketRecv, SocketSend, ZmqMessage};

use super::Scene;
use super::shapes::shapes;
use super::support::PATIENCE;
use super::support::both::TRANSPORTS;

type Frames = Vec<Vec<u8>>;

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

async fn connected<S: Socket>(endpoint: &str) -> S {
    let mut socket = S::new();
    in_time(socket.connect(endpoint)).await.unwrap();
    socket
}

fn message(frames: Frames) -> ZmqMessage {
    let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
    ZmqMessage::try_from(frames).unwrap()
}

async fn receive(socket: &mut impl SocketRecv) -> Frames {
    let message = in_time(socket.recv()).await.unwrap();
    message.iter().map(|frame| frame.to_vec()).collect()
}

/// Sends these frames and returns the answer's, joined by blanks.
async fn ask<S: SocketSend + SocketRecv>(socket: &mut S, frames: &[&[u8]]) -> String {
    let frames = frames.iter().map(|frame| frame.to_vec()).collect();
    in_time(socket.send(message(frames))).await.unwrap();
    String::from_utf8(receive(socket).await.join(&b' ')).unwrap()
}

// Row 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_req_gets_a_receipt_for_each_message() {
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let mut req: ReqSocket = connected(scene.endpoint("in", transport)).await;
        assert_eq!(ask(&mut req, &[b"one"]).await, "200 0");
        assert_eq!(ask(&mut req, &[b"two", b"", b"parts and an empty one"]).await, "200 1");
        assert_eq!(ask(&mut req, &[b"", b""]).await, "200 2");
        let mut pull: PullSocket = connected(scene.endpoint("out", transport)).await;
        assert_eq!(receive(&mut pull).await, [b"one"]);
        assert_eq!(receive(&mut pull).await, [&b"two"[..], b"", b"parts and an empty one"]);
        assert_eq!(receive(&mut pull).await, [b"", b""]);
    }
}

// Row 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dealer_is_answered_in_kind_with_and_without_a_delimiter() {
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let mut dealer: DealerSocket = connected(scene.endpoint("in", transport)).await;
        assert_eq!(ask(&mut dealer, &[b"a", b"b"]).await, "200 0");
        assert_eq!(ask(&mut dealer, &[b"", b"", b"c", b""]).await, " 200 1");
        assert_eq!(ask(&mut dealer, &[b"hop", b"id", b"", b"d"]).await, "hop id  200 2");
        assert_eq!(ask(&mut dealer, &[b""]).await, " 400", "only a first one is a probe");
        let mut pull: PullSocket = connected(scene.endpoint("out", transport)).await;
        assert_eq!(receive(&mut pull).await, [b"a", b"b"]);
        assert_eq!(receive(&mut pull).await, [&b""[..], b"c", b""]);
        assert_eq!(receive(&mut pull).await, [b"d"]);
    }
}

// Row 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_size_and_a_thousand_parts_come_out_as_they_went_in() {
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let mut push: PushSocket = connected(scene.endpoint("push", transport)).await;
        for shape in shapes() {
            in_time(push.send(message(shape))).await.unwrap();
        }
        let mut pull: PullSocket = connected(scene.endpoint("out", transport)).await;
        for shape in shapes() {
            assert!(receive(&mut pull).await == shape, "{} frames", shape.len());
        }
    }
}
