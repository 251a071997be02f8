//! Several streams, each with several sockets on either side, and changes to the file between
//! starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread;

use support::credit::App;
use support::sockets::{connected, receive, send};
use support::tally::{Tally, number, numbered};
use support::{Home, Lifeboat, wait_for, yaml};

const IN: &str = "{name: push, socket: PULL}, {name: tcp, socket: PULL, bind: \"tcp://*:*\"}, \
                  {name: receipts, socket: ROUTER, protocol: Receipt}";
const RECEIPT_IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const PUSH_OUT: &str = "{name: pushed, socket: PUSH}";
const CREDIT_OUT: &str = "{name: acked, socket: ROUTER, protocol: Credit}";

/// Sends numbers from `range` over a socket of a stream.
fn produce(
    lifeboat: &Lifeboat,
    socket: &str,
    range: std::ops::Range<usize>,
) -> thread::JoinHandle<()> {
    let with_receipts = ["work.in", "a.receipts", "b.receipts", "c.receipts"].contains(&socket);
    let kind = if with_receipts { zmq::DEALER } else { zmq::PUSH };
    let producer = connected(kind, lifeboat.endpoint(socket));
    thread::spawn(move || {
        for number in range.clone() {
            send(&producer, &[&numbered(number, 64)]);
        }
        if with_receipts {
            for _ in range {
                assert_eq!(receive(&producer)[0], b"200");
            }
        }
    })
}

/// Takes and acknowledges until each number came.
fn take_all(lifeboat: &Lifeboat, stream: &str, tally: &mut Tally) {
    let app = App::with_credit(lifeboat.endpoint(&format!("{stream}.acked")), 64);
    while tally.lost() > 0 {
        let msg = app.next();
        tally.count(&msg.body[0]);
        app.ack(&[msg]);
    }
}

/// The same for a PULL application.
fn pull_all(lifeboat: &Lifeboat, stream: &str, tally: &mut Tally) {
    let app = connected(zmq::PULL, lifeboat.endpoint(&format!("{stream}.pushed")));
    while tally.lost() > 0 {
        tally.count(&app.recv_bytes(0).expect("nothing is lost"));
    }
}

#[test]
fn each_delivery_of_each_stream_gets_everything_over_a_restart() {
    const EACH: usize = 1000;
    let outs = format!("{PUSH_OUT}, {CREDIT_OUT}");
    let streams = ["a", "b", "c"];
    let home = Home::new(&yaml("1Gi", &streams.map(|name| (name, IN, outs.as_str()))));
    let mut tallies = streams.map(|_| (Tally::of(6 * EACH), Tally::of(6 * EACH)));
    for boot in 0..2 {
        let lifeboat = home.start();
        let mut producers = Vec::new();
        for stream in streams {
            for (at, socket) in ["push", "tcp", "receipts"].into_iter().enumerate() {
                let first = (boot * 3 + at) * EACH;
                producers.push(produce(
                    &lifeboat,
                    &format!("{stream}.{socket}"),
                    first..first + EACH,
                ));
            }
        }
        for producer in producers {
            producer.join().unwrap();
        }
        for stream in streams {
            let end = (boot as u64 + 1) * 3 * EACH as u64;
            let stored = || (home.stream(stream).durable_end == end).then_some(());
            wait_for("all to be stored", stored);
        }
        if boot == 0 {
            // Some is handed out before the kill, some is settled.
            for (stream, (_, acked)) in streams.iter().zip(&mut tallies) {
                let app = App::with_credit(lifeboat.endpoint(&format!("{stream}.acked")), 64);
                for msg in app.settle(EACH) {
                    acked.count(&msg.body[0]);
                }
            }
            lifeboat.kill();
            continue;
        }
        for (stream, (pushed, acked)) in streams.iter().zip(&mut tallies) {
            pull_all(&lifeboat, stream, pushed);
            take_all(&lifeboat, stream, acked);
            assert_eq!(pushed.duplicates(), 0, "nothing was pushed before the kill");
            assert!(acked.duplicates() <= EACH, "only what was handed out before the kill");
        }
        for stream in streams {
            wait_for("the acks", || (home.stream(stream).deliveries[1].depth == 0).then_some(()));
        }
    }
}

#[test]
fn a_removed_delivery_holds_its_data_until_it_comes_back() {
    const SENT: usize = 500;
    let with = |outs: &str| yaml("1Gi", &[("work", RECEIPT_IN, outs)]);
    let both = format!("{PUSH_OUT}, {CREDIT_OUT}");
    let home = Home::new(&with(&both));
    let lifeboat = home.start();
    produce(&lifeboat, "work.in", 0..SENT).join().unwrap();
    let app = App::with_credit(lifeboat.endpoint("work.acked"), 64);
    let msgs = app.settle(10);
    wait_for("the acks", || (home.delivery("acked").cursor == 10).then_some(()));
    assert_eq!(lifeboat.stop().code(), Some(0));

    // Only PUSH is left, and is done with everything.
    home.rewrite(&with("{name: pushed, socket: PUSH, trail: {time: 1s}}"));
    let lifeboat = home.start();
    let removed = home.delivery("acked");
    assert_eq!((removed.socket, removed.cursor, removed.depth), (None, 10, SENT as u64 - 10));
    pull_all(&lifeboat, "work", &mut Tally::of(SENT));
    let pull = connected(zmq::PULL, lifeboat.endpoint("work.pushed"));
    produce(&lifeboat, "work.in", SENT..SENT + 1).join().unwrap();
    let settled = || (home.delivery("pushed").depth == 0).then_some(());
    wait_for("the trail to be settled", settled);
    assert_eq!(home.stream("work").depth, SENT as u64 - 9, "the removed one still holds");
    drop(pull);
    assert_eq!(lifeboat.stop().code(), Some(0));

    // It comes back where it was.
    home.rewrite(&with(&both));
    let lifeboat = home.start();
    let mut tally = Tally::of(SENT + 1);
    for msg in &msgs {
        tally.count(&msg.body[0]);
    }
    take_all(&lifeboat, "work", &mut tally);
    assert_eq!(tally.duplicates(), 0);
}

#[test]
fn a_new_delivery_starts_at_the_lowest_cursor_of_the_others() {
    let with = |outs: &str| yaml("1Gi", &[("work", RECEIPT_IN, outs)]);
    let other = "{name: other, socket: ROUTER, protocol: Credit}";
    let home = Home::new(&with(&format!("{CREDIT_OUT}, {other}")));
    let lifeboat = home.start();
    produce(&lifeboat, "work.in", 0..100).join().unwrap();
    for (name, count) in [("acked", 60), ("other", 20)] {
        let app = App::with_credit(lifeboat.endpoint(&format!("work.{name}")), 64);
        app.settle(count);
        wait_for("the acks", || (home.delivery(name).cursor == count as u64).then_some(()));
    }
    assert_eq!(lifeboat.stop().code(), Some(0));
    home.rewrite(&with(&format!("{CREDIT_OUT}, {other}, {PUSH_OUT}")));
    let lifeboat = home.start();
    assert_eq!(home.delivery("pushed").cursor, 20);
    let app = connected(zmq::PULL, lifeboat.endpoint("work.pushed"));
    for at in 20..100 {
        assert_eq!(number(&app.recv_bytes(0).unwrap()), at);
    }
}
