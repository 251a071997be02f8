//! Cursors that are moved by order, over real sockets and the real command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use support::credit::App;
use support::sockets::{connected, receive};
use support::tally::{number, numbered};
use support::{Home, Outcome, lifeboat, wait_for, yaml};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const OUT: &str = "{name: acked, socket: ROUTER, protocol: Credit}, {name: pushed, socket: PUSH}";
const COUNT: u64 = 100;

fn home(retention: &str) -> Home {
    let kept = format!("], retention: {{{retention}}}}}\n");
    Home::new(&yaml("64Mi", &[("work", IN, OUT)]).replace("]}\n", &kept))
}

fn store(endpoint: &str, numbers: std::ops::Range<u64>) {
    let producer = connected(zmq::DEALER, endpoint);
    for number in numbers {
        producer.send(numbered(usize::try_from(number).unwrap(), 100), 0).unwrap();
        assert_eq!(receive(&producer)[0], b"200");
    }
}

fn seek(home: &Home, arguments: &[&str]) -> Outcome {
    let data = home.data();
    let mut all = vec!["seek", "--data", data.to_str().unwrap()];
    all.extend(arguments);
    lifeboat(&all, "")
}

/// Takes and acknowledges records, and asserts that they come in order.
fn drain(app: &App, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        let msg = app.next();
        assert_eq!((msg.seq, msg.attempt, number(&msg.body[0])), (seq, 1, seq));
        app.ack(&[msg]);
    }
}

fn cursor_at(home: &Home, name: &str, cursor: u64) {
    wait_for("the cursor", || (home.delivery(name).cursor == cursor).then_some(()));
}

#[test]
fn an_acknowledged_history_is_delivered_again_and_old_tokens_still_settle() {
    let home = home("policy: Limits, maxMessages: 100000");
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..COUNT);
    let app = App::with_credit(lifeboat.endpoint("work.acked"), 8);
    drain(&app, 0..90);
    let held = app.take(8);
    assert_eq!(held[7].seq, 97);
    cursor_at(&home, "acked", 90);

    let dry = seek(&home, &["work", "acked", "40", "--dry-run", "--json"]);
    let sought: serde_json::Value = serde_json::from_str(&dry.stdout).unwrap();
    let expected =
        serde_json::json!({"from": 90, "cursor": 40, "again": 50, "skipped": 0, "dryRun": true});
    assert_eq!(sought, expected);
    assert_eq!(home.delivery("acked").cursor, 90, "nothing was done");

    let done = seek(&home, &["work", "acked", "40"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout.contains("went from seq 90 to 40: delivered again: 50 settled records"),
        "{}",
        done.stdout
    );
    // Its credit is free again; what it held comes with the rest, unless its old token settles it.
    app.ack(&held);
    wait_for("the old tokens to settle", || (home.delivery("acked").depth == 52).then_some(()));
    drain(&app, 40..90);
    drain(&app, 98..100);
    cursor_at(&home, "acked", COUNT);
    assert!(lifeboat.stop().success());
    let lifeboat = home.start();
    assert_eq!(home.delivery("acked").cursor, COUNT);
    assert_eq!(seek(&home, &["work", "acked", "last"]).code, Some(0));
    let app = App::with_credit(lifeboat.endpoint("work.acked"), 8);
    drain(&app, 99..100);
    assert_eq!(seek(&home, &["work", "acked", "first"]).code, Some(0));
    lifeboat.kill();
    let lifeboat = home.start();
    let app = App::with_credit(lifeboat.endpoint("work.acked"), 8);
    drain(&app, 0..COUNT);
}

#[test]
fn a_pull_application_reads_again_and_passes_over() {
    let home = home("policy: Limits, maxMessages: 100000");
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..COUNT);
    let app = connected(zmq::PULL, lifeboat.endpoint("work.pushed"));
    let read = |seqs: std::ops::Range<u64>| {
        for seq in seqs {
            assert_eq!(number(&receive(&app)[0]), seq);
        }
    };
    read(0..COUNT);
    assert_eq!(seek(&home, &["work", "pushed", "60"]).code, Some(0));
    read(60..COUNT);
    assert_eq!(seek(&home, &["work", "pushed", "new"]).code, Some(0));
    store(lifeboat.endpoint("work.in"), COUNT..COUNT + 1);
    read(COUNT..COUNT + 1);
    assert_eq!(home.delivery("pushed").cursor, COUNT);
}

#[test]
fn in_a_work_queue_what_is_kept_can_be_read_again() {
    let home = home("policy: WorkQueue");
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..COUNT);
    let app = App::with_credit(lifeboat.endpoint("work.acked"), 8);
    drain(&app, 0..COUNT);
    cursor_at(&home, "acked", COUNT);
    assert_eq!(seek(&home, &["work", "acked", "first"]).code, Some(0));
    drain(&app, 0..COUNT);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let home = home("policy: WorkQueue");
    let absent = seek(&home, &["work", "acked", "first"]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("no queue runs"), "{}", absent.stderr);
    let _running = home.start();
    for (arguments, code, words) in [
        (
            ["work", "other", "first"],
            64,
            "no delivery other on stream work: there is acked, pushed",
        ),
        (["play", "acked", "first"], 64, "no stream play in queue "),
        (["work", "acked", "yesterday"], 64, "write first, last, new, a seq, or a time in UTC"),
    ] {
        let refused = seek(&home, &arguments);
        assert_eq!(refused.code, Some(code), "{}", refused.stderr);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

#[test]
fn a_reply_of_before_settles_nothing_and_no_second_request_comes_before_it() {
    let kept = "], retention: {policy: Limits, maxMessages: 100000}}\n";
    let deliveries = "{name: replied, socket: DEALER}";
    let yaml = yaml("64Mi", &[("work", IN, deliveries)]).replace("]}\n", kept);
    let home = Home::new(&yaml);
    let lifeboat = home.start();
    store(lifeboat.endpoint("work.in"), 0..3);
    let app = connected(zmq::REP, lifeboat.endpoint("work.replied"));
    let replied = |expected: u64| {
        assert_eq!(number(&receive(&app)[0]), expected);
        app.send("done", 0).unwrap();
    };
    replied(0);
    assert_eq!(number(&receive(&app)[0]), 1);
    assert_eq!(seek(&home, &["work", "replied", "first"]).code, Some(0));
    let delivery = home.delivery("replied");
    assert_eq!((delivery.cursor, delivery.in_flight), (0, 0), "its lease is void");
    app.send("done", 0).unwrap();
    (0..3).for_each(replied);
    cursor_at(&home, "replied", 3);
}
