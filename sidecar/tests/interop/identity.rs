//! Row 12. A routing id is the client's own business: each connection is a peer of its own here, so
//! clients that share one do not take each other's place.

use super::Scene;
use super::support::both::TRANSPORTS;
use super::support::credit::App;
use super::support::sockets::{receive, send, unconnected};

/// A socket with the routing id that all have here.
fn namesake(kind: zmq::SocketType, endpoint: &str) -> zmq::Socket {
    let socket = unconnected(kind);
    socket.set_identity(b"the same").unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

#[test]
fn producers_with_one_routing_id_each_get_their_own_receipts() {
    const ROUNDS: u64 = 100;
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let endpoint = scene.endpoint("in", transport);
        let kinds = [zmq::DEALER, zmq::REQ, zmq::DEALER, zmq::REQ];
        let producers = kinds.map(|kind| namesake(kind, endpoint));
        let mut seqs = Vec::new();
        for round in 0..ROUNDS {
            for (name, producer) in producers.iter().enumerate() {
                let (name, round) = ([name as u8], round.to_be_bytes());
                // A REQ makes an envelope of its own and takes it off again.
                let frames: [&[u8]; 4] = [&name, b"", &round, b"body"];
                let is_req = producer.get_socket_type() == Ok(zmq::REQ);
                send(producer, &frames[if is_req { 2 } else { 0 }..]);
            }
            for (name, producer) in producers.iter().enumerate() {
                let mut answer = receive(producer);
                if producer.get_socket_type() == Ok(zmq::DEALER) {
                    assert_eq!(answer.drain(..2).next(), Some(vec![name as u8]));
                }
                assert_eq!((answer.len(), &answer[0][..]), (2, &b"200"[..]));
                seqs.push(String::from_utf8(answer.remove(1)).unwrap().parse::<u64>().unwrap());
            }
        }
        seqs.sort_unstable();
        assert!(seqs.into_iter().eq(0..4 * ROUNDS));
        assert_eq!(scene.lifeboat.ended("", ""), 0);
        assert_eq!(scene.connections(&format!("in{transport}")), 4);
    }
}

#[test]
fn applications_with_one_routing_id_each_get_their_own_records() {
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let endpoint = scene.endpoint("acked", transport);
        let apps = [(); 2].map(|()| {
            let app = App::over(namesake(zmq::DEALER, endpoint));
            app.credit(1);
            app
        });
        let producer = namesake(zmq::DEALER, scene.endpoint("in", transport));
        for round in 0..50 {
            for at in 0..2u8 {
                send(&producer, &[&[round, at]]);
            }
            // The one cannot take the other's: each has room for one.
            let msgs = apps.each_ref().map(App::next);
            for (app, msg) in apps.iter().zip(&msgs) {
                app.ack(std::slice::from_ref(msg));
            }
            let mut taken = msgs.map(|msg| msg.body.concat());
            taken.sort();
            assert_eq!(taken, [[round, 0], [round, 1]]);
        }
        assert_eq!(scene.lifeboat.ended("", ""), 0);
        assert_eq!(scene.connections(&format!("acked{transport}")), 2);
    }
}
