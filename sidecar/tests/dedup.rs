//! A message that comes again: stored once, answered like the first copy, over every kind of stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::repeats::{Producer, id, refused, stored};
use support::sockets::{REQ_CORRELATE, connected, receive, send, set_option, unconnected};
use support::{Home, Lifeboat, until, wait_for, yaml};

const OUT: &str = "{name: out, socket: PUSH}";

/// An ingress of this name that remembers ids for so long.
fn ingress(name: &str, window: &str) -> String {
    format!("{{name: {name}, socket: ROUTER, protocol: Receipt, dedup: {{window: {window}}}}}")
}

fn home() -> Home {
    Home::queue(&ingress("in", "1h"), OUT)
}

fn producer(lifeboat: &Lifeboat) -> Producer {
    Producer::new(lifeboat.endpoint("work.in"))
}

/// What was stored, as a PULL application gets it.
fn delivered(lifeboat: &Lifeboat, count: usize) -> Vec<Vec<Vec<u8>>> {
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    (0..count).map(|_| receive(&app)).collect()
}

#[test]
fn a_repeat_is_answered_like_the_first_and_not_stored() {
    let home = home();
    let lifeboat = home.start();
    let first = producer(&lifeboat);
    assert_eq!(first.ask(b"order-001", b"ten"), stored(0));
    assert_eq!(first.ask(b"order-001", b"ten"), stored(0));
    let other = producer(&lifeboat);
    assert_eq!(other.ask(b"order-001", b"ten"), stored(0), "whoever sends it");
    assert_eq!(other.ask(b"order-001", b"eleven"), refused("409"));
    assert_eq!(other.ask(b"order-002", b"ten"), stored(1));
    assert_eq!(delivered(&lifeboat, 2), [[b"ten"], [b"ten"]]);
    let stream = home.stream("work");
    assert_eq!((stream.durable_end, stream.ingress[0].duplicates), (2, 2));
    assert_eq!(lifeboat.metric("lifeboat_duplicates_total", &[]), 2);
    assert_eq!(lifeboat.metric("lifeboat_receipts_total", &["409"]), 1);
    assert_eq!(lifeboat.metric("lifeboat_remembered_ids", &[]), 2);
}

#[test]
fn an_id_outlives_its_record_that_a_limit_took() {
    let queue = yaml("4Gi", &[("work", &ingress("in", "1h"), OUT)]);
    let home = Home::new(&queue.replace("]}\n", "], retention: {policy: Limits, maxAge: 3s}}\n"));
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).ask(b"order-001", b"ten"), stored(0));
    // Its id is copied a second later, long before the limit takes it.
    wait_for("the record to go", || (home.stream("work").log_start == 1).then_some(()));
    lifeboat.kill();
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).ask(b"order-001", b"ten"), stored(0));
    assert_eq!(producer(&lifeboat).ask(b"order-002", b"ten"), stored(1));
}

#[test]
fn in_a_weak_mode_a_kill_makes_no_repeat_new() {
    let queue = yaml("4Gi", &[("work", &ingress("in", "1h"), OUT)]);
    let weak = "  durability: {sync: None}\n  streams:";
    let home = Home::new(&queue.replace("  streams:", weak));
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).ask(b"order-001", b"ten"), stored(0));
    lifeboat.kill();
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).ask(b"order-001", b"ten"), stored(0));
    assert_eq!(producer(&lifeboat).ask(b"order-002", b"ten"), stored(1 + (1 << 32)));
}

#[test]
fn only_8_to_64_bytes_are_an_id() {
    let home = home();
    let lifeboat = home.start();
    let producer = producer(&lifeboat);
    let mut next = 0;
    for (len, is_id) in [(1, false), (7, false), (8, true), (64, true), (65, false), (255, false)] {
        let id = vec![b'a'; len];
        assert_eq!(producer.ask(&id, b"x"), stored(next), "{len}");
        next += 1;
        if is_id {
            assert_eq!(producer.ask(&id, b"x"), stored(next - 1), "{len}");
        } else {
            assert_eq!(producer.ask(&id, b"x"), stored(next), "{len}");
            next += 1;
        }
    }
    let mut req = unconnected(zmq::REQ);
    set_option(&mut req, REQ_CORRELATE, 1);
    req.connect(lifeboat.endpoint("work.in")).unwrap();
    for seq in [next, next + 1] {
        send(&req, &[b"x"]);
        assert_eq!(receive(&req)[1], seq.to_string().into_bytes(), "a request id is no id");
    }
}

#[test]
fn an_id_means_nothing_on_another_ingress() {
    let sockets = [ingress("a", "1h"), ingress("b", "1h")].join(", ");
    let home = Home::queue(&sockets, OUT);
    let lifeboat = home.start();
    let [a, b] = ["work.a", "work.b"].map(|name| Producer::new(lifeboat.endpoint(name)));
    assert_eq!(a.ask(b"order-001", b"x"), stored(0));
    assert_eq!(b.ask(b"order-001", b"y"), stored(1));
    assert_eq!(a.ask(b"order-001", b"x"), stored(0));
    assert_eq!(b.ask(b"order-001", b"y"), stored(1));
}

