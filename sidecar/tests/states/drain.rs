//! `replicas.<n>.drain`: as quiesced, and back.

use lifeboat_sidecar::status::State;

use crate::support::credit::App;
use crate::support::sockets::{connected, receive, send};
use crate::support::{Home, lifeboat, wait_for, yaml};
use crate::{
    Lifeboat, OUTBOX, answers, check_not_open, check_open, command, endpoint, file, produce, say,
};

#[test]
fn it_comes_and_goes_with_the_file_and_nothing_is_restarted() {
    let home = Home::new(&file("{}"));
    let lifeboat = Lifeboat::start(command(&home));
    let boot = home.status().boot_id;
    let outside = connected(zmq::DEALER, &endpoint(&home, "receipts"));
    let outbox = connected(zmq::DEALER, lifeboat.endpoint("work.outbox"));
    let app = App::with_credit(lifeboat.endpoint("work.out"), 8);
    produce(&outside, "0");
    // Of another replica it says nothing to this one.
    say(&home, &lifeboat, "{0: {drain: true}, 2: {fenced: true}}");
    check_open(&home, &lifeboat);
    produce(&outside, "1");

    for round in 0..2 {
        let closed = endpoint(&home, "receipts");
        let status = say(&home, &lifeboat, "{1: {drain: true}}");
        assert_eq!((status.config.problems, status.config.pending_restart), (vec![], vec![]));
        check_not_open(&home, &lifeboat, State::Draining);
        assert!(!answers(&closed));
        produce(&outbox, "in the pod");
        let status = say(&home, &lifeboat, "{1: {drain: false}}");
        assert_eq!((status.config.problems, status.ordinal), (vec![], Some(1)));
        check_open(&home, &lifeboat);
        let again = connected(zmq::DEALER, &endpoint(&home, "receipts"));
        produce(&again, "from outside again");
        let seqs: Vec<u64> =
            app.settle(if round == 0 { 4 } else { 2 }).iter().map(|msg| msg.seq).collect();
        assert!(seqs.is_sorted() && *seqs.last().unwrap() == 3 + 2 * round, "{seqs:?}");
    }
    let status = home.status();
    assert_eq!((status.boot_id, &status.streams[0].ingress.len()), (boot, &3));
    assert_eq!(status.streams[0].deliveries[0].socket.as_ref().unwrap().connections, 1);
    // It was drained before it was restarted, and so it is then.
    say(&home, &lifeboat, "{1: {drain: true}}");
    assert_eq!(lifeboat.stop().code(), Some(0));
    let lifeboat = Lifeboat::start(command(&home));
    check_not_open(&home, &lifeboat, State::Draining);
    produce(&connected(zmq::DEALER, lifeboat.endpoint("work.outbox")), "after a restart");
}

#[test]
fn drained_is_true_only_when_nothing_is_left() {
    let home = Home::new(&file("{1: {drain: true}}"));
    let process = Lifeboat::start(command(&home));
    let data = home.data();
    let data = data.to_str().unwrap();
    let drained = || {
        let status = home.status();
        assert_eq!(process.metric("lifeboat_drained", &[]), u64::from(status.drained));
        status.drained
    };
    assert!(drained());
    let outbox = connected(zmq::DEALER, process.endpoint("work.outbox"));
    produce(&outbox, "a");
    produce(&outbox, "b");
    assert!(!drained(), "two records");
    let app = App::with_credit(process.endpoint("work.out"), 1);
    let first = app.next();
    assert!(home.status().app_connected && !drained(), "a lease");
    app.ack(&[first]);
    let second = app.next();
    app.say(&[b"REJECT", &second.token]);
    wait_for("the dead letter", || (home.status().totals.dead_letters == 1).then_some(()));
    let status = home.status();
    assert_eq!((status.totals.depth, status.totals.in_flight, status.drained), (0, 0, false));
    assert!(status.totals.bytes > 0);
    let purge = ["purge", "work", "--dead-letters", "--yes", "--data", data];
    assert_eq!(lifeboat(&purge, "").code, Some(0));
    assert!(drained());
    assert_eq!(home.status().totals.bytes, 0);

    // A delivery that the file names no more still holds what it has not settled.
    let two = file("{1: {drain: true}}")
        .replace("deliveries: [", "deliveries: [{name: old, socket: PUSH}, ");
    home.rewrite(&two);
    process.signal(rustix::process::Signal::HUP);
    wait_for("another delivery", || (home.stream("work").deliveries.len() == 2).then_some(()));
    produce(&outbox, "c");
    app.settle(1);
    say(&home, &process, "{1: {drain: true}}");
    wait_for("the ack", || (home.delivery("out").depth == 0).then_some(()));
    assert!(!drained());
    let purge = ["purge", "work", "--removed", "old", "--yes", "--data", data];
    assert_eq!(lifeboat(&purge, "").code, Some(0));
    assert!(drained());
}

