//! Who is let in, who is turned away, and what libzmq makes of that.

use zmq::SocketEvent;

use super::Scene;
use super::support::both::TRANSPORTS;
use super::support::monitor::Watched;
use super::support::raw::{Raw, ready};
use super::support::sockets::{
    RECONNECT_STOP, RECONNECT_STOP_HANDSHAKE_FAILED, connected, receive, send, set_option,
    unconnected,
};
use super::support::tally::{number, numbered};
use lifeboat_zmtp::codec::greeting::greeting;

/// Milliseconds between two attempts of libzmq's.
const RECONNECT: i32 = 20;

/// A socket that would soon be back.
fn eager(kind: zmq::SocketType) -> Watched {
    let watched = Watched::new(kind);
    watched.socket.set_reconnect_ivl(RECONNECT).unwrap();
    watched
}

/// Passes the time in which an eager client makes ten attempts.
fn ten_attempts() {
    let control = eager(zmq::PUSH);
    control.socket.connect("ipc:///nobody/listens/here").unwrap();
    for _ in 0..10 {
        control.wait(SocketEvent::CONNECT_RETRIED);
    }
}

/// Checks that it has connected once and never again.
fn has_stopped(client: &Watched) {
    ten_attempts();
    assert_eq!(client.count(SocketEvent::CONNECTED), 1);
    assert_eq!(client.count(SocketEvent::CONNECT_RETRIED), 0);
}

// Row 22.
#[test]
fn a_client_of_another_mechanism_is_turned_away_and_stays_away() {
    let scene = Scene::new();
    for transport in TRANSPORTS {
        let plain = eager(zmq::DEALER);
        plain.socket.set_plain_username(Some("user")).unwrap();
        plain.socket.set_plain_password(Some("password")).unwrap();
        plain.socket.connect(scene.endpoint("in", transport)).unwrap();
        plain.wait(SocketEvent::HANDSHAKE_FAILED_PROTOCOL);
        plain.wait(SocketEvent::DISCONNECTED);
        has_stopped(&plain);
        // libzmq leaves before it says what it wants; these do not.
        for mechanism in ["PLAIN", "CURVE", "GSSAPI"] {
            let mut raw = Raw::connect(scene.endpoint("in", transport));
            raw.send(&greeting(mechanism));
            assert_eq!(raw.receive_to_end(), greeting("NULL"));
        }
        let socket = format!("in{transport}");
        scene.lifeboat.wait_ended(&socket, "mechanism", 3);
        scene.lifeboat.wait_ended(&socket, "", 4);
    }
}

// Row 23.
#[test]
fn a_zap_domain_of_the_clients_changes_nothing() {
    let scene = Scene::new();
    for transport in TRANSPORTS {
        let req = unconnected(zmq::REQ);
        req.set_zap_domain("global").unwrap();
        req.connect(scene.endpoint("in", transport)).unwrap();
        send(&req, &[b"body"]);
        assert_eq!(receive(&req)[0], b"200");
    }
}

// Row 25.
#[test]
fn a_socket_type_that_does_not_fit_is_told_so_and_stays_away() {
    use zmq::{DEALER, PAIR, PUB, PULL, PUSH, REP, REQ, ROUTER, SUB, XPUB, XSUB};
    let scene = Scene::new();
    let all = [DEALER, PAIR, PUB, PULL, PUSH, REP, REQ, ROUTER, SUB, XPUB, XSUB];
    let fits = [("push", vec![PUSH]), ("in", vec![DEALER, REQ]), ("out", vec![PULL])];
    for transport in TRANSPORTS {
        for (socket, fitting) in &fits {
            let unfit = all.into_iter().filter(|kind| !fitting.contains(kind));
            let clients: Vec<Watched> = unfit
                .map(|kind| {
                    let client = eager(kind);
                    client.socket.connect(scene.endpoint(socket, transport)).unwrap();
                    client.wait(SocketEvent::DISCONNECTED);
                    client
                })
                .collect();
            ten_attempts();
            for client in &clients {
                assert_eq!(client.count(SocketEvent::CONNECTED), 1, "{socket}{transport}");
                assert_eq!(client.count(SocketEvent::HANDSHAKE_SUCCEEDED), 0);
            }
            let socket = format!("{socket}{transport}");
            scene.lifeboat.wait_ended(&socket, "socket_type", clients.len() as u64);
        }
    }
}

