//! Retention over real sockets: what is too old, what makes room, what can be read again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use lifeboat_sidecar::control::Verb;
use lifeboat_sidecar::control::verb::Seek;
use rustix::process::Signal;
use support::credit::App;
use support::sockets::{connected, receive};
use support::tally::{number, numbered};
use support::{Home, ask, wait_for, yaml};

const RECEIPT_IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const CREDIT_OUT: &str = "{name: out, socket: ROUTER, protocol: Credit}";

/// A queue whose stream has this retention.
fn file(size: &str, deliveries: &str, retention: &str) -> String {
    let kept = format!("], retention: {{{retention}}}}}\n");
    yaml(size, &[("work", RECEIPT_IN, deliveries)]).replace("]}\n", &kept)
}

/// Sends numbered messages of these bytes and waits for each receipt.
fn store(endpoint: &str, numbers: std::ops::Range<u64>, len: usize) {
    let producer = connected(zmq::DEALER, endpoint);
    for number in numbers.clone() {
        producer.send(numbered(number as usize, len), 0).unwrap();
    }
    for number in numbers {
        let receipt = receive(&producer);
        assert_eq!(receipt, [b"200".to_vec(), number.to_string().into_bytes()]);
    }
}

#[test]
fn what_is_kept_to_be_read_again_is_told_also_of_a_stream_that_is_gone() {
    let limits = file("64Mi", CREDIT_OUT, "policy: Limits, maxAge: 72h");
    let told = |home: &Home| {
        let status = home.status();
        (status.drained, status.retains_history)
    };
    let consume = |home: &Home| {
        let lifeboat = home.start();
        store(lifeboat.endpoint("work.in"), 0..10, 100);
        App::with_credit(lifeboat.endpoint("work.out"), 10).settle(10);
        wait_for("the acks", || home.status().drained.then_some(()));
        lifeboat
    };
    let home = Home::new(&file("64Mi", CREDIT_OUT, "policy: WorkQueue"));
    let lifeboat = consume(&home);
    assert_eq!(told(&home), (true, false));
    assert_eq!(lifeboat.stop().code(), Some(0));

    let home = Home::new(&limits);
    let lifeboat = home.start();
    assert_eq!(told(&home), (true, false), "nothing was ever stored");
    assert_eq!(lifeboat.stop().code(), Some(0));
    let lifeboat = consume(&home);
    assert_eq!(told(&home), (true, true));
    assert_eq!(lifeboat.stop().code(), Some(0));

    home.rewrite(&limits.replace("name: work", "name: other"));
    let lifeboat = home.start();
    assert_eq!((home.status().removed, told(&home)), (vec!["work".to_owned()], (true, true)));
    let data = home.data();
    let purge = ["purge", "work", "--yes", "--data", data.to_str().unwrap()];
    assert_eq!(support::lifeboat(&purge, "").code, Some(0));
    assert_eq!(told(&home), (true, false));
    assert_eq!(lifeboat.stop().code(), Some(0));
}

