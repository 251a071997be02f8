//! PULL applications, which cannot acknowledge: what dies with one is delivered to the next.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::sockets::{connected, unconnected};
use support::tally::{Tally, number, numbered};
use support::{Home, Lifeboat, PATIENCE, wait_for};

const IN: &str = "{name: in, socket: PULL}";
const OUT: &str = "{name: out, socket: PUSH}";
const TCP_OUT: &str = "{name: out, socket: PUSH, bind: \"tcp://127.0.0.1:*\"}";

/// Sends numbered messages and waits until all are stored.
fn fill(home: &Home, lifeboat: &Lifeboat, count: usize, len: usize) {
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    for number in 0..count {
        let body = if len == 0 { Vec::new() } else { numbered(number, len) };
        producer.send(body, 0).unwrap();
    }
    let stored = || (home.stream("work").durable_end == count as u64).then_some(());
    wait_for("all to be stored", stored);
}

/// Waits until an application's libzmq has read all that it can hold: the status stands still
/// because nothing more is taken, not because it is late.
fn wait_until_prefetched(home: &Home, least: u64) {
    wait_for("records to be prefetched", || {
        (home.delivery("out").delivered_end >= least).then_some(())
    });
}

#[test]
fn what_a_killed_app_had_prefetched_goes_to_the_next() {
    const SENT: usize = 20_000;
    for (len, received) in [(16, 3000), (1024, 3000), (1024, 0), (16, 12_000)] {
        let home = Home::queue(IN, OUT);
        let lifeboat = home.start();
        fill(&home, &lifeboat, SENT, len);
        let mut tally = Tally::of(SENT);
        let first = connected(zmq::PULL, lifeboat.endpoint("work.out"));
        for _ in 0..received {
            tally.count(&first.recv_bytes(0).unwrap());
        }
        wait_until_prefetched(&home, received as u64 + 1001);
        drop(first);
        let second = connected(zmq::PULL, lifeboat.endpoint("work.out"));
        while tally.lost() > 0 {
            let body = second.recv_bytes(0).expect("nothing is lost");
            assert!(body.len() == len.max(8));
            tally.count(&body);
        }
        assert!(tally.duplicates() <= received, "{}", tally.duplicates());
    }
}

#[test]
fn empty_messages_that_a_killed_app_had_prefetched_go_to_the_next() {
    const SENT: usize = 20_000;
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    fill(&home, &lifeboat, SENT, 0);
    let first = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for _ in 0..7000 {
        assert!(first.recv_bytes(0).unwrap().is_empty());
    }
    wait_until_prefetched(&home, 7000 + 4980);
    drop(first);
    let second = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 7000..SENT {
        assert!(second.recv_bytes(0).unwrap_or_else(|_| panic!("{at} is lost")).is_empty());
    }
}

#[test]
fn several_deaths_in_a_row_lose_nothing() {
    const SENT: usize = 30_000;
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    fill(&home, &lifeboat, SENT, 100);
    let mut tally = Tally::of(SENT);
    for taken in [1, 0, 5000, 1500, 9000] {
        let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
        for _ in 0..taken {
            tally.count(&app.recv_bytes(0).unwrap());
        }
    }
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    while tally.lost() > 0 {
        tally.count(&app.recv_bytes(0).expect("nothing is lost"));
    }
}

#[test]
fn a_steady_app_is_settled_behind_and_the_volume_never_fills() {
    const SENT: usize = 120_000;
    let home = Home::sized("64Mi", IN, OUT);
    let lifeboat = home.start();
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    // More than twice what the volume holds.
    let sender = thread::spawn(move || {
        for number in 0..SENT {
            producer.send(numbered(number, 1024), 0).unwrap();
        }
    });
    let mut cursor = 0;
    for at in 0..SENT {
        let body = app.recv_bytes(0).unwrap_or_else(|_| panic!("stuck at {at}"));
        assert_eq!(number(&body), at as u64);
        if at % 20_000 == 19_999 {
            let stream = home.stream("work");
            let settled = stream.deliveries[0].cursor;
            assert!(stream.disk_bytes <= stream.max_bytes, "{stream:?}");
            assert!(settled > cursor && settled <= at as u64, "{settled} at {at}");
            cursor = settled;
        }
    }
    sender.join().unwrap();
}

#[test]
fn records_that_come_one_by_one_are_settled_too() {
    const SENT: usize = 5000;
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    // Each is committed before the next is sent, so the log changes all the time.
    for at in 0..SENT {
        producer.send(numbered(at, 100), 0).unwrap();
        assert_eq!(number(&app.recv_bytes(0).unwrap()), at as u64);
    }
    let cursor = home.delivery("out").cursor;
    assert!(cursor > 1000, "only {cursor} of {SENT} settled");
}

