//! Peers that mean harm, on tcp and on ipc: others are served on, memory stays flat, and each is
//! counted under its reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread;
use std::time::Instant;

use lifeboat_sidecar::delivery::LeaseKey;
use lifeboat_sidecar::wire::token::{Origin, Token};
use lifeboat_zmtp::codec::greeting::greeting;
use lifeboat_zmtp::push_frame;
use support::both::{IN, OUT, TRANSPORTS};
use support::credit::App;
use support::raw::{Raw, announce, ready};
use support::siege::stuck_senders;
use support::sockets::{connected, receive, send, unconnected};
use support::tally::{number, numbered};
use support::{Home, Lifeboat, PATIENCE};

/// The sidecar's memory when the file says nothing, which is also its container's limit.
const MEMORY: u64 = 96 << 20;
/// Peers of one kind on each transport.
const CROWD: usize = 50;

/// A queue under attack, with a well-behaved producer and application on it.
struct Siege {
    home: Home,
    lifeboat: Lifeboat,
    producer: zmq::Socket,
    app: App,
    served: u64,
}

impl Siege {
    fn new() -> Self {
        let home = Home::queue(IN, OUT);
        let lifeboat = home.start();
        let producer = connected(zmq::DEALER, lifeboat.endpoint("work.in-tcp"));
        let app = App::with_credit(lifeboat.endpoint("work.acked"), 64);
        let mut siege = Self { home, lifeboat, producer, app, served: 0 };
        siege.serve();
        siege
    }

    /// A hundred records go through: sent, receipted, delivered.
    fn serve(&mut self) {
        for at in self.served..self.served + 100 {
            send(&self.producer, &[&numbered(at as usize, 100)]);
        }
        for at in self.served..self.served + 100 {
            assert_eq!(receive(&self.producer), [b"200".to_vec(), at.to_string().into_bytes()]);
            let msg = self.app.next();
            assert_eq!((msg.seq, number(&msg.body[0])), (at, at));
            self.app.ack(&[msg]);
        }
        self.served += 100;
    }

    /// Stores records of this size, each with its receipt.
    fn store(&self, records: usize, len: usize) {
        let producer = unconnected(zmq::DEALER);
        producer.set_rcvhwm(0).unwrap();
        producer.connect(&self.endpoint("in", "")).unwrap();
        for at in 0..records {
            send(&producer, &[&numbered(at, len)]);
        }
        for _ in 0..records {
            assert_eq!(receive(&producer)[0], b"200");
        }
    }

    fn endpoint(&self, socket: &str, transport: &str) -> String {
        self.lifeboat.endpoint(&format!("work.{socket}{transport}")).to_owned()
    }

    /// Waits until so many connections of a socket ended for this reason, serving on meanwhile.
    fn ended(&mut self, socket: &str, transport: &str, reason: &str, count: u64) {
        self.serve();
        self.lifeboat.wait_ended(&format!("{socket}{transport}"), reason, count);
        self.serve();
        self.is_flat();
    }

    fn is_flat(&self) {
        let resident = self.lifeboat.resident();

        assert!(resident < MEMORY, "{resident} bytes");
    }
}

#[test]
fn absurd_frames_before_and_after_ready_end_only_their_connection() {
    let mut siege = Siege::new();
    for transport in TRANSPORTS {
        for size in [1 << 40, 1 << 63, u64::MAX] {
            for command in [0, 4] {
                let mut early = Raw::connect(&siege.endpoint("push", transport));
                early.send(&greeting("NULL"));
                early.send(&announce(command, size));
                early.receive_to_end();
            }
            for (socket, kind) in [("push", "PUSH"), ("in", "DEALER"), ("acked", "DEALER")] {
                let mut raw = Raw::ready(&siege.endpoint(socket, transport), kind);
                raw.send(&announce(0, size));
                raw.receive_to_end();
                let mut raw = Raw::ready(&siege.endpoint(socket, transport), kind);
                raw.send(&announce(4, size));
                raw.receive_to_end();
            }
        }
        for socket in ["push", "in", "acked"] {
            siege.ended(socket, transport, "frame_too_large", 3);
        }
        siege.ended("in", transport, "bad_command", 3);
    }
}

