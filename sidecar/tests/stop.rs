//! An orderly end: what was taken in is stored and answered, whatever else goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::sockets::{connected, receive, send, unconnected};
use support::tally::{number, numbered};
use support::{Home, wait_for};

const PUSH_IN: &str = "{name: in, socket: PULL}";
const RECEIPT_IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const OUT: &str = "{name: out, socket: PUSH}";

#[test]
fn every_record_that_was_stored_has_its_receipt() {
    const SENT: u64 = 50_000;
    let home = Home::queue(RECEIPT_IN, OUT);
    let lifeboat = home.start();
    let dealer = unconnected(zmq::DEALER);
    dealer.set_rcvhwm(0).unwrap();
    dealer.connect(lifeboat.endpoint("work.in")).unwrap();
    for at in 0..SENT {
        send(&dealer, &[&at.to_be_bytes(), b"", &[7; 100]]);
    }
    assert_eq!(receive(&dealer)[0], 0u64.to_be_bytes());
    assert_eq!(lifeboat.stop().code(), Some(0));
    dealer.set_rcvtimeo(5000).unwrap();
    let mut receipted = 1;
    while let Ok(answer) = dealer.recv_multipart(0) {
        assert_eq!(answer[0], u64::to_be_bytes(receipted));
        assert_eq!(answer[2..], [b"200".to_vec(), receipted.to_string().into_bytes()]);
        receipted += 1;
    }
    dealer.set_linger(0).unwrap();
    drop(dealer);
    let lifeboat = home.start();
    assert_eq!(home.stream("work").durable_end, receipted, "stored, of {SENT}");
    drop(lifeboat);
}

/// libzmq writes 8 KiB at a time, wherever that cuts a message: of the one that it had begun, and of
/// no other, it forgets the rest when the connection ends.
#[test]
fn a_restart_loses_at_most_the_message_that_a_push_producer_had_begun_to_write() {
    const RESTARTS: usize = 5;
    let home = Home::queue(PUSH_IN, OUT);
    let mut lifeboat = home.start();
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    let done = &AtomicBool::new(false);
    let (sent, lifeboat) = thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) {
                producer.send(numbered(sent, 200), 0).unwrap();
                sent += 1;
                if sent % 256 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            sent
        });
        for _ in 0..RESTARTS {
            let before = home.stream("work").durable_end;
            wait_for("traffic", || {
                (home.stream("work").durable_end > before + 20_000).then_some(())
            });
            assert_eq!(lifeboat.stop().code(), Some(0));
            lifeboat = home.start();
        }
        done.store(true, Ordering::Relaxed);
        (sender.join().unwrap(), lifeboat)
    });
    // The last that it sends tells that all before it are stored.
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    let (mut next, mut lost) = (0, 0);
    while next < sent as u64 {
        let number = number(&app.recv_bytes(0).expect("the last message"));
        assert!(number >= next, "order");
        lost += number - next;
        next = number + 1;
    }
    assert!(lost <= RESTARTS as u64, "{lost} of {sent}");
}

#[test]
fn a_stop_is_not_held_up_by_peers_that_never_end() {
    let credit = "{name: acked, socket: ROUTER, protocol: Credit}";
    let home = Home::queue(
        &format!("{RECEIPT_IN}, {{name: push, socket: PULL}}"),
        &format!("{OUT}, {credit}"),
    );
    let lifeboat = home.start();
    let mut raws: Vec<support::raw::Raw> =
        [("in", "DEALER"), ("push", "PUSH"), ("out", "PULL"), ("acked", "DEALER")]
            .map(|(name, kind)| {
                support::raw::Raw::ready(lifeboat.endpoint(&format!("work.{name}")), kind)
            })
            .into();
    raws.push(support::raw::Raw::connect(lifeboat.endpoint("work.in")));
    let start = Instant::now();
    assert_eq!(lifeboat.stop().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    drop(raws);
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_harms_nothing() {
    let home = Home::queue(RECEIPT_IN, OUT);
    let lifeboat = home.start();
    let req = connected(zmq::REQ, lifeboat.endpoint("work.in"));
    send(&req, &[b"before"]);
    assert_eq!(receive(&req)[0], b"200");
    let second = home.command().output().unwrap();
    assert_eq!(second.status.code(), Some(75), "{second:?}");
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(words.contains("lock") && second.stdout.is_empty(), "{words}");
    // Sockets, control socket and log are still those of the first.
    send(&req, &[b"after"]);
    assert_eq!(receive(&req), [b"200".to_vec(), b"1".to_vec()]);
    let newcomer = connected(zmq::REQ, lifeboat.endpoint("work.in"));
    send(&newcomer, &[b"new connection"]);
    assert_eq!(receive(&newcomer), [b"200".to_vec(), b"2".to_vec()]);
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for body in ["before", "after", "new connection"] {
        assert_eq!(receive(&app), [body.as_bytes()]);
    }
    assert_eq!(home.stream("work").durable_end, 3);
    assert_eq!(lifeboat.stop().code(), Some(0));
    let lifeboat = home.start();
    let late = unconnected(zmq::REQ);
    late.connect(lifeboat.endpoint("work.in")).unwrap();
    send(&late, &[b"in the next boot"]);
    assert_eq!(receive(&late)[1], b"3");
}
