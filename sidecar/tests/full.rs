//! A volume without space: producers wait, nothing is lost, draining frees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread;
use std::time::{Duration, Instant};

use lifeboat_sidecar::control::verb::Redrive;
use lifeboat_sidecar::control::{Code, Verb};
use lifeboat_sidecar::status::StreamState;
use support::credit::App;
use support::monitor::Watched;
use support::sockets::{connected, receive, send, unconnected};
use support::tally::{number, numbered, send_until_full};
use support::{Home, ask, wait_for};
use zmq::SocketEvent;

const PUSH_IN: &str = "{name: in, socket: PULL}";
const RECEIPT_IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const PUSH_OUT: &str = "{name: out, socket: PUSH}";
const CREDIT_OUT: &str = "{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 256}";
/// Bytes of a message.
const LEN: usize = 16 << 10;
/// More than the volume of 64 MiB holds.
const TOO_MANY: usize = 4500;

fn home(ingress: &str, delivery: &str) -> Home {
    Home::sized("64Mi", ingress, delivery)
}

fn is_full(home: &Home) -> Option<()> {
    let stream = home.stream("work");
    assert!(stream.disk_bytes <= stream.max_bytes, "{stream:?}");
    (stream.state == StreamState::Full).then_some(())
}

/// Acknowledges all records and asserts that they come in order.
fn drain(app: &App, count: usize) {
    for at in 0..count {
        let msg = app.next();
        assert_eq!((msg.seq, msg.attempt, number(&msg.body[0])), (at as u64, 1, at as u64));
        app.ack(&[msg]);
    }
}

#[test]
fn push_producers_wait_and_everything_arrives_in_order() {
    let home = home(PUSH_IN, PUSH_OUT);
    let lifeboat = home.start();
    let producer = unconnected(zmq::PUSH);
    producer.set_sndhwm(10).unwrap();
    producer.set_sndtimeo(1000).unwrap();
    producer.connect(lifeboat.endpoint("work.in")).unwrap();
    let sent = send_until_full(&home, &producer, 0..TOO_MANY, LEN);
    assert_eq!(lifeboat.metric("lifeboat_stream_full", &[]), 1);
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 0..sent {
        let body = app.recv_bytes(0).expect("nothing is lost");
        assert_eq!((number(&body), body.len()), (at as u64, LEN));
    }
    wait_for("space", || is_full(&home).is_none().then_some(()));
    producer.send(numbered(sent, LEN), 0).unwrap();
    assert_eq!(number(&app.recv_bytes(0).unwrap()), sent as u64);
}

#[test]
fn receipts_come_once_there_is_space() {
    let home = home(RECEIPT_IN, CREDIT_OUT);
    let lifeboat = home.start();
    let dealer = unconnected(zmq::DEALER);
    dealer.set_sndhwm(0).unwrap();
    dealer.connect(lifeboat.endpoint("work.in")).unwrap();
    let producer = thread::spawn(move || {
        for at in 0..TOO_MANY {
            send(&dealer, &[&numbered(at, LEN)]);
        }
        for at in 0..TOO_MANY {
            assert_eq!(receive(&dealer), [b"200".to_vec(), at.to_string().into_bytes()]);
        }
    });
    wait_for("the volume to be full", || is_full(&home));
    let stored = home.stream("work").durable_end;
    assert!((1000..TOO_MANY as u64).contains(&stored), "{stored}");
    assert_eq!(lifeboat.metric("lifeboat_receipts_total", &["code=\"503\""]), 0);
    drain(&App::with_credit(lifeboat.endpoint("work.out"), 256), TOO_MANY);
    producer.join().unwrap();
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(home.stream("work").durable_end, TOO_MANY as u64);
}

