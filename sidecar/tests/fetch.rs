//! REQ applications on a Credit delivery: every verb is answered once, and what a lost answer or a
//! dead worker had comes again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::credit::App;
use support::raw::Raw;
use support::sockets::{connected, receive, send, unconnected};
use support::tally::{Tally, numbered};
use support::worker::{Answer, Worker, answer};
use support::{Home, Lifeboat, wait_for};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";

fn home(rules: &str) -> Home {
    Home::queue(IN, &format!("{{name: out, socket: ROUTER, protocol: Credit{rules}}}"))
}

fn fill(lifeboat: &Lifeboat, numbers: std::ops::Range<usize>) {
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    for number in numbers.clone() {
        send(&dealer, &[&numbered(number, 8)]);
    }
    for _ in numbers {
        assert_eq!(receive(&dealer)[0], b"200");
    }
}

#[test]
fn each_verb_of_a_plain_req_is_answered_once() {
    let home = home(", backoff: [0s]");
    let lifeboat = home.start();
    let worker = Worker::plain(lifeboat.endpoint("work.out"));
    assert_eq!(worker.ask(&[b"FETCH"]), Answer::Empty);
    fill(&lifeboat, 0..4);
    let first = worker.ask(&[b"FETCH"]);
    assert_eq!((first.key(), first.body()), ((0, 1), &numbered(0, 8)[..]));
    let second = worker.ask(&[b"NEXT", first.token()]);
    assert_eq!(second.key(), (1, 1));
    assert_eq!(home.delivery("out").cursor, 1);
    assert_eq!(worker.ask(&[b"EXTEND", second.token(), b"60000"]), Answer::Ok);
    assert_eq!(worker.ask(&[b"NACK", second.token()]), Answer::Ok);
    let again = worker.ask(&[b"FETCH", b"60000"]);
    assert_eq!(again.key(), (1, 2));
    assert_eq!(worker.ask(&[b"NACK", second.token()]), Answer::Ok, "late: ignored");
    assert_eq!(worker.ask(&[b"ACK", second.token()]), Answer::Ok, "late: settles");
    let third = worker.ask(&[b"FETCH"]);
    let fourth = worker.ask(&[b"FETCH"]);
    assert_eq!((third.key(), fourth.key()), ((2, 1), (3, 1)), "it may hold several");
    assert_eq!(worker.ask(&[b"REJECT", third.token(), b"no"]), Answer::Ok);
    assert_eq!(worker.ask(&[b"NEXT", fourth.token(), b"0"]), Answer::Empty);
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(home.stream("work").dead_letters, 1);
    assert_eq!(lifeboat.metric("lifeboat_delivered_records_total", &["socket=\"out\""]), 5);
}

#[test]
fn mistakes_are_answered_by_name() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, 0..2);
    let worker = Worker::relaxed(lifeboat.endpoint("work.out"));
    let record = worker.ask(&[b"FETCH"]);
    let token = record.token();
    let cases: [(&[&[u8]], &str); 7] = [
        (&[b"FETCH", b"soon"], "400 FETCH takes at most one wait, up to 604800000 ms"),
        (&[b"NEXT", b"junk"], "400 not a token"),
        (&[b"CREDIT", b"1"], "400 CREDIT is for DEALER sockets: a REQ sends FETCH or NEXT"),
        (&[b"", b"FETCH"], "400 unknown verb"),
        (&[b"ACK"], "400 ACK takes 1 to 1024 tokens"),
        (
            &[b"NACK", token, b"soon"],
            "400 NACK takes a token and at most one delay, up to 604800000 ms",
        ),
        // The good one beside it counts.
        (&[b"ACK", token, b"junk"], "400 not a token"),
    ];
    for (frames, expected) in cases {
        assert_eq!(worker.ask(frames), Answer::Err(expected.to_owned()));
    }
    assert_eq!(home.delivery("out").cursor, 1);
    assert_eq!(worker.ask(&[b"FETCH"]).key(), (1, 1));
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &["kind=\"malformed\""]), 7);
}

#[test]
fn a_fetch_waits_as_long_as_it_says() {
    let home = home("");
    let lifeboat = home.start();
    let worker = Worker::plain(lifeboat.endpoint("work.out"));
    let start = Instant::now();
    assert_eq!(worker.ask(&[b"FETCH", b"300"]), Answer::Empty);
    assert!(start.elapsed() >= Duration::from_millis(300));
    send(&worker.0, &[b"FETCH", b"60000"]);
    fill(&lifeboat, 0..1);
    assert_eq!(worker.hear().key(), (0, 1));
}

#[test]
fn a_repeated_fetch_cancels_the_one_that_waits_and_so_does_any_other_verb() {
    let home = home(", maxInFlight: 1");
    let lifeboat = home.start();
    let worker = Worker::relaxed(lifeboat.endpoint("work.out"));
    for _ in 0..3 {
        worker.give_up(&[b"FETCH", b"60000"], 50);
    }
    send(&worker.0, &[b"FETCH", b"60000"]);
    fill(&lifeboat, 0..2);
    let record = worker.hear();
    assert_eq!(record.key(), (0, 1));
    assert_eq!(lifeboat.metric("lifeboat_delivered_records_total", &["socket=\"out\""]), 1);
    // With maxInFlight it holds all that it may.
    worker.give_up(&[b"FETCH", b"60000"], 50);
    assert_eq!(worker.ask(&[b"ACK", record.token()]), Answer::Ok);
    assert_eq!(home.delivery("out").in_flight, 0, "nobody fetches any more");
    let record = worker.ask(&[b"NEXT", record.token(), b"60000"]);
    assert_eq!(record.key(), (1, 1), "an ACK again does no harm");
}