#[test]
fn a_stream_that_the_file_names_no_more_counts_until_it_is_purged() {
    const CREDIT: &str = "{name: out, socket: ROUTER, protocol: Credit}";
    const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt, dedup: {window: 1h}}";
    let two = yaml("4Gi", &[("work", OUTBOX, CREDIT), ("gone", IN, CREDIT)]);
    let one = yaml("4Gi", &[("work", OUTBOX, CREDIT)]);
    let home = Home::new(&two);
    let process = home.start();
    let producer = connected(zmq::DEALER, process.endpoint("gone.in"));
    for at in 0..5u64 {
        send(&producer, &[&at.to_be_bytes(), b"", b"x"]);
        assert_eq!(receive(&producer)[2], b"200");
    }
    let app = App::with_credit(process.endpoint("gone.out"), 2);
    app.say(&[b"REJECT", &app.next().token]);
    app.settle(1);
    wait_for("the dead letter", || (home.stream("gone").dead_letters == 1).then_some(()));
    wait_for("the ack", || (home.stream("gone").depth == 3).then_some(()));
    assert_eq!(process.stop().code(), Some(0));

    home.rewrite(&one);
    let process = home.start();
    let status = home.status();
    assert_eq!((&status.removed[..], status.streams.len()), (&["gone".to_owned()][..], 1));
    assert_eq!((status.totals.depth, status.totals.dead_letters, status.drained), (3, 1, false));
    let data = home.data();
    let run = |arguments: &[&str]| {
        let outcome = lifeboat(&[arguments, &["--data", data.to_str().unwrap()]].concat(), "");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout
    };
    assert!(run(&["peek", "gone", "--count", "9"]).lines().count() >= 3);
    assert_eq!(
        run(&["purge", "gone", "--dry-run", "--json"]),
        "{\"records\":4,\"left\":0,\"dryRun\":true}\n"
    );
    // If the name comes back first, everything is still there.
    process.kill();
    home.rewrite(&two);
    let process = home.start();
    assert_eq!((home.stream("gone").depth, home.stream("gone").dead_letters), (3, 1));
    send(&connected(zmq::DEALER, process.endpoint("gone.in")), &[&3u64.to_be_bytes(), b"", b"x"]);
    wait_for("the repeat", || (home.stream("gone").ingress[0].duplicates == 1).then_some(()));
    assert_eq!(process.stop().code(), Some(0));

    home.rewrite(&one);
    let process = home.start();
    run(&["purge", "gone", "--yes"]);
    let status = home.status();
    assert_eq!((status.removed.len(), status.totals.depth, status.drained), (0, 0, true));
    assert!(!home.data().join("streams/gone").exists() && !home.data().join("index/gone").exists());
    produce(&connected(zmq::DEALER, process.endpoint("work.outbox")), "the other goes on");
    process.kill();
    home.rewrite(&two);
    let process = home.start();
    assert_eq!((home.stream("gone").durable_end, home.stream("work").depth), (0, 1));
    assert_eq!(process.stop().code(), Some(0));
}
