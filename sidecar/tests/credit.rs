//! Applications that acknowledge: credit, every verdict, leases, dead letters, restarts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::time::{Duration, Instant};

use support::credit::{App, Heard, Msg};
use support::sockets::{connected, receive, send};
use support::tally::{Tally, numbered};
use support::{Home, Lifeboat, wait_for};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";

/// A queue with one Credit delivery `out` that has these rules besides.
fn home(rules: &str) -> Home {
    Home::queue(IN, &format!("{{name: out, socket: ROUTER, protocol: Credit{rules}}}"))
}

/// Stores numbered messages, each with its receipt.
fn fill(lifeboat: &Lifeboat, count: usize) {
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    for number in 0..count {
        send(&dealer, &[&numbered(number, 8)]);
    }
    for _ in 0..count {
        assert_eq!(receive(&dealer)[0], b"200");
    }
}

fn seqs(msgs: &[Msg]) -> Vec<u64> {
    msgs.iter().map(|msg| msg.seq).collect()
}

/// Seqs and attempts.
fn tries(msgs: &[Msg]) -> Vec<(u64, u64)> {
    msgs.iter().map(|msg| (msg.seq, msg.attempt)).collect()
}

#[test]
fn hello_comes_first_and_no_record_without_credit() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, 3);
    let app = App::connect(lifeboat.endpoint("work.out"));
    assert_eq!(app.stream_id, home.stream("work").stream_id);
    assert_eq!(app.drain(), []);
    app.credit(2);
    let msgs = app.take(2);
    assert_eq!(tries(&msgs), [(0, 1), (1, 1)]);
    assert_eq!(msgs[1].body, [numbered(1, 8)]);
}

#[test]
fn credit_is_absolute_bounded_by_max_in_flight_and_zero_stops() {
    let home = home(", maxInFlight: 8");
    let lifeboat = home.start();
    fill(&lifeboat, 100);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 3);
    let mut held = app.take(3);
    app.credit(3);
    assert_eq!(app.drain(), [], "the same credit again is no more of it");
    app.credit(5);
    held.extend(app.take(2));
    app.credit(100);
    held.extend(app.take(3));
    assert_eq!((seqs(&held), app.drain()), ((0..8).collect(), vec![]), "maxInFlight");
    app.ack(&held[..2]);
    held.extend(app.take(2));
    app.credit(0);
    app.ack(&held[2..]);
    assert_eq!(app.drain(), []);
    let delivery = home.delivery("out");
    assert_eq!((delivery.cursor, delivery.in_flight, delivery.depth), (10, 0, 90));
    app.credit(1);
    assert_eq!(app.next().seq, 10);
}

#[test]
fn one_ack_settles_1024_records() {
    let home = home(", maxInFlight: 1024");
    let lifeboat = home.start();
    fill(&lifeboat, 2048);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1024);
    let first = app.take(1024);
    app.ack(&first);
    let second = app.take(1024);
    assert_eq!(home.delivery("out").cursor, 1024);
    // Out of order, twice, and one token too many.
    app.ack(&second[512..]);
    app.ack(&second[512..]);
    app.ack(&[&second[..], &first[..1]].concat());
    assert_eq!(app.error(), "400 ACK takes 1 to 1024 tokens");
    let delivery = home.delivery("out");
    assert_eq!((delivery.cursor, delivery.depth, delivery.in_flight), (1024, 512, 512));
    app.ack(&second[..512]);
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(lifeboat.metric("lifeboat_settled_records_total", &["socket=\"out\""]), 2048);
    let repeated = ["kind=\"repeated_ack\""];
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &repeated), 512);
}

#[test]
fn a_nack_waits_for_its_delay_or_for_the_backoff() {
    let home = home(", backoff: [300ms, 1h]");
    let lifeboat = home.start();
    fill(&lifeboat, 3);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 3);
    let msgs = app.take(3);
    let start = Instant::now();
    app.say(&[b"NACK", &msgs[0].token, b"0"]);
    assert_eq!(tries(&app.take(1)), [(0, 2)]);
    app.say(&[b"NACK", &msgs[1].token, b"3000"]);
    app.say(&[b"NACK", &msgs[2].token]);
    let again = app.next();
    assert_eq!((again.seq, again.attempt, &again.body), (2, 2, &msgs[2].body));
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(tries(&app.take(1)), [(1, 2)]);
    assert!(start.elapsed() >= Duration::from_secs(3));
    // The second failure of 2 waits an hour; an old token is stale, and the ACK of one settles.
    app.say(&[b"NACK", &again.token]);
    app.say(&[b"NACK", &msgs[2].token, b"0"]);
    assert_eq!(app.drain(), []);
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &["kind=\"stale\""]), 1);
    app.ack(&msgs);
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
}