// Row 25: what libzmq's draft API has, what no ZMTP peer calls itself, and what is no type.
#[test]
fn a_socket_type_that_is_none_is_refused_at_ready() {
    const TYPES: [&str; 13] = [
        "RADIO", "DISH", "CLIENT", "SERVER", "GATHER", "SCATTER", "DGRAM", "PEER", "CHANNEL",
        "STREAM", "", "push", "PUSHY",
    ];
    let scene = Scene::new();
    for transport in TRANSPORTS {
        for socket in ["push", "in", "out", "acked"] {
            for kind in TYPES {
                let mut raw = Raw::connect(scene.endpoint(socket, transport));
                raw.send(&greeting("NULL"));
                raw.send(&ready(kind));
                let answer = raw.receive_to_end();
                let ours = greeting("NULL").len();
                assert!(answer[ours..].is_empty() || answer[ours + 2..].starts_with(b"\x05ERROR"));
            }
            let socket = format!("{socket}{transport}");
            scene.lifeboat.wait_ended(&socket, "socket_type", TYPES.len() as u64);
        }
    }
}

// Row 25: a STREAM is a bare tcp connection.
#[test]
fn a_stream_socket_is_no_zmtp_peer() {
    let scene = Scene::new();
    let stream = connected(zmq::STREAM, scene.endpoint("push", "-tcp"));
    let id = receive(&stream).swap_remove(0);
    send(&stream, &[&id, b"GET / HTTP/1.1\r\n\r\n"]);
    let mut heard = Vec::new();
    loop {
        let data = receive(&stream).swap_remove(1);
        if data.is_empty() {
            break;
        }
        heard.extend(data);
    }
    assert!(greeting("NULL").starts_with(&heard), "{heard:?}");
    scene.lifeboat.wait_ended("push-tcp", "not_zmtp", 1);
}

// Row 25: nothing on the wire tells CONFLATE, which keeps the last message on either side.
#[test]
fn conflating_sockets_lose_what_they_always_lose_and_nothing_else() {
    const LAST: usize = 999;
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let push = unconnected(zmq::PUSH);
        push.set_conflate(true).unwrap();
        push.connect(scene.endpoint("push", transport)).unwrap();
        for at in 0..=LAST {
            push.send(numbered(at, 100), 0).unwrap();
        }
        let pull = unconnected(zmq::PULL);
        pull.set_conflate(true).unwrap();
        pull.connect(scene.endpoint("out", transport)).unwrap();
        let mut last = 0;
        while last < LAST as u64 {
            last = number(&pull.recv_bytes(0).unwrap());
        }
        assert_eq!(scene.lifeboat.ended("", ""), 0);
    }
}

// Row 28. Over maxConnections the handshake fails without a word, which others try again.
#[test]
fn a_client_that_may_not_retry_ends_at_the_first_failed_handshake_and_others_come_back() {
    for bind in ["", ", bind: \"tcp://127.0.0.1:*\""] {
        let ingress =
            format!("{{name: in, socket: ROUTER, protocol: Receipt, maxConnections: 1{bind}}}");
        let scene = Scene::with(&ingress, "{name: out, socket: PUSH}");
        let endpoint = scene.endpoint("in", "");
        let occupant = connected(zmq::REQ, endpoint);
        send(&occupant, &[b"body"]);
        assert_eq!(receive(&occupant)[0], b"200");
        let mut once = eager(zmq::REQ);
        set_option(&mut once.socket, RECONNECT_STOP, RECONNECT_STOP_HANDSHAKE_FAILED);
        once.socket.connect(endpoint).unwrap();
        once.wait(SocketEvent::HANDSHAKE_FAILED_NO_DETAIL);
        let patient = eager(zmq::REQ);
        patient.socket.connect(endpoint).unwrap();
        for _ in 0..3 {
            patient.wait(SocketEvent::HANDSHAKE_FAILED_NO_DETAIL);
        }
        assert!(scene.lifeboat.ended("in", "too_many_connections") >= 4);
        drop(occupant);
        send(&patient.socket, &[b"body"]);
        assert_eq!(receive(&patient.socket)[0], b"200");
        has_stopped(&once);
    }
}
