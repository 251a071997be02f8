//! A queue in which nothing happens costs nothing, however many connections are open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::thread::sleep;
use std::time::Duration;

use support::credit::App;
use support::sockets::{connected, receive, send};
use support::{Home, Lifeboat, wait_for};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}, {name: push, socket: PULL}";
const OUT: &str = "{name: acked, socket: ROUTER, protocol: Credit}, {name: pushed, socket: PUSH}";

/// Processor time of two seconds, in parts of a hundred of one processor.
fn percent(lifeboat: &Lifeboat) -> u64 {
    let before = lifeboat.ticks();
    sleep(Duration::from_secs(2));
    // 100 ticks a second on Linux (USER_HZ), so ticks in two seconds are half percents.
    (lifeboat.ticks() - before).div_ceil(2)
}

#[test]
fn open_connections_with_leases_and_a_trail_cost_no_processor_time() {
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let producers = [
        connected(zmq::DEALER, lifeboat.endpoint("work.in")),
        connected(zmq::PUSH, lifeboat.endpoint("work.push")),
    ];
    let apps: Vec<App> =
        (0..20).map(|_| App::with_credit(lifeboat.endpoint("work.acked"), 2)).collect();
    let pulls: Vec<zmq::Socket> =
        (0..5).map(|_| connected(zmq::PULL, lifeboat.endpoint("work.pushed"))).collect();
    for _ in 0..30 {
        send(&producers[0], &[b"record"]);
        receive(&producers[0]);
    }
    // Some records are leased, some taken and in a trail.
    assert!(apps.iter().map(|app| app.drain().len()).sum::<usize>() == 30);
    wait_for("all to be handed out", || (home.stream("work").in_flight == 60).then_some(()));
    // What is left of the above passes.
    let mut used = Vec::new();
    while used.last().is_none_or(|used| *used >= 2) {
        assert!(used.len() < 5, "{used:?} %");
        used.push(percent(&lifeboat));
    }
    drop(pulls);
}