#[test]
fn a_full_volume_is_stopped_in_time_started_again_and_drained() {
    let home = home(RECEIPT_IN, CREDIT_OUT);
    let lifeboat = home.start();
    let dealer = unconnected(zmq::DEALER);
    dealer.set_sndhwm(0).unwrap();
    dealer.set_rcvhwm(0).unwrap();
    dealer.set_linger(0).unwrap();
    dealer.connect(lifeboat.endpoint("work.in")).unwrap();
    for at in 0..TOO_MANY {
        send(&dealer, &[&numbered(at, LEN)]);
    }
    wait_for("the volume to be full", || is_full(&home));
    let start = Instant::now();
    assert_eq!(lifeboat.stop().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    // Each message that was taken in has an answer: stored, or not.
    dealer.set_rcvtimeo(5000).unwrap();
    let mut codes = Vec::new();
    while let Ok(answer) = dealer.recv_multipart(0) {
        codes.push(answer[0].clone());
    }
    drop(dealer);
    let receipted = codes.iter().take_while(|code| *code == b"200").count();
    assert!(codes[receipted..].iter().all(|code| code == b"503"), "{codes:?}");
    assert!(codes.len() > receipted, "{receipted}: what waited for space is refused");

    let lifeboat = home.start();
    let stored = home.stream("work").durable_end as usize;
    assert!(receipted <= stored && stored <= codes.len(), "{receipted} {stored} {}", codes.len());
    // Still full: it takes nothing before something is drained.
    let late = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    for at in stored..stored + 200 {
        send(&late, &[&numbered(at, LEN)]);
    }
    wait_for("the volume to be full again", || is_full(&home));
    drain(&App::with_credit(lifeboat.endpoint("work.out"), 256), stored + 200);
    for at in stored..stored + 200 {
        assert_eq!(receive(&late), [b"200".to_vec(), at.to_string().into_bytes()]);
    }
}

#[test]
fn a_producer_that_ended_while_it_was_blocked_loses_nothing() {
    // A kernel takes tens of MiB of a connection over tcp beside what the volume holds.
    const SECONDS: usize = 2 * TOO_MANY;
    let tcp_in = "{name: in, socket: PULL, bind: \"tcp://127.0.0.1:*\"}";
    let home = home(tcp_in, PUSH_OUT);
    let lifeboat = home.start();
    let first = unconnected(zmq::PUSH);
    first.set_sndtimeo(1000).unwrap();
    first.set_sndhwm(1).unwrap();
    first.connect(lifeboat.endpoint("work.in")).unwrap();
    let sent = send_until_full(&home, &first, 0..SECONDS, LEN);
    // Another gives all that it has to its kernel, and is gone.
    let second = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    for at in 0..50 {
        second.send(numbered(SECONDS + at, LEN), 0).unwrap();
    }
    drop(second);
    // Longer than the sidecar leaves a blocked peer without a word, if it ever says one.
    thread::sleep(Duration::from_secs(1));
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    let (mut firsts, mut seconds) = (0, 0);
    while firsts < sent || seconds < 50 {
        let number = number(&app.recv_bytes(0).expect("nothing is lost")) as usize;
        if number < SECONDS {
            assert_eq!(number, firsts);
            firsts += 1;
        } else {
            assert_eq!(number - SECONDS, seconds);
            seconds += 1;
        }
    }
}

#[test]
fn a_blocked_producer_with_heartbeats_stays_connected() {
    /// Of both sides, in milliseconds.
    const SILENCE: i32 = 5000;
    let home = home(PUSH_IN, PUSH_OUT);
    let lifeboat = home.start();
    let watched = Watched::new(zmq::PUSH);
    let producer = &watched.socket;
    producer.set_heartbeat_ivl(100).unwrap();
    producer.set_heartbeat_timeout(SILENCE).unwrap();
    producer.set_heartbeat_ttl(SILENCE).unwrap();
    producer.set_sndtimeo(1000).unwrap();
    producer.connect(lifeboat.endpoint("work.in")).unwrap();
    producer.send(numbered(0, LEN), 0).unwrap();
    // Time for its first PING: once it is blocked, none would get through.
    thread::sleep(Duration::from_secs(3));
    // Its libzmq holds a thousand more.
    let mut sent = send_until_full(&home, producer, 1..2 * TOO_MANY, LEN);
    producer.set_sndtimeo(SILENCE + 2000).unwrap();
    let mut start = Instant::now();
    while producer.send(numbered(sent, LEN), 0).is_ok() {
        (sent, start) = (sent + 1, Instant::now());
        assert!(sent < 2 * TOO_MANY, "the producer is not stopped");
    }
    assert!(start.elapsed() > Duration::from_millis(SILENCE as u64));
    assert_eq!(lifeboat.metric("lifeboat_connections_ended_total", &["socket=\"in\""]), 0);
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 0..sent {
        assert_eq!(number(&app.recv_bytes(0).expect("nothing is lost")), at as u64);
    }
    assert_eq!(lifeboat.metric("lifeboat_connections_ended_total", &["socket=\"in\""]), 0);
    // It was words that kept it: without any it goes.
    lifeboat.freeze();
    watched.wait(SocketEvent::DISCONNECTED);
}

#[test]
fn a_letter_that_finds_no_room_stays_and_is_not_stored_later() {
    let home = home(PUSH_IN, CREDIT_OUT);
    let lifeboat = home.start();
    let producer = unconnected(zmq::PUSH);
    producer.set_sndhwm(10).unwrap();
    producer.set_sndtimeo(1000).unwrap();
    producer.connect(lifeboat.endpoint("work.in")).unwrap();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
    producer.send(numbered(0, 8), 0).unwrap();
    app.say(&[b"REJECT", &app.next().token]);
    wait_for("the letter", || (home.stream("work").dead_letters == 1).then_some(()));
    app.credit(0);
    let sent = send_until_full(&home, &producer, 1..TOO_MANY, LEN);
    let redrive = || {
        let all = Redrive { stream: "work".into(), delivery: None, seqs: None, dry_run: false };
        ask(&home.data(), Verb::Redrive(all))
    };
    let refused = redrive().unwrap_err();
    assert_eq!(refused.code, Code::Conflict, "{refused}");

    app.credit(256);
    for at in 1..sent {
        let msg = app.next();
        assert_eq!(number(&msg.body[0]), at as u64);
        app.ack(&[msg]);
    }
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    let stream = home.stream("work");
    assert_eq!((stream.durable_end, stream.dead_letters), (sent as u64, 1));
    assert_eq!(redrive().unwrap()["records"], 1);
    assert_eq!(number(&app.settle(1)[0].body[0]), 0);
    let stream = home.stream("work");
    assert_eq!((stream.durable_end, stream.dead_letters), (sent as u64 + 1, 0));
}