#[test]
fn apps_share_the_load_and_one_that_never_reads_blocks_nobody() {
    const SENT: usize = 40_000;
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let endpoint = lifeboat.endpoint("work.out").to_owned();
    let stopped = connected(zmq::PULL, &endpoint);
    let apps = [connected(zmq::PULL, &endpoint), connected(zmq::PULL, &endpoint)];
    let connections = || home.delivery("out").socket.map_or(0, |socket| socket.connections);
    wait_for("three connections", || (connections() == 3).then_some(()));
    let producer = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
    let sender = thread::spawn(move || {
        for number in 0..SENT {
            producer.send(numbered(number, 500), 0).unwrap();
        }
    });
    let mut tally = Tally::of(SENT);
    let read = |tally: &mut Tally| {
        let mut items = apps.each_ref().map(|app| app.as_poll_item(zmq::POLLIN));
        zmq::poll(&mut items, 500).unwrap();
        let ready = items.each_ref().map(zmq::PollItem::is_readable);
        for (app, _) in apps.iter().zip(ready).filter(|(_, ready)| *ready) {
            tally.count(&app.recv_bytes(0).unwrap());
        }
    };
    // Half of it is taken in turns: each has its share.
    for at in 0..SENT / 2 {
        tally.count(&apps[at % 2].recv_bytes(0).expect("some for each"));
    }
    // All comes through but what the stopped one holds: its buffers and one run more.
    let deadline = Instant::now() + PATIENCE;
    while tally.delivered() < SENT - 5000 {
        read(&mut tally);
        assert!(Instant::now() < deadline, "only {} of {SENT}", tally.delivered());
    }
    drop(stopped);
    while tally.lost() > 0 {
        read(&mut tally);
        assert!(Instant::now() < deadline, "{} lost", tally.lost());
    }
    sender.join().unwrap();
    assert_eq!(tally.duplicates(), 0, "the stopped app had received nothing");
}

#[test]
fn a_small_receive_buffer_bounds_what_a_slow_app_takes() {
    const SENT: usize = 20_000;
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    fill(&home, &lifeboat, SENT, 1000);
    let slow = unconnected(zmq::PULL);
    slow.set_rcvhwm(1).unwrap();
    slow.connect(lifeboat.endpoint("work.out")).unwrap();
    assert_eq!(number(&slow.recv_bytes(0).unwrap()), 0);
    let quick = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    let mut tally = Tally::of(SENT);
    tally.count(&numbered(0, 8));
    while tally.delivered() < SENT - 2000 {
        tally.count(&quick.recv_bytes(0).expect("the slow one holds few"));
    }
    drop(slow);
    while tally.lost() > 0 {
        tally.count(&quick.recv_bytes(0).expect("what the slow one held"));
    }
}

#[test]
fn over_tcp_all_arrive_in_order() {
    const SENT: usize = 50_000;
    let home = Home::queue(IN, TCP_OUT);
    let lifeboat = home.start();
    let promise = home.delivery("out").promise.unwrap();
    assert!(promise.contains("tcp"), "{promise}");
    fill(&home, &lifeboat, SENT, 100);
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 0..SENT {
        assert_eq!(number(&app.recv_bytes(0).unwrap()), at as u64);
    }
}

#[test]
fn over_tcp_the_trail_of_a_killed_app_goes_to_the_next() {
    // Within the trail: beyond it tcp only tells what the peer's kernel has.
    const SENT: usize = 1000;
    let home = Home::queue(IN, TCP_OUT);
    let lifeboat = home.start();
    fill(&home, &lifeboat, SENT, 100);
    let mut tally = Tally::of(SENT);
    let first = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for _ in 0..500 {
        tally.count(&first.recv_bytes(0).unwrap());
    }
    drop(first);
    let second = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    while tally.lost() > 0 {
        tally.count(&second.recv_bytes(0).expect("nothing is lost"));
    }
}

#[test]
fn time_settles_the_trail_of_an_app_that_stays() {
    let out = "{name: out, socket: PUSH, trail: {time: 1s}}";
    let home = Home::queue(IN, out);
    let lifeboat = home.start();
    fill(&home, &lifeboat, 100, 100);
    let start = Instant::now();
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    for at in 0..100 {
        assert_eq!(number(&app.recv_bytes(0).unwrap()), at);
    }
    wait_for("the trail to be settled", || (home.stream("work").depth == 0).then_some(()));
    assert!(start.elapsed() >= Duration::from_secs(1), "settled too early");
    drop(app);
    assert_eq!(lifeboat.stop().code(), Some(0));
    let lifeboat = home.start();
    connected(zmq::PUSH, lifeboat.endpoint("work.in")).send(numbered(100, 100), 0).unwrap();
    let next = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    let first = next.recv_bytes(0).expect("what was not settled");
    assert_eq!(number(&first), 100, "settled records come no more");
}
