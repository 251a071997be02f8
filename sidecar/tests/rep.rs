//! Plain REP applications: their reply is the acknowledgement, and a dead one's request goes to
//! another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::raw::Raw;
use support::sockets::{connected, receive, send, unconnected};
use support::tally::{Tally, number, numbered};
use support::{Home, Lifeboat, lifeboat as command, wait_for};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";

fn home(rules: &str) -> Home {
    Home::queue(IN, &format!("{{name: out, socket: DEALER{rules}}}"))
}

fn fill(lifeboat: &Lifeboat, numbers: std::ops::Range<usize>) {
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    for number in numbers.clone() {
        send(&dealer, &[b"", &numbered(number, 8), b"", b"x"]);
    }
    for _ in numbers {
        assert_eq!(receive(&dealer)[1], b"200");
    }
}

fn worker(lifeboat: &Lifeboat) -> zmq::Socket {
    connected(zmq::REP, lifeboat.endpoint("work.out"))
}

/// The next request's number.
fn request(worker: &zmq::Socket) -> u64 {
    let frames = receive(worker);
    assert_eq!(frames[1..], [b"".to_vec(), b"x".to_vec()], "the message as it was");
    number(&frames[0])
}

/// Whether no request comes for a while.
fn is_idle(worker: &zmq::Socket) -> bool {
    worker.poll(zmq::POLLIN, 200).unwrap() == 0
}

fn settled(home: &Home) {
    wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
}

#[test]
fn a_reply_settles_and_brings_the_next_request() {
    let home = home("");
    let lifeboat = home.start();
    let worker = worker(&lifeboat);
    fill(&lifeboat, 0..3);
    for (at, reply) in [&[&b"done"[..]][..], &[b""], &[b"a result", b"NACK"]].iter().enumerate() {
        assert_eq!(request(&worker), at as u64);
        let delivery = home.delivery("out");
        assert_eq!((delivery.in_flight, delivery.depth), (1, 3 - at as u64));
        send(&worker, reply);
    }
    settled(&home);
    assert!(is_idle(&worker));
    assert_eq!(lifeboat.metric("lifeboat_replies_total", &[]), 3);
    assert_eq!(lifeboat.metric("lifeboat_redelivered_records_total", &[]), 0);
}

#[test]
fn three_workers_share_the_load() {
    const SENT: usize = 600;
    let home = home("");
    let lifeboat = home.start();
    let (replies, first) = (AtomicUsize::new(0), AtomicUsize::new(0));
    fill(&lifeboat, 0..SENT);
    let shares = thread::scope(|scope| {
        let work = || {
            let worker = worker(&lifeboat);
            let mut numbers = vec![request(&worker)];
            // Each holds one at the same time: the share of none is taken by another.
            first.fetch_add(1, Ordering::AcqRel);
            wait_for("a request for each", || (first.load(Ordering::Acquire) == 3).then_some(()));
            send(&worker, &[b"done"]);
            replies.fetch_add(1, Ordering::AcqRel);
            while replies.load(Ordering::Acquire) < SENT {
                if worker.poll(zmq::POLLIN, 10).unwrap() > 0 {
                    numbers.push(request(&worker));
                    send(&worker, &[b"done"]);
                    replies.fetch_add(1, Ordering::AcqRel);
                }
            }
            numbers
        };
        [(); 3].map(|()| scope.spawn(work)).map(|worker| worker.join().unwrap())
    });
    let mut tally = Tally::of(SENT);
    for numbers in &shares {
        for number in numbers {
            tally.count(&numbered(*number as usize, 8));
        }
    }
    assert_eq!((tally.lost(), tally.duplicates()), (0, 0));
    settled(&home);
}

#[test]
fn a_worker_that_dies_between_request_and_reply_loses_nothing() {
    let home = home(", ackTimeout: 1h");
    let lifeboat = home.start();
    let doomed = worker(&lifeboat);
    fill(&lifeboat, 0..2);
    assert_eq!(request(&doomed), 0);
    let other = worker(&lifeboat);
    assert_eq!(request(&other), 1);
    let start = Instant::now();
    drop(doomed);
    wait_for("the suspect", || {
        (lifeboat.metric("lifeboat_suspect_records_total", &[]) == 1).then_some(())
    });
    send(&other, &[b"done"]);
    assert_eq!(request(&other), 0, "at once");
    assert!(start.elapsed() < Duration::from_secs(10));
    send(&other, &[b"done"]);
    settled(&home);
    assert_eq!(home.stream("work").dead_letters, 0);
}

