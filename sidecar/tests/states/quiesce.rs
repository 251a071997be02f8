//! `lifeboat quiesce`: nothing more from outside, and what was taken is safe.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lifeboat_sidecar::control::verb::{Quiesced, Verb};
use lifeboat_sidecar::status::State;

use crate::support::credit::App;
use crate::support::sockets::{connected, send, unconnected};
use crate::support::tally::{number, numbered};
use crate::support::{Home, Lifeboat, ask, lifeboat, wait_for};
use crate::{OUT, OUTBOX, PUSH, RECEIPTS, answers, check_not_open, check_open, produce};

fn queue() -> Home {
    Home::queue(&[RECEIPTS, PUSH, OUTBOX].join(", "), OUT)
}

/// `lifeboat quiesce`, which must succeed.
fn quiesce(home: &Home) -> Quiesced {
    let data = home.data();
    let outcome = lifeboat(&["quiesce", "--json", "--data", data.to_str().unwrap()], "");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// Marks the messages of the two producers.
const OF_DEALER: u8 = 1;
const OF_PUSH: u8 = 2;

fn message(of: u8, at: usize) -> Vec<u8> {
    let mut body = numbered(at, 100);
    body.push(of);
    body
}

/// A DEALER that keeps 200 messages on their way; returns the numbers that have a receipt.
fn dealer(endpoint: &str, done: &AtomicBool) -> BTreeSet<u64> {
    const WINDOW: usize = 200;
    let socket = unconnected(zmq::DEALER);
    socket.set_linger(0).unwrap();
    socket.set_rcvtimeo(100).unwrap();
    socket.set_sndtimeo(100).unwrap();
    socket.connect(endpoint).unwrap();
    let (mut receipted, mut sent) = (BTreeSet::new(), 0);
    while !done.load(Ordering::Relaxed) {
        if sent - receipted.len() < WINDOW {
            let envelope = (sent as u64).to_be_bytes();
            let body = message(OF_DEALER, sent);
            let frames: [&[u8]; 3] = [&envelope, b"", &body];
            if socket.send_multipart(frames, 0).is_ok() {
                sent += 1;
            }
        } else if let Ok(answer) = socket.recv_multipart(0) {
            assert_eq!(answer[2], b"200");
            receipted.insert(number(&answer[0]));
        }
    }
    // What was answered before it was closed.
    while let Ok(answer) = socket.recv_multipart(0) {
        assert_eq!(answer[2], b"200");
        receipted.insert(number(&answer[0]));
    }
    receipted
}

/// A PUSH that sends until it cannot.
fn push(endpoint: &str, done: &AtomicBool) -> usize {
    let socket = unconnected(zmq::PUSH);
    socket.set_linger(0).unwrap();
    socket.set_sndtimeo(100).unwrap();
    socket.connect(endpoint).unwrap();
    let mut sent = 0;
    while !done.load(Ordering::Relaxed) {
        if socket.send(message(OF_PUSH, sent), 0).is_ok() {
            sent += 1;
        }
        if sent.is_multiple_of(64) {
            thread::sleep(Duration::from_millis(1));
        }
    }
    sent
}

/// Takes everything that is there: the messages of each producer, in the order in which they came.
fn consume(lifeboat: &Lifeboat, count: u64) -> [Vec<u64>; 2] {
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..count {
        let msg = app.next();
        app.ack(std::slice::from_ref(&msg));
        let of = usize::from(*msg.body[0].last().unwrap() - OF_DEALER);
        taken[of].push(number(&msg.body[0]));
    }
    taken
}

#[test]
fn what_was_read_under_load_is_synced_when_it_returns_and_all_receipts_are_true() {
    let home = queue();
    let lifeboat = home.start();
    let (receipts, pull) = ("work.receipts", "work.push");
    let done = &AtomicBool::new(false);
    let (quiesced, receipted, pushed) = thread::scope(|scope| {
        let dealer = scope.spawn(|| dealer(lifeboat.endpoint(receipts), done));
        let push = scope.spawn(|| push(lifeboat.endpoint(pull), done));
        wait_for("traffic", || {
            let ingress = home.stream("work").ingress;
            ingress[..2].iter().all(|it| it.messages > 3_000).then_some(())
        });
        let quiesced = quiesce(&home);
        done.store(true, Ordering::Relaxed);
        (quiesced, dealer.join().unwrap(), push.join().unwrap())
    });
    assert_eq!(quiesced.state, State::Quiesced);
    assert!(!answers(lifeboat.endpoint(receipts)) && !answers(lifeboat.endpoint(pull)));
    // Nothing had to be saved after it had returned.
    lifeboat.kill();
    let lifeboat = home.start();
    let depth = home.stream("work").depth;
    assert_eq!(depth, quiesced.depth);
    let [of_dealer, of_push] = consume(&lifeboat, depth);
    let stored: BTreeSet<u64> = of_dealer.iter().copied().collect();
    assert_eq!(stored.len(), of_dealer.len(), "duplicates");
    let lost = receipted.difference(&stored).count();
    assert_eq!(lost, 0, "of {} receipted, {} stored", receipted.len(), stored.len());
    assert!(of_push.iter().copied().eq(0..of_push.len() as u64), "a gap in {pushed} sent");
    wait_for("the end", || home.status().drained.then_some(()));
}

#[test]
fn what_is_on_this_machine_and_all_deliveries_go_on() {
    let home = queue();
    let lifeboat = home.start();
    check_open(&home, &lifeboat);
    let boot = home.status().boot_id;
    produce(&connected(zmq::DEALER, lifeboat.endpoint("work.receipts")), "from outside");
    let outbox = connected(zmq::DEALER, lifeboat.endpoint("work.outbox"));
    produce(&outbox, "before");
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
    for _ in 0..2 {
        // Said again it does nothing more.
        let quiesced = quiesce(&home);
        assert_eq!((quiesced.state, quiesced.depth), (State::Quiesced, 2));
        check_not_open(&home, &lifeboat, State::Quiesced);
    }
    let ingress = home.stream("work").ingress;
    let open: Vec<_> = ingress.iter().map(|it| (&*it.socket.name, it.socket.open)).collect();
    assert_eq!(open, [("receipts", false), ("push", false), ("outbox", true)]);
    produce(&outbox, "after");
    produce(&connected(zmq::DEALER, lifeboat.endpoint("work.outbox")), "a new connection");
    let bodies: Vec<_> = app.settle(4).into_iter().map(|msg| msg.body[0].clone()).collect();
    assert_eq!(bodies, [&b"from outside"[..], b"before", b"after", b"a new connection"]);
    let data = home.data();
    let text = lifeboat_status(data.to_str().unwrap());
    assert!(text.contains("QUIESCED") && text.contains("(closed)"), "{text}");
    assert_eq!(home.status().boot_id, boot);
    assert_eq!(lifeboat.stop().code(), Some(0));
    // It is over with the process.
    let lifeboat = home.start();
    check_open(&home, &lifeboat);
}

fn lifeboat_status(data: &str) -> String {
    lifeboat(&["status", "--data", data], "").stdout
}

#[test]
fn an_application_that_leaves_while_quiesced_has_not_failed() {
    let home =
        Home::queue(RECEIPTS, "{name: out, socket: ROUTER, protocol: Credit, maxAttempts: 1}");
    let lifeboat = home.start();
    produce(&connected(zmq::DEALER, lifeboat.endpoint("work.receipts")), "x");
    quiesce(&home);
    for _ in 0..3 {
        let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
        assert_eq!(app.next().seq, 0);
        // Gone without a word, alone with its record.
        drop(app);
        wait_for("its lease to end", || (home.delivery("out").in_flight == 0).then_some(()));
    }
    let stream = home.stream("work");
    assert_eq!((stream.depth, stream.dead_letters), (1, 0));
}

#[test]
fn it_says_so_when_not_everything_finds_space_in_time() {
    let home = Home::sized("64Mi", PUSH, OUT);
    let lifeboat = home.start();
    let producer = unconnected(zmq::PUSH);
    producer.set_linger(0).unwrap();
    producer.set_sndtimeo(200).unwrap();
    producer.connect(lifeboat.endpoint("work.push")).unwrap();
    let body = vec![7; 1 << 20];
    wait_for("a full stream", || {
        let sent = producer.send(&body[..], 0).is_ok();
        let full = home.stream("work").state == lifeboat_sidecar::status::StreamState::Full;
        (full && !sent).then_some(())
    });
    let data = home.data();
    let arguments = ["quiesce", "--timeout", "3s", "--data", data.to_str().unwrap()];
    let outcome = crate::support::lifeboat(&arguments, "");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("not everything that was read is synced"), "{outcome:?}");
    assert_eq!(home.status().state, State::Quiesced);
    // An application makes room, and whoever waits is told.
    let app = App::with_credit(lifeboat.endpoint("work.out"), 8);
    let waiting = thread::spawn(move || ask(&data, Verb::Quiesce));
    let waits = || home.stream("work").state == lifeboat_sidecar::status::StreamState::Full;
    while waits() {
        app.settle(1);
    }
    let quiesced: Quiesced = serde_json::from_value(waiting.join().unwrap().unwrap()).unwrap();
    assert_eq!(quiesced.state, State::Quiesced);
    send(&app.socket, &[b"CREDIT", b"0"]);
}

