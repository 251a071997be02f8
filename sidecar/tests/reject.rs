//! A full stream that rejects: who gets receipts is told at once, who gets none waits, and nothing
//! that was receipted is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::time::{Duration, Instant};

use lifeboat_sidecar::status::StreamState;
use support::credit::App;
use support::sockets::{connected, receive, send, unconnected};
use support::tally::{number, numbered, send_until_full};
use support::{Home, wait_for, yaml};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}, {name: push, socket: PULL}";
const OUT: &str = "{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 256}";
/// Bytes of a message.
const LEN: usize = 16 << 10;
/// More than the volume of 64 MiB holds.
const TOO_MANY: usize = 4500;

fn home() -> Home {
    Home::new(&yaml("64Mi", &[("work", IN, OUT)]).replace("]}", "], retention: {onFull: Reject}}"))
}

/// Sends `count` messages in one go and returns the answers: the seq, or none.
fn offer(socket: &zmq::Socket, numbers: std::ops::Range<usize>) -> Vec<Option<u64>> {
    for at in numbers.clone() {
        send(socket, &[&numbered(at, LEN)]);
    }
    let answer = |_| match &receive(socket)[..] {
        [code, seq] if code == b"200" => {
            Some(std::str::from_utf8(seq).unwrap().parse::<u64>().unwrap())
        }
        [code] if code == b"503" => None,
        other => panic!("{other:?}"),
    };
    numbers.map(answer).collect()
}

#[test]
fn a_full_stream_answers_503_at_once_and_every_200_is_true() {
    let home = home();
    let lifeboat = home.start();
    let dealer = unconnected(zmq::DEALER);
    dealer.set_sndhwm(0).unwrap();
    dealer.set_rcvhwm(0).unwrap();
    dealer.connect(lifeboat.endpoint("work.in")).unwrap();
    // Nobody drains: without an answer for what does not fit, this would wait for ever.
    let answers = offer(&dealer, 0..TOO_MANY);
    let stored: Vec<usize> = (0..TOO_MANY).filter(|&at| answers[at].is_some()).collect();
    let seqs: Vec<u64> = answers.iter().copied().flatten().collect();
    assert!(seqs.len() > 1000 && seqs.len() < TOO_MANY, "{} stored", seqs.len());
    assert!(seqs.iter().copied().eq(0..seqs.len() as u64), "receipts in the messages' order");
    let stream = home.stream("work");
    assert_eq!((stream.durable_end, stream.state), (seqs.len() as u64, StreamState::Full));
    assert!(stream.disk_bytes <= stream.max_bytes);
    let start = Instant::now();
    assert_eq!(offer(&dealer, 0..1), [None]);
    assert!(start.elapsed() < Duration::from_secs(5));
    let refused = lifeboat.metric("lifeboat_receipts_total", &["code=\"503\""]);
    assert_eq!(refused as usize, TOO_MANY - seqs.len() + 1);

    // What was stored is there, and nothing else.
    let app = App::with_credit(lifeboat.endpoint("work.out"), 256);
    for (seq, at) in stored.iter().enumerate() {
        let msg = app.next();
        assert_eq!((msg.seq, number(&msg.body[0])), (seq as u64, *at as u64));
        app.ack(&[msg]);
    }
    assert_eq!(app.drain(), []);
    wait_for("space", || (home.stream("work").state == StreamState::Open).then_some(()));
    assert_eq!(offer(&dealer, 0..3).iter().flatten().count(), 3);
}

#[test]
fn a_stream_that_is_full_of_history_is_drained_all_the_same() {
    let retention = "], retention: {policy: Limits, maxAge: 72h, onFull: Reject}}";
    let home = Home::new(&yaml("64Mi", &[("work", IN, OUT)]).replace("]}", retention));
    let lifeboat = home.start();
    let dealer = unconnected(zmq::DEALER);
    dealer.set_sndhwm(0).unwrap();
    dealer.set_rcvhwm(0).unwrap();
    dealer.connect(lifeboat.endpoint("work.in")).unwrap();
    let stored = offer(&dealer, 0..TOO_MANY).into_iter().flatten().count();
    assert!(!home.status().drained, "all of it waits");
    let app = App::with_credit(lifeboat.endpoint("work.out"), 256);
    for _ in 0..stored {
        app.ack(&[app.next()]);
    }
    wait_for("a queue with nothing left to do", || home.status().drained.then_some(()));
    assert_eq!(home.stream("work").state, StreamState::Full, "nothing was deleted");
    assert_eq!(offer(&dealer, 0..1), [None]);
}

#[test]
fn a_push_producer_of_the_same_stream_waits_and_loses_nothing() {
    let home = home();
    let lifeboat = home.start();
    let push = unconnected(zmq::PUSH);
    push.set_sndhwm(10).unwrap();
    push.set_sndtimeo(1000).unwrap();
    push.connect(lifeboat.endpoint("work.push")).unwrap();
    let sent = send_until_full(&home, &push, 0..TOO_MANY, LEN);
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    assert_eq!(offer(&dealer, 0..5), [None; 5], "those who wait have their turn first");
    let app = App::with_credit(lifeboat.endpoint("work.out"), 256);
    for at in 0..sent {
        let msg = app.next();
        assert_eq!(number(&msg.body[0]), at as u64, "nothing is lost");
        app.ack(&[msg]);
    }
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(offer(&dealer, 0..1), [Some(sent as u64)]);
}

#[test]
fn a_refused_message_with_an_id_is_stored_once_when_there_is_room() {
    let ingress = IN.replace("Receipt}", "Receipt, dedup: {window: 1h}}");
    let yaml = yaml("64Mi", &[("work", &ingress, OUT)]);
    let home = Home::new(&yaml.replace("]}", "], retention: {onFull: Reject}}"));
    let lifeboat = home.start();
    let dealer = unconnected(zmq::DEALER);
    dealer.set_sndhwm(0).unwrap();
    dealer.set_rcvhwm(0).unwrap();
    dealer.connect(lifeboat.endpoint("work.in")).unwrap();
    let offer = |numbers: std::ops::Range<usize>| {
        for at in numbers.clone() {
            send(&dealer, &[format!("message-{at:04}").as_bytes(), b"", &numbered(at, LEN)]);
        }
        let answer = |_| match &receive(&dealer)[..] {
            [_, _, code, seq] if code == b"200" => Some(String::from_utf8(seq.clone()).unwrap()),
            [_, _, code] if code == b"503" => None,
            other => panic!("{other:?}"),
        };
        numbers.map(answer).collect::<Vec<_>>()
    };
    let first = offer(0..TOO_MANY);
    let refused: Vec<usize> = (0..TOO_MANY).filter(|&at| first[at].is_none()).collect();
    assert!(!refused.is_empty() && refused.len() < TOO_MANY, "{} refused", refused.len());
    assert_eq!(offer(0..1), first[..1], "a repeat needs no room");
    let last = refused[refused.len() - 1];
    assert_eq!(offer(last..last + 1), [None]);

    let stored = TOO_MANY - refused.len();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 256);
    for _ in 0..stored {
        let msg = app.next();
        app.ack(&[msg]);
    }
    wait_for("space", || (home.stream("work").state == StreamState::Open).then_some(()));
    let seq = stored.to_string();
    assert_eq!(offer(last..last + 1), [Some(seq.clone())]);
    assert_eq!(offer(last..last + 1), [Some(seq)], "and once only");
}