#[test]
fn a_request_that_kills_its_workers_ends_as_one_dead_letter() {
    let home = home(", maxAttempts: 2, backoff: [10ms]");
    let lifeboat = home.start();
    fill(&lifeboat, 0..10);
    let (mut deaths, mut tally) = (0, Tally::of(10));
    let mut alive = worker(&lifeboat);
    wait_for("all but one to be done, and that one to be given up", || {
        if alive.poll(zmq::POLLIN, 10).unwrap() == 0 {
            let over = tally.delivered() == 9 && home.stream("work").depth == 0;
            return over.then_some(());
        }
        let number = request(&alive);
        if number == 4 {
            deaths += 1;
            alive = worker(&lifeboat);
        } else {
            tally.count(&numbered(number as usize, 8));
            send(&alive, &[b"done"]);
        }
        None
    });
    assert_eq!((deaths, home.stream("work").dead_letters), (3, 1));
    assert_eq!((tally.lost(), tally.duplicates()), (1, 0));
}

#[test]
fn nack_and_reject_are_replies_too() {
    let home = home(", maxAttempts: 2, backoff: [300ms]");
    let lifeboat = home.start();
    let worker = worker(&lifeboat);
    fill(&lifeboat, 0..3);
    assert_eq!(request(&worker), 0);
    let start = Instant::now();
    send(&worker, &[b"NACK"]);
    assert_eq!(request(&worker), 1);
    send(&worker, &[b"REJECT", b"no such order"]);
    assert_eq!(request(&worker), 2);
    send(&worker, &[b"NACK", b"0"]);
    assert_eq!(request(&worker), 2, "its own delay");
    send(&worker, &[b"NACK"]);
    assert_eq!(request(&worker), 0, "after the backoff");
    assert!(start.elapsed() >= Duration::from_millis(300));
    send(&worker, &[b"done"]);
    settled(&home);
    assert_eq!(home.stream("work").dead_letters, 2);
    let dead = |reason: &str| lifeboat.metric("lifeboat_dead_letters_total", &[reason]);
    assert_eq!((dead("reason=\"rejected\""), dead("reason=\"attempts\"")), (1, 1));
}

#[test]
fn a_worker_that_does_not_reply_gets_nothing_more_and_its_late_reply_settles() {
    let home = home(", ackTimeout: 3s, backoff: [0s]");
    let lifeboat = home.start();
    let slow = worker(&lifeboat);
    fill(&lifeboat, 0..1);
    assert_eq!(request(&slow), 0);
    wait_for("the lease to end", || (home.delivery("out").in_flight == 0).then_some(()));
    fill(&lifeboat, 1..3);
    assert!(is_idle(&slow), "it has one already");
    assert_eq!(home.delivery("out").in_flight, 0, "and none is leased to it");
    // Its late reply settles, and it is as good as any other again.
    send(&slow, &[b"done"]);
    assert_eq!(request(&slow), 1);
    assert_eq!(home.delivery("out").cursor, 1);
    let other = worker(&lifeboat);
    assert_eq!(request(&other), 2);
    send(&other, &[b"done"]);
    assert_eq!(request(&other), 1, "what the slow one lets expire goes to another");
    send(&other, &[b"done"]);
    settled(&home);
    // A late NACK of what is done is nothing.
    send(&slow, &[b"NACK"]);
    fill(&lifeboat, 3..5);
    let numbers = [request(&slow), request(&other)];
    assert_eq!(numbers.iter().sum::<u64>(), 7);
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &["kind=\"stale\""]), 1);
}

#[test]
fn a_worker_with_one_socket_goes_on_over_a_kill() {
    const SENT: usize = 200;
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat, 0..SENT);
    let worker = worker(&lifeboat);
    let mut tally = Tally::of(SENT);
    for _ in 0..SENT / 2 {
        tally.count(&numbered(request(&worker) as usize, 8));
        send(&worker, &[b"done"]);
    }
    lifeboat.kill();
    let lifeboat = home.start();
    while tally.lost() > 0 {
        tally.count(&numbered(request(&worker) as usize, 8));
        send(&worker, &[b"done"]);
    }
    // What was settled shortly before the kill may come again.
    worker.set_rcvtimeo(300).unwrap();
    while let Ok(frames) = worker.recv_multipart(0) {
        tally.count(&frames[0]);
        send(&worker, &[b"done"]);
    }
    settled(&home);
    assert!(tally.duplicates() <= SENT / 2 + 1);
    drop(lifeboat);
}

