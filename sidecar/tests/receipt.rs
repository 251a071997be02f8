//! Producers that want a receipt: every form of envelope, every code, order and bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // a test's numbers are small

mod support;

use std::collections::BTreeSet;
use std::thread;

use lifeboat_zmtp::push_frame;
use support::monitor::Watched;
use support::raw::Raw;
use support::sockets::{
    PROBE_ROUTER, REQ_CORRELATE, REQ_RELAXED, connected, receive, send, set_option, unconnected,
};
use support::{Home, Lifeboat};
use zmq::SocketEvent;

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}";
const IPC_IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const TRANSPORTS: [&str; 2] = [IN, IPC_IN];
const SMALL_IN: &str = "{name: in, socket: ROUTER, protocol: Receipt, maxMessageSize: 64Ki}";
const OUT: &str = "{name: out, socket: PUSH}";

/// The next receipt: its code and seq.
fn receipt(socket: &zmq::Socket) -> (String, Option<u64>) {
    code_and_seq(&receive(socket))
}

fn code_and_seq(frames: &[Vec<u8>]) -> (String, Option<u64>) {
    let text: Vec<&str> = frames.iter().map(|it| std::str::from_utf8(it).unwrap()).collect();
    match text[..] {
        [code] => (code.to_owned(), None),
        [code, seq] => (code.to_owned(), Some(seq.parse().unwrap())),
        _ => panic!("{text:?}"),
    }
}

fn stored(seq: u64) -> (String, Option<u64>) {
    ("200".to_owned(), Some(seq))
}

fn refused(code: &str) -> (String, Option<u64>) {
    (code.to_owned(), None)
}

/// What was stored, as a PULL application gets it.
fn delivered(lifeboat: &Lifeboat, count: usize) -> Vec<Vec<Vec<u8>>> {
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    (0..count).map(|_| receive(&app)).collect()
}

#[test]
fn a_req_gets_a_receipt_for_each_message() {
    for ingress in TRANSPORTS {
        let home = Home::queue(ingress, OUT);
        let lifeboat = home.start();
        let req = connected(zmq::REQ, lifeboat.endpoint("work.in"));
        let bodies: Vec<Vec<Vec<u8>>> = vec![
            vec![b"one".to_vec()],
            vec![b"two".to_vec(), Vec::new(), b"parts and an empty one".to_vec()],
            vec![Vec::new(), Vec::new()],
            vec![vec![7; 300]],
        ];
        for (seq, body) in bodies.iter().enumerate() {
            req.send_multipart(body, 0).unwrap();
            assert_eq!(receipt(&req), stored(seq as u64));
        }
        assert_eq!(home.stream("work").durable_end, 4);
        assert_eq!(delivered(&lifeboat, 4), bodies);
    }
}

#[test]
fn a_correlated_and_relaxed_req_may_repeat_itself() {
    for ingress in TRANSPORTS {
        let home = Home::queue(ingress, OUT);
        let lifeboat = home.start();
        let mut req = unconnected(zmq::REQ);
        set_option(&mut req, REQ_CORRELATE, 1);
        set_option(&mut req, REQ_RELAXED, 1);
        req.connect(lifeboat.endpoint("work.in")).unwrap();
        send(&req, &[b"first"]);
        send(&req, &[b"second"]);
        assert_eq!(receipt(&req), stored(1), "the answer to the first is dropped by libzmq");
        send(&req, &[b"third"]);
        assert_eq!(receipt(&req), stored(2));
        let bodies = delivered(&lifeboat, 3);
        assert_eq!(bodies, [[b"first".to_vec()], [b"second".to_vec()], [b"third".to_vec()]]);
    }
}