#[test]
fn a_rejected_record_is_a_dead_letter_with_its_reason() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, 3);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 3);
    let msgs = app.take(3);
    app.say(&[b"REJECT", &msgs[1].token, b"no such customer: 4711"]);
    wait_for("the dead letter", || (home.stream("work").dead_letters == 1).then_some(()));
    // Verdicts of one that is gone have no effect; an ACK is only counted.
    app.say(&[b"REJECT", &msgs[1].token]);
    app.ack(&msgs[1..2]);
    app.ack(&[msgs[0].clone(), msgs[2].clone()]);
    assert_eq!(app.drain(), []);
    let stream = home.stream("work");
    assert_eq!((stream.depth, stream.dead_letters, stream.in_flight), (0, 1, 0));
    let rejected = ["reason=\"rejected\""];
    assert_eq!(lifeboat.metric("lifeboat_dead_letters_total", &rejected), 1);
    // It is on the disk, with the reason and the message.
    assert_eq!(lifeboat.stop().code(), Some(0));
    let dir = home.data().join("streams/work/dead-letters");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read(entry.unwrap().path()));
    let bytes: Vec<u8> = files.flat_map(Result::unwrap).collect();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(b"no such customer: 4711") && holds(&msgs[1].body[0]));
    let lifeboat = home.start();
    let stream = home.stream("work");
    assert_eq!((stream.depth, stream.dead_letters), (0, 1), "after a restart");
    drop(lifeboat);
}

#[test]
fn a_lease_that_expires_is_delivered_again_and_extend_prevents_it() {
    let home = home(", ackTimeout: 5s, backoff: [0s]");
    let lifeboat = home.start();
    fill(&lifeboat, 2);
    let start = Instant::now();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 2);
    let msgs = app.take(2);
    app.say(&[b"EXTEND", &msgs[0].token, b"60000"]);
    let again = app.next();
    assert_eq!((again.seq, again.attempt), (1, 2), "only the one that was not extended");
    assert!(start.elapsed() >= Duration::from_secs(5));
    app.ack(&[msgs[0].clone(), again]);
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(home.stream("work").dead_letters, 0);
}

#[test]
fn the_last_failure_makes_exactly_one_dead_letter() {
    let home = home(", maxAttempts: 3, ackTimeout: 5s, backoff: [0s]");
    let lifeboat = home.start();
    fill(&lifeboat, 10);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
    // Two nacks and an expiry for the first record.
    for attempt in [1, 2] {
        let msg = app.next();
        assert_eq!((msg.seq, msg.attempt), (0, attempt));
        app.say(&[b"NACK", &msg.token]);
    }
    assert_eq!(tries(&app.take(1)), [(0, 3)]);
    for seq in 1..10 {
        let msg = app.next();
        assert_eq!((msg.seq, msg.attempt), (seq, 1));
        app.ack(&[msg]);
    }
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!(home.stream("work").dead_letters, 1);
    assert_eq!(lifeboat.metric("lifeboat_dead_letters_total", &["reason=\"attempts\""]), 1);
}

#[test]
fn failures_are_remembered_over_a_kill() {
    let home = home(", maxAttempts: 2, backoff: [0s]");
    let lifeboat = home.start();
    fill(&lifeboat, 1);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
    let msg = app.next();
    app.say(&[b"NACK", &msg.token]);
    assert_eq!(app.next().attempt, 2);
    lifeboat.kill();
    let lifeboat = home.start();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
    let msg = app.next();
    assert_eq!(msg.attempt, 3, "attempt 2 was synced before it went out");
    assert_eq!(home.stream("work").dead_letters, 0, "the restart is no failure");
    app.say(&[b"NACK", &msg.token]);
    wait_for("the dead letter", || (home.stream("work").dead_letters == 1).then_some(()));
    drop(lifeboat);
}

