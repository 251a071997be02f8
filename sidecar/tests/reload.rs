//! A changed file is applied to the running queue, or refused whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use lifeboat_api::{parse, validate_dataplane};
use lifeboat_sidecar::reload::watch::hash;
use lifeboat_sidecar::status::ConfigStatus;
use rustix::process::Signal;
use support::credit::App;
use support::raw::Raw;
use support::simulated::{QUEUE, Simulated};
use support::sockets::{connected, receive, send};
use support::{Home, Lifeboat, PATIENCE, wait_for, yaml};
use tokio::time::timeout;

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt}";
const OUT: &str = "{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 1}";

fn config(home: &Home) -> ConfigStatus {
    home.status().config
}

/// Has the queue run by another file, and waits until it does.
fn change(home: &Home, lifeboat: &Lifeboat, text: &str) -> ConfigStatus {
    home.rewrite(text);
    lifeboat.signal(Signal::HUP);
    wait_for("the file to be applied", || {
        let config = config(home);
        (config.hash == hash(text)).then_some(config)
    })
}

fn work(ingress: &str, deliveries: &str) -> String {
    yaml("4Gi", &[("work", ingress, deliveries)])
}

/// Sends one message and has its receipt.
fn produce(producer: &zmq::Socket, body: &str) {
    send(producer, &[body.as_bytes()]);
    assert_eq!(receive(producer)[0], b"200");
}

#[test]
fn rules_change_under_connected_applications() {
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let producer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    (0..4).for_each(|at| produce(&producer, &at.to_string()));
    let app = App::with_credit(lifeboat.endpoint("work.out"), 8);
    let first = app.next();
    assert_eq!((first.seq, app.drain()), (0, Vec::new()), "one in flight and no more");
    let text =
        work(IN, "{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 3, maxAttempts: 1}");
    let config = change(&home, &lifeboat, &text);
    assert_eq!((config.problems, config.pending_restart), (Vec::new(), Vec::new()));
    let more = app.take(2);
    assert_eq!(app.drain(), []);
    app.say(&[b"NACK", &more[0].token]);
    wait_for("the dead letter", || (home.stream("work").dead_letters == 1).then_some(()));
    assert_eq!(app.next().seq, 3);
    assert_eq!(home.stream("work").ingress[0].socket.connections, 1, "nobody was cut off");
    assert_eq!(lifeboat.stop().code(), Some(0));
}

#[test]
fn rules_of_rep_applications_change_too() {
    let home = Home::queue(IN, "{name: out, socket: DEALER}");
    let lifeboat = home.start();
    produce(&connected(zmq::DEALER, lifeboat.endpoint("work.in")), "x");
    let config = change(&home, &lifeboat, &work(IN, "{name: out, socket: DEALER, maxAttempts: 1}"));
    assert_eq!((config.problems, config.pending_restart), (Vec::new(), Vec::new()));
    let worker = connected(zmq::REP, lifeboat.endpoint("work.out"));
    receive(&worker);
    send(&worker, &[b"NACK"]);
    wait_for("the dead letter", || (home.stream("work").dead_letters == 1).then_some(()));
}