#[test]
fn repeats_in_one_burst_are_answered_in_order() {
    let home = home();
    let lifeboat = home.start();
    let producer = producer(&lifeboat);
    let burst: [(&[u8], &[u8]); 7] = [
        (b"order-001", b"a"),
        (b"order-002", b"b"),
        (b"order-001", b"a"),
        (b"none", b"c"),
        (b"order-002", b"other"),
        (b"order-003", b"d"),
        (b"order-002", b"b"),
    ];
    for round in 0..2 {
        for (id, body) in burst {
            producer.send(id, body);
        }
        let mut without_id = if round == 0 { 2 } else { 4 };
        let seqs = BTreeMap::from([(1, 0), (2, 1), (3, 3)]);
        for (id, body) in burst {
            let expected = match (id, body) {
                (b"none", _) => std::mem::replace(&mut without_id, u64::MAX),
                (_, b"other") => {
                    assert_eq!(producer.receipt(id), refused("409"));
                    continue;
                }
                _ => seqs[&(id[8] - b'0')],
            };
            assert_eq!(producer.receipt(id), stored(expected), "{round}");
        }
    }
}

#[test]
fn an_id_is_forgotten_when_its_window_has_passed() {
    let sockets = [ingress("in", "5s"), ingress("long", "1h")].join(", ");
    let home = Home::queue(&sockets, OUT);
    let lifeboat = home.start();
    let short = producer(&lifeboat);
    let long = Producer::new(lifeboat.endpoint("work.long"));
    assert_eq!(short.ask(b"order-001", b"x"), stored(0));
    assert_eq!(long.ask(b"order-001", b"x"), stored(1));
    until("the id is forgotten", || {
        std::thread::sleep(Duration::from_millis(100));
        short.ask(b"order-001", b"x") == stored(2)
    });
    assert_eq!(short.ask(b"order-001", b"x"), stored(2), "remembered anew");
    assert_eq!(long.ask(b"order-001", b"x"), stored(1));
}

#[test]
fn ids_outlive_their_records_and_every_stop() {
    let home = Home::sized("64Mi", &ingress("in", "1h"), OUT);
    let mut lifeboat = home.start();
    let body = vec![7; 200_000];
    for number in 0..60 {
        assert_eq!(producer(&lifeboat).ask(&id(number), &body), stored(number));
    }
    let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    (0..60).for_each(|_| drop(receive(&app)));
    // Behind those stands the trail, until it is made of small records.
    let producer = producer(&lifeboat);
    producer.store(60..2_500);
    (60..2_500).for_each(|_| drop(receive(&app)));
    until("segments are deleted", || home.stream("work").log_start > 40);
    drop((producer, app));
    for round in 0..2 {
        let producer = Producer::new(lifeboat.endpoint("work.in"));
        for number in [0, 1, 59] {
            assert_eq!(producer.ask(&id(number), &body), stored(number), "{round}");
            assert_eq!(producer.ask(&id(number), b"other"), refused("409"), "{round}");
        }
        assert_eq!(producer.store(60..2_500), (60..2_500).collect::<Vec<_>>());
        if round == 0 {
            lifeboat.kill();
        } else {
            assert!(lifeboat.stop().success());
        }
        lifeboat = home.start();
    }
    assert_eq!(home.stream("work").durable_end, 2_500);
}

/// A producer that sends each message until it has its receipt, over SIGKILLs at any time.
#[test]
fn a_retrying_producer_has_each_message_stored_once() {
    const ROUNDS: u64 = 10;
    let home = home();
    let mut next = 0;
    let mut seqs = BTreeMap::new();
    for round in 0..ROUNDS {
        let lifeboat = home.start();
        let producer = producer(&lifeboat);
        // What the last round left without receipt, and then on.
        let first = next;
        let sent = first + 300;
        (first..sent).for_each(|number| producer.send(&id(number), &number.to_be_bytes()));
        for number in first..first + 30 * (round % 4 + 1) {
            let (code, seq) = producer.receipt(&id(number));
            assert_eq!(code, "200");
            assert_eq!(seqs.insert(seq.unwrap(), number), None, "one seq a message");
            next = number + 1;
        }
        lifeboat.kill();
    }
    let lifeboat = home.start();
    let last = producer(&lifeboat);
    let end = next + 300;
    let left = last.store(next..end);
    seqs.extend(left.into_iter().zip(next..));
    assert_eq!(seqs.len() as u64, end, "each message has a seq of its own");
    assert_eq!(home.stream("work").durable_end, end, "and nothing else was stored");
    let bodies = delivered(&lifeboat, usize::try_from(end).unwrap());
    let mut numbers: Vec<u64> = bodies
        .iter()
        .map(|body| u64::from_be_bytes(body[0].as_slice().try_into().unwrap()))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..end).collect::<Vec<_>>());
}