#[test]
fn mistakes_are_answered_by_name_and_harm_nothing() {
    let outs = "{name: out, socket: ROUTER, protocol: Credit}, \
                {name: other, socket: ROUTER, protocol: Credit}";
    let home = Home::queue(IN, outs);
    let lifeboat = home.start();
    fill(&lifeboat, 2);
    let other = App::with_credit(lifeboat.endpoint("work.other"), 1);
    let foreign = other.next();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 2);
    let msgs = app.take(2);
    let token = &msgs[0].token[..];
    let mut damaged = token.to_vec();
    damaged[20] ^= 1;
    let cases: [(&[&[u8]], &str); 10] = [
        (&[b"HELLO"], "400 unknown verb"),
        (&[b"FETCH"], "400 FETCH and NEXT are for REQ sockets: a DEALER sends CREDIT"),
        (&[b"CREDIT", b"many"], "400 CREDIT takes one number"),
        (&[b"ACK"], "400 ACK takes 1 to 1024 tokens"),
        (&[b"ACK", b"junk"], "400 not a token"),
        (
            &[b"NACK", token, b"soon"],
            "400 NACK takes a token and at most one delay, up to 604800000 ms",
        ),
        (&[b"EXTEND", token], "400 EXTEND takes a token and a time, up to 604800000 ms"),
        (&[b"ACK", &damaged], "400 not a token"),
        (&[b"ACK", &foreign.token], "404 token of another stream or delivery"),
        (&[b"REJECT", &foreign.token], "404 token of another stream or delivery"),
    ];
    for (frames, expected) in cases {
        app.say(frames);
        assert_eq!(app.error(), expected);
    }
    // One bad token spoils no good one beside it, and a delimiter before the verb is no mistake.
    app.say(&[b"", b"ACK", token, b"junk", &msgs[1].token]);
    assert_eq!(app.error(), "400 not a token");
    assert_eq!((home.delivery("out").depth, home.delivery("other").depth), (0, 2));
    let malformed = ["kind=\"malformed\"", "socket=\"out\""];
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &malformed), 11);
}

#[test]
fn an_old_token_still_settles_after_a_restart() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, 10);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    let old = app.take(10);
    lifeboat.kill();
    drop(app);
    let lifeboat = home.start();
    let app = App::connect(lifeboat.endpoint("work.out"));
    app.ack(&old[..6]);
    app.say(&[b"NACK", &old[6].token]);
    app.credit(10);
    assert_eq!(seqs(&app.take(4)), [6, 7, 8, 9], "settled before they were handed out again");
    let delivery = home.delivery("out");
    assert_eq!((delivery.cursor, delivery.in_flight), (6, 4));
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &["kind=\"stale\""]), 1);
}

#[test]
fn an_app_that_never_closes_goes_on_over_a_kill() {
    const SENT: usize = 200;
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, SENT);
    let mut tally = Tally::of(SENT);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 16);
    for msg in app.settle(100) {
        tally.count(&msg.body[0]);
    }
    wait_for("the acks", || (home.delivery("out").cursor >= 100).then_some(()));
    lifeboat.kill();
    let lifeboat = home.start();
    // What was on its way before the kill still comes, then HELLO: credit is of a connection.
    let stream_id = loop {
        match app.hear() {
            Heard::Hello(stream_id) => break stream_id,
            Heard::Msg(msg) => {
                tally.count(&msg.body[0]);
            }
            Heard::Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(stream_id, app.stream_id);
    assert_eq!(app.drain(), [], "no record before new credit");
    app.credit(16);
    while tally.lost() > 0 {
        let msg = app.next();
        tally.count(&msg.body[0]);
        app.ack(&[msg]);
    }
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert!(tally.duplicates() <= 100 + 16, "{}", tally.duplicates());
    drop(lifeboat);
}

#[test]
fn two_apps_share_and_what_a_dead_one_held_goes_to_the_other_uncounted() {
    const SENT: usize = 300;
    let home = home(", maxAttempts: 1, maxInFlight: 50");
    let lifeboat = home.start();
    let endpoint = lifeboat.endpoint("work.out");
    let (doomed, app) = (App::with_credit(endpoint, 50), App::connect(endpoint));
    fill(&lifeboat, SENT);
    let held = doomed.take(50);
    let mut tally = Tally::of(SENT);
    app.credit(50);
    for _ in 0..SENT - 50 {
        let msg = app.next();
        assert_eq!(msg.attempt, 1);
        tally.count(&msg.body[0]);
        app.ack(&[msg]);
    }
    assert_eq!((tally.lost(), tally.duplicates(), app.drain()), (50, 0, vec![]));
    drop(doomed);
    // They are suspects, each comes alone.
    let again = app.settle(50);
    assert_eq!(seqs(&again), seqs(&held));
    for msg in &again {
        assert_eq!(msg.attempt, 2);
        tally.count(&msg.body[0]);
    }
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert_eq!((tally.lost(), tally.duplicates()), (0, 0));
    assert_eq!(home.stream("work").dead_letters, 0, "maxAttempts is 1: no failure was counted");
    assert_eq!(lifeboat.metric("lifeboat_suspect_records_total", &["socket=\"out\""]), 50);
}