#[test]
fn sockets_come_and_go_while_it_runs() {
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let producer = connected(zmq::DEALER, lifeboat.endpoint("work.in"));
    (0..6).for_each(|at| produce(&producer, &at.to_string()));
    let out = lifeboat.endpoint("work.out").to_owned();
    let app = App::with_credit(&out, 1);
    app.settle(2);
    wait_for("the acks", || (home.delivery("out").cursor == 2).then_some(()));

    // Another delivery starts at what is still held, and another way in opens.
    let both = format!("{OUT}, {{name: new, socket: PUSH}}");
    let ways = format!("{IN}, {{name: push, socket: PULL}}");
    change(&home, &lifeboat, &work(&ways, &both));
    let sockets = home.data().join("sockets");
    let at = |name: &str| format!("ipc://{}/work.{name}", sockets.display());
    let pull = connected(zmq::PULL, &at("new"));
    (2..6u8).for_each(|seq| assert_eq!(pull.recv_bytes(0).unwrap(), seq.to_string().as_bytes()));
    connected(zmq::PUSH, &at("push")).send("6", 0).unwrap();
    assert_eq!(pull.recv_bytes(0).unwrap(), b"6");

    // The first ones go: what the delivery holds stays, and its applications are cut off.
    let held = home.delivery("out");
    change(&home, &lifeboat, &work("{name: push, socket: PULL}", "{name: new, socket: PUSH}"));
    let removed = home.delivery("out");
    assert!(removed.socket.is_none());
    assert_eq!((removed.cursor, removed.depth), (held.cursor, 5));
    assert_eq!(home.stream("work").ingress.len(), 1);
    assert!(!sockets.join("work.out").exists() && !sockets.join("work.in").exists());

    // It comes back where it was; so it does after a kill.
    change(&home, &lifeboat, &work(&ways, &both));
    let again = App::with_credit(&out, 1);
    assert_eq!(again.settle(1)[0].seq, 2);
    wait_for("the ack", || (home.delivery("out").cursor == 3).then_some(()));
    lifeboat.kill();
    let lifeboat = home.start();
    let again = App::with_credit(lifeboat.endpoint("work.out"), 1);
    let seqs: Vec<u64> = again.settle(4).iter().map(|msg| msg.seq).collect();
    // The last ack may not have been synced.
    assert!(seqs == [3, 4, 5, 6] || seqs == [2, 3, 4, 5], "{seqs:?}");
    assert_eq!(home.stream("work").deliveries.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_at_work_on_a_stream_holds_nothing_up_and_what_waits_for_it_is_told() {
    let mut queue = Simulated::start(QUEUE, |disk| Arc::new(disk)).await;
    let stream = Arc::clone(&queue.sidecar.node.streams[0]);
    let names = || -> Vec<String> {
        stream.deliveries().into_iter().map(|delivery| delivery.socket.name).collect()
    };
    let added = QUEUE.replace("deliveries: [", "deliveries: [{name: new, socket: PUSH}, ");
    let replaced = QUEUE.replace("name: out", "name: new");
    for (text, before, after) in
        [(added, &["out"][..], &["out", "new"][..]), (replaced, &["out", "new"], &["new"])]
    {
        let file = validate_dataplane(&parse(&text).unwrap()).unwrap();
        // As a redrive into a full stream does for long.
        let order = stream.change.lock().await;
        let applied = timeout(PATIENCE, queue.sidecar.apply(&file)).await.unwrap();
        assert_eq!(applied.problems.len(), 1, "{applied:?}");
        assert!(applied.problems[0].starts_with("stream work: an order"), "{applied:?}");
        // What would take a delivery away is not begun.
        assert_eq!(applied.withheld, !after.contains(&"out"));
        assert_eq!(names(), before);
        drop(order);
        let applied = queue.sidecar.apply(&file).await;
        assert_eq!((applied.withheld, applied.problems), (false, vec![]));
        assert_eq!(names(), after);
    }
    queue.sidecar.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_moves_is_open_before_an_order_gets_the_stream() {
    let mut queue = Simulated::start(QUEUE, |disk| Arc::new(disk)).await;
    let stream = Arc::clone(&queue.sidecar.node.streams[0]);
    // Whoever does not hang up is waited for.
    let endpoint = stream.deliveries()[0].socket.endpoint.clone();
    let _stubborn = Raw::ready(&endpoint, "PULL");
    let moved = QUEUE.replace("socket: PUSH", "socket: PUSH, bind: \"tcp://127.0.0.1:*\"");
    let file = validate_dataplane(&parse(&moved).unwrap()).unwrap();
    let order = async {
        while stream.change.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let _turn = stream.change.lock().await;
        stream.deliveries().iter().filter(|delivery| delivery.socket.open).count()
    };
    let (applied, open) = tokio::join!(queue.sidecar.apply(&file), order);
    assert_eq!((applied.problems, open), (vec![], 1));
    queue.sidecar.stop().await.unwrap();
}

#[test]
fn a_wrong_file_changes_nothing_and_says_what_is_wrong() {
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let before = config(&home);
    home.rewrite(&work("{name: in, socket: PUSH}", "{name: out, socket: PUSH, maxInFlight: 1}"));
    let problems = wait_for("the problems", || {
        let problems = config(&home).problems;
        (problems.len() == 2).then_some(problems)
    });
    assert!(problems[0].starts_with("spec.streams[0].ingress[0].socket"), "{problems:?}");
    assert_eq!(config(&home).hash, before.hash);
    produce(&connected(zmq::DEALER, lifeboat.endpoint("work.in")), "still");
    let config =
        change(&home, &lifeboat, &work(IN, "{name: out, socket: ROUTER, protocol: Credit}"));
    assert_eq!(config.problems, Vec::<String>::new());
    let app = App::with_credit(lifeboat.endpoint("work.out"), 8);
    assert_eq!(app.settle(1)[0].body, [b"still"]);
}

#[test]
fn what_needs_a_restart_is_named_until_then_and_a_swapped_link_is_seen() {
    let home = Home::queue(IN, OUT);
    let real = home.path().join("1.yaml");
    std::fs::rename(home.file(), &real).unwrap();
    symlink(&real, home.file()).unwrap();
    let lifeboat = home.start();
    let text = yaml("2Gi", &[("other", IN, OUT), ("work", IN, "{name: out, socket: PUSH}")]);
    let next = home.path().join("2.yaml");
    std::fs::write(&next, &text).unwrap();
    // As kubelet does it: another link takes the place of the old one.
    let swap = home.path().join("swap");
    symlink(&next, &swap).unwrap();
    std::fs::rename(&swap, home.file()).unwrap();
    let pending = wait_for("the file to be applied", || {
        let config = config(&home);
        (config.hash == hash(&text)).then_some(config.pending_restart)
    });
    let expected = ["spec.storage.size", "spec.streams[0]", "spec.streams[1].deliveries[0].socket"];
    assert_eq!(pending, expected);
    assert_eq!(home.status().streams.len(), 1);
    assert_eq!(lifeboat.stop().code(), Some(0));
    let _lifeboat = home.start();
    assert_eq!(config(&home).pending_restart, Vec::<String>::new());
    assert_eq!(home.status().streams.len(), 2);
}

#[test]
fn space_is_divided_anew_and_a_port_in_use_is_tried_again() {
    let home = Home::queue(IN, OUT);
    let lifeboat = home.start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp://{}", taken.local_addr().unwrap());
    let text = format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
         spec:\n  storage: {{size: 4Gi}}\n  streams:\n    - name: work\n      \
         ingress: [{IN}, {{name: tcp, socket: PULL, bind: \"{port}\"}}]\n      \
         deliveries: [{OUT}]\n      retention: {{maxBytes: 1Gi}}\n"
    );
    let before = home.stream("work").max_bytes;
    let config = change(&home, &lifeboat, &text);
    assert_eq!(config.problems.len(), 1);
    assert!(config.problems[0].contains("spec.streams[0].ingress[1].bind"), "{config:?}");
    let stream = home.stream("work");
    assert!(stream.max_bytes < before / 2, "{} of {before}", stream.max_bytes);
    assert_eq!(stream.ingress.len(), 1);
    drop(taken);
    wait_for("the port", || home.status().config.problems.is_empty().then_some(()));
    connected(zmq::PUSH, &port).send("late", 0).unwrap();
    let app = App::with_credit(lifeboat.endpoint("work.out"), 1);
    assert_eq!(app.settle(1)[0].body, [b"late"]);
}