#[test]
fn a_dealer_without_envelope_is_answered_without_one() {
    for ingress in TRANSPORTS {
        let home = Home::queue(ingress, OUT);
        let lifeboat = home.start();
        let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
        send(&dealer, &[b"a", b"b"]);
        assert_eq!(receive(&dealer), [b"200".to_vec(), b"0".to_vec()]);
        // An empty frame first: the envelope is just that, and the body may hold more of them.
        send(&dealer, &[b"", b"", b"c", b""]);
        assert_eq!(receive(&dealer), [b"".to_vec(), b"200".to_vec(), b"1".to_vec()]);
        let bodies = delivered(&lifeboat, 2);
        assert_eq!(bodies[0], [b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(bodies[1], [b"".to_vec(), b"c".to_vec(), b"".to_vec()]);
    }
}

#[test]
fn a_dealers_envelope_comes_back_and_is_not_stored() {
    for ingress in TRANSPORTS {
        let home = Home::queue(ingress, OUT);
        let lifeboat = home.start();
        let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
        send(&dealer, &[b"hop", b"id-7", b"", b"body", b""]);
        let answer = receive(&dealer);
        assert_eq!(answer[..3], [b"hop".to_vec(), b"id-7".to_vec(), Vec::new()]);
        assert_eq!(code_and_seq(&answer[3..]), stored(0));
        send(&dealer, &[b"hop", b""]);
        let answer = receive(&dealer);
        assert_eq!(answer, [b"hop".to_vec(), Vec::new(), b"400".to_vec()], "no body");
        assert_eq!(delivered(&lifeboat, 1), [[b"body".to_vec(), Vec::new()]]);
        assert_eq!(home.stream("work").durable_end, 1);
    }
}

#[test]
fn a_probe_is_ignored_and_an_empty_message_later_is_malformed() {
    for ingress in TRANSPORTS {
        let home = Home::queue(ingress, OUT);
        let lifeboat = home.start();
        for (turn, kind) in [zmq::DEALER, zmq::REQ].into_iter().enumerate() {
            let mut producer = unconnected(kind);
            set_option(&mut producer, PROBE_ROUTER, 1);
            producer.connect(lifeboat.endpoint("work.in")).unwrap();
            send(&producer, &[b"after the probe"]);
            assert_eq!(receipt(&producer), stored(turn as u64));
        }
        let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
        send(&dealer, &[b""]);
        send(&dealer, &[b""]);
        assert_eq!(receive(&dealer), [b"".to_vec(), b"400".to_vec()], "the first was a probe");
        assert_eq!(home.stream("work").durable_end, 2);
        assert_eq!(lifeboat.metric("lifeboat_receipts_total", &["code=\"400\""]), 1);
    }
}

#[test]
fn a_message_over_the_limit_is_refused_in_its_turn_and_the_connection_lives() {
    let home = Home::queue(SMALL_IN, OUT);
    let lifeboat = home.start();
    let (limit, over) = (vec![1; 64 << 10], vec![1; (64 << 10) + 1]);
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    send(&dealer, &[b"small"]);
    send(&dealer, &[&over]);
    send(&dealer, &[&limit]);
    // Too large only as a sum, and with an envelope.
    send(&dealer, &[b"id", b"", &limit[..40_000], &limit[..40_000]]);
    send(&dealer, &[b"small again"]);
    assert_eq!(receipt(&dealer), stored(0));
    assert_eq!(receipt(&dealer), refused("413"));
    assert_eq!(receipt(&dealer), stored(1));
    assert_eq!(receive(&dealer), [b"id".to_vec(), Vec::new(), b"413".to_vec()]);
    assert_eq!(receipt(&dealer), stored(2));

    let mut req = unconnected(zmq::REQ);
    set_option(&mut req, REQ_CORRELATE, 1);
    req.connect(lifeboat.endpoint("work.in")).unwrap();
    send(&req, &[&over]);
    assert_eq!(receipt(&req), refused("413"));
    send(&req, &[b"req"]);
    assert_eq!(receipt(&req), stored(3));
    let bodies = delivered(&lifeboat, 4);
    assert!(bodies[1] == [limit] && bodies[3] == [b"req".to_vec()]);
    assert_eq!(lifeboat.metric("lifeboat_receipts_total", &["code=\"413\""]), 3);
}

#[test]
fn a_message_over_the_hard_cap_ends_the_connection() {
    let home = Home::queue(SMALL_IN, OUT);
    let lifeboat = home.start();
    let endpoint = lifeboat.endpoint("work.in").to_owned();
    let bystander = connected(zmq::REQ, &endpoint);
    send(&bystander, &[b"before"]);
    assert_eq!(receipt(&bystander), stored(0));
    let watched = Watched::new(zmq::DEALER);
    let dealer = &watched.socket;
    dealer.connect(&endpoint).unwrap();
    watched.wait(SocketEvent::HANDSHAKE_SUCCEEDED);
    send(dealer, &[&vec![1; (256 << 10) + 1]]);
    let ended = || {
        let labels = ["reason=\"frame_too_large\"", "socket=\"in\""];
        lifeboat.metric("lifeboat_connections_ended_total", &labels)
    };
    support::wait_for("the connection to be ended", || (ended() == 1).then_some(()));
    // libzmq connects again by itself.
    watched.wait(SocketEvent::HANDSHAKE_SUCCEEDED);
    send(dealer, &[b"after"]);
    assert_eq!(receipt(dealer), stored(1));
    send(&bystander, &[b"undisturbed"]);
    assert_eq!(receipt(&bystander), stored(2));
}

#[test]
fn pipelined_messages_are_answered_in_order() {
    const ROUNDS: u64 = 20;
    const OUTSTANDING: u64 = 512;
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    for round in 0..ROUNDS {
        for at in 0..OUTSTANDING {
            send(&dealer, &[&at.to_be_bytes(), b"", &[round as u8; 200]]);
        }
        for at in 0..OUTSTANDING {
            let answer = receive(&dealer);
            assert_eq!(answer[0], at.to_be_bytes(), "round {round}");
            assert_eq!(code_and_seq(&answer[2..]), stored(round * OUTSTANDING + at));
        }
    }
    assert_eq!(delivered(&lifeboat, (ROUNDS * OUTSTANDING) as usize).len(), 10_240);
}

#[test]
fn a_producer_that_reads_no_receipts_is_not_read_and_costs_nobody_anything() {
    let home = Home::queue(IPC_IN, OUT);
    let lifeboat = home.start();
    let endpoint = lifeboat.endpoint("work.in").to_owned();
    let before = lifeboat.resident();
    let mut run = Vec::new();
    for _ in 0..1000 {
        push_frame(&mut run, false, b"x");
    }
    let mut greedy = Raw::ready(&endpoint, "DEALER");
    let sent = 1000 * greedy.fill(&run);
    let req = connected(zmq::REQ, &endpoint);
    for _ in 0..100 {
        send(&req, &[b"served"]);
        assert_eq!(receipt(&req).0, "200");
    }
    let grown = lifeboat.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more after {sent} messages");
    // Nothing was lost by waiting: once it reads, it has a receipt for each.
    for at in 0..sent {
        let code = greedy.receive(5);
        assert_eq!(code[2..], *b"200", "receipt {at} of {sent}");
        let seq_len = greedy.receive(2)[1];
        greedy.receive(seq_len.into());
    }
}

#[test]
fn several_sockets_into_one_stream_share_one_row_of_seqs() {
    const EACH: u64 = 2000;
    let ingress = "{name: a, socket: ROUTER, protocol: Receipt}, \
                   {name: b, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}, \
                   {name: c, socket: PULL}";
    let home = Home::queue(ingress, OUT);
    let lifeboat = home.start();
    let producers = ["work.a", "work.b", "work.a"].map(|name| {
        let dealer = connected(zmq::DEALER, lifeboat.endpoint(name));
        thread::spawn(move || {
            for at in 0..EACH {
                send(&dealer, &[&at.to_be_bytes()]);
            }
            let seqs: Vec<u64> = (0..EACH).map(|_| receipt(&dealer).1.unwrap()).collect();
            assert!(seqs.is_sorted(), "a producer's own messages keep their order");
            seqs
        })
    });
    let push = connected(zmq::PUSH, lifeboat.endpoint("work.c"));
    for at in 0..EACH {
        send(&push, &[&at.to_be_bytes(), b"push"]);
    }
    let mut seqs = BTreeSet::new();
    for producer in producers {
        seqs.extend(producer.join().unwrap());
    }
    assert_eq!(seqs.len() as u64, 3 * EACH, "no seq was given twice");
    let bodies = delivered(&lifeboat, 4 * EACH as usize);
    let pushed = |seq: u64| bodies[seq as usize].len() == 2;
    assert!((0..4 * EACH).all(|seq| seqs.contains(&seq) != pushed(seq)), "seq and place differ");
    assert_eq!(home.stream("work").durable_end, 4 * EACH);
}

#[test]
fn what_had_a_receipt_is_there_after_kill_9() {
    let home = Home::queue(IN, OUT);
    let mut receipted = Vec::new();
    for boot in 0..3u8 {
        let lifeboat = home.start();
        let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
        dealer.set_linger(0).unwrap();
        for at in 0..5000u32 {
            send(&dealer, &[&[boot], &at.to_be_bytes()]);
        }
        for at in 0..1000u32 {
            let (code, seq) = receipt(&dealer);
            assert_eq!(code, "200");
            receipted.push((seq.unwrap(), vec![vec![boot], at.to_be_bytes().to_vec()]));
        }
        lifeboat.kill();
    }
    let lifeboat = home.start();
    let all = home.stream("work").durable_end as usize;
    let bodies = delivered(&lifeboat, all);
    for (seq, body) in receipted {
        assert_eq!(bodies[seq as usize], body, "seq {seq}");
    }
}
