//! The main job with nothing but libzmq on both ends: a plain PUSH and a plain PULL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread;

use support::Home;
use support::sockets::{connected, receive, send};
use support::traffic::Traffic;

const TCP_IN: &str = "{name: in, socket: PULL, bind: \"tcp://127.0.0.1:*\"}";
const IPC_OUT: &str = "{name: out, socket: PUSH}";

#[test]
fn a_million_messages_arrive_byte_for_byte_and_in_order() {
    const MESSAGES: usize = 1_000_000;
    let home = Home::queue(TCP_IN, IPC_OUT);
    let lifeboat = home.start();
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    let sender = thread::spawn(move || {
        let mut traffic = Traffic::new(0x5EED);
        for _ in 0..MESSAGES {
            let frames = traffic.next();
            let last = frames.len() - 1;
            for (at, frame) in frames.enumerate() {
                producer.send(frame, if at < last { zmq::SNDMORE } else { 0 }).unwrap();
            }
        }
    });
    let (mut traffic, mut frame) = (Traffic::new(0x5EED), zmq::Message::new());
    for at in 0..MESSAGES {
        let expected = traffic.next();
        let last = expected.len() - 1;
        for (part, bytes) in expected.enumerate() {
            app.recv(&mut frame, 0).unwrap();
            assert!(frame[..] == *bytes, "frame {part} of message {at}");
            assert_eq!(frame.get_more(), part < last, "frame {part} of message {at}");
        }
    }
    sender.join().unwrap();
    let stream = home.stream("work");
    assert_eq!((stream.durable_end, stream.deliveries[0].delivered_end), (1_000_000, 1_000_000));
    assert_eq!(lifeboat.stop().code(), Some(0));
}

#[test]
fn messages_survive_kill_9_between_push_and_pull() {
    let home = Home::queue(TCP_IN, IPC_OUT);
    let lifeboat = home.start();
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    for at in 0..1000u32 {
        send(&producer, &[&at.to_be_bytes(), b"body"]);
    }
    // A first application proves that all of it is on the disk, and dies with it in its buffers.
    let first = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for _ in 0..1000 {
        receive(&first);
    }
    lifeboat.kill();
    drop(first);
    let lifeboat = home.start();
    let second = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 0..1000u32 {
        assert_eq!(receive(&second), [at.to_be_bytes().to_vec(), b"body".to_vec()]);
    }
    assert_eq!(lifeboat.stop().code(), Some(0));
}
