//! The main job with nothing but libzmq on both ends: a plain PUSH and a plain PULL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use support::Home;

const IN: &str = "{name: in, socket: PULL, bind: \"tcp://127.0.0.1:*\"}";
const OUT: &str = "{name: out, socket: PUSH}";

fn socket(context: &zmq::Context, kind: zmq::SocketType, endpoint: &str) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_linger(5_000).unwrap();
    socket.set_rcvtimeo(20_000).unwrap();
    socket.set_sndtimeo(20_000).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

#[test]
fn messages_survive_kill_9_between_push_and_pull() {
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let context = zmq::Context::new();
    let producer = socket(&context, zmq::PUSH, lifeboat.endpoint("work.in"));
    for at in 0..1000u32 {
        producer.send(&at.to_be_bytes()[..], zmq::SNDMORE).unwrap();
        producer.send("body", 0).unwrap();
    }
    // A first application proves that all of it is on the disk, and dies with it in its buffers.
    let first = socket(&context, zmq::PULL, lifeboat.endpoint("work.out"));
    for _ in 0..1000 {
        first.recv_multipart(0).unwrap();
    }
    lifeboat.kill();
    drop(first);
    let lifeboat = home.start();
    let second = socket(&context, zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 0..1000u32 {
        let parts = second.recv_multipart(0).unwrap();
        assert_eq!(parts, [at.to_be_bytes().to_vec(), b"body".to_vec()]);
    }
    assert_eq!(lifeboat.stop().code(), Some(0));
}