#[test]
fn endless_parts_are_cut_off() {
    let mut siege = Siege::new();
    let (mut empty, mut small) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        push_frame(&mut empty, true, b"");
        push_frame(&mut small, true, &[7; 200]);
    }
    for transport in TRANSPORTS {
        for (turn, run) in [&empty, &small].into_iter().enumerate() {
            for (socket, kind) in [("push", "PUSH"), ("in", "DEALER"), ("acked", "DEALER")] {
                let mut raw = Raw::ready(&siege.endpoint(socket, transport), kind);
                let deadline = Instant::now() + PATIENCE;
                while raw.send(run) {
                    assert!(Instant::now() < deadline, "nothing stops it");
                }
                // No verb is that long, so a Credit delivery stops reading before it has counted.
                match (socket, turn) {
                    ("acked", 1) => siege.ended(socket, transport, "message_too_large", 1),
                    _ => siege.ended(socket, transport, "too_many_parts", turn as u64 + 1),
                }
            }
        }
    }
}

#[test]
fn silence_and_half_a_greeting_are_ended_after_five_seconds() {
    const SILENT: usize = 300;
    let mut siege = Siege::new();
    let mut raws = Vec::new();
    for transport in TRANSPORTS {
        let endpoint = siege.endpoint("push", transport);
        raws.extend((0..SILENT).map(|_| Raw::connect(&endpoint)));
        let mut half = Raw::connect(&endpoint);
        half.send(&greeting("NULL")[..40]);
        let mut unready = Raw::connect(&endpoint);
        unready.send(&greeting("NULL"));
        raws.extend([half, unready]);
    }
    siege.serve();
    for transport in TRANSPORTS {
        siege.ended("push", transport, "handshake_timeout", SILENT as u64 + 2);
    }
    let stream = siege.home.stream("work");
    assert!(stream.ingress.iter().take(2).all(|socket| socket.socket.connections == 0));
}

#[test]
fn other_protocols_and_other_sockets_are_turned_away() {
    let mut siege = Siege::new();
    for transport in TRANSPORTS {
        let endpoint = siege.endpoint("in", transport);
        let http = b"GET / HTTP/1.1\r\nHost: lifeboat\r\nUser-Agent: curl/8.5.0\r\n\r\n";
        let tls =
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client's first words to a server";
        for words in [&http[..], &tls[..]] {
            let mut raw = Raw::connect(&endpoint);
            raw.send(words);
            raw.receive_to_end();
        }
        siege.ended("in", transport, "not_zmtp", 2);
        let mut sub = Raw::connect(&endpoint);
        sub.send(&greeting("NULL"));
        sub.send(&ready("SUB"));
        sub.receive_to_end();
        siege.ended("in", transport, "socket_type", 1);
        let mut plain = Raw::connect(&endpoint);
        plain.send(&greeting("PLAIN"));
        plain.receive_to_end();
        siege.ended("in", transport, "mechanism", 1);
    }
}

#[test]
fn a_crowd_of_pull_apps_that_never_read_costs_little_and_holds_up_nobody() {
    const RECORDS: usize = 3000;
    let mut siege = Siege::new();
    let mut stuck = Vec::new();
    for transport in TRANSPORTS {
        let endpoint = siege.endpoint("out", transport);
        stuck.extend((0..CROWD).map(|_| Raw::ready(&endpoint, "PULL")));
    }
    siege.store(RECORDS, 64 << 10);
    siege.is_flat();
    siege.app.settle(RECORDS);
    siege.served += RECORDS as u64;
    siege.serve();
    siege.is_flat();
    // A reader beside them gets what is left, and all the rest once they are gone.
    let reader = connected(zmq::PULL, &siege.endpoint("out", ""));
    let mut all = siege.served as usize;
    drop(stuck);
    while all > 0 {
        receive(&reader);
        all -= 1;
    }
    siege.is_flat();
}

