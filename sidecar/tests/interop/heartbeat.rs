//! Row 13. ZMTP's heartbeats: PINGs are answered whatever else goes on, and a peer that falls silent
//! is given up when it said it would be.

use std::thread::sleep;
use std::time::{Duration, Instant};

use zmq::SocketEvent;

use super::Scene;
use super::support::both::TRANSPORTS;
use super::support::credit::App;
use super::support::monitor::Watched;
use super::support::raw::Raw;
use super::support::sockets::{connected, receive, send, unconnected};
use lifeboat_zmtp::push_frame;

/// After how much silence the sockets here give the other side up, and are given up.
const SILENCE: Duration = Duration::from_secs(5);

/// Has a socket PING each 100 ms, and connects it.
fn beat(socket: &zmq::Socket, endpoint: &str) {
    let silence = SILENCE.as_millis() as i32;
    socket.set_heartbeat_ivl(100).unwrap();
    socket.set_heartbeat_timeout(silence).unwrap();
    socket.set_heartbeat_ttl(silence).unwrap();
    socket.connect(endpoint).unwrap();
}

fn beating(kind: zmq::SocketType, endpoint: &str) -> zmq::Socket {
    let socket = unconnected(kind);
    beat(&socket, endpoint);
    socket
}

#[test]
fn idle_connections_with_heartbeats_stay_up() {
    let scene = Scene::new();
    let clients = TRANSPORTS.map(|transport| {
        let client = |kind, socket| beating(kind, scene.endpoint(socket, transport));
        let app = App::over(client(zmq::DEALER, "acked"));
        app.credit(10);
        let [push, dealer, req] =
            [(zmq::PUSH, "push"), (zmq::DEALER, "in"), (zmq::REQ, "in")].map(|(k, s)| client(k, s));
        (push, dealer, req, client(zmq::PULL, "out"), app)
    });
    let exchange = || {
        for (push, dealer, req, ..) in &clients {
            send(push, &[b"pushed"]);
            for producer in [dealer, req] {
                send(producer, &[b"receipted"]);
                assert_eq!(receive(producer)[0], b"200");
            }
        }
        // Three from each transport: all to each PULL, shared by nobody, and to each delivery.
        for (_, _, _, pull, app) in &clients {
            for _ in 0..6 {
                receive(pull);
            }
            app.settle(6);
        }
    };
    exchange();
    // Idle for longer than both limits is what is tested, so here time itself has to pass.
    sleep(SILENCE + Duration::from_secs(1));
    exchange();
    assert_eq!(scene.lifeboat.ended("", ""), 0);
}

/// What the test above rests on: such a socket asks all the time, and goes where no answer comes.
#[test]
fn a_sidecar_that_answers_nothing_is_given_up() {
    let scene = Scene::new();
    let kinds = [
        (zmq::PUSH, "push"),
        (zmq::DEALER, "in"),
        (zmq::REQ, "in"),
        (zmq::PULL, "out"),
        (zmq::DEALER, "acked"),
    ];
    let sockets = TRANSPORTS.map(|transport| {
        kinds.map(|(kind, socket)| {
            let watched = Watched::new(kind);
            beat(&watched.socket, scene.endpoint(socket, transport));
            watched.wait(SocketEvent::HANDSHAKE_SUCCEEDED);
            watched
        })
    });
    scene.lifeboat.freeze();
    for watched in sockets.as_flattened() {
        watched.wait(SocketEvent::DISCONNECTED);
    }
}

/// A PING command.
fn ping(ttl_tenths: u16, context: &[u8]) -> Vec<u8> {
    let body = [b"\x04PING", &ttl_tenths.to_be_bytes()[..], context].concat();
    [&[4, body.len() as u8][..], &body].concat()
}

fn pong(context: &[u8]) -> Vec<u8> {
    [&[4, 5 + context.len() as u8][..], b"\x04PONG", context].concat()
}

#[test]
fn a_pong_echoes_a_context_of_up_to_sixteen_bytes() {
    const CONTEXT: &[u8] = b"sixteen bytes...";
    const HELLO: usize = 7 + 3 + 34;
    let scene = Scene::new();
    let kinds =
        [("push", "PUSH", 0), ("in", "DEALER", 0), ("out", "PULL", 0), ("acked", "DEALER", HELLO)];
    for transport in TRANSPORTS {
        for (socket, kind, greeting) in kinds {
            let mut raw = Raw::ready(scene.endpoint(socket, transport), kind);
            raw.receive(greeting);
            for len in 0..=CONTEXT.len() {
                let context = &CONTEXT[..len];
                raw.send(&ping(0, context));
                let expected = pong(context);
                assert_eq!(raw.receive(expected.len()), expected, "{socket}{transport}");
            }
            raw.send(&ping(0, b"seventeen bytes.."));
            assert!(raw.receive_to_end().is_empty(), "longer is malformed");
            scene.lifeboat.wait_ended(&format!("{socket}{transport}"), "bad_command", 1);
        }
    }
}

/// What a stopped process looks like from here: the connection stands and nothing comes.
#[test]
fn an_application_that_falls_silent_is_closed_at_its_ttl_and_its_records_go_on() {
    const RECORDS: usize = 10;
    const TTL: Duration = Duration::from_millis(500);
    for transport in TRANSPORTS {
        let scene = Scene::new();
        let producer = connected(zmq::DEALER, scene.endpoint("in", transport));
        for at in 0..RECORDS as u64 {
            send(&producer, &[&at.to_be_bytes()]);
            assert_eq!(receive(&producer)[0], b"200");
        }
        let mut silent = Raw::ready(scene.endpoint("acked", transport), "DEALER");
        let mut credit = Vec::new();
        push_frame(&mut credit, true, b"CREDIT");
        push_frame(&mut credit, false, b"64");
        silent.send(&credit);
        let leased = || (scene.home.stream("work").in_flight >= RECORDS as u64).then_some(());
        super::support::wait_for("all to be leased", leased);
        let start = Instant::now();
        silent.send(&ping(5, b""));
        silent.receive_to_end();
        assert!(start.elapsed() >= TTL, "closed after {:?}", start.elapsed());
        let socket = format!("acked{transport}");
        scene.lifeboat.wait_ended(&socket, "heartbeat_timeout", 1);
        let next = App::over(beating(zmq::DEALER, scene.endpoint("acked", transport)));
        next.credit(64);
        let mut seqs: Vec<u64> = next.settle(RECORDS).iter().map(|msg| msg.seq).collect();
        seqs.sort_unstable();
        assert!(seqs.into_iter().eq(0..RECORDS as u64));
        assert_eq!(scene.lifeboat.ended(&socket, ""), 1);
    }
}
