//! The weak sync modes over real processes: receipts come early, a clean stop costs nothing, and after a
//! kill no seq and no token of the last run is taken for another record's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use support::credit::App;
use support::sockets::{connected, receive};
use support::{Home, wait_for, yaml};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const OUT: &str = "{name: out, socket: ROUTER, protocol: Credit}";
const JUMP: u64 = 1 << 32;

fn home(durability: &str) -> Home {
    let yaml = yaml("64Mi", &[("work", IN, OUT)]);
    let durability = format!("  durability: {{{durability}}}\n  streams:");
    Home::new(&yaml.replace("  streams:", &durability))
}

/// Stores a message and returns its seq.
fn store(endpoint: &str) -> u64 {
    let producer = connected(zmq::DEALER, endpoint);
    producer.send("record", 0).unwrap();
    let receipt = receive(&producer);
    assert_eq!(receipt[0], b"200");
    String::from_utf8(receipt[1].clone()).unwrap().parse().unwrap()
}

#[test]
fn a_clean_stop_makes_no_jump_and_a_kill_makes_one() {
    let home = home("sync: None");
    let lifeboat = home.start();
    for seq in 0..3 {
        assert_eq!(store(lifeboat.endpoint("work.in")), seq);
    }
    let stream = home.stream("work");
    assert_eq!((stream.published_end, stream.durable_end), (3, 0));
    assert_eq!(home.status().sync, "None");
    assert_eq!(lifeboat.metric("lifeboat_unsynced_records", &[]), 3);
    assert!(lifeboat.stop().success());

    let lifeboat = home.start();
    assert_eq!(store(lifeboat.endpoint("work.in")), 3);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    let taken = app.take(4);
    lifeboat.kill();

    let lifeboat = home.start();
    assert_eq!(store(lifeboat.endpoint("work.in")), 4 + JUMP);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    let again = app.take(5);
    let seqs: Vec<u64> = again.iter().map(|msg| msg.seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4 + JUMP], "nothing waits for the seqs between");
    // A kill loses nothing, so tokens of the last run are good.
    app.ack(&taken);
    wait_for("four to be settled", || (home.delivery("out").depth == 1).then_some(()));
    app.ack(&again[4..]);
    wait_for("all to be settled", || (home.delivery("out").cursor == 5 + JUMP).then_some(()));
    assert_eq!(home.stream("work").depth, 0);
}

#[test]
fn an_interval_syncs_in_time() {
    let home = home("sync: Interval, interval: 50ms");
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"));
    wait_for("it to be synced", || (home.stream("work").durable_end == 1).then_some(()));
    assert_eq!(home.status().sync, "Interval 50ms");
}