#[test]
fn a_crowd_of_credit_apps_that_never_read_costs_little_and_holds_up_nobody() {
    const RECORDS: usize = 2000;
    let siege = Siege::new();
    let mut credit = Vec::new();
    push_frame(&mut credit, true, b"CREDIT");
    push_frame(&mut credit, false, b"64");
    let mut stuck = Vec::new();
    for transport in TRANSPORTS {
        for _ in 0..CROWD {
            let mut raw = Raw::ready(&siege.endpoint("acked", transport), "DEALER");
            assert!(raw.send(&credit));
            stuck.push(raw);
        }
    }
    siege.store(RECORDS, 64 << 10);
    siege.is_flat();
    // Each of the stuck could have leased 64 of them; they get what their buffers hold.
    siege.app.settle(RECORDS / 4);
    drop(stuck);
    siege.app.settle(RECORDS - RECORDS / 4);
    siege.is_flat();
}

#[test]
fn producers_that_read_no_receipts_cost_little_and_hold_up_nobody() {
    let siege = Siege::new();
    let mut run = Vec::new();
    for _ in 0..1000 {
        push_frame(&mut run, false, &[7; 50]);
    }
    let mut stuck = Vec::new();
    for transport in TRANSPORTS {
        stuck.extend(stuck_senders(&siege.endpoint("in", transport), "DEALER", 5, &run));
        siege.is_flat();
    }
    let req = connected(zmq::REQ, &siege.endpoint("in", "-tcp"));
    for _ in 0..100 {
        send(&req, &[b"served"]);
        assert_eq!(receive(&req)[0], b"200");
    }
    siege.is_flat();
}

#[test]
fn mistakes_that_nobody_reads_the_answers_to_are_bounded() {
    let mut siege = Siege::new();
    for (socket, mistake) in [("DEALER", &b"NONSENSE"[..]), ("REQ", b"")] {
        let mut run = Vec::new();
        (0..1000).for_each(|_| push_frame(&mut run, false, mistake));
        for transport in TRANSPORTS {
            let stuck = stuck_senders(&siege.endpoint("acked", transport), socket, 1, &run);
            siege.serve();
            siege.is_flat();
            drop(stuck);
        }
    }
}

#[test]
fn tokens_that_are_none_earn_one_error_of_a_kind_a_message() {
    const ACKS: usize = 200;
    let siege = Siege::new();
    let app = App::connect(&siege.endpoint("acked", ""));
    let mut ack: Vec<&[u8]> = vec![b""; 1025];
    ack[0] = b"ACK";
    (0..ACKS).for_each(|_| app.say(&ack));
    // Two kinds that take turns.
    let origin = Origin { stream: [7; 16], delivery: 1 };
    let foreign = Token::new(origin, LeaseKey { epoch: 1, seq: 0, attempt: 1 }).encode();
    ack.iter_mut().skip(1).step_by(2).for_each(|token| *token = &foreign);
    app.say(&ack);
    app.say(&[b"NONSENSE"]);
    for _ in 0..ACKS {
        assert_eq!(app.error(), "400 not a token");
    }
    assert_eq!(app.error(), "404 token of another stream or delivery");
    assert_eq!(app.error(), "400 not a token");
    assert_eq!(app.error(), "400 unknown verb");
    siege.is_flat();
}

#[test]
fn a_thousand_connections_come_and_go() {
    let mut siege = Siege::new();
    let endpoint = siege.endpoint("in", "-tcp");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let endpoint = endpoint.clone();
            thread::spawn(move || {
                for _ in 0..250 {
                    let mut raw = Raw::ready(&endpoint, "DEALER");
                    let mut message = Vec::new();
                    push_frame(&mut message, false, b"half of it is never sent");
                    raw.send(&message[..10]);
                }
            })
        })
        .collect();
    siege.serve();
    for thread in threads {
        thread.join().unwrap();
    }
    siege.ended("in", "-tcp", "peer_closed", 1000);
    assert_eq!(siege.home.stream("work").ingress[3].socket.connections, 1, "the producer's own");
}
