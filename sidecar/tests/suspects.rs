//! Records that crash their application: each ends as one dead letter, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::credit::{App, Heard};
use support::sockets::{connected, receive, send};
use support::tally::{Tally, number, numbered};
use support::worker::{Answer, Worker};
use support::{Home, Lifeboat, wait_for};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const RECORDS: usize = 64;
const POISON: u64 = 40;

fn home(rules: &str) -> Home {
    Home::queue(IN, &format!("{{name: out, socket: ROUTER, protocol: Credit{rules}}}"))
}

fn fill(lifeboat: &Lifeboat) {
    let dealer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    for number in 0..RECORDS {
        send(&dealer, &[&numbered(number, 8)]);
    }
    for _ in 0..RECORDS {
        assert_eq!(receive(&dealer)[0], b"200");
    }
}

/// An application goes, and the sidecar has seen it.
fn leave(home: &Home, app: App) {
    drop(app);
    wait_for("its leases to end", || (home.delivery("out").in_flight == 0).then_some(()));
}

/// A process that crashes on the poison and is started again, until the end. Returns what it
/// acknowledged, and how often it crashed.
fn worker(endpoint: &str, end: &AtomicBool) -> (Vec<u64>, usize) {
    let (mut acked, mut crashes) = (Vec::new(), 0);
    while !end.load(Ordering::Acquire) {
        // A crash takes along what is not sent.
        let app = App::with_credit(endpoint, RECORDS as u32);
        app.socket.set_linger(0).unwrap();
        while !end.load(Ordering::Acquire) {
            if app.socket.poll(zmq::POLLIN, 10).unwrap() == 0 {
                continue;
            }
            match app.hear() {
                // The sidecar is another one now.
                Heard::Hello(_) => app.credit(RECORDS as u32),
                Heard::Err(error) => panic!("{error}"),
                Heard::Msg(msg) if number(&msg.body[0]) == POISON => {
                    crashes += 1;
                    break;
                }
                Heard::Msg(msg) => {
                    acked.push(number(&msg.body[0]));
                    app.ack(&[msg]);
                }
            }
        }
    }
    (acked, crashes)
}

/// The same on a REQ, for a sidecar that is not killed.
fn asking_worker(endpoint: &str, end: &AtomicBool) -> (Vec<u64>, usize) {
    let (mut acked, mut crashes) = (Vec::new(), 0);
    while !end.load(Ordering::Acquire) {
        let worker = Worker::relaxed(endpoint);
        while !end.load(Ordering::Acquire) {
            let answer = worker.ask(&[b"FETCH", b"20"]);
            if answer == Answer::Empty {
                continue;
            }
            let number = number(answer.body());
            if number == POISON {
                crashes += 1;
                break;
            }
            acked.push(number);
            assert_eq!(worker.ask(&[b"ACK", answer.token()]), Answer::Ok);
        }
    }
    (acked, crashes)
}

/// Runs so many workers until nothing is left, and counts.
fn run(workers: usize, kills: usize) {
    run_as(worker, workers, kills);
}

fn run_as(worker: fn(&str, &AtomicBool) -> (Vec<u64>, usize), workers: usize, kills: usize) {
    let home = home(", maxAttempts: 3, backoff: [10ms], ackTimeout: 1h");
    let lifeboat = home.start();
    fill(&lifeboat);
    let end = AtomicBool::new(false);
    let endpoint = lifeboat.endpoint("work.out").to_owned();
    let (mut tally, mut crashes) = (Tally::of(RECORDS), 0);
    let lifeboat = thread::scope(|scope| {
        let mut lifeboat = lifeboat;
        let workers: Vec<_> =
            (0..workers).map(|_| scope.spawn(|| worker(&endpoint, &end))).collect();
        for kill in 1..=kills as u64 {
            wait_for("the next suspects or the end", || {
                let suspects = lifeboat.metric("lifeboat_suspect_records_total", &[]);
                let stream = home.stream("work");
                (suspects >= kill.min(1) || stream.depth <= 1).then_some(())
            });
            lifeboat.kill();
            lifeboat = home.start();
        }
        wait_for("all to be settled", || (home.stream("work").depth == 0).then_some(()));
        end.store(true, Ordering::Release);
        for worker in workers {
            let (acked, times) = worker.join().unwrap();
            for number in acked {
                tally.count(&numbered(number as usize, 8));
            }
            crashes += times;
        }
        lifeboat
    });
    assert_eq!(home.stream("work").dead_letters, 1, "{workers} workers: one dead letter");
    assert_eq!(tally.lost(), 1, "{workers} workers: the others are settled");
    // The first crash, three failures, and what a kill made uncounted.
    assert!((4..=4 + 2 * kills).contains(&crashes), "{workers} workers: {crashes} crashes");
    drop(lifeboat);
}

#[test]
fn one_poison_record_in_64_ends_as_one_dead_letter_with_1_worker() {
    run(1, 0);
}

#[test]
fn with_2_workers() {
    run(2, 0);
}

#[test]
fn with_8_workers() {
    run(8, 0);
}

#[test]
fn with_1_worker_over_kills_of_the_sidecar() {
    run(1, 2);
}

#[test]
fn with_8_workers_over_kills_of_the_sidecar() {
    run(8, 2);
}

#[test]
fn with_workers_that_ask() {
    for workers in [1, 3] {
        run_as(asking_worker, workers, 0);
    }
}

#[test]
fn an_application_that_stops_in_good_order_leaves_no_suspects() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    let held = app.take(10);
    app.credit(0);
    assert_eq!(app.drain(), []);
    leave(&home, app);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    let again = app.take(10);
    assert_eq!(again[9].seq, held[9].seq, "all at once");
    assert!(again.iter().all(|msg| msg.attempt == 2));
    // A sidecar that stops breaks every connection itself: no suspects either.
    assert_eq!(lifeboat.metric("lifeboat_suspect_records_total", &[]), 0);
    assert_eq!(lifeboat.stop().code(), Some(0));
    drop(app);
    let lifeboat = home.start();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    assert_eq!(app.take(10)[9].attempt, 3, "all at once");
}

#[test]
fn marks_survive_a_kill() {
    let home = home("");
    let lifeboat = home.start();
    fill(&lifeboat);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    app.take(10);
    leave(&home, app);
    // The second hand-out is synced, and the marks before it.
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    assert_eq!(app.next().attempt, 2);
    lifeboat.kill();
    drop(app);
    let lifeboat = home.start();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 10);
    assert_eq!((app.next().attempt, app.drain()), (3, vec![]), "still alone");
}
