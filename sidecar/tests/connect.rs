//! Sockets of the queue that connect: producers that bind, and applications far away that bind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::ops::Range;

use support::credit::App;
use support::sockets::{connected, unconnected};
use support::tally::{Tally, numbered};
use support::{Home, Lifeboat, wait_for};

/// A socket bound to a port of its own, and where.
fn bound(kind: zmq::SocketType, at: &str) -> (zmq::Socket, String) {
    let socket = unconnected(kind);
    socket.set_linger(0).unwrap();
    // The port of a socket that was just closed is free in a moment.
    wait_for("the port", || socket.bind(at).ok());
    let endpoint = socket.get_last_endpoint().unwrap().unwrap();
    (socket, endpoint)
}

/// An endpoint on which nobody is.
fn nobody() -> String {
    bound(zmq::PULL, "tcp://127.0.0.1:*").1
}

#[test]
fn a_pull_reads_from_several_producers_that_are_bound() {
    let (first, first_at) = bound(zmq::PUSH, "tcp://127.0.0.1:*");
    let second_at = nobody();
    let home = Home::queue(
        &format!("{{name: in, socket: PULL, connect: [\"{first_at}\", \"{second_at}\"]}}"),
        "{name: out, socket: ROUTER, protocol: Credit}",
    );
    let lifeboat = home.start();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 8);
    first.send("one", 0).unwrap();
    assert_eq!(app.settle(1)[0].body, [b"one"]);
    let status = home.stream("work").ingress.remove(0).socket;
    assert!(status.connects);
    assert_eq!((status.endpoint, status.connections), (format!("{first_at}, {second_at}"), 1));
    let failures = || lifeboat.metric("lifeboat_connect_failures_total", &["reason=\"refused\""]);
    wait_for("a failure to be counted", || (failures() > 0).then_some(()));

    // The second one comes late, and the first one comes back.
    let (second, _) = bound(zmq::PUSH, &second_at);
    second.send("two", 0).unwrap();
    assert_eq!(app.settle(1)[0].body, [b"two"]);
    drop(first);
    let (first, _) = bound(zmq::PUSH, &first_at);
    first.send("three", 0).unwrap();
    assert_eq!(app.settle(1)[0].body, [b"three"]);
    assert_eq!(lifeboat.stop().code(), Some(0));
}

#[test]
fn a_producer_over_ipc_may_be_bound_too() {
    let home = Home::queue("{name: other, socket: PULL}", "{name: out, socket: PUSH}");
    let sockets = home.data().join("sockets");
    let place = format!("ipc://{}/producer", sockets.display());
    home.rewrite(&support::yaml(
        "1Gi",
        &[(
            "work",
            &format!("{{name: in, socket: PULL, connect: [\"{place}\"]}}"),
            "{name: out, socket: PUSH}",
        )],
    ));
    let lifeboat = home.start();
    let (push, _) = bound(zmq::PUSH, &place);
    push.send("over ipc", 0).unwrap();
    let pull = connected(zmq::PULL, lifeboat.endpoint("work.out"));
    assert_eq!(pull.recv_bytes(0).unwrap(), b"over ipc");
}

/// Reads what comes until nothing is missing of the first `sent`.
fn read_all(pull: &zmq::Socket, tally: &mut Tally) {
    while tally.lost() > 0 {
        tally.count(&pull.recv_bytes(0).expect("nothing is lost"));
    }
}

/// Sends numbered messages and waits until all are stored.
fn fill(home: &Home, lifeboat: &Lifeboat, numbers: Range<usize>) {
    let end = numbers.end as u64;
    let app = connected(zmq::PUSH, lifeboat.endpoint("work.outbox"));
    numbers.for_each(|number| app.send(numbered(number, 100), 0).unwrap());
    wait_for("all to be stored", || (home.stream("work").durable_end == end).then_some(()));
}

#[test]
fn an_outbox_loses_nothing_while_the_far_side_and_the_queue_come_and_go() {
    const EACH: usize = 3_000;
    let far_at = nobody();
    let home = Home::queue(
        "{name: outbox, socket: PULL}",
        &format!("{{name: far, socket: PUSH, connect: [\"{far_at}\"], trail: {{time: 1s}}}}"),
    );
    let lifeboat = home.start();
    assert!(home.delivery("far").promise.unwrap().contains("tcp"));

    // The far side is down; it comes, takes all, and goes.
    let mut tally = Tally::of(EACH);
    fill(&home, &lifeboat, 0..EACH);
    let (far, _) = bound(zmq::PULL, &far_at);
    read_all(&far, &mut tally);
    drop(far);

    // It is down, and the queue dies too. What was on its way behind it comes once more.
    fill(&home, &lifeboat, EACH..2 * EACH);
    lifeboat.kill();
    let lifeboat = home.start();
    let (far, _) = bound(zmq::PULL, &far_at);
    let mut tally = tally.grown(2 * EACH);
    read_all(&far, &mut tally);

    // The queue dies while the far side reads.
    fill(&home, &lifeboat, 2 * EACH..3 * EACH);
    let mut tally = tally.grown(3 * EACH);
    while tally.lost() > EACH / 2 {
        tally.count(&far.recv_bytes(0).unwrap());
    }
    lifeboat.kill();
    let lifeboat = home.start();
    read_all(&far, &mut tally);

    // With the far side there, time settles the trail.
    wait_for("the trail to be settled", || {
        while let Ok(body) = far.recv_bytes(zmq::DONTWAIT) {
            tally.count(&body);
        }
        (home.delivery("far").depth == 0).then_some(())
    });
    assert_eq!(home.stream("work").depth, 0);
    assert_eq!(lifeboat.stop().code(), Some(0));
}

#[test]
fn several_far_sides_share_the_work() {
    const SENT: usize = 100;
    let (first, first_at) = bound(zmq::PULL, "tcp://127.0.0.1:*");
    let (second, second_at) = bound(zmq::PULL, "tcp://127.0.0.1:*");
    let home = Home::queue(
        "{name: outbox, socket: PULL}",
        &format!("{{name: far, socket: PUSH, connect: [\"{first_at}\", \"{second_at}\"]}}"),
    );
    let lifeboat = home.start();
    wait_for("both connections", || {
        (home.delivery("far").socket.unwrap().connections == 2).then_some(())
    });
    fill(&home, &lifeboat, 0..SENT);
    let mut tally = Tally::of(SENT);
    wait_for("all of it to arrive", || {
        for far in [&first, &second] {
            while let Ok(body) = far.recv_bytes(zmq::DONTWAIT) {
                tally.count(&body);
            }
        }
        (tally.lost() == 0).then_some(())
    });
    assert_eq!(tally.duplicates(), 0);
    assert_eq!(lifeboat.stop().code(), Some(0));
}