#[test]
fn what_is_too_old_is_not_delivered_any_more_and_is_counted() {
    let home = Home::new(&file("64Mi", CREDIT_OUT, "maxAge: 5s"));
    let lifeboat = home.start();
    // One is with an application that never settles it.
    let idle = App::with_credit(lifeboat.endpoint("work.out"), 1);
    store(lifeboat.endpoint("work.in"), 0..10, 100);
    assert_eq!(idle.next().seq, 0);
    let out = wait_for("ten to expire", || {
        Some(home.delivery("out")).filter(|delivery| delivery.expired == 10)
    });
    assert_eq!((out.cursor, out.depth, out.in_flight, out.dropped), (10, 0, 0, 0));
    assert_eq!(lifeboat.metric("lifeboat_overtaken_records_total", &[r#"reason="expired""#]), 10);
    store(lifeboat.endpoint("work.in"), 10..11, 100);
    assert_eq!(idle.next().seq, 10, "its credit is free again");
    wait_for("the space to be free", || {
        let stream = home.stream("work");
        (stream.log_start >= 10).then_some(())
    });
}

#[test]
fn what_is_too_old_is_not_delivered_after_a_seek_either() {
    // A machine that is busy may take the segment away before the seek, which then shows nothing.
    let first = (0..10).find_map(|_| first_after_a_seek_over_what_is_too_old_and_held());
    assert!(first.expect("a seek in time") > 0, "the first was too old");
}

/// The first seq that is delivered after a seek to the first record kept, which is too old; `None`
/// where that was not kept any more.
fn first_after_a_seek_over_what_is_too_old_and_held() -> Option<u64> {
    // The other one holds what the first has settled.
    let deliveries = format!("{CREDIT_OUT}, {{name: idle, socket: PUSH}}");
    let home = Home::new(&file("64Mi", &deliveries, "maxAge: 2s"));
    let lifeboat = home.start();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    store(lifeboat.endpoint("work.in"), 0..1, 100);
    app.settle(1);
    // In the same segment, which holds its first record until the last is too old as well.
    std::thread::sleep(std::time::Duration::from_millis(700));
    let producer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    let store_one = |at: usize| {
        producer.send(numbered(at, 100), 0).unwrap();
        assert_eq!(receive(&producer)[0], b"200");
    };
    store_one(1);
    app.settle(1);
    wait_for("the first to expire", || (home.delivery("idle").expired > 0).then_some(()));
    let to =
        Seek { stream: "work".into(), delivery: "out".into(), to: "first".into(), dry_run: false };
    ask(&home.data(), Verb::Seek(to)).unwrap();
    let is_held = home.stream("work").log_start == 0;
    store_one(2);
    let first = app.next().seq;
    is_held.then_some(first)
}

#[test]
fn the_oldest_make_room_and_nobody_waits() {
    const COUNT: u64 = 4500;
    let home = Home::new(&file("64Mi", CREDIT_OUT, "onFull: DropOldest"));
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..COUNT, 16 << 10);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    let first = app.next();
    let dropped = home.delivery("out").dropped;
    assert_eq!(first.seq, dropped, "it goes on behind what is gone");
    assert!(dropped > 1000, "{dropped}");
    let mut expected = first.seq;
    let mut msg = first;
    loop {
        assert_eq!((msg.seq, number(&msg.body[0])), (expected, expected));
        expected += 1;
        app.ack(&[msg]);
        if expected == COUNT {
            break;
        }
        msg = app.next();
    }
    assert_eq!(
        lifeboat.metric("lifeboat_overtaken_records_total", &[r#"reason="dropped""#]),
        dropped
    );
}

#[test]
fn a_delivery_that_comes_later_reads_from_where_it_is_told_to() {
    let first = "{name: out, socket: ROUTER, protocol: Credit}";
    let limits = "policy: Limits, maxMessages: 100000";
    let home = Home::new(&file("64Mi", first, limits));
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..100, 100);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    for _ in 0..100 {
        let msg = app.next();
        app.ack(&[msg]);
    }
    wait_for("all to be settled", || (home.delivery("out").cursor == 100).then_some(()));
    lifeboat.stop();
    let more = format!(
        "{first}, {{name: all, socket: PUSH, from: First}}, \
         {{name: some, socket: PUSH, from: '40'}}, {{name: new, socket: PUSH, from: New}}"
    );
    home.rewrite(&file("64Mi", &more, limits));
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 100..101, 100);
    for (name, start) in [("all", 0), ("some", 40), ("new", 100)] {
        let app = connected(zmq::PULL, lifeboat.endpoint(&format!("work.{name}")));
        for expected in start..=100 {
            assert_eq!(number(&receive(&app)[0]), expected, "{name}");
        }
    }
}

#[test]
fn limits_and_deliveries_change_while_it_runs() {
    let home = Home::new(&file("64Mi", CREDIT_OUT, "policy: Limits, maxMessages: 100000"));
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..20, 100);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    let held = app.take(20);
    app.ack(&held[..10]);
    wait_for("ten to be settled", || (home.delivery("out").cursor == 10).then_some(()));
    let more = format!(
        "{CREDIT_OUT}, {{name: all, socket: PUSH, from: First}}, \
         {{name: new, socket: PUSH, from: New}}"
    );
    let change = |retention: &str| {
        home.rewrite(&file("64Mi", &more, retention));
        lifeboat.signal(Signal::HUP);
    };
    change("policy: Limits, maxMessages: 100000");
    wait_for("them to come", || (home.stream("work").deliveries.len() == 3).then_some(()));
    store(lifeboat.endpoint("work.in"), 20..21, 100);
    for (name, start) in [("all", 0), ("new", 20)] {
        let endpoint = home.delivery(name).socket.unwrap().endpoint;
        let app = connected(zmq::PULL, &endpoint);
        (start..=20).for_each(|expected| assert_eq!(number(&receive(&app)[0]), expected, "{name}"));
    }
    change("policy: Limits, maxAge: 1s");
    wait_for("all to go", || (home.stream("work").log_start == 21).then_some(()));
    assert_eq!(home.status().config.pending_restart, [""; 0]);
    assert_eq!(home.delivery("out").expired, 11, "the ten that it held, and the last");
    change("policy: Limits, maxAge: 1s, onDamage: SkipWithGap");
    wait_for("it to be named", || {
        (home.status().config.pending_restart == ["spec.streams[0].retention"]).then_some(())
    });
}