#[test]
fn it_waits_for_what_was_read_and_not_for_those_who_keep_a_full_stream_full() {
    let home = Home::sized("64Mi", "{name: push, socket: PULL}", OUT);
    let lifeboat = home.start();
    let producer = unconnected(zmq::PUSH);
    producer.set_linger(0).unwrap();
    producer.set_sndtimeo(10_000).unwrap();
    // On this machine, so it may go on.
    producer.connect(lifeboat.endpoint("work.push")).unwrap();
    thread::spawn(move || while producer.send(&[7; 16 << 10][..], 0).is_ok() {});
    wait_for("a full stream", || {
        let state = home.stream("work").state;
        (state == lifeboat_sidecar::status::StreamState::Full).then_some(())
    });
    let data = home.data();
    let waiting = thread::spawn(move || ask(&data, Verb::Quiesce));
    let app = App::with_credit(lifeboat.endpoint("work.out"), 64);
    // Far more than was read, and each time no more than will be taken at once.
    let finished = (0..60).any(|_| {
        let end = home.stream("work").published_end;
        app.settle(128);
        wait_for("the space to be taken", || {
            (home.stream("work").published_end > end || waiting.is_finished()).then_some(())
        });
        waiting.is_finished()
    });
    assert!(finished);
    waiting.join().unwrap().unwrap();
}
