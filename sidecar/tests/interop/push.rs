//! PUSH producers: every shape of message, and every limit.

use std::ops::Range;

use zmq::SocketEvent;

use super::Scene;
use super::shapes::shapes;
use super::support::both::TRANSPORTS;
use super::support::monitor::Watched;
use super::support::raw::{Raw, announce};
use super::support::sockets::{connected, send};
use super::support::{PATIENCE, wait_for};

/// `maxMessageSize` when the file says nothing.
const LIMIT: usize = 4 << 20;

// Row 7.
#[test]
fn every_frame_size_and_a_thousand_parts_come_out_as_they_went_in() {
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let push = connected(zmq::PUSH, scene.endpoint("push", transport));
        for shape in shapes() {
            push.send_multipart(shape, 0).unwrap();
        }
        assert!(scene.delivered(transport, shapes().len()) == shapes(), "{transport}");
    }
}

/// Sends a message on a PUSH, which ends the connection for this reason, then a good one once the
/// client has connected again.
fn cut_off(scene: &Scene, transport: &str, message: &[Vec<u8>], reason: &str) {
    let push = Watched::new(zmq::PUSH);
    push.socket.connect(scene.endpoint("push", transport)).unwrap();
    push.wait(SocketEvent::HANDSHAKE_SUCCEEDED);
    push.socket.send_multipart(message, 0).unwrap();
    push.wait(SocketEvent::HANDSHAKE_SUCCEEDED);
    scene.lifeboat.wait_ended(&format!("push{transport}"), reason, 1);
    push.socket.set_linger(PATIENCE.as_millis() as i32).unwrap();
    send(&push.socket, &[reason.as_bytes()]);
}

// Rows 8 and 9.
#[test]
fn a_message_of_the_limit_is_stored_and_one_beyond_it_ends_the_connection_not_the_client() {
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let push = connected(zmq::PUSH, scene.endpoint("push", transport));
        let within = [vec![vec![1; LIMIT]], vec![vec![2; LIMIT / 4]; 4], vec![vec![3]; 1024]];
        for message in &within {
            push.send_multipart(message, 0).unwrap();
        }
        let stored = || (scene.home.stream("work").durable_end == 3).then_some(());
        wait_for("what is within the limits", stored);
        for (message, reason) in [
            (vec![vec![1; LIMIT + 1]], "frame_too_large"),
            (vec![vec![2; LIMIT / 2 + 1]; 2], "message_too_large"),
            (vec![vec![3]; 1025], "too_many_parts"),
        ] {
            cut_off(&scene, transport, &message, reason);
        }
        let delivered = scene.delivered(transport, 6);
        assert!(delivered[..3] == within);
        let mut rest = delivered[3..].concat();
        rest.sort();
        assert_eq!(rest, [&b"frame_too_large"[..], b"message_too_large", b"too_many_parts"]);
    }
}

// Row 8.
#[test]
fn what_is_announced_is_never_allocated() {
    const ROUNDS: Range<usize> = 0..20;
    let sizes = [LIMIT as u64 + 1, 1 << 31, (1 << 31) + 1, (1 << 63) - 1];
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let before = scene.lifeboat.resident();
        let endpoint = scene.endpoint("push", transport);
        for size in ROUNDS.flat_map(|_| sizes) {
            let mut raw = Raw::ready(endpoint, "PUSH");
            raw.send(&announce(0, size));
            assert!(raw.receive_to_end().is_empty(), "{size}");
        }
        let count = (ROUNDS.len() * sizes.len()) as u64;
        let socket = format!("push{transport}");
        scene.lifeboat.wait_ended(&socket, "frame_too_large", count);
        // At the limit it is waited for, and costs what has come of it.
        let mut waiting = Vec::new();
        for _ in ROUNDS {
            let mut raw = Raw::ready(endpoint, "PUSH");
            raw.send(&announce(0, LIMIT as u64));
            raw.send(&[7; 1000]);
            waiting.push(raw);
        }
        let push = connected(zmq::PUSH, endpoint);
        send(&push, &[b"served"]);
        assert_eq!(scene.delivered(transport, 1), [[b"served"]]);
        let grown = scene.lifeboat.resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes more");
        assert_eq!(scene.lifeboat.ended(&socket, ""), count, "the waiting ones still wait");
    }
}