/// A worker that dies with a request in hand now and then, until the end.
fn mortal_worker(endpoint: &str, end: &AtomicBool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !end.load(Ordering::Acquire) {
        let worker = connected(zmq::REP, endpoint);
        while !end.load(Ordering::Acquire) {
            if worker.poll(zmq::POLLIN, 10).unwrap() == 0 {
                continue;
            }
            numbers.push(request(&worker));
            if numbers.len().is_multiple_of(50) {
                break;
            }
            send(&worker, &[b"done"]);
        }
    }
    numbers
}

#[test]
fn nothing_receipted_is_lost_over_kills_of_the_queue_and_deaths_of_workers() {
    const SENT: usize = 1000;
    let home = home(", backoff: [0s]");
    let lifeboat = home.start();
    let endpoint = lifeboat.endpoint("work.out").to_owned();
    let (end, mut tally) = (AtomicBool::new(false), Tally::of(SENT));
    thread::scope(|scope| {
        let mut lifeboat = lifeboat;
        let workers = [(); 3].map(|()| scope.spawn(|| mortal_worker(&endpoint, &end)));
        for life in 0..4 {
            fill(&lifeboat, life * SENT / 4..(life + 1) * SENT / 4);
            if life < 3 {
                lifeboat.kill();
                lifeboat = home.start();
            }
        }
        settled(&home);
        end.store(true, Ordering::Release);
        for worker in workers {
            for number in worker.join().unwrap() {
                tally.count(&numbered(number as usize, 8));
            }
        }
        assert_eq!(tally.lost(), 0);
        assert_eq!(home.stream("work").dead_letters, 0);
        drop(lifeboat);
    });
}

#[test]
fn long_replies_are_passed_over() {
    let home = home("");
    let lifeboat = home.start();
    let worker = worker(&lifeboat);
    fill(&lifeboat, 0..3);
    for reply in [&[&vec![0; 5 << 20][..]][..], &[b"REJECT", &vec![0; 5 << 20]]] {
        request(&worker);
        send(&worker, reply);
    }
    assert_eq!(request(&worker), 2);
    send(&worker, &[b"done"]);
    settled(&home);
    assert_eq!(home.stream("work").dead_letters, 1, "what came before the long frame counts");
}

#[test]
fn only_rep_sockets_are_served_and_only_replies() {
    let home = home(", ackTimeout: 1h");
    let lifeboat = home.start();
    fill(&lifeboat, 0..1);
    for kind in [zmq::DEALER, zmq::ROUTER] {
        let before = lifeboat.ended("out", "socket_type");
        let peer = unconnected(kind);
        peer.connect(lifeboat.endpoint("work.out")).unwrap();
        wait_for("it to be refused", || {
            // It comes again and again; the one before is gone by now.
            let refused = lifeboat.ended("out", "socket_type");
            (refused > before).then_some(())
        });
        assert!(is_idle(&peer));
    }
    // A request of its own, two replies, no delimiter: no REP does that.
    let delimited = b"\x01\0\0\x04done";
    for words in [&[&delimited[..], delimited].concat()[..], b"\0\x04done"] {
        let mut raw = Raw::ready(lifeboat.endpoint("work.out"), "REP");
        assert_eq!(raw.receive(2), b"\x01\0", "a request");
        assert!(raw.send(words));
        raw.receive_to_end();
        fill(&lifeboat, 1..2);
    }
    let mut raw = Raw::ready(lifeboat.endpoint("work.out"), "REP");
    raw.receive(2);
    drop(raw);
    let malformed = ["kind=\"malformed\"", "socket=\"out\""];
    assert_eq!(lifeboat.metric("lifeboat_ignored_verdicts_total", &malformed), 2);
}

#[test]
fn a_redriven_letter_goes_back_to_whom_rejected_it_and_to_nobody_else() {
    let home = Home::queue(
        IN,
        "{name: out, socket: DEALER, maxAttempts: 1}, {name: other, socket: DEALER}",
    );
    let lifeboat = home.start();
    let (rejects, other) =
        (worker(&lifeboat), connected(zmq::REP, lifeboat.endpoint("work.other")));
    fill(&lifeboat, 0..1);
    assert_eq!((request(&rejects), request(&other)), (0, 0));
    send(&rejects, &[b"REJECT", b"later"]);
    send(&other, &[b"done"]);
    wait_for("the dead letter", || (home.stream("work").dead_letters == 1).then_some(()));
    settled(&home);
    let data = home.data();
    let data = data.to_str().unwrap();
    assert_eq!(command(&["redrive", "work", "--all", "--data", data], "").code, Some(0));
    assert_eq!(request(&rejects), 0);
    send(&rejects, &[b"done"]);
    assert!(is_idle(&other));
    settled(&home);
    assert_eq!(home.stream("work").dead_letters, 0);
}