#[test]
fn a_req_is_not_greeted_and_gets_its_envelope_back() {
    let home = home("");
    let lifeboat = home.start();
    let mut raw = Raw::ready(lifeboat.endpoint("work.out"), "REQ");
    assert!(raw.send(b"\x01\x04\0\0\0\x07\x01\0\0\x05FETCH"));
    assert_eq!(raw.receive(15), b"\x01\x04\0\0\0\x07\x01\0\0\x05EMPTY");
    // A probe is not answered; neither a delimiter nor a verb is.
    let mut raw = Raw::ready(lifeboat.endpoint("work.out"), "REQ");
    assert!(raw.send(b"\0\0\0\x05FETCH"));
    let expected = b"\x01\x03ERR\x01\x03400\0";
    assert_eq!(raw.receive(expected.len()), expected);
}

#[test]
fn a_worker_that_dies_after_its_fetch_leaves_the_record_to_others() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, 0..2);
    let endpoint = lifeboat.endpoint("work.out");
    let doomed = Worker::relaxed(endpoint);
    assert_eq!(doomed.ask(&[b"FETCH"]).key(), (0, 1));
    let other = Worker::relaxed(endpoint);
    assert_eq!(other.ask(&[b"FETCH"]).key(), (1, 1));
    send(&other.0, &[b"FETCH", b"60000"]);
    drop(doomed);
    wait_for("the suspect", || {
        (lifeboat.metric("lifeboat_suspect_records_total", &[]) == 1).then_some(())
    });
    // Alone, and the other one holds a record.
    let third = Worker::plain(endpoint);
    let record = third.ask(&[b"FETCH", b"60000"]);
    assert_eq!(record.key(), (0, 2));
    assert_eq!(third.ask(&[b"ACK", record.token()]), Answer::Ok);
    assert_eq!(home.stream("work").dead_letters, 0);
}

#[test]
fn workers_of_both_kinds_share_and_1024_tokens_fit() {
    const SENT: usize = 1500;
    let home = home(", maxInFlight: 2000");
    let lifeboat = home.start();
    fill(&lifeboat, 0..SENT);
    let worker = Worker::relaxed(lifeboat.endpoint("work.out"));
    let held: Vec<Answer> = (0..1024).map(|_| worker.ask(&[b"FETCH", b"60000"])).collect();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    assert_eq!(app.settle(SENT - 1024).len(), SENT - 1024);
    let mut frames: Vec<&[u8]> = vec![b"ACK"];
    frames.extend(held.iter().map(Answer::token));
    assert_eq!(worker.ask(&frames), Answer::Ok);
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
}

#[test]
fn a_stop_answers_a_fetch_that_waits() {
    let home = home("");
    let lifeboat = home.start();
    let worker = Worker::plain(lifeboat.endpoint("work.out"));
    assert_eq!(worker.ask(&[b"FETCH"]), Answer::Empty);
    send(&worker.0, &[b"FETCH", b"60000"]);
    // It has arrived once a later connection's verb is answered, or soon after.
    let other = Worker::plain(lifeboat.endpoint("work.out"));
    assert_eq!(other.ask(&[b"FETCH", b"2000"]), Answer::Empty);
    assert_eq!(lifeboat.stop().code(), Some(0));
    assert_eq!(worker.hear(), Answer::Empty);
}

/// The pattern of the guide's Lazy Pirate: no answer in time means a new socket and the same again.
fn lazy_pirate(endpoint: &str, sent: usize) -> Tally {
    let mut tally = Tally::of(sent);
    let mut done: Option<Vec<u8>> = None;
    loop {
        let socket = unconnected(zmq::REQ);
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(2000).unwrap();
        socket.connect(endpoint).unwrap();
        loop {
            match &done {
                Some(token) => send(&socket, &[b"NEXT", token, b"500"]),
                None => send(&socket, &[b"FETCH", b"500"]),
            }
            let Ok(frames) = socket.recv_multipart(0) else { break };
            match answer(&frames) {
                Answer::Empty if tally.lost() == 0 => return tally,
                Answer::Empty => done = None,
                record => {
                    tally.count(record.body());
                    done = Some(record.token().to_vec());
                }
            }
        }
    }
}

#[test]
fn a_worker_with_new_sockets_goes_on_over_kills() {
    const SENT: usize = 300;
    let home = home("");
    let mut lifeboat = home.start();
    fill(&lifeboat, 0..SENT);
    let endpoint = lifeboat.endpoint("work.out").to_owned();
    let worker = thread::spawn(move || lazy_pirate(&endpoint, SENT));
    for round in 1..=2 {
        wait_for("progress", || {
            (home.delivery("out").cursor >= round * SENT as u64 / 4).then_some(())
        });
        lifeboat.kill();
        lifeboat = home.start();
    }
    let tally = worker.join().unwrap();
    assert_eq!(tally.lost(), 0);
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(home.stream("work").dead_letters, 0);
    drop(lifeboat);
}
